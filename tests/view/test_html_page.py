"""The viewer's page: what is in the file, and what a browser makes of it."""

import base64
import json
import re
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from choros.body import BodyModel
from choros.body.cast import cast_of
from choros.camera import project
from choros.errors import ChorosError
from choros.mesh.colours import colour_of
from choros.motion import Motion
from choros.video import VideoWriter
from choros.view.film import PICTURE_PX, Film
from choros.view.grounding import grounded, shown_options
from choros.view.html_page import write_page
from tests.chromium import Page
from tests.exporters.walkers import (
    AWAY_M,
    FPS,
    FRAMES,
    HEIGHT,
    LOST,
    THERE,
    WIDTH,
    walkers,
    walkers_after_a_cut,
    walkers_whose_camera_is_lost,
)
from tests.view.test_world_view import walk


def content(path: Path) -> dict:
    return json.loads(re.search(r'<script id="data".*?>(.*?)</script>', path.read_text(), re.DOTALL)[1])


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    """Frame k of the walkers' video is grey of 8 k."""
    path = tmp_path_factory.mktemp("video") / "walkers.mp4"
    with VideoWriter(path, WIDTH, HEIGHT, Fraction(FPS)) as writer:
        for frame in range(FRAMES):
            writer.write(np.full((HEIGHT, WIDTH, 3), 8 * frame, np.uint8), Fraction(frame, FPS))
    return path


# What is in the file ------------------------------------------------------------------------------------


def test_page_is_one_file_that_fetches_nothing(tmp_path):
    write_page([("<dance> & {{data}}", walkers())], tmp_path / "m.html")
    text = (tmp_path / "m.html").read_text()
    head = text[: text.index("<script")]
    assert "default-src 'none'" in head
    assert "<title>&lt;dance&gt; &amp; {{data}}</title>" in head
    assert not re.search(r'(src|href)="', text[: text.index("var THREE")])
    assert [path.name for path in tmp_path.iterdir()] == ["m.html"]


def test_motions_keep_their_times_against_each_other(tmp_path):
    early, late = walkers(first_s=Fraction(1)), walkers(first_s=Fraction(3, 2))
    write_page([("early", early), ("late", late)], tmp_path / "m.html")
    shown = content(tmp_path / "m.html")["motions"]
    assert [(each["name"], each["start_s"]) for each in shown] == [("early", 0), ("late", 0.5)]
    assert [each["duration_s"] for each in shown] == pytest.approx([FRAMES / FPS] * 2)
    assert base64.b64decode(shown[1]["glb"])[:4] == b"glTF"


def test_film_is_small_and_tells_its_times(video):
    film = Film.of(video, walkers(first_s=Fraction(0)))
    np.testing.assert_allclose(
        np.diff(film.time_s), 3 / FPS
    )  # every third frame comes nearest to 10 a second
    assert (film.at(0.0), film.at(3 / FPS), film.at(3 / FPS - 0.01), film.at(99.0)) == (0, 1, 0, 9)
    for index in (0, 4, 9):
        image = film.image(index)
        assert image.shape == (PICTURE_PX * HEIGHT // WIDTH, PICTURE_PX, 3)
        assert abs(image.astype(int) - 8 * 3 * index).max() < 8


def test_a_video_of_another_time_is_refused(video, tmp_path):
    with pytest.raises(ChorosError, match=r"walkers.mp4: .*"):
        write_page([("m", walkers(first_s=Fraction(50)))], tmp_path / "m.html", video=video)
    assert list(tmp_path.iterdir()) == []


# The floor ----------------------------------------------------------------------------------------------


def test_known_cameras_show_the_world_and_others_their_own_space():
    assert shown_options(walk(2, "camera")).space == "world"
    assert shown_options(walk(2, "world")).space == "world"
    assert shown_options(walkers(camera_moves=False)).space == "camera"


@pytest.mark.parametrize("down_deg", [0, 25])
def test_floor_of_a_camera_s_axes_is_below_the_feet_of_who_stands(down_deg):
    """The camera of ``walk`` looks 10 degrees down; here as if nobody knew, and with more tilt on top."""
    known = walk(3, "camera")
    tilt = cv2.Rodrigues(np.radians([float(down_deg), 0.0, 0.0]))[0]
    frames, rows = known.frames.copy(), known.rows.copy()
    frames["camera_known"] = False
    body = BodyModel.load(detail="light")
    rest = body.rest_joints(torch.zeros(10), torch.zeros(()))[0].numpy()
    long_m = rest[1] - float(body.vertices(body.neutral())[:, 1].min())  # from pelvis to sole
    for row in rows:
        turned = tilt @ cv2.Rodrigues(row["global_orient"].astype(float))[0]
        row["global_orient"] = cv2.Rodrigues(turned)[0].ravel()
        row["transl"] = tilt @ (row["transl"] + rest) - rest
    unknown = Motion(known.header, frames, rows)
    cast, T_ground_file = grounded(unknown, shown_options(unknown))
    assert cast.space == "camera"
    for person in cast.people:
        pelvis = person.pelvis @ T_ground_file[:3, :3].T + T_ground_file[:3, 3]
        np.testing.assert_allclose(pelvis[:, 1], long_m, atol=0.02)
    up_file = T_ground_file[1, :3]
    true_up = np.array([0, np.cos(np.radians(10 + down_deg)), np.sin(np.radians(10 + down_deg))])
    assert np.degrees(np.arccos(up_file @ true_up)) < 1


# A browser ----------------------------------------------------------------------------------------------

SEEK = "document.getElementById('time').value = {0}; document.getElementById('time').dispatchEvent(new Event('input'))"
CLICK = "document.getElementById('{0}').click()"


def drawn(picture: np.ndarray, person: int) -> np.ndarray:
    """Where a picture of the scene has a person's hue, (h, w) bool; labels and lanes are left out by hiding them."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hue = int(cv2.cvtColor(np.uint8([[colour_of(person)]]), cv2.COLOR_RGB2HSV)[0, 0, 0])
    return (abs(hsv[..., 0].astype(int) - hue) <= 3) & (hsv[..., 1] > 110)


def test_a_browser_shows_people_and_the_slider_moves_them(tmp_path):
    """One page for all, since to start a browser takes longest."""
    motion = walkers(camera_moves=False)
    write_page([("walkers", motion)], tmp_path / "m.html")
    with Page(tmp_path / "profile", 800, 640) as page:
        page.open((tmp_path / "m.html").as_uri())
        page.wait_for("performance.getEntriesByName('ready').length > 0")
        footer = page.ask("document.querySelector('footer').offsetHeight")
        page.ask("document.querySelectorAll('#options, header').forEach((each) => { each.hidden = true; })")
        page.ask(CLICK.format("show-ids"))

        def shot() -> np.ndarray:
            return page.picture()[:-footer]

        # The filming camera's view, the one whose pixels are known.
        page.ask("document.querySelectorAll('#eyes input')[1].click()")
        for frame in (0, 12, 29):
            page.ask(SEEK.format(frame / FPS))
            picture = shot()
            film = json.loads(
                page.ask("JSON.stringify(document.getElementById('film').getBoundingClientRect())")
            )
            cast = cast_of(motion, shown_options(motion))
            for person in cast.people:
                if frame not in THERE[person.id]:
                    assert drawn(picture, person.id).sum() < 50
                    continue
                row = list(person.frame).index(frame)
                place = project(person.pelvis[row] * [1, -1, -1], motion.K[frame]) * film["width"] / WIDTH
                x, y = np.add(place, (film["left"], film["top"])).round().astype(int)
                if 0 <= y < picture.shape[0] and person.visible[row]:
                    near = drawn(picture, person.id)[max(y - 6, 0) : y + 7, x - 6 : x + 7]
                    assert near.any(), (frame, person.id)

        # From anywhere: people, ghosts, and nobody where they are hidden.
        page.ask("document.querySelectorAll('#eyes input')[0].click()")
        page.ask(CLICK.format("show-trails"))
        page.ask(SEEK.format(13 / FPS))
        full = shot()
        assert drawn(full, 1).sum() > 500
        page.ask(SEEK.format(20 / FPS))
        assert abs(shot().astype(int) - full).max(2).astype(bool).sum() > 1000
        for chip in range(3):
            page.ask(f"document.querySelectorAll('.row button')[{chip}].click()")
        empty = shot()
        assert not any(drawn(empty, person).any() for person in THERE)

        # Playing goes on by itself and begins again.
        page.ask(CLICK.format("play"))
        page.wait_for(f"Number(document.getElementById('time').value) > {25 / FPS}")
        page.wait_for(f"Number(document.getElementById('time').value) < {20 / FPS}")
        page.ask(CLICK.format("play"))
        assert page.troubles == []


#: The greatest distances between joined points of each person's trail and of the camera's path, metres.
LONGEST = """(() => {
  const longest = (pieces, at) => Math.max(...pieces.map(([a, b]) => Math.hypot(...[0, 1, 2].map((k) => at[3 * a + k] - at[3 * b + k]))));
  const pairs = (list) => Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i], list[2 * i + 1]]);
  const [motion] = watched.motions, path = motion.camera.drawn[1].geometry.attributes.position.array;
  const trails = motion.people.map(({ trail: { geometry } }) => {
    const { array } = geometry.index, corners = Array.from({ length: array.length / 3 }, (_, i) => array.slice(3 * i, 3 * i + 3));
    return longest(corners.flatMap(([a, b, c]) => [[a, b], [b, c], [a, c]]), geometry.attributes.position.array);
  });
  return [...trails, longest(pairs([...Array(path.length / 3).keys()]), path)];
})()"""  # noqa: E501


def write_watched(motion: Motion, path: Path) -> None:
    """A page whose state can be asked for as ``watched``."""
    write_page([("m", motion)], path)
    text = path.read_text()
    path.write_text(
        text.replace('performance.mark("ready")', 'globalThis.watched = state; performance.mark("ready")')
    )


def test_trails_and_the_cameras_path_end_at_a_cut(tmp_path):
    write_watched(walkers_after_a_cut(), tmp_path / "m.html")
    with Page(tmp_path / "profile", 800, 640) as page:
        page.open((tmp_path / "m.html").as_uri())
        page.wait_for("performance.getEntriesByName('ready').length > 0")
        longest_m = page.ask(LONGEST)
        assert page.troubles == []
    assert len(longest_m) == len(THERE) + 1
    assert 0 < min(longest_m) <= max(longest_m) < 1 < AWAY_M


def test_spells_in_which_the_camera_is_not_known(tmp_path):
    write_page([("a", walkers_whose_camera_is_lost()), ("b", walkers())], tmp_path / "m.html")
    lost, known = content(tmp_path / "m.html")["motions"]
    assert np.allclose(lost["camera_unknown_s"], [[LOST.start / FPS, LOST.stop / FPS]])
    assert known["camera_unknown_s"] == []


def test_a_camera_that_is_not_known_is_not_drawn_and_it_is_said(tmp_path):
    write_watched(walkers_whose_camera_is_lost(), tmp_path / "m.html")
    drawn_now = "watched.motions[0].camera.drawn[0].visible"
    people_now = "watched.motions[0].people.filter((one) => one.mesh.visible).length"
    told = "document.getElementById('clock').textContent.includes('camera not known')"
    with Page(tmp_path / "profile", 800, 640) as page:
        page.open((tmp_path / "m.html").as_uri())
        page.wait_for("performance.getEntriesByName('ready').length > 0")
        assert 0 < page.ask(LONGEST)[-1] < 1 < AWAY_M
        assert page.ask("watched.motions[0].camera.path.length") == FRAMES - len(LOST)
        for frame in (LOST.start - 1, LOST.start, LOST.stop - 1, LOST.stop):
            page.ask(SEEK.format(frame / FPS))
            page.wait_for(f"{drawn_now} === {str(frame not in LOST).lower()}")
            page.wait_for(f"{told} === {str(frame in LOST).lower()}")
            assert page.ask(people_now) > 0
        page.ask("document.querySelectorAll('#eyes input')[1].click()")
        page.ask(SEEK.format(LOST.start / FPS))
        page.wait_for(f"{people_now} === 0 && {told}")
        assert page.troubles == []


def test_a_browser_says_what_is_wrong_with_a_page(tmp_path):
    write_page([("m", walkers())], tmp_path / "m.html")
    text = (tmp_path / "m.html").read_text()
    (tmp_path / "m.html").write_text(text.replace('"glb":"', '"glb":"AAAA'))
    with Page(tmp_path / "profile", 800, 640) as page:
        page.open((tmp_path / "m.html").as_uri())
        page.wait_for("!(document.getElementById('trouble')?.hidden ?? true)")
        assert "cannot show the motion" in page.ask("document.getElementById('trouble').textContent")


def test_a_long_motion_is_shown_with_fewer_poses(tmp_path, monkeypatch):
    monkeypatch.setattr("choros.view.html_page.MOST_POSES", 10)
    monkeypatch.setattr("choros.view.html_page.THINNED_FPS", 5)
    write_page([("m", walkers())], tmp_path / "m.html")
    page = content(tmp_path / "m.html")
    assert page["motions"][0]["fps"] == 5
    assert len(page["frames"]["times_s"]) == FRAMES


@pytest.mark.slow
def test_a_page_opens_at_people_and_not_at_a_stray(tmp_path):
    motion = walkers(camera_moves=False)
    far = motion.rows[motion.row_person == motion.ids[0]].copy()
    far["person"] = 99
    far["transl"] += np.float32([300, 0, 900])
    rows = np.concatenate([motion.rows, far])
    more = Motion(motion.header, motion.frames, rows[np.lexsort((rows["person"], rows["frame"]))])
    write_watched(more, tmp_path / "m.html")
    tall = """watched.motions[0].people.filter((one) => one.shown && one.id < 99)
      .map((one) => { const [a, b] = [0, 10].map((k) => one.mesh.skeleton.bones[k].getWorldPosition(one.path[0].clone()).project(watched.camera));
        return [a.x, a.y, Math.hypot(a.x - b.x, a.y - b.y)]; })"""  # noqa: E501
    with Page(tmp_path / "profile", 390, 700) as page:
        page.open((tmp_path / "m.html").as_uri())
        page.wait_for("performance.getEntriesByName('ready').length > 0")
        page.ask("document.getElementById('help-on').click()")
        assert not page.ask("document.getElementById('help').hidden")
        shown = page.ask(tall)
        assert page.troubles == []
    assert shown
    assert all(abs(x) < 1 and abs(y) < 1 and reach > 0.05 for x, y, reach in shown)
