"""``Frame.number`` is the picture's place in its file, wherever reading starts and whatever was lost before it."""

from fractions import Fraction
from pathlib import Path

import pytest
from making import FPS, KINDS, X264, Kind, number_in, steady, write_video

from choros.video import Frame, open_video
from choros.video.timestamps import FrameNumbers


def read(path: Path, start_s: float | None = None, end_s: float | None = None) -> list[Frame]:
    with open_video(path, start_s, end_s) as reader:
        return list(reader)


OPEN_GOPS = (("preset", "ultrafast"), ("x264-params", "open-gop=1:threads=1:keyint=12:bframes=3"))


@pytest.mark.parametrize(
    "kind", [*KINDS, *(Kind(suffix, "libx264", options=OPEN_GOPS) for suffix in ("mkv", "mp4", "ts"))],
    ids=lambda kind: kind.name,
)  # fmt: skip
def test_a_later_start_gives_the_same_numbers(kind: Kind, tmp_path: Path) -> None:
    path = write_video(tmp_path / f"film.{kind.suffix}", kind, steady(60))
    assert [frame.number for frame in read(path)] == list(range(60))
    for start_s in (0.04, 0.5, 1.3, 2.3):
        frames = read(path, start_s)
        assert [frame.number for frame in frames] == [round(frame.pts * FPS) for frame in frames]
        assert [frame.index for frame in frames] == list(range(len(frames)))


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_numbers_count_frames_and_not_time(suffix: str, tmp_path: Path) -> None:
    times = [
        Fraction(t, 1000) for t in (0, 40, 41, 97, 250, 251, 300, 460, 461, 500, 640, 900, 1700, 1701, 2000)
    ]
    kind = Kind(
        suffix, "libx264", options=(("preset", "ultrafast"), ("g", "4"), ("x264-params", "threads=1"))
    )
    path = write_video(tmp_path / f"film.{suffix}", kind, times, time_base=Fraction(1, 1000))
    for start_s in (None, 0.2, 0.9, 1.7):
        assert [frame.number for frame in read(path, start_s)] == [
            index for index, time in enumerate(times) if float(time) >= (start_s or 0)
        ]


@pytest.mark.parametrize("kind", [k for k in KINDS if k.codec in ("libx264", "mjpeg")], ids=lambda k: k.name)
def test_frames_behind_the_damage_keep_their_numbers(kind: Kind, tmp_path: Path) -> None:
    path = write_video(tmp_path / f"film.{kind.suffix}", kind, steady(60))
    data = path.read_bytes()
    for part in (0.3, 0.45, 0.6):
        at = int(len(data) * part)
        path.write_bytes(data[:at] + bytes(600) + data[at + 600 :])
        frames = read(path)
        assert len(frames) < 60 or any(frame.gap_before for frame in frames)
        sound = [frame for frame in frames if frame.number // 12 not in range(int(part * 60) // 12 - 1, 5)]
        assert all(number_in(frame.image) == frame.number for frame in sound)
        last = [frame for frame in frames if frame.pts * FPS >= 48]
        assert [number_in(frame.image) for frame in last] == [frame.number for frame in last]
        assert len({frame.number for frame in frames}) == len(frames)


def test_a_stretch_that_is_missing_counts(tmp_path: Path) -> None:
    """Two of five groups were cut out of a transport stream; its clock says how many frames they had."""
    kind = Kind("ts", "libx264", options=X264)
    data = write_video(tmp_path / "film.ts", kind, steady(60)).read_bytes()
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    keys = [i for i, p in enumerate(packets) if p[1] & 0x40 and p[3] & 0x20 and p[4] and p[5] & 0x40]
    assert len(keys) == 5
    path = tmp_path / "cut.ts"
    path.write_bytes(b"".join(packets[: keys[1]] + packets[keys[3] :]))
    frames = read(path)
    assert [frame.number for frame in frames] == [number_in(frame.image) for frame in frames]
    assert [frame.number for frame in frames if frame.number >= 36] == list(range(36, 60))


def numbers(times: list[tuple[float, bool]], interval: Fraction | None) -> list[int]:
    """Of pictures at so many intervals of 1/25 s, and whether something was lost before each."""
    count = FrameNumbers(interval, Fraction(1, 25))
    return [count.number_of(Fraction(time) / 25, round(time), lost) for time, lost in times]


def test_without_loss_pictures_are_counted() -> None:
    assert numbers([(t, False) for t in (0, 1, 2, 5, 6, 20)], 1 / FPS) == [0, 1, 2, 3, 4, 5]
    assert numbers([(t, False) for t in (3, 4, 5)], 1 / FPS) == [0, 1, 2]


def test_after_a_loss_time_tells_and_a_pause_before_it_does_not() -> None:
    assert numbers([(0, False), (5, False), (6, True), (7, False), (9, False)], 1 / FPS) == [0, 1, 2, 3, 5]
    assert numbers([(0, False), (1, False), (11, True), (12, False)], 1 / FPS) == [0, 1, 11, 12]
    assert numbers([(4, True), (5, False)], 1 / FPS) == [4, 5]


def test_a_picture_shown_too_late_moves_nobody() -> None:
    """Picture 9 comes after picture 20, half an interval on; the ones behind it keep their numbers."""
    count = FrameNumbers(1 / FPS, Fraction(1, 25))
    shown = [(8, 8, False), (20, 20, True), (20.5, 9, False), (21, 21, False), (22, 22, False)]
    count.begin_at(8)
    assert [count.number_of(Fraction(t) / 25, stamp, lost) for t, stamp, lost in shown] == [8, 20, 9, 21, 22]
