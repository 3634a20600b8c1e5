"""A video decoded in a process with few rights: the same frames to the last bit, and whatever it does it does alone."""

import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from choros import sandbox_child
from choros.cli.main import main
from choros.errors import ChorosError
from choros.options import TrackOptions
from choros.video import VideoWriter, sandboxed
from choros.video.sandboxed import SandboxedReader


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    rng = np.random.default_rng(0)
    with VideoWriter(path, 64, 48, Fraction(30000, 1001)) as writer:
        for i in range(30):
            writer.write(rng.integers(0, 256, (48, 64, 3)).astype(np.uint8), i * Fraction(1001, 30000))
    damaged = bytearray(path.read_bytes())
    at = len(damaged) // 2
    damaged[at : at + 900] = bytes(900)
    path.with_name("damaged.mp4").write_bytes(damaged)
    return path


@pytest.mark.parametrize("name", ["clip.mp4", "damaged.mp4"])
def test_the_same_frames(clip, name):
    options = TrackOptions(start_s=0.1, rotate=90)
    with options.open(clip.with_name(name)) as plain:
        expected, info, gaps = list(plain), plain.info, plain.gaps
    with replace(options, sandbox=True).open(clip.with_name(name), prefetch=2) as reader:
        found = list(reader)
    assert reader.info == info
    assert reader.gaps == gaps
    assert len(found) == len(expected) > 5
    for one, other in zip(found, expected, strict=True):
        assert (one.index, one.pts, one.number, one.gap_before) == (
            other.index, other.pts, other.number, other.gap_before,
        )  # fmt: skip
        np.testing.assert_array_equal(one.image, other.image)


def test_what_cannot_be_opened_says_the_same(tmp_path, clip):
    (tmp_path / "poor.mp4").write_bytes(b"nothing of a video" * 9)
    with pytest.raises(ChorosError) as alone:
        TrackOptions().open(tmp_path / "poor.mp4")
    with pytest.raises(ChorosError) as boxed:
        TrackOptions(sandbox=True).open(tmp_path / "poor.mp4")
    assert str(boxed.value) == str(alone.value)
    with pytest.raises(ChorosError, match="no file or folder, which alone a sandbox can open"):
        TrackOptions(sandbox=True).open("rtsp://127.0.0.1/x")


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        (lambda child: os.kill(child, signal.SIGSEGV), "its decoder ended with signal SIGSEGV"),
        (lambda child: os.kill(child, signal.SIGXCPU), "its decoder ended with signal SIGXCPU"),
        (lambda child: os.kill(child, signal.SIGSTOP), "its decoder said nothing for 1 s"),
    ],
)
def test_a_decoder_that_crashes_or_hangs_is_one_sentence(tmp_path, monkeypatch, ending, said):
    monkeypatch.setattr(sandboxed, "SILENCE_S", 1.0)
    path = tmp_path / "long.mp4"
    with VideoWriter(path, 640, 480, Fraction(25)) as writer:  # more than a pipe holds
        for i in range(8):
            writer.write(np.full((480, 640, 3), 20 * i, np.uint8), Fraction(i, 25))
    monkeypatch.setattr(sandboxed, "SILENCE_S", 60.0)
    reader = SandboxedReader(path, TrackOptions())
    frames = iter(reader)
    next(frames)
    monkeypatch.setattr(sandboxed, "SILENCE_S", 1.0)
    ending(reader._child.pid)
    with reader, pytest.raises(ChorosError, match=f"long.mp4: {said}"):
        list(frames)
    assert reader._child.poll() is not None


@pytest.mark.slow
def test_track_ends_with_a_sentence_and_what_was_done_stays(tmp_path, clip, capsys, monkeypatch):
    read = SandboxedReader._frame

    def killed(self, head):
        if head["index"] == 9:
            self._child.kill()
            raise self._ended()
        return read(self, head)

    monkeypatch.setattr(SandboxedReader, "_frame", killed)
    with pytest.raises(SystemExit) as ended:
        main(["track", str(clip), "-o", str(tmp_path), "--sandbox"])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "clip.mp4: its decoder ended with signal SIGKILL; the file is damaged" in said
    assert said.count("choros:") == 1
    assert (tmp_path / "motion.npz").is_file()
    monkeypatch.undo()
    for more in (["--resume", "--sandbox"], []):
        where = tmp_path if more else tmp_path / "plain"
        main(["track", str(clip), "-o", str(where), *more])
    assert (tmp_path / "motion.npz").read_bytes() == (tmp_path / "plain" / "motion.npz").read_bytes()


@pytest.mark.parametrize("answer", [b"\xff\xff\xff\xff", b"\x02\x00\x00\x00{]", b"\x02\x00\x00\x00{}"])
def test_a_decoder_that_answers_nonsense(clip, monkeypatch, answer):
    code = f"import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write({answer!r})"
    monkeypatch.setattr(sandboxed, "_START", code)
    with pytest.raises(ChorosError, match=r"clip.mp4: its decoder answered with nonsense"):
        SandboxedReader(clip, TrackOptions())


def test_its_rights(tmp_path):
    code = (
        "import resource, socket, sys; from choros.sandbox_child import give_up_rights, allow_a_frame\n"
        "give_up_rights(); allow_a_frame()\n"
        "print(resource.getrlimit(resource.RLIMIT_AS)[1], resource.getrlimit(resource.RLIMIT_CPU)[0] < 100)\n"
        f"try: open({str(tmp_path / 'x')!r}, 'wb', 0).write(b'x' * 9); print('written')\n"
        "except OSError as error: print('refused')\n"
        "try: bytearray(5 << 30); print('taken')\n"
        "except MemoryError: print('refused')\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(sandbox_child.MEMORY_BYTES), "True", "refused", "refused"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 0
