"""Damaged videos: nothing hangs, nothing falls over, and every frame that can be decoded arrives."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.container import InputContainer
from making import KINDS, Kind, damaged_corpus, number_in, numbered, plain_decode, steady, write_video

from choros.errors import ChorosError
from choros.video import Frame, Gap, open_video

MJPEG = Kind("avi", "mjpeg", "yuvj420p")
TS = next(kind for kind in KINDS if kind.suffix == "ts")


def read(path: Path) -> tuple[list[Frame], list[Gap]]:
    with open_video(path) as reader:
        return list(reader), reader.gaps


@pytest.mark.timeout(120)
def test_corpus(tmp_path: Path) -> None:
    files = delivered = same = 0
    for kind, what, path in damaged_corpus(tmp_path):
        files += 1
        owed = plain_decode(path)
        began = time.monotonic()
        try:
            frames, gaps = read(path)
        except ChorosError:
            frames, gaps = [], []
        assert time.monotonic() - began < 10, f"{kind}, {what}: hangs"
        assert len(frames) >= len(owed), f"{kind}, {what}: {len(frames)} of {len(owed)} frames"
        assert all(a.pts < b.pts for a, b in pairwise(frames)), f"{kind}, {what}: time goes back"
        assert sum(gap.end_s is not None for gap in gaps) == sum(frame.gap_before for frame in frames)
        delivered += len(frames)
        # Where a decoder fills only part of a picture the rest is what its memory held: not quite all are equal.
        same += sum(np.array_equal(f.image, image) for f, image in zip(frames, owed, strict=False))
    assert files >= 500
    assert same > 0.99 * delivered


def zeroed(path: Path, start: int, size: int) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[:start] + bytes(size) + data[start + size :])
    return path


def test_frames_on_both_sides_of_the_damage_keep_their_times(tmp_path: Path) -> None:
    """AVI counts frames instead of stamping them: the lost ones must not make the later ones early."""
    path = write_video(tmp_path / "film.avi", MJPEG, steady(60))
    frames, gaps = read(zeroed(path, path.stat().st_size // 2, 4000))
    assert all(number_in(frame.image) == frame.pts * 25 for frame in frames)
    assert 50 <= len(frames) < 60
    assert (number_in(frames[0].image), number_in(frames[-1].image)) == (0, 59)
    (gap,) = gaps
    (after,) = [frame for frame in frames if frame.gap_before]
    before = frames[after.index - 1]
    assert (gap.start_s, gap.end_s) == (before.pts_s, after.pts_s)
    assert number_in(after.image) - number_in(before.image) == 60 - len(frames) + 1


@pytest.mark.parametrize("kind", [k for k in KINDS if k.codec == "libx264"], ids=lambda k: k.name)
def test_frames_after_the_damage_arrive(kind: Kind, tmp_path: Path) -> None:
    """Groups of 12 frames; zeros inside the second of five may cost that group and its neighbour's edge."""
    path = write_video(tmp_path / f"film.{kind.suffix}", kind, steady(60))
    frames, gaps = read(zeroed(path, int(path.stat().st_size * 0.3), 600))
    sound = [frame for frame in frames if frame.pts * 25 not in range(10, 38)]
    assert {frame.pts * 25 for frame in sound} == {*range(10), *range(38, 60)}
    assert all(number_in(frame.image) == frame.pts * 25 for frame in sound)
    assert gaps


@pytest.mark.parametrize(
    "kind", [k for k in KINDS if k.suffix in ("avi", "flv", "ts") or k.movflags], ids=lambda k: k.name
)
def test_a_file_cut_short_says_so(kind: Kind, tmp_path: Path) -> None:
    path = write_video(tmp_path / f"film.{kind.suffix}", kind, steady(100))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    frames, gaps = read(path)
    assert 30 < len(frames) < 90
    if kind.suffix != "ts" and "frag" not in kind.movflags:  # these do not know how long they should be
        assert gaps[-1].end_s is None or frames[-1].gap_before


def test_a_declared_size_beyond_reason_is_refused(tmp_path: Path) -> None:
    """A PNG stream in MOV whose pictures claim 40000 x 40000 px."""
    path = write_video(tmp_path / "film.mov", Kind("mov", "png", "rgb24"), steady(2))
    data = path.read_bytes()
    small, huge = (64).to_bytes(4, "big") + (48).to_bytes(4, "big"), (40000).to_bytes(4, "big") * 2
    path.write_bytes(data.replace(b"IHDR" + small, b"IHDR" + huge))
    with pytest.raises(ChorosError, match=r"no frame can be decoded|declares pictures"):
        open_video(path)


def test_streams_that_turn_up_on_the_way_end_like_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyAV may raise IndexError behind the last packet of such a stream (what its memory held before decides)."""
    path = write_video(tmp_path / "film.ts", TS, steady(20))
    demux = InputContainer.demux

    class Tripping:
        def __init__(self, container: InputContainer) -> None:
            self._container = container

        def __getattr__(self, name: str) -> object:
            return getattr(self._container, name)

        def demux(self, stream: object) -> Iterator[object]:
            yield from demux(self._container, stream)
            raise IndexError("list index out of range")

    opened = av.open
    monkeypatch.setattr(
        "choros.video.demuxing.av.open", lambda *words, **more: Tripping(opened(*words, **more))
    )
    frames, gaps = read(path)
    assert [number_in(frame.image) for frame in frames] == list(range(20))
    assert gaps == []


def test_colours_that_do_not_exist_cost_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "film.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        coder = stream.codec_context
        coder.color_primaries = coder.color_trc = coder.colorspace = 1
        for index in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(index))))
        container.mux(stream.encode(None))
    data, told = path.read_bytes(), b"\xb5\x2b\x01\x01\x01"  # the sequence's display: format, colours
    assert told in data
    path.write_bytes(data.replace(told, b"\xb5\x2b\x1f\xf3\x41"))
    frames, _ = read(path)
    assert [number_in(frame.image) for frame in frames] == list(range(5))
