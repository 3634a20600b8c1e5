"""The rate of a video is what its stamps say; a claim that they bear out stays the exact fraction that it is."""

import os
import random
import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from making import VPX, X264, Kind, number_in, steady, write_video

from choros.video import is_pipe, open_video
from choros.video.rates import rate_of

WEBM = Kind("webm", "libvpx", options=(*VPX, ("lag-in-frames", "0")))
MKV = Kind("mkv", "libx264", options=X264)
MS = Fraction(1, 1000)


def rounded(fps: Fraction, count: int, tick: Fraction) -> list[Fraction]:
    """Times of frames at a steady rate as a clock of ``tick`` writes them."""
    return [round(index / fps / tick) * tick for index in range(count)]


def steps(times: list[Fraction]) -> list[float]:
    return [float(after - before) for before, after in pairwise(times)]


NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("times", "claims", "tick", "fps"),
    [
        (rounded(NTSC, 50, MS), [Fraction(30), NTSC], MS, NTSC),
        (rounded(Fraction(24000, 1001), 200, MS), [], MS, Fraction(24000, 1001)),
        (
            rounded(Fraction(25), 50, MS),
            [Fraction(50), Fraction(1000)],
            MS,
            Fraction(25),
        ),  # fields, and the clock
        (rounded(Fraction(25, 2), 50, MS), [Fraction(25)], MS, Fraction(25, 2)),
        (rounded(Fraction(25), 50, Fraction(1, 90000)), [Fraction(90000)], Fraction(1, 90000), Fraction(25)),
        (
            rounded(Fraction(30), 90, Fraction(1, 100)),
            [Fraction(100, 3)],
            Fraction(1, 100),
            Fraction(30),
        ),  # GIF
        (rounded(Fraction(1000), 50, MS), [Fraction(1000)], MS, Fraction(1000)),  # a fast camera
        (rounded(Fraction(1, 60), 50, MS), [Fraction(25)], MS, Fraction(1, 60)),  # one picture a minute
        (rounded(Fraction(50), 1, MS), [Fraction(1000), Fraction(25)], MS, Fraction(25)),  # a single frame
        (rounded(Fraction(50), 1, MS), [Fraction(1000)], MS, Fraction(30)),
    ],
)
def test_steady_rates(
    times: list[Fraction], claims: list[Fraction | None], tick: Fraction, fps: Fraction
) -> None:
    rate = rate_of(steps(times), claims, float(tick))
    assert (rate.fps, rate.mean, rate.steady) == (fps, fps, True)


@pytest.mark.parametrize(
    ("many", "few", "fps"), [(Fraction(60), Fraction(5), 60), (Fraction(5), Fraction(60), 5)]
)
@pytest.mark.parametrize("claims", [[], [Fraction(9583, 1000)]], ids=["unclaimed", "mean claimed"])
def test_of_two_rates_the_one_by_which_more_frames_come(
    many: Fraction, few: Fraction, fps: int, claims: list[Fraction | None]
) -> None:
    rate = rate_of([float(1 / few)] * 45 + [float(1 / many)] * 55, claims, 1 / 90000)
    assert rate.fps == fps
    assert not rate.steady
    assert float(rate.mean) == pytest.approx(100 / float(45 / few + 55 / many), rel=1e-3)


def test_of_a_rate_that_wobbles_the_mean() -> None:
    chance = random.Random(3)
    uneven = [chance.choice((31, 32, 33, 34, 35, 36, 48, 64)) / 1000 for _ in range(200)]
    assert float(rate_of(uneven, [Fraction(1000)], 1e-3).fps) == pytest.approx(200 / sum(uneven), rel=0.01)
    assert float(rate_of([*uneven, 30.0], [], 1e-3).fps) == pytest.approx(
        200 / sum(uneven), rel=0.01
    )  # a pause


def without_default_duration(path: Path) -> Path:
    """As browsers write WebM: the header says nothing of the rate (the element becomes a void)."""
    data = bytearray(path.read_bytes())
    at = data.find(bytes.fromhex("23E383"))
    length = data[at + 3] & 0x7F
    data[at : at + 4 + length] = bytes([0xEC, 0x80 | (2 + length)]) + bytes(2 + length)
    path.write_bytes(data)
    return path


@pytest.fixture
def recording(tmp_path: Path) -> tuple[Path, list[Fraction]]:
    """What a browser recorded, of which FFmpeg says 1000 frames/s, and its times."""
    chance = random.Random(1)
    times = [Fraction(0)]
    for _ in range(39):
        times.append(times[-1] + chance.choice((31, 33, 34, 36, 48, 64)) * MS)
    return without_default_duration(write_video(tmp_path / "take.webm", WEBM, times, time_base=MS)), times


def test_a_recording_of_a_browser(recording: tuple[Path, list[Fraction]]) -> None:
    path, times = recording
    with open_video(path) as reader:
        frames = list(reader)
    assert [frame.pts for frame in frames] == times
    assert (
        [number_in(frame.image) for frame in frames] == [frame.number for frame in frames] == list(range(40))
    )
    assert float(reader.info.fps) == pytest.approx(39 / float(times[-1]), rel=0.05)
    assert reader.info.notes[0].startswith(
        "the container claims 1000 frames/s; by their stamps they come at 2"
    )
    assert reader.gaps == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_that_cannot_be_read_twice(recording: tuple[Path, list[Fraction]], tmp_path: Path) -> None:
    path, times = recording
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for start_s in (None, 0.5):
        writer = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()))
        writer.start()
        with open_video(pipe, start_s) as reader:
            frames = list(reader)
        writer.join(20)
        assert [frame.pts for frame in frames] == [time for time in times if time >= (start_s or 0)]
        assert [number_in(frame.image) for frame in frames] == [frame.number for frame in frames]
        assert float(reader.info.fps) == pytest.approx(39 / float(times[-1]), rel=0.05)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_a_pipe_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The word "-" is standard input, the path is a file of that name; the same for a demuxer."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("-").write_bytes(b"film")
    assert is_pipe("pipe")
    assert is_pipe(tmp_path / "pipe")
    assert not is_pipe(Path("-"))
    monkeypatch.setattr("choros.video.spool.STANDARD_INPUT", "pipe")
    assert is_pipe("-")
    assert not is_pipe(Path("-"))


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "flv", "ts"])
@pytest.mark.parametrize("fps", [Fraction(25, 2), Fraction(25)])
def test_frames_at_half_the_claimed_rate(suffix: str, fps: Fraction, tmp_path: Path) -> None:
    """The encoder was told 25 frames/s, and got every one or every other of them."""
    kind = Kind(suffix, "libx264", options=X264)
    path = write_video(tmp_path / f"film.{suffix}", kind, steady(60, fps), time_base=1 / Fraction(25))
    with open_video(path) as reader:
        assert reader.info.fps == fps
        assert [frame.pts for frame in reader] == steady(60, fps)


def test_the_rate_of_a_long_mp4_is_that_of_all_its_parts(tmp_path: Path) -> None:
    """Its header tells when each frame is shown: here a slow beginning is not taken for the whole."""
    slow = [index * Fraction(1, 5) for index in range(300)]
    fast = [slow[-1] + (1 + index) * Fraction(1, 30) for index in range(700)]
    times = [*slow, *fast]
    kind = Kind("mp4", "libx264", options=(("preset", "ultrafast"), ("x264-params", "threads=1")))
    path = write_video(tmp_path / "long.mp4", kind, times, time_base=Fraction(1, 90000), width=16, height=16)
    with open_video(path) as reader:
        assert reader.info.fps == 30
        assert reader.info.n_frames_hint == pytest.approx(1000, rel=0.02)


def test_a_bare_stream_goes_by_what_its_header_says(tmp_path: Path) -> None:
    """H.264 without a container has no stamps; FFmpeg's 25 frames/s are its own invention."""
    fps = Fraction(24000, 1001)
    path = write_video(
        tmp_path / "film.h264", Kind("h264", "libx264", options=X264), steady(30, fps), fps=fps
    )
    with open_video(path) as reader:
        assert reader.info.fps == fps
        assert [frame.pts for frame in reader] == steady(30, fps)
