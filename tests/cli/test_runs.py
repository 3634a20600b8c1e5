"""Whose folder and whose clip: two runs at once, what is known again, pipes, and clips without people.

The systems are stand-ins that need no networks; where two runs meet, they are two processes.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from choros import systems, track_video
from choros.cli.progress import TrackProgress
from choros.cli.world import World
from choros.errors import ChorosError
from choros.motion import FrameResult, Motion
from choros.options import TrackOptions
from choros.run_identity import file_identity
from choros.track_video import track_to_file
from choros.video import VideoWriter, open_video, spool
from tests.cli.test_cli import FPS, FRAMES, Shades, ShadesStream, refusal, run, write_grey


class Absent(Shades):
    """A system that finds nobody."""

    def stream(self, K=None):
        return AbsentStream()


class AbsentStream(ShadesStream):
    def step(self, features, time_s):
        return FrameResult(super().step(features, time_s).rows[:0])


@pytest.fixture
def shades(monkeypatch):
    monkeypatch.setattr(systems, "load", lambda *_, **__: Shades())


@pytest.fixture
def no_networks(monkeypatch):
    """Whoever loads a system fails."""

    def load(*_, **__):
        raise AssertionError("networks were loaded before all was refused that can be")

    monkeypatch.setattr(systems, "load", load)


@pytest.fixture
def clip(tmp_path) -> Path:
    return write_grey(tmp_path / "clip.mp4")


def other_clip(path: Path) -> Path:
    """Another clip of the same length under the name of ``path``."""
    with VideoWriter(path, 96, 64, Fraction(FPS)) as writer:
        for index in range(FRAMES):
            writer.write(np.full((64, 96, 3), 200 - index, np.uint8))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Two runs at once ---------------------------------------------------------------------------------------

SLOW = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from choros import systems, track_video
from choros.cli import threads
from choros.cli.main import main
from tests.cli.test_cli import Shades, ShadesStream

class Waits(ShadesStream):
    def step(self, features, time_s):
        if self.frame == (2 if "live" in sys.argv else 14):  # a live recording may leave out most frames
            print("half", flush=True)
            sys.stdin.readline()
        return super().step(features, time_s)

    def update(self, image, time_s):
        return self.step(self.encode(image), time_s)

Shades.stream = lambda self, K=None: Waits()

def load(*_, **__):
    print("loaded", flush=True)
    return Shades()

systems.load = load
threads.leave_cores_to_the_networks = lambda: None  # imports PyTorch
main(sys.argv[1:])
"""


def started(*arguments: object) -> subprocess.Popen:
    """`choros` in a process of its own, with a system that waits for a line in the midst of the clip."""
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", SLOW, root, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def half_done(*arguments: object) -> subprocess.Popen:
    process = started(*arguments)
    assert [process.stdout.readline() for _ in range(2)] == ["loaded\n", "half\n"]
    return process


@pytest.fixture
def whole(clip, tmp_path, shades) -> bytes:
    """What an undisturbed run of the clip writes."""
    assert run("track", clip, "-o", tmp_path / "whole") == 0
    return (tmp_path / "whole" / "motion.npz").read_bytes()


def test_the_second_run_in_a_folder_is_refused_and_the_first_is_right(
    capsys, clip, tmp_path, whole, monkeypatch
):
    other = other_clip(tmp_path / "other.mp4")
    with half_done("track", clip, "-o", tmp_path / "out") as first:
        # At once: no network is loaded.
        monkeypatch.setattr(systems, "load", lambda *_, **__: pytest.fail("networks were loaded"))
        for command in (["track", other], ["track", clip, "--resume"], ["live", clip]):
            output = tmp_path / "out" if command[0] == "track" else tmp_path / "out" / "motion.npz"
            said = refusal(capsys, *command, "-o", output)
            assert "out/motion.npz is being written by another run" in said
        first.communicate("go on\n")
        assert first.returncode == 0
    assert (tmp_path / "out" / "motion.npz").read_bytes() == whole
    assert names(tmp_path / "out") == ["motion.npz", "tracks.txt"]


@pytest.mark.parametrize("resume", [["--resume"], []])
def test_a_killed_run_is_taken_over(clip, tmp_path, whole, resume):
    with half_done("track", clip, "-o", tmp_path / "out") as killed:
        killed.kill()
    assert "motion.npz.lock" in names(tmp_path / "out")
    assert run("track", clip, "-o", tmp_path / "out", *resume) == 0
    assert (tmp_path / "out" / "motion.npz").read_bytes() == whole
    assert names(tmp_path / "out") == ["motion.npz", "tracks.txt"]


@pytest.mark.usefixtures("no_networks")
def test_a_recording_that_goes_on_is_neither_rescued_nor_recorded_over(capsys, clip, tmp_path):
    output = tmp_path / "motion.npz"
    with half_done("live", clip, "-o", output) as first:
        for command in (["live", clip], ["live", "--rescue"], ["track", clip]):
            said = refusal(capsys, *command, "-o", tmp_path if command[0] == "track" else output)
            assert "another run" in said
        first.kill()
    assert run("live", "--rescue", "-o", output) == 0
    assert Motion.load(output).header.system == "shades"


def test_two_threads_in_one_file(clip, tmp_path):
    ended = {}
    halfway, go_on = threading.Event(), threading.Event()

    class Waits(ShadesStream):
        def step(self, features, time_s):
            if self.frame == 5:
                halfway.set()
                go_on.wait(20)
            return super().step(features, time_s)

    class Waiting(Shades):
        def stream(self, K=None):
            return Waits()

    def first():
        ended["first"] = track_to_file(clip, tmp_path / "motion.npz", Waiting()).n_frames

    thread = threading.Thread(target=first)
    thread.start()
    assert halfway.wait(20)
    with pytest.raises(ChorosError, match="another run"):
        track_to_file(clip, tmp_path / "motion.npz", Shades())
    assert track_to_file(clip, tmp_path / "other.npz", Shades()).n_frames == FRAMES
    go_on.set()
    thread.join()
    assert ended["first"] == FRAMES
    assert len(Motion.load(tmp_path / "motion.npz")) == FRAMES


# What is known again ------------------------------------------------------------------------------------


def stopped_at(monkeypatch, frame, *command):
    """Run a command that Ctrl-C ends after so many frames."""

    def pressed(self, now):
        if now.n_frames == frame:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrackProgress, "update", pressed)
        assert run(*command) == 130


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.usefixtures("shades")
def test_a_clip_that_was_replaced_is_not_gone_on_with(capsys, clip, tmp_path, monkeypatch, finished):
    command = ["track", clip, "-o", tmp_path / "out"]
    if finished:
        assert run(*command) == 0
    else:
        stopped_at(monkeypatch, 17, *command)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    other_clip(clip)
    capsys.readouterr()
    said = refusal(capsys, *command, "--resume")
    assert "clip.mp4 is not the clip that" in said
    assert ("is of" if finished else "was begun with") in said
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    assert run(*command) == 0  # as the sentence says


@pytest.mark.usefixtures("shades")
def test_other_content_of_the_same_size_and_time_is_another_clip(capsys, clip, tmp_path):
    assert run("track", clip, "-o", tmp_path / "out") == 0
    stat, data = clip.stat(), bytearray(clip.read_bytes())
    data[len(data) // 2] ^= 1
    clip.write_bytes(data)
    os.utime(clip, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    capsys.readouterr()
    assert "other content" in refusal(capsys, "track", clip, "-o", tmp_path / "out", "--resume")


@pytest.mark.parametrize("finished", [True, False])
def test_a_copy_of_the_clip_is_the_same(clip, tmp_path, monkeypatch, whole, finished):
    command = ["track", clip, "-o", tmp_path / "out"]
    if finished:
        assert run(*command) == 0
    else:
        stopped_at(monkeypatch, 17, *command)
    shutil.copy(clip, tmp_path / "copy.mp4")
    (tmp_path / "copy.mp4").replace(clip)
    os.utime(clip, (1e9, 1e9))
    monkeypatch.chdir(tmp_path)
    assert run("track", "clip.mp4", *command[2:], "--resume") == 0  # by another name, too
    assert (tmp_path / "out" / "motion.npz").read_bytes() == whole
    assert names(tmp_path / "out") == ["motion.npz", "tracks.txt"]


@pytest.fixture
def tuned(monkeypatch):
    """`choros` with a system that needs no networks and tells what it was loaded with."""

    class Tuned(Shades):
        def __init__(
            self, name, *, weights_path=None, body_path=None, device="cpu", dtype="float32", **choices
        ):
            self.name, self.choices = name, {key: value for key, value in choices.items() if value}
            self.files = {"weights": weights_path, "body": body_path}

        def identity(self):
            files = {name: file_identity(path, Path(__file__)) for name, path in self.files.items()}
            return {"options": self.choices} | files

    monkeypatch.setattr(systems, "load", Tuned)


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("begun", "now", "says"),
    [
        ("", "--system comotion", "with --system lifter, this run is with --system comotion"),
        ("--accurate", "", "with --accurate, this run is without it"),
        ("", "--same-people", "without --same-people, this run is with --same-people"),
        ("--height 3=1.82", "--height 3=1.9", "with --height 3=1.82, this run is with --height 3=1.9"),
        (
            "--weights a/mine",
            "--weights b/mine",
            "mine (SHA-256 7692c3ad), this run is with --weights b/mine",
        ),
        ("--body a/mine", "", "with --body a/mine (SHA-256 7692c3ad), this run is with the shipped body"),
        ("--start 1", "--start 2", "with --start 1, this run is with --start 2"),
        ("", "--end 5.5", "without --end, this run is with --end 5.5"),
        ("--K 80 80 48 32", "", "with --K 80 0 48 0 80 32 0 0 1, this run is without it"),
        ("", "--rotate 180", "without --rotate, this run is with --rotate 180"),
    ],
)
@pytest.mark.usefixtures("tuned")
def test_a_run_with_other_choices_is_not_gone_on_with(
    capsys, clip, tmp_path, monkeypatch, begun, now, says, finished
):
    monkeypatch.chdir(tmp_path)
    for folder, content in (("a", b"one"), ("b", b"two")):
        Path(folder).mkdir()
        Path(folder, "mine").write_bytes(content)
    command = ["track", "clip.mp4", "-o", "out"]
    if finished:
        assert run(*command, *begun.split()) == 0
    else:
        stopped_at(monkeypatch, 17, *command, *begun.split())
    before = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    capsys.readouterr()
    said = refusal(capsys, *command, *now.split(), "--resume")
    assert said.startswith("choros: out/motion.npz was begun with")
    assert says in said
    assert {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()} == before
    assert run(*command, *begun.split(), "--resume") == 0
    assert ("was complete" in capsys.readouterr().out) is finished


@pytest.mark.usefixtures("tuned")
def test_the_command_and_the_library_are_one_run(clip, tmp_path, monkeypatch):
    """What the command began, the library ends with the same bytes, told the same; told otherwise, it refuses."""
    command = ["track", clip, "-o", tmp_path / "out", "--accurate", "--start", 1]
    assert run(*command[:3], tmp_path / "whole", *command[4:]) == 0
    stopped_at(monkeypatch, 17, *command)
    output, options = tmp_path / "out" / "motion.npz", TrackOptions(start_s=1)
    choices = {"weights_path": None, "body_path": None}
    with pytest.raises(ChorosError, match="with --accurate, this run is without it"):
        track_to_file(clip, output, systems.load("lifter", **choices), options, resume=True)
    with pytest.raises(ChorosError, match="with --start 1, this run is without it"):
        track_to_file(clip, output, systems.load("lifter", accurate=True, **choices), resume=True)
    track_to_file(clip, output, systems.load("lifter", accurate=True, **choices), options, resume=True)
    assert output.read_bytes() == (tmp_path / "whole" / "motion.npz").read_bytes()


@pytest.mark.parametrize("change", ["one picture", "one more", "another name"])
@pytest.mark.usefixtures("shades")
def test_a_folder_of_other_pictures_is_another_clip(capsys, tmp_path, change):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(8):
        cv2.imwrite(str(folder / f"{index}.bmp"), np.full((48, 64, 3), 100 + index, np.uint8))
    command = ["track", folder, "-o", tmp_path / "out"]
    assert run(*command) == 0
    for path in folder.iterdir():
        os.utime(path, (1e9, 1e9))
    assert run(*command, "--resume") == 0
    if change == "one picture":
        cv2.imwrite(str(folder / "4.bmp"), np.full((48, 64, 3), 10, np.uint8))  # of the same size
    elif change == "one more":
        shutil.copy(folder / "7.bmp", folder / "8.bmp")
    else:
        (folder / "7.bmp").rename(folder / "9.bmp")
    capsys.readouterr()
    assert "pictures is not the clip" in refusal(capsys, *command, "--resume")


@pytest.mark.usefixtures("shades")
def test_the_header_tells_the_clip(clip, tmp_path):
    assert run("track", clip, "-o", tmp_path / "out") == 0
    told = Motion.load(tmp_path / "out" / "motion.npz").header.provenance["input"]
    assert told["bytes"] == clip.stat().st_size
    assert set(told) == {"bytes", "modified", "sha256_of_blocks"}


# Never over what is read --------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_networks")
def test_nothing_is_written_over_or_into_what_is_read(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_grey(Path("clip.mp4"))
    Path("pictures").mkdir()
    cv2.imwrite("pictures/1.png", np.zeros((48, 64, 3), np.uint8))
    track_video.track_to_file("clip.mp4", "motion.npz", Shades())
    Path("out").mkdir()
    Path("out/overlay.mp4").hardlink_to("clip.mp4")
    Path("link.mp4").symlink_to("clip.mp4")
    Path("camera.json").write_text("{}")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for command in (
        "track pictures -o pictures", "track pictures -o pictures/out", "track ./pictures/../pictures -o pictures/a/b",
        "track clip.mp4 -o clip.mp4", "track clip.mp4 -o link.mp4", "track clip.mp4 -o out --overlay",
        "track clip.mp4 -o . --body motion.npz", "live clip.mp4 -o clip.mp4", "live clip.mp4 -o link.mp4",
        "live pictures -o pictures/m.npz", "world motion.npz -o motion.npz", "world motion.npz clip.mp4 -o clip.mp4",
        "world motion.npz clip.mp4 -o link.mp4", "world motion.npz --camera camera.json -o camera.json",
        "world motion.npz pictures -o pictures/world.npz", "show motion.npz clip.mp4 -o clip.mp4",
        "show motion.npz link.mp4 -o clip.mp4", "show motion.npz clip.mp4 -o motion.npz",
        "show motion.npz pictures -o pictures/o.mp4", "show motion.npz --world -o motion.npz",
        "plot motion.npz -o motion.npz", "view motion.npz pictures --html pictures/a.html",
    ):  # fmt: skip
        refusal(capsys, *command.split())
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("output", ["clip.mp4", "pictures/motion.npz"])
def test_the_library_refuses_it_as_well(clip, tmp_path, output):
    (tmp_path / "pictures").mkdir()
    source = clip if output == "clip.mp4" else tmp_path / "pictures"
    with pytest.raises(ChorosError, match=r"over itself|which is read"):
        track_to_file(source, tmp_path / output, Shades())


# Before work starts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("track clip.mp4 --body missing.pkl", "missing.pkl"),
        ("track clip.mp4 --weights missing.safetensors", "missing.safetensors"),
        ("track clip.mp4 --K 1 2 3", "--K"),
        ("track clip.mp4 --height tall", "--height"),
        ("track clip.mp4 --start 100", "clip.mp4"),
        ("track clip.mp4 --start 3 --end 2", "end"),
        ("track missing.mp4", "missing.mp4"),
        ("track clip.mp4 -o clip.mp4/out", "is a file"),
        ("track /dev/video77", "/dev/video77"),
        ("live missing.mp4", "missing.mp4"),
        ("live 77", "/dev/video77"),
        ("live clip.mp4 --K 1 2 3", "--K"),
        ("live clip.mp4 --body missing.pkl", "missing.pkl"),
    ],
)
@pytest.mark.usefixtures("no_networks", "clip")
def test_refused_before_networks_are_loaded(capsys, tmp_path, monkeypatch, command, names):
    monkeypatch.chdir(tmp_path)
    assert names in refusal(capsys, *command.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4"]


@pytest.mark.usefixtures("no_networks")
def test_a_stream_that_cannot_be_seen_again_is_not_drawn_over(capsys, tmp_path, monkeypatch):
    class Live:
        info = type("Info", (), {"is_live": True})

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr("choros.video.open_video", lambda _: Live())
    said = refusal(capsys, "track", "rtsp://camera/stream", "--overlay", "-o", tmp_path / "out")
    assert "cannot be seen again" in said


def test_a_body_that_is_missing_is_refused_before_the_background_is_followed(
    capsys, clip, tmp_path, monkeypatch
):
    track_to_file(clip, tmp_path / "motion.npz", Shades())
    monkeypatch.setattr(
        "choros.camera_motion.odometry.camera_evidence", lambda *_: pytest.fail("it was followed")
    )
    said = refusal(capsys, "world", tmp_path / "motion.npz", clip, "--body", tmp_path / "missing.pkl")
    assert "missing.pkl" in said


# Pipes --------------------------------------------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path):
    """A named pipe through which clip.mkv comes, once."""
    data = noise(tmp_path / "clip.mkv").read_bytes()
    os.mkfifo(tmp_path / "pipe")

    def fill():
        with suppress(BrokenPipeError), open(tmp_path / "pipe", "wb") as file:
            file.write(data)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    return tmp_path / "pipe"


def noise(path: Path) -> Path:
    """A Matroska film of noise, larger than what FFmpeg reads at once."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options = {"crf": "1"}
        for _ in range(FRAMES):
            picture = rng.integers(256, size=(64, 96, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    assert path.stat().st_size > 2 * 65536
    return path


@pytest.mark.usefixtures("shades")
def test_an_overlay_is_drawn_over_what_came_through_a_pipe(pipe, tmp_path):
    out = tmp_path / "out"
    assert run("track", pipe, "-o", out, "--overlay") == 0
    assert names(out) == ["motion.npz", "overlay.mp4", "tracks.txt"]
    with open_video(out / "overlay.mp4") as drawn, open_video(tmp_path / "clip.mkv") as clip:
        pairs = list(zip(drawn, clip, strict=True))
    assert len(pairs) == FRAMES
    # The same pictures, but for the box that the system says and what a codec does to noise.
    assert all(np.corrcoef(a.image[:, 64:].ravel(), b.image[:, 64:].ravel())[0, 1] > 0.8 for a, b in pairs)
    motion = Motion.load(out / "motion.npz")
    assert motion.header.source == str(pipe)
    track_to_file(tmp_path / "clip.mkv", tmp_path / "file.npz", Shades())
    np.testing.assert_array_equal(motion.rows, Motion.load(tmp_path / "file.npz").rows)


@pytest.mark.usefixtures("shades")
def test_part_of_a_pipe(pipe, tmp_path):
    assert run("track", pipe, "-o", tmp_path / "out", "--overlay", "--start", 2, "--end", 4) == 0
    assert Motion.load(tmp_path / "out" / "motion.npz").pts_s.tolist() == [
        2 + k / FPS for k in range(2 * FPS)
    ]
    with open_video(tmp_path / "out" / "overlay.mp4") as drawn:
        assert len(list(drawn)) == 2 * FPS


@pytest.mark.usefixtures("shades")
def test_more_than_is_kept_of_a_pipe_leaves_the_motion(capsys, pipe, tmp_path, monkeypatch):
    monkeypatch.setattr(spool.Spool.__init__, "__defaults__", (100_000,))
    said = refusal(capsys, "track", pipe, "-o", tmp_path / "out", "--overlay")
    assert "more than 100,000 bytes" in said
    assert len(Motion.load(tmp_path / "out" / "motion.npz")) == FRAMES
    assert names(tmp_path / "out") == ["motion.npz", "tracks.txt"]


@pytest.mark.usefixtures("shades")
def test_the_world_sees_the_background_of_a_pipe(pipe, tmp_path, monkeypatch):
    seen = []

    def made(self):
        with open_video(self.video) as reader:
            seen.append(len(list(reader)))

    monkeypatch.setattr(World, "run", made)
    assert run("track", pipe, "-o", tmp_path / "out", "--world") == 0
    assert seen == [FRAMES]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of open files are Linux's")
@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/proc/self/fd/0", "/dev/fd/0"])
@pytest.mark.usefixtures("shades")
def test_standard_input_by_any_name(pipe, tmp_path, name):
    was, now = os.dup(0), os.open(pipe, os.O_RDONLY)
    os.dup2(now, 0)
    os.close(now)
    try:
        assert run("track", name, "-o", tmp_path / "out", "--overlay") == 0
    finally:
        os.dup2(was, 0)
        os.close(was)
    assert len(Motion.load(tmp_path / "out" / "motion.npz")) == FRAMES
    assert names(tmp_path / "out") == ["motion.npz", "overlay.mp4", "tracks.txt"]


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="standard input has no name")
@pytest.mark.parametrize("options", [[], ["--overlay"], ["--start", 2]])
@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
@pytest.mark.usefixtures("shades")
def test_standard_input_may_be_a_socket(tmp_path, name, options):
    data = noise(tmp_path / "clip.mkv").read_bytes()
    ours, theirs = socket.socketpair()
    was = os.dup(0)
    os.dup2(theirs.fileno(), 0)
    theirs.close()

    def fill():
        with suppress(BrokenPipeError), ours:
            ours.sendall(data)

    threading.Thread(target=fill, daemon=True).start()
    try:
        assert run("track", name, "-o", tmp_path / "out", *options) == 0
    finally:
        os.dup2(was, 0)
        os.close(was)
    assert len(Motion.load(tmp_path / "out" / "motion.npz")) == (
        FRAMES - 2 * FPS if "--start" in options else FRAMES
    )


@pytest.mark.usefixtures("shades")
def test_what_comes_through_a_pipe_is_not_taken_for_what_came_before(capsys, pipe, tmp_path):
    assert run("track", pipe, "-o", tmp_path / "out", "--resume") == 0  # there is nothing yet
    capsys.readouterr()
    assert "nothing tells whether" in refusal(capsys, "track", pipe, "-o", tmp_path / "out", "--resume")


# Nobody -------------------------------------------------------------------------------------------------


@pytest.fixture
def nobody(monkeypatch, clip, tmp_path):
    """The folder of a run in which nobody was found."""
    monkeypatch.setattr(systems, "load", lambda *_, **__: Absent())
    return tmp_path / "out"


def test_a_clip_without_people_is_a_result(capsys, nobody, clip):
    assert run("track", clip, "-o", nobody, "--overlay", "--world", "--smooth") == 0
    assert "nobody was found" in capsys.readouterr().out
    motion, world = Motion.load(nobody / "motion.npz"), Motion.load(nobody / "world.npz")
    assert len(motion) == len(world) == FRAMES
    assert not len(motion.rows)
    assert not len(world.rows)
    assert world.space == "world"
    assert (nobody / "tracks.txt").read_text() == ""
    with open_video(nobody / "overlay.mp4") as drawn, open_video(clip) as film:
        assert all(np.abs(a.image.astype(int) - b.image).max() < 12 for a, b in zip(drawn, film, strict=True))


def test_commands_that_need_bodies_say_so_and_are_content(capsys, nobody, clip):
    assert run("track", clip, "-o", nobody) == 0
    motion = nobody / "motion.npz"
    tables, bodies = (
        ("csv", "mot", "coco", "posetrack"),
        ("glb", "bvh", "amass", "trc", "c3d", "usd", "obj", "ply"),
    )
    capsys.readouterr()
    assert run("export", motion, "--to", *bodies, *tables, "-o", nobody / "ex") == 0
    said = capsys.readouterr().out
    assert [name for name in bodies if f"{name}: nobody is in the motion" in said] == list(bodies)
    assert names(nobody / "ex") == ["motion.coco.json", "motion.csv", "motion.posetrack.json", "motion.txt"]
    assert (nobody / "ex" / "motion.csv").read_text().count("\n") == 1
    labels = json.loads((nobody / "ex" / "motion.coco.json").read_text())
    assert (len(labels["images"]), labels["annotations"]) == (FRAMES, [])
    for command in (["plot", motion, "-o", nobody / "a.html"], ["view", motion, "--html", nobody / "a.html"]):
        assert run(*command) == 0
        assert "nobody is in" in capsys.readouterr().out
    assert not (nobody / "a.html").exists()


def test_a_view_leaves_out_the_motion_without_people(capsys, nobody, clip, tmp_path):
    assert run("track", clip, "-o", nobody) == 0
    track_to_file(clip, tmp_path / "somebody.npz", Shades())
    page = tmp_path / "both.html"
    assert run("view", nobody / "motion.npz", "--compare", tmp_path / "somebody.npz", "--html", page) == 0
    assert "nobody is in motion" in capsys.readouterr().out
    assert "<title>somebody" in page.read_text()
