"""``choros world``: files in, one world out, and what it says of files that do not fit."""

import json

import pytest

from choros.cli.main import main
from choros.cli.progress import TrackProgress
from choros.motion import Motion

from ..glamr.walkers import camera_path, seen_motion, seen_only, walkers


@pytest.fixture
def motion(tmp_path):
    seen = seen_only(seen_motion(walkers(16), camera_path(16), hidden=[(0, 5, 9)]))
    seen.save(tmp_path / "motion.npz")
    return tmp_path / "motion.npz"


def test_everyone_is_in_one_world(motion, tmp_path, capsys):
    main(["world", str(motion), "-o", str(tmp_path / "world.npz"), "--camera", "static"])
    assert "16 frames, 2 people, camera static" in capsys.readouterr().out
    made = Motion.load(tmp_path / "world.npz")
    assert made.space == "world"
    assert [len(person) for person in made.people] == [16, 16]
    assert made.pts == Motion.load(motion).pts


def test_poses_from_a_file(motion, tmp_path, capsys):
    poses = camera_path(16, turn_rad=0.1)
    (tmp_path / "poses.json").write_text(json.dumps({"T_world_camera": poses.tolist()}))
    main(["world", str(motion), "-o", str(tmp_path / "world.npz"), "--camera", str(tmp_path / "poses.json")])
    assert "camera given" in capsys.readouterr().out
    assert (Motion.load(tmp_path / "world.npz").T_world_camera == poses).all()


def test_time_left_is_told(motion, tmp_path, monkeypatch):
    """On a terminal there is a bar of a known total all along, so that the time left is one."""
    told = []

    def count(self, done, total):
        told.append((done, total))
        shown(self, done, total)

    shown = TrackProgress.count
    monkeypatch.setattr(TrackProgress, "count", count)
    main(["world", str(motion), "-o", str(tmp_path / "world.npz"), "--camera", "static"])
    assert len(told) > 5
    assert all(0 <= done <= total for done, total in told)
    assert told[-1][0] == told[-1][1]
    assert len({total for _, total in told}) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--camera", "sideways"], "sideways is neither a file or folder nor one of: auto"),
        (["--camera", "short.json"], "4 poses and walkers.mp4 16 frames"),
        (["--from", "trace"], "was tracked by no system and not by trace; track it with --system trace"),
        (["-o", "motion.npz"], "written over itself"),
        (["--device", "cuda:99"], "no device cuda:99 here"),
        (["--device", "gpu"], "no device called 'gpu'"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(motion, tmp_path, capsys, monkeypatch, options, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.json").write_text(json.dumps({"T_world_camera": camera_path(4).tolist()}))
    with pytest.raises(SystemExit) as stopped:
        main(["world", "motion.npz", *options])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
