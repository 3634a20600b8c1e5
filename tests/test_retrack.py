"""A clip tracked again from a moment on: what was before stays, and people go on under the names they were given."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from choros.cli.main import main
from choros.editing import Edit, replay, write_list
from choros.errors import ChorosError
from choros.motion import Motion
from choros.options import TrackOptions
from choros.retrack import same_people, track_again
from choros.track_video import track_to_file
from choros.video import VideoWriter
from tests.cli.test_cli import Shades, write_grey
from tests.tracking.every_system import NAMES, Bright, system_of, walkers

FRAMES, FPS = 48, 15
FROM_S = 2.0  # frame 30, when both have passed each other
EDITS = [Edit("swap", (1, 2)), Edit("rename", (1,), new=7)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "walkers.mp4"
    with VideoWriter(path, 160, 120, Fraction(FPS)) as writer:
        for frame in range(FRAMES):
            writer.write(walkers(frame))
    return path


def where(motion, frame):
    """The middle of everybody's box, by identity, px from the left."""
    rows = motion.in_frame(frame)
    return {int(row["person"]): float(row["box_px"][[0, 2]].mean()) for row in rows}


@pytest.mark.parametrize("name", NAMES)
def test_people_go_on_as_they_were_mended(name, clip, tmp_path):
    system = system_of(name, Bright())
    track_to_file(clip, tmp_path / "first.npz", system)
    first = Motion.load(tmp_path / "first.npz")
    assert first.ids.tolist()[:2] == [1, 2]
    mended = replay(first, EDITS).motion
    told = track_again(clip, mended, FROM_S, tmp_path / "again.npz", system, provenance={"mended": "so"})
    again = Motion.load(tmp_path / "again.npz")
    seam = int(FROM_S * FPS)
    assert told.n_frames == len(again) == FRAMES
    was, now = mended[:seam].rows, again[:seam].rows
    assert (now[now["visible"]] == was[was["visible"]]).all()
    for field in was.dtype.names:
        if field in (
            "transl",
            "box_px",
        ):  # a gap over the seam is led to its next sight once more: to the last bit
            np.testing.assert_allclose(now[field], was[field], rtol=1e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(now[field], was[field])
    np.testing.assert_array_equal(again.frames["pts"], first.frames["pts"])
    np.testing.assert_array_equal(again.number, first.number)
    assert again.header.provenance["mended"] == "so"
    for frame in (seam, seam + 5, FRAMES - 1):
        was, now = where(mended, frame), where(again, frame)
        known = was.keys() & mended.in_frame(seam - 1)["person"].tolist()
        assert (
            len(known) == 2
        )  # both are there in all systems' eyes, under names that no run would give by itself
        assert now == {person: pytest.approx(was[person], abs=6) for person in known}
    assert (tmp_path / "tracks.txt").is_file()
    assert not (tmp_path / "again.npz.journal").exists()


def test_the_camera_is_that_of_the_mended_motion(clip, tmp_path):
    system = system_of("toy", Bright())
    track_to_file(clip, tmp_path / "first.npz", system)
    K = (200.0, 0, 80, 0, 210, 60, 0, 0, 1)
    mended = replay(Motion.load(tmp_path / "first.npz"), [Edit("K", value=K)]).motion
    track_again(clip, mended, FROM_S, tmp_path / "again.npz", system)
    np.testing.assert_array_equal(
        Motion.load(tmp_path / "again.npz").K, np.tile(np.reshape(K, (3, 3)), (FRAMES, 1, 1))
    )


def test_who_is_who_by_votes():
    votes = {(1, 5): 3, (1, 6): 9, (2, 6): 10, (3, 5): 0, (4, 8): 1}
    assert same_people(votes) == {1: 5, 2: 6, 4: 8}
    assert same_people({}) == {}


@pytest.mark.parametrize(
    ("from_s", "options", "system", "says"),
    [
        (0.0, TrackOptions(), "toy", "lies before 0 s; track the whole clip"),
        (1.0, TrackOptions(photos=True), "toy", "photographs have nothing before them"),
        (1.0, TrackOptions(), "shades", "people of shades cannot be given identities"),
    ],
)
def test_what_cannot_be_is_said(from_s, options, system, says, clip, tmp_path):
    toy = system_of("toy", Bright())
    track_to_file(clip, tmp_path / "first.npz", toy)
    given = Shades() if system == "shades" else toy
    with pytest.raises(ChorosError, match=says):
        track_again(clip, Motion.load(tmp_path / "first.npz"), from_s, tmp_path / "again.npz", given, options)
    assert not (tmp_path / "again.npz").exists()


def test_the_command_line_keeps_what_was_there(clip, tmp_path, monkeypatch, capsys):
    from choros import systems

    monkeypatch.setattr(systems, "load", lambda *_, **__: system_of("toy", Bright()))
    out = tmp_path / "out"
    main(["track", str(clip), "-o", str(out)])
    first = Motion.load(out)
    write_list(tmp_path / "list.toml", EDITS)
    main(["track", str(clip), "-o", str(out), "--edits", str(tmp_path / "list.toml"), "--from", "2"])
    said = capsys.readouterr().out
    assert "swap 1,2: 1 and 2 change places the whole time" in said
    np.testing.assert_array_equal(Motion.load(out / "motion-before.npz").rows, first.rows)
    again = Motion.load(out)
    assert again.ids.tolist() == [2, 3, 7]  # the toy loses the second while they pass each other: 3
    assert again.header.provenance["mended"] == {"edits": ["swap 1,2", "rename 1=7"], "from_s": 2.0}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--from", "2"], "give --edits and --from together"),
        (["--edits", "list.toml"], "give --edits and --from together"),
        (["--edits", "list.toml", "--from", "2", "--resume"], "leave out --resume"),
        (["--edits", "list.toml", "--from", "2"], "holds no motion.npz to mend"),
    ],
)
def test_the_command_line_refuses(more, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_grey(tmp_path / "clip.mp4")
    write_list("list.toml", EDITS)
    with pytest.raises(SystemExit) as end:
        main(["track", "clip.mp4", *more])
    said = capsys.readouterr().err
    assert (end.value.code, said.count("\n")) == (2, 1)
    assert says in said
