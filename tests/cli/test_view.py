"""``choros view --html`` and ``choros plot``: pages under the names they say, and one sentence for what cannot be."""

import re
import shlex
import shutil
import sys
from fractions import Fraction

import cv2
import numpy as np
import pytest

from choros.cli.grammar import check_places
from choros.cli.main import main
from choros.cli.motions import is_motion
from choros.video import VideoWriter
from tests.exporters.walkers import FPS, FRAMES, HEIGHT, WIDTH, walkers


@pytest.fixture(scope="module")
def motion(tmp_path_factory):
    path = tmp_path_factory.mktemp("take") / "dance.npz"
    walkers().save(path)
    return path


def test_pages_are_written(motion, tmp_path, capsys):
    page, report = tmp_path / "new" / "m.html", tmp_path / "r.html"
    main(["view", str(motion), "--html", str(page)])
    main(["plot", str(motion), "-o", str(report), "--joints", "neck", "--people", "2", "5"])
    said = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in said] == [str(page), str(report)]
    assert "<title>dance</title>" in page.read_text()
    assert "Person 5" in report.read_text()


def test_motions_of_one_name_are_told_apart_by_their_folders(motion, tmp_path):
    other = tmp_path / "truth" / "dance.npz"
    other.parent.mkdir()
    walkers().save(other)
    main(["view", str(motion), "--compare", str(other), "--html", str(tmp_path / "m.html")])
    assert f"<title>{motion.parent.name}/dance, truth/dance</title>" in (tmp_path / "m.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["view"], "give a motion.npz"),
        (["view", "MOTION", "--html", "m.npz"], "m.npz is not a page; name a file such as motion.html"),
        (["view", "MOTION"], "pip install choros[view]"),
        (["plot", "MOTION", "--joints", "tail"], "no angles of a joint tail"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(motion, tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(SystemExit) as end:
        main([str(motion) if argument == "MOTION" else argument for argument in arguments])
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert says in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# One grammar ----------------------------------------------------------------------------------------------


def titles(page):
    return re.search("<title>(.*?)</title>", page.read_text())[1]


@pytest.mark.parametrize(
    "compared",
    [
        ["--compare", "b.npz", "c.npz"],
        ["--compare", "b.npz", "--compare", "c.npz"],
        ["--compare=b.npz", "--compare=c.npz"],
    ],
)
def test_motions_to_compare_are_given_at_once_or_one_by_one(compared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        walkers().save(f"{name}.npz")
    main(["view", "a.npz", *compared, "--html", "m.html"])
    assert titles(tmp_path / "m.html") == "a, b, c"


def test_the_video_follows_its_motion(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    walkers(first_s=Fraction(0)).save("a.npz")
    with VideoWriter("clip.mp4", WIDTH, HEIGHT, Fraction(FPS)) as film:
        for _ in range(FRAMES):
            film.write(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    main(["view", "a.npz", "clip.mp4", "--compare", "a.npz", "--html", "m.html"])
    assert '"jpegs":["' in (tmp_path / "m.html").read_text()


OTHER_SPELLINGS = [
    ("view a.npz --video clip.mp4", "`choros view MOTION clip.mp4`"),
    ("view --video=clip.mp4 a.npz --html m.html", "`choros view MOTION clip.mp4`"),
    ("show a.npz --video clip.mp4", "`choros show MOTION clip.mp4`"),
    ("world a.npz --video 'my clip.mp4'", "`choros world MOTION 'my clip.mp4'`"),
    ("view a.npz b.npz --html m.html", "a motion and no video; to compare, write `choros view a.npz --compare b.npz`"),
    ("view a.npz b.npz a.npz", "`choros view a.npz --compare b.npz a.npz`"),
    ("view a.npz clip.mp4 motion.mp4", "`choros view a.npz clip.mp4 --compare motion.mp4`"),
    ("view a.npz folder", "`choros view a.npz --compare folder`"),
    ("view a.npz clip.mp4 other.mp4", "one video, not 2"),
    ("view clip.mp4 a.npz", "the motion comes first, then the video: `choros view a.npz clip.mp4`"),
    ("show clip.mp4 a.npz", "the motion comes first, then the video: `choros show a.npz clip.mp4`"),
    ("world clip.mp4 a.npz", "the motion comes first, then the video: `choros world a.npz clip.mp4`"),
    ("show a.npz b.npz", "b.npz is a motion and no video; give the video that a.npz was tracked in"),
    ("world a.npz b.npz", "b.npz is a motion and no video; give the video that a.npz was tracked in"),
    ("view a.npz --compare b.npz clip.mp4", "`choros view a.npz clip.mp4 --compare ...`"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "says"), OTHER_SPELLINGS)
def test_other_spellings_get_a_sentence_with_the_one_that_holds(
    line, says, motion, tmp_path, monkeypatch, capsys
):
    """What is a motion is told by what is in it: motion.mp4 is one, clip.mp4 is none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name in ("a.npz", "b.npz", "motion.mp4", "folder/motion.npz"):
        shutil.copy(motion, name)
    (tmp_path / "clip.mp4").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as end:
        main(shlex.split(line))
    said = capsys.readouterr().err
    assert (end.value.code, said[:8], said.count("\n")) == (2, "choros: ", 1)
    assert says in said
    assert sorted(tmp_path.rglob("*")) == before


def test_frames_with_a_motion_beside_them_are_a_video(motion, tmp_path):
    shutil.copy(motion, tmp_path / "motion.npz")
    assert is_motion(tmp_path)
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((8, 8, 3), np.uint8))
    assert check_places("view", motion, [str(tmp_path)]) == str(tmp_path)
