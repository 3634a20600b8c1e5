"""The command line: what bad input, a full disk and Ctrl-C end in, and that the commands do their work.

Videos are tiny and show nobody, so that only the loop and the files are under test, not the networks.
"""

import errno
import inspect
import os
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from choros import __version__, systems, track_video
from choros.cli.commands import COMMANDS, command_named
from choros.cli.main import main
from choros.cli.progress import TrackProgress
from choros.errors import ChorosError
from choros.motion import ROW, FrameResult, Motion
from choros.video import VideoWriter, open_video

FRAMES, FPS = 30, 5  # six seconds, so that several checkpoints fall into them
WIDTH, HEIGHT = 96, 64


def grey(index: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), 90 + index, np.uint8)


def write_grey(path: Path, frames: int = FRAMES, width: int = WIDTH) -> Path:
    with VideoWriter(path, width, HEIGHT, Fraction(FPS)) as writer:
        for index in range(frames):
            writer.write(np.resize(grey(index), (HEIGHT, width, 3)))
    return path


class Shades:
    """A system that needs no weights: one person a frame, whose place depends on all frames before."""

    name = "shades"

    def stream(self, K=None):
        return ShadesStream()


class ShadesStream:
    cut_before = False

    def __init__(self):
        self.frame, self.sum = -1, np.float64(0)

    def encode(self, image):
        return float(image.mean())

    def step(self, features, time_s):
        self.frame, self.sum = self.frame + 1, 0.5 * self.sum + features
        rows = np.zeros(1, ROW)
        rows["frame"], rows["person"], rows["visible"] = self.frame, 1, True
        rows["transl"], rows["box_px"] = (0, 0, 3 + self.sum / 100), (1, 2, 31, 62)
        return FrameResult(rows)

    def state(self):
        return {"sum": np.array(self.sum), "frame": np.array(self.frame)}

    def restore(self, state):
        self.sum, self.frame = np.float64(state["sum"]), int(state["frame"])


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Good and bad inputs, made once; tests write elsewhere."""
    folder = tmp_path_factory.mktemp("files")
    write_grey(folder / "clip.mp4")
    write_grey(folder / "wider.mp4", width=WIDTH + 32)
    (folder / "text.mp4").write_text("this is not a video\n" * 50)
    (folder / "empty.mp4").touch()
    (folder / "sound.wav").write_bytes(sound())
    (folder / "no_images").mkdir()
    (folder / "a_file").write_text("here stands a file")
    (folder / "text.pkl").write_text("not a pickle")
    canary = pickle.dumps(Canary(folder / "canary has sung"))
    pickle.loads(canary)
    (folder / "canary has sung").unlink()  # it would sing, and is silent again
    (folder / "canary.pkl").write_bytes(canary)
    track_video.track_to_file(folder / "clip.mp4", folder / "motion.npz", Shades())
    whole = (folder / "motion.npz").read_bytes()
    (folder / "truncated.npz").write_bytes(whole[: len(whole) // 2])
    return folder


class Canary:
    """Sings if its pickle is allowed to run."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def sound() -> bytes:
    """A WAV file of silence."""
    data = bytes(8000)
    form = b"fmt " + (16).to_bytes(4, "little") + bytes.fromhex("01000100401f0000401f000001000800")
    body = b"WAVE" + form + b"data" + len(data).to_bytes(4, "little") + data
    return b"RIFF" + len(body).to_bytes(4, "little") + body


@pytest.fixture
def shades(monkeypatch):
    """``choros track`` without networks."""
    monkeypatch.setattr(systems, "load", lambda *_, **__: Shades())


def run(*arguments: object) -> int:
    """The exit code of one command line."""
    try:
        main([str(a) for a in arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def refusal(capsys, *arguments: object) -> str:
    """The one sentence that a command line ends in."""
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("choros: ")
    assert said.count("\n") == 1
    assert said.endswith("\n")
    assert "Traceback" not in said
    return said


# What it says of itself ---------------------------------------------------------------------------------


def test_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"choros {__version__}\n"


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help(capsys, command):
    assert run(*command, "--help") == 0
    said = capsys.readouterr().out
    assert all(name in said for name in (command or COMMANDS))
    for placeholder in ("{None}", "STR", "default: None", "default: False"):
        assert placeholder not in said


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_for_what_its_class_says(name):
    assert inspect.getdoc(command_named(name)) == COMMANDS[name]


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_help_and_version_load_no_networks_and_decoders(word):
    code = (
        "import sys\nfrom choros.cli.main import main\n"
        f"try: main(['{word}'])\nexcept SystemExit: pass\n"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'av', 'cv2', 'torch', 'onnxruntime')))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_doctor_names_every_weight_and_licence(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    code = run("doctor")
    said = capsys.readouterr()
    assert code == 0
    for word in (
        "nanodet",
        "movenet-thunder",
        "body-light",
        "CC0",
        "Apache-2.0",
        "torch",
        "libavcodec",
        "devices of PyTorch: cpu",
        "devices of onnxruntime: cpu",
    ):
        assert word in said.out


# What it refuses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["missing.mp4", "text.mp4", "empty.mp4", "sound.wav", "no_images", "a_file", "canary.pkl"]
)
@pytest.mark.usefixtures("shades")
def test_inputs_that_are_no_video(capsys, files, tmp_path, name):
    assert name in refusal(capsys, "track", files / name, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--K", 1, 2, 3], "--K"),
        (["--K", 0, 0, 0, 0], "K must"),
        (["--fov", -5], "-5"),
        (["--fov", 50, "--focal", 100], "only one"),
        (["--focal", 0], "focal length"),
        (["--start", 100], "clip.mp4"),
        (["--start", 3, "--end", 2], "end (2.0 s)"),
        (["--end", "nan"], "nan"),
        (["--start", -1], "before it begins"),
        (["--start", "inf"], "inf"),
        (["--end", -1], "after the start"),
        (["--rotate", 45], "90, 180 or 270"),
    ],
)
@pytest.mark.usefixtures("shades")
def test_options_that_make_no_sense(capsys, files, tmp_path, options, names):
    said = refusal(capsys, "track", files / "clip.mp4", "-o", tmp_path / "out", *options)
    assert names in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("what", [["track", "clip.mp4"], ["bench", "runtime", "--data", "clip.mp4"]])
def test_fast_and_accurate_exclude_each_other(capsys, files, tmp_path, what):
    command = [files / word if word == "clip.mp4" else word for word in what]
    said = refusal(capsys, *command, "--fast", "--accurate", "-o", tmp_path / "out")
    assert "fast and accurate" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--system", "clairvoyant"], "clairvoyant"),
        (["--fov", "wide"], "could not convert string to float: 'wide'"),
        (["--colour"], "--colour"),
    ],
)
def test_a_command_line_that_cannot_be_parsed(capsys, files, options, names):
    assert run("track", files / "clip.mp4", *options) == 2
    said = capsys.readouterr()
    assert names in said.err
    assert "Traceback" not in said.err
    assert not said.out


@pytest.mark.parametrize("name", ["missing.pkl", "text.pkl", "canary.pkl", "a_file"])
def test_bodies_that_are_none(capsys, files, tmp_path, name):
    said = refusal(capsys, "track", files / "clip.mp4", "-o", tmp_path / "out", "--body", files / name)
    assert name in said
    assert not (files / "canary has sung").exists()


@pytest.mark.parametrize(
    ("motion", "video", "names"),
    [
        ("truncated.npz", "clip.mp4", "truncated.npz"),
        ("missing.npz", "clip.mp4", "missing.npz"),
        ("a_file", "clip.mp4", "a_file"),
        ("motion.npz", "missing.mp4", "missing.mp4"),
        ("motion.npz", "wider.mp4", "wider.mp4"),
    ],
)
def test_motions_that_cannot_be_shown(capsys, files, tmp_path, motion, video, names):
    output = tmp_path / "overlay.mp4"
    assert names in refusal(capsys, "show", files / motion, files / video, "-o", output)
    assert not output.exists()


@pytest.mark.parametrize("name", ["clip.mp4", "motion.npz", "no_images", "no such folder/overlay.mp4"])
def test_show_writes_over_nothing_but_an_overlay(capsys, files, name):
    before = {path: path.read_bytes() for path in files.iterdir() if path.is_file()}
    assert name in refusal(capsys, "show", files / "motion.npz", files / "clip.mp4", "-o", files / name)
    assert {path: path.read_bytes() for path in files.iterdir() if path.is_file()} == before


# What the disk refuses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "below"])
@pytest.mark.usefixtures("shades")
def test_output_folder_that_is_a_file(capsys, files, below):
    assert "a_file" in refusal(capsys, "track", files / "clip.mp4", "-o", files / "a_file" / below)


@pytest.mark.usefixtures("shades")
def test_output_folder_that_is_not_ours(capsys, files, tmp_path, monkeypatch):
    def forbidden(path, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    said = refusal(capsys, "track", files / "clip.mp4", "-o", tmp_path / "locked")
    assert "locked" in said
    assert os.strerror(errno.EACCES) in said


@pytest.mark.usefixtures("shades")
def test_disk_that_fills_up_loses_nothing_that_was_confirmed(capsys, files, tmp_path, monkeypatch):
    output, checkpoint, calls = tmp_path / "out", track_video.MotionJournal.checkpoint, []

    def full(journal, state):
        calls.append(journal.n_frames)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        checkpoint(journal, state)

    monkeypatch.setattr(track_video.MotionJournal, "checkpoint", full)
    said = refusal(capsys, "track", files / "clip.mp4", "-o", output)
    assert str(output) in said
    assert os.strerror(errno.ENOSPC) in said
    monkeypatch.undo()
    assert len(Motion.load(output / "motion.npz")) == calls[-1]


# What it does -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("shades")
def test_errors_of_ours_are_not_hidden(files, tmp_path, monkeypatch):
    monkeypatch.setattr(ShadesStream, "step", lambda *_: {}["a bug"])
    with pytest.raises(KeyError, match="a bug"):
        run("track", files / "clip.mp4", "-o", tmp_path / "out")


def test_video_of_nobody(capsys, files, tmp_path):
    assert run("track", files / "clip.mp4", "-o", tmp_path, "--end", 2) == 0
    motion = Motion.load(tmp_path / "motion.npz")
    assert (len(motion), len(motion.rows)) == (10, 0)
    assert (tmp_path / "tracks.txt").read_bytes() == b""
    assert "10 frames" in capsys.readouterr().out
    assert run("show", tmp_path / "motion.npz", files / "clip.mp4", "-o", tmp_path / "overlay.mp4") == 0
    with open_video(tmp_path / "overlay.mp4") as reader:
        assert sum(1 for _ in reader) == 10


@pytest.mark.usefixtures("shades")
def test_track_writes_what_it_promises(capsys, files, tmp_path):
    code = run(
        "track", files / "clip.mp4", "-o", tmp_path / "new" / "out", "--start", 1, "--end", 3,
        "--K", 80, 81, 48, 32, "--overlay",
    )  # fmt: skip
    assert code == 0
    motion = Motion.load(tmp_path / "new" / "out" / "motion.npz")
    assert motion.pts_s[[0, -1]].tolist() == [1.0, 2.8]
    assert motion.K[0].tolist() == [[80, 0, 48], [0, 81, 32], [0, 0, 1]]
    first, *_ = (tmp_path / "new" / "out" / "tracks.txt").read_text().splitlines()
    assert first == "6,1,1.00,2.00,30.00,60.00,0.0000,-1,-1,-1"  # the sixth of the file
    with open_video(tmp_path / "new" / "out" / "overlay.mp4") as reader:
        assert sum(1 for _ in reader) == 10
    names = sorted(path.name for path in (tmp_path / "new" / "out").iterdir())
    assert names == ["motion.npz", "overlay.mp4", "tracks.txt"]


@pytest.mark.usefixtures("shades")
def test_nine_numbers_are_the_whole_matrix(files, tmp_path):
    matrix = [80, 0.5, 48, 0, 81, 32, 0, 0, 1]
    assert run("track", files / "clip.mp4", "-o", tmp_path, "--end", 1, "--K", *matrix) == 0
    assert Motion.load(tmp_path / "motion.npz").K[0].ravel().tolist() == matrix


@pytest.mark.usefixtures("shades")
def test_pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"{index}.png"), grey(index))
    assert run("track", folder, "-o", tmp_path / "many") == 0
    assert len(Motion.load(tmp_path / "many" / "motion.npz")) == 3
    assert run("track", folder / "1.png", "-o", tmp_path / "one") == 0
    assert len(Motion.load(tmp_path / "one" / "motion.npz")) == 1


@pytest.mark.usefixtures("shades")
def test_damage_is_told(capsys, tmp_path):
    (tmp_path / "pictures").mkdir()
    for index in range(4):
        cv2.imwrite(str(tmp_path / "pictures" / f"{index}.png"), grey(index))
    (tmp_path / "pictures" / "2.png").write_bytes(b"damaged")
    assert run("track", tmp_path / "pictures", "-o", tmp_path / "out") == 0
    assert "gap: 0.03 s to 0.10 s could not be read (2.png" in capsys.readouterr().out
    assert Motion.load(tmp_path / "out" / "motion.npz").gap_before.tolist() == [False, False, True]


@pytest.mark.usefixtures("shades")
def test_ctrl_c_leaves_valid_files_and_resume_ends_with_the_same_bytes(capsys, files, tmp_path, monkeypatch):
    command = ["track", files / "clip.mp4", "--fov", 60]
    assert run(*command, "-o", tmp_path / "whole") == 0
    whole = Motion.load(tmp_path / "whole" / "motion.npz")

    resumed, update = [], TrackProgress.update

    def pressed(self, now):
        update(self, now)
        if now.n_frames == 17:
            raise KeyboardInterrupt

    stopped = tmp_path / "stopped"
    monkeypatch.setattr(TrackProgress, "update", pressed)
    assert run(*command, "-o", stopped) == 130
    assert "Traceback" not in capsys.readouterr().err
    np.testing.assert_array_equal(Motion.load(stopped / "motion.npz").rows, whole[:17].rows)
    assert len((stopped / "tracks.txt").read_text().splitlines()) == 17

    monkeypatch.setattr(TrackProgress, "update", lambda self, now: resumed.append(now.n_resumed))
    said = refusal(capsys, "track", files / "clip.mp4", "-o", stopped, "--resume")
    assert "was begun with --fov 60, this run is without it" in said
    assert run(*command, "-o", stopped, "--resume") == 0
    assert 17 - 5 * FPS < resumed[0] <= 17
    for name in ("motion.npz", "tracks.txt"):
        assert (stopped / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()

    del resumed[:]
    assert run(*command, "-o", stopped, "--resume") == 0
    assert not resumed
    assert "complete" in capsys.readouterr().out


@pytest.mark.usefixtures("shades")
def test_smoothed_once_however_often_it_is_resumed(capsys, files, tmp_path, monkeypatch):
    command = ["track", files / "clip.mp4", "-o", tmp_path]
    output = tmp_path / "motion.npz"
    assert run(*command) == 0
    plain = output.read_bytes()
    assert run(*command, "--smooth") == 0
    smooth = output.read_bytes()
    assert smooth != plain
    assert "begun with --smooth, this run is without it" in refusal(capsys, *command, "--resume")
    assert "without --fov" in refusal(capsys, *command, "--smooth", "--resume", "--fov", 60)
    assert output.read_bytes() == smooth
    assert run(*command) == 0
    assert output.read_bytes() == plain
    monkeypatch.setattr(TrackProgress, "update", lambda self, now: pytest.fail("tracked again"))
    for _ in range(2):  # the plain run goes on to be smoothed, the smoothed one is as it should be
        assert run(*command, "--smooth", "--resume") == 0
        assert output.read_bytes() == smooth


def test_a_sentence_of_the_library_becomes_the_last_word(capsys, files, monkeypatch):
    def unable(*_, **__):
        raise ChorosError("the weights are missing; install choros again.")

    monkeypatch.setattr(systems, "load", unable)
    said = refusal(capsys, "track", files / "clip.mp4")
    assert said == "choros: the weights are missing; install choros again.\n"
