"""Mending who is who on the viewer's page: clicked in a browser, it is what `choros edit` makes of the saved list."""

import json
import time

import numpy as np
import pytest

from choros.editing import Edit, read_list, replay
from choros.editing.edit_list import list_text
from choros.errors import ChorosError
from choros.view.html_page import write_page
from tests.chromium import Page
from tests.exporters.walkers import walkers

READY = "performance.getEntriesByName('ready').length > 0"
ROW = "[...document.querySelectorAll('.row')].find((row) => row.querySelector('button')?.textContent === 'person {0}')"
BAR = (
    "(() => {{ const bar = "
    + ROW
    + ".querySelectorAll('.lane i:not(.unseen)')[{1}].getBoundingClientRect(); "
    "return [bar.left + {2} * bar.width, bar.top + bar.height / 2]; }})()"
)
LANES = "[...document.querySelectorAll('.row > button')].map((chip) => chip.textContent)"
NOW = "[...document.querySelectorAll('#tags .person:not([hidden])')].map((tag) => Number(tag.textContent)).sort()"
SEEK = "document.getElementById('time').value = {0}; document.getElementById('time').dispatchEvent(new Event('input'))"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """One browser for all, since to start it takes longest."""
    folder = tmp_path_factory.mktemp("page")
    write_page([("walkers", walkers(camera_moves=False))], folder / "m.html")
    with Page(folder / "profile", 1200, 720) as opened:
        opened._call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        opened.folder = folder
        opened.open((folder / "m.html").as_uri())
        opened.wait_for(READY)
        yield opened


def click(page, name):
    page.ask(f"document.getElementById('edit-{name}').click()")


def click_bar(page, person, which=0, share=0.5):
    x, y = page.ask(BAR.format(person, which, share))
    for kind in ("mousePressed", "mouseReleased"):
        page._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


def saved(page):
    path = page.folder / "edits.toml"
    path.unlink(missing_ok=True)
    click(page, "save")
    end = time.monotonic() + 30
    while not path.is_file():
        assert time.monotonic() < end
        time.sleep(0.05)
    return read_list(path)


def test_bars_are_clicked_and_the_list_is_saved(page):
    motion = walkers(camera_moves=False)
    assert page.ask(LANES) == ["person 1", "person 2", "person 5"]
    click(page, "on")
    click_bar(page, 1)
    click_bar(page, 5, which=1, share=0.3)
    assert page.ask("document.getElementById('edit-told').textContent") == "person 1 and person 5"
    assert page.ask("document.getElementById('edit-split').disabled")
    click(page, "swap")  # from the frame at .3 of person 5's second bar on, number 18 of the clip
    click_bar(page, 2, share=0.52)
    click(page, "split")
    assert page.ask(LANES) == ["person 1", "person 2", "person 5", "person 6"]
    page.ask(SEEK.format(29 / 25))
    page.wait_for(f"String({NOW}) === '5,6'")  # 1 and 5 changed places, of whom the first was gone; 2 is 6
    click_bar(page, 1)
    click_bar(page, 6)
    click(page, "merge")
    click_bar(page, 5)
    click(page, "cut")
    page.ask("document.getElementById('edit-number').value = 5")
    click_bar(page, 2)
    click(page, "rename")
    assert len(page.ask("[...document.querySelectorAll('#edit-list li')].map((one) => one.textContent)")) == 4
    page.ask("document.getElementById('edit-number').value = 8")
    click(page, "rename")
    assert page.ask(LANES) == ["person 1", "person 5", "person 8"]
    edits = saved(page)
    assert edits == [  # the clip begins at 2 s
        Edit("swap", (1, 5), 2.72),
        Edit("split", (2,), 2.76, new=6),
        Edit("merge", (1, 6)),
        Edit("cut", (5,), 2.0, 2.4),
        Edit("rename", (2,), new=8),
    ]
    done = replay(motion, edits).motion
    assert done.ids.tolist() == [1, 5, 8]
    for frame in (3, 9, 12, 17, 20, 25, 29):
        page.ask(SEEK.format(frame / 25 + 1e-3))
        page.wait_for(f"document.querySelector('#clock small').textContent.startsWith('frame {frame},')")
        expected = sorted(done.in_frame(frame)["person"].tolist())
        page.wait_for(f"String([...new Set({NOW})]) === '{','.join(map(str, expected))}'")
    for _ in range(5):
        click(page, "undo")
    assert page.ask(LANES) == ["person 1", "person 2", "person 5"]
    assert page.ask("document.getElementById('edit-save').disabled")
    click(page, "on")
    assert page.troubles == []


def drawn_edits(rng, motion):
    """Some edits that can be done to a motion one after another, on times of frames."""
    edits = []
    while len(edits) < 6:
        ids, a, b = motion.ids.tolist(), *np.sort(rng.choice(motion.pts_s, 2, replace=False)).tolist()
        pair = tuple(int(one) for one in rng.choice(ids, min(len(ids), 2), replace=False))
        new = int(max(ids)) + 1
        edit = [
            Edit("swap", pair, a, b), Edit("swap", pair, a), Edit("merge", pair), Edit("delete", pair[:1]),
            Edit("cut", pair[:1], a, b), Edit("split", pair[:1], a, new=new), Edit("rename", pair[:1], new=new),
        ][rng.integers(7)] if len(pair) == 2 else Edit("rename", pair, new=new)  # fmt: skip
        try:
            motion = replay(motion, [edit]).motion
        except ChorosError:
            continue
        if not len(motion.rows):
            return edits
        edits.append(edit)
    return edits


def record(edit):
    """An edit as the page has it."""
    values = {"start_s": edit.start_s, "end_s": edit.end_s, "new": edit.new}
    told = {name: value for name, value in values.items() if value is not None and abs(value) != np.inf}
    return {"do": edit.do, "people": list(edit.people)} | told


@pytest.mark.parametrize("seed", range(12))
def test_the_page_has_the_rules_of_python(page, seed):
    """Whoever is left by random edits is called on the page as in the motion, and lists are written alike."""
    motion = walkers()
    motion = motion.with_extras({"mark": np.arange(len(motion.rows))})
    edits = drawn_edits(np.random.default_rng(seed), motion)
    done = replay(motion, edits).motion
    given = json.dumps([record(edit) for edit in edits])
    before = motion.rows[done.extras["mark"]]
    places = list(zip(before["person"].tolist(), motion.pts_s[before["frame"]].tolist(), strict=True))
    called = page.ask(
        f"(() => {{ const spells = Edits.replay({motion.ids.tolist()}, {given}); "
        f"return {json.dumps(places)}.map(([one, time]) => Edits.at(spells.get(one), time)); }})()"
    )
    assert called == done.row_person.tolist()
    (page.folder / "list.toml").write_text(page.ask(f"Edits.text({given})"))
    assert read_list(page.folder / "list.toml") == edits
    assert list_text(edits).splitlines()[0] == (page.folder / "list.toml").read_text().splitlines()[0]
