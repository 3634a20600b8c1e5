"""Every numbered example runs as it stands, on a short made-up scene, and says what is true of it."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from choros.motion import Motion

EXAMPLES = Path(__file__).parents[1] / "examples"
FRAMES = 12


@pytest.fixture
def example(tmp_path, monkeypatch, capsys):
    """Runs one in an empty folder; returns what it printed."""

    def run(number, argument):
        (path,) = EXAMPLES.glob(f"{number:02}_*.py")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [str(path), str(argument)])
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return run


def test_no_example_is_left_out():
    tested = {int(n) for n in re.findall(r"example\((\d+),", Path(__file__).read_text())}
    assert tested == {int(path.name[:2]) for path in EXAMPLES.glob("*.py")}


def test_track_a_video(example, scene, tmp_path):
    first, *people = example(1, scene.video)
    motion = Motion.load(tmp_path / "motion.npz")
    assert f"{FRAMES} frames in 1.1 s, {len(motion.ids)} people" in first
    assert [line.split(":")[0] for line in people] == [f"person {i}" for i in motion.ids]
    assert len(people) >= 1


def test_frame_by_frame(example, scene):
    said = example(2, scene.video)
    assert [line[:9] for line in said] == [f"{i / 10:6.2f} s:" for i in range(FRAMES)]
    assert said[-1][9:] != " nobody"


def test_who_is_where_when(example, scene):
    motion = Motion.load(scene.folder / "motion.npz")
    *people, part = example(3, scene.folder / "motion.npz")
    assert [line.split(":")[0] for line in people] == [f"person {i}" for i in motion.ids]
    assert f"{motion.people[1].pts_s[-1]:.2f} s" in people[0]
    inside = (motion.people[1].pts_s >= 0.5) & (motion.people[1].pts_s < 1)
    assert f"1 s: {inside.sum()} of {len(motion.people[1])} frames" in part


def test_export(example, scene, tmp_path):
    said = example(4, scene.folder / "motion.npz")
    written = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "export").iterdir()}
    assert {line.split()[0] for line in said} == written
    assert {Path(name).suffix for name in written} == {".glb", ".bvh", ".csv"}


def test_world(example, scene, tmp_path):
    said = example(5, scene.folder / "motion.npz")
    world = Motion.load(tmp_path / "world.npz")
    assert world.space == "world"
    assert [line.split(":")[0] for line in said] == [f"person {i}" for i in world.ids]


def test_compare_two_systems(example, scene):
    said = example(6, scene.folder)
    assert [line.split()[0] for line in said] == ["system", "comotion", "lifter"]
    assert all(float(line.split()[1].rstrip("%")) > 20 for line in said[1:])


def test_follow_a_camera(example, scene):
    said = example(7, scene.video)
    frames = [line for line in said if "dropped" in line]
    dropped = int(frames[-1].split()[-2])
    assert frames[-1].startswith(f"{(FRAMES - 1) / 10:6.2f} s:")
    assert len(frames) + dropped == FRAMES
    wrists = [line.split()[-3:] for line in said if "right wrist" in line]
    assert wrists
    assert all(float(z) > 0.5 for _, _, z in wrists)  # before the camera
