"""What the command line takes and refuses of cameras, before any network is loaded."""

import json

import numpy as np
import pytest

from choros import systems
from choros.camera.pose import level_pose
from choros.cli import threads
from choros.motion import Motion
from choros.video import open_video
from tests.cli.test_cli import HEIGHT, WIDTH, Shades, refusal, run, write_grey

TOML = """[{name}]
size = [{width}, {height}]
matrix = [[{fx}, 0.0, {cx}], [0.0, {fx}, {cy}], [0.0, 0.0, 1.0]]
distortions = [-0.2, 0.05, 0.001, 0.0]
"""
POSE = np.array(level_pose(2.5, 20))


class Both(Shades):
    """For ``choros live``, too."""

    def stream(self, K=None):
        stream = super().stream(K)
        stream.update = lambda image, time_s: stream.step(stream.encode(image), time_s)
        return stream


@pytest.fixture
def shades(monkeypatch):
    """``choros track`` and ``choros live`` without networks."""
    monkeypatch.setattr(systems, "load", lambda *_, **__: Both())
    monkeypatch.setattr(threads, "leave_cores_to_the_networks", lambda: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_grey(folder / "clip.mp4")
    write_grey(
        folder / "short.mp4", frames=4
    )  # a file is played to a camera's system as slowly as it was filmed
    left = TOML.format(name="left", width=2 * WIDTH, height=2 * HEIGHT, fx=160.0, cx=95.0, cy=63.0)
    (folder / "left.toml").write_text(left)
    other = TOML.format(name="right", width=640, height=480, fx=600.0, cx=320, cy=240)
    (folder / "both.toml").write_text(left + other)
    (folder / "moving.json").write_text(json.dumps({"T_world_camera": [POSE.tolist()] * 2}))
    (folder / "pose.json").write_text(json.dumps({"T_world_camera": POSE.tolist()}))
    return folder


REFUSED = {
    "transposed": (["--K", 80, 0, 0, 0, 80, 0, 48, 32, 1], "give 80 0 48, 0 80 32, 0 0 1"),
    "normalised": (["--K", 1.04, 0, 0.5, 0, 1.85, 0.5, 0, 0, 1], "normalised"),
    "far outside": (["--K", 1800, 1800, 5000, -3000], "far outside"),
    "of 1920x1080": (["--K", 1900, 1900, 960, 540], "1920x1080"),
    "nan": (["--K", "nan", 80, 48, 32], "finite"),
    "negative": (["--K", -80, 80, 48, 32], "positive"),
    "two cameras": (["--calibration", "both.toml"], "name one with --camera-name: left, right"),
    "no such camera": (["--calibration", "both.toml", "--camera-name", "top"], "has no camera 'top'"),
    "of another shape": (
        ["--calibration", "both.toml", "--camera-name", "right"],
        "640x480 px and the video has 96x64",
    ),
    "no calibration": (["--calibration", "clip.mp4"], "cannot be read as a calibration"),
    "missing": (["--calibration", "nothing.yml"], "does not exist"),
    "two kinds": (["--calibration", "left.toml", "--fov", 60], "only one of"),
    "a camera of nothing": (["--camera-name", "left"], "--calibration"),
    "before the start": (["--start", -1], "-1"),
    "before the start, too": (["--end", -1], "-1"),
    "no end": (["--end", 0], "must come after the start"),
    "half a pose": (["--camera-pose", 1, 0, 0, 0], "sixteen numbers"),
    "words": (["--camera-pose", "here", "there"], "sixteen numbers"),
    "a moving camera": (["--camera-pose", "moving.json"], "camera that moves"),
    "identity": (["--camera-pose", *np.eye(4).ravel()], "not above the floor"),
    "below the floor": (["--camera-height", -2], "none; give metres"),
    "tilt alone": (["--camera-tilt", 20], "--camera-height"),
    "two poses": (["--camera-height", 2, "--camera-pose", "pose.json"], "one of the two"),
}


@pytest.mark.parametrize("command", ["track", "live"])
@pytest.mark.parametrize("name", REFUSED)
def test_refused(capsys, files, tmp_path, monkeypatch, shades, command, name):
    options, says = REFUSED[name]
    if command == "live" and any(str(o) in ("--start", "--end") for o in options):
        pytest.skip("a camera has no start")
    monkeypatch.chdir(files)
    monkeypatch.setattr(systems, "load", lambda *_, **__: pytest.fail("the networks were loaded"))
    output = tmp_path / "out" / "motion.npz"
    assert says in refusal(
        capsys, command, "clip.mp4", "-o", output if command == "live" else output.parent, *options
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("shades")
def test_a_calibration(files, tmp_path):
    assert (
        run("track", files / "clip.mp4", "-o", tmp_path, "--calibration", files / "left.toml", "--overlay")
        == 0
    )
    motion = Motion.load(tmp_path / "motion.npz")
    np.testing.assert_allclose(motion.K[0], [[80, 0, 47.75], [0, 80, 31.75], [0, 0, 1]])
    assert motion.header.provenance["calibration"]["pictures"] == "undistorted"
    with open_video(tmp_path / "overlay.mp4") as reader:
        assert sum(1 for _ in reader) == len(motion)
    both = ["--calibration", files / "both.toml", "--camera-name", "left"]
    assert run("track", files / "clip.mp4", "-o", tmp_path / "both", *both) == 0
    assert Motion.load(tmp_path / "both" / "motion.npz").K.tolist() == motion.K.tolist()


@pytest.mark.parametrize(
    "options",
    [
        ["--camera-height", 2.5, "--camera-tilt", 20],
        ["--camera-pose", "pose.json"],
        ["--camera-pose", *POSE.ravel()],
        ["--camera-pose", *POSE[:3].ravel()],
    ],
)
@pytest.mark.usefixtures("shades")
def test_a_known_pose(files, tmp_path, monkeypatch, options):
    monkeypatch.chdir(files)
    assert run("track", "clip.mp4", "-o", tmp_path, *options) == 0
    motion = Motion.load(tmp_path / "motion.npz")
    assert motion.space == "world"
    np.testing.assert_allclose(motion.T_world_camera[0], POSE, atol=1e-12)
    assert run("live", "short.mp4", "-o", tmp_path / "live.npz", *options) == 0
    assert Motion.load(tmp_path / "live.npz").space == "world"
    assert run("export", tmp_path / "motion.npz", "--to", "csv", "-o", tmp_path / "csv") == 0


def test_the_world_is_not_made_twice(capsys, files, tmp_path, shades):
    said = refusal(capsys, "track", files / "clip.mp4", "-o", tmp_path / "o", "--camera-height", 2, "--world")
    assert "in the world already" in said
    assert not (tmp_path / "o").exists()
    run("track", files / "clip.mp4", "-o", tmp_path / "o", "--camera-height", 2)
    capsys.readouterr()
    said = refusal(capsys, "world", tmp_path / "o" / "motion.npz", "-o", tmp_path / "w.npz")
    assert "in the world already" in said


@pytest.mark.usefixtures("shades")
def test_the_camera_of_a_calibration_by_its_flag_of_once(files, tmp_path):
    for flag in (["--camera", "left"], ["--camera=left"]):
        both = ["--calibration", files / "both.toml", *flag]
        assert run("track", files / "clip.mp4", "-o", tmp_path, *both) == 0
        assert Motion.load(tmp_path / "motion.npz").K[0, 0, 0] == 80


@pytest.mark.usefixtures("shades")
def test_a_live_recording_goes_to_a_folder_or_a_file(files, tmp_path, capsys):
    assert run("live", files / "clip.mp4", "-o", tmp_path / "take") == 0
    assert run("live", files / "clip.mp4", "-o", tmp_path / "take.npz") == 0
    assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.npz")} == {
        "take/motion.npz",
        "take.npz",
    }
    capsys.readouterr()
    assert "new.npz is a file's name" in refusal(
        capsys, "track", files / "clip.mp4", "-o", tmp_path / "new.npz"
    )
