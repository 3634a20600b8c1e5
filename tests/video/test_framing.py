"""Pictures as they are meant to be seen: square pixels, upright in all eight ways, and one size from first to last."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from making import HEIGHT, KINDS, WIDTH, X264, Kind, number_in, numbered, steady, write_video

from choros.video import Frame, Gap, open_video
from choros.video.framing import square
from choros.video.limits import MAX_SIDE_PX

LOSSLESS = Kind("mov", "png", "rgb24")
BARE = Kind("h264", "libx264", options=(*X264, ("bf", "0")))


def read(path: Path) -> tuple[list[Frame], list[Gap]]:
    with open_video(path) as reader:
        frames = list(reader)
        assert {frame.image.shape for frame in frames} == {(reader.info.height, reader.info.width, 3)}
    return frames, reader.gaps


# Pixels that are not square ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sar", "size"),
    [
        (Fraction(2), (128, 48)),
        (Fraction(1, 2), (64, 96)),
        (Fraction(4, 3), (85, 48)),  # HDV, 1440x1080 shown 1920x1080
        (Fraction(8, 9), (64, 54)),  # DV of 525 lines
        (Fraction(59, 54), (70, 48)),  # DV of 625 lines
        (Fraction(1), (64, 48)),
        (Fraction(1001, 1000), (64, 48)),  # what rounding of a size left over
    ],
)
@pytest.mark.parametrize("kind", [LOSSLESS, KINDS[0], BARE], ids=lambda kind: kind.name)
def test_pixels_are_shown_square(sar: Fraction, size: tuple[int, int], kind: Kind, tmp_path: Path) -> None:
    frames, gaps = read(write_video(tmp_path / f"film.{kind.suffix}", kind, steady(3), sar=sar))
    assert [(frame.image.shape[1], frame.image.shape[0]) for frame in frames] == [size] * 3
    assert [number_in(frame.image) for frame in frames] == [0, 1, 2]
    assert gaps == []


def test_each_stored_pixel_becomes_two(tmp_path: Path) -> None:
    (frame, _), _ = read(write_video(tmp_path / "film.mov", LOSSLESS, steady(2), sar=Fraction(2)))
    stored = numbered(0).astype(int)
    assert np.abs(frame.image[:, ::2] - stored).mean() < 12  # interpolated between neighbours of noise of 12
    assert np.abs(frame.image.reshape(HEIGHT, WIDTH, 2, 3).mean(2) - stored).mean() < 6


def test_a_shape_is_of_the_stored_picture_not_of_the_turned_one(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "film.mp4", KINDS[0], steady(2), sar=Fraction(2), display=(90, False, False)
    )
    (frame, _), _ = read(path)
    assert frame.image.shape == (128, 48, 3)
    assert number_in(np.rot90(frame.image, -1)) == 0


@pytest.mark.parametrize("sar", [Fraction(5), Fraction(1, 8), Fraction(16)])
def test_a_shape_that_no_camera_has_is_passed_over_and_said(sar: Fraction, tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.h264", BARE, steady(2), sar=sar)
    with open_video(path) as reader:
        assert next(iter(reader)).image.shape == (HEIGHT, WIDTH, 3)
        assert f"{sar.numerator}:{sar.denominator}" in reader.info.notes[0]


def test_no_side_grows_beyond_what_is_read() -> None:
    assert square(MAX_SIDE_PX, 100, Fraction(2)) == (MAX_SIDE_PX, 50)
    assert square(100, MAX_SIDE_PX, Fraction(1, 4)) == (25, MAX_SIDE_PX)
    assert square(1, 1, Fraction(1, 3)) == (1, 3)


# All eight orientations -------------------------------------------------------------------------------

# (a, b, c, d) of an MP4's display matrix, which takes (x, y) to (a x + c y, b x + d y), and what numpy does.
MATRICES = {
    "upright": ((1, 0, 0, 1), lambda image: image),
    "clockwise": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "half a turn": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "counterclockwise": ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
    "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda image: image[::-1]),
    "transposed": ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
    "across": ((0, -1, -1, 0), lambda image: image[::-1, ::-1].transpose(1, 0, 2)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_the_matrix_of_a_track_is_obeyed(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", KINDS[0], steady(2))
    plain = [frame.image for frame in read(path)[0]]
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 4 + 40  # version and flags, times, track, duration, layer, volume
    (a, b, c, d), turned = MATRICES[name]
    data[at : at + 36] = struct.pack(
        ">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30
    )  # fmt: skip
    path.write_bytes(data)
    for frame, stored in zip(read(path)[0], plain, strict=True):
        np.testing.assert_array_equal(frame.image, turned(stored))


@pytest.mark.parametrize(
    ("words", "turned"),
    [
        ("rotate=90", lambda image: np.rot90(image, 1)),
        ("rotate=180", lambda image: np.rot90(image, 2)),
        ("flip=vertical", lambda image: image[::-1]),
        ("flip=horizontal", lambda image: image[:, ::-1]),
    ],
)
def test_the_stream_itself_may_say_it(words: str, turned: object, tmp_path: Path) -> None:
    """H.264's display orientation message (SEI); degrees are counterclockwise."""
    path = write_video(tmp_path / "film.h264", BARE, steady(2))
    plain = [frame.image for frame in read(path)[0]]
    said = tmp_path / "said.h264"
    with av.open(str(path)) as container, said.open("wb") as out:
        stream = container.streams.video[0]
        messages = BitStreamFilterContext(f"h264_metadata=display_orientation=insert:{words}", stream)
        for packet in container.demux(stream):
            for changed in messages.filter(packet if packet.size else None):
                out.write(bytes(changed))
    for frame, stored in zip(read(said)[0], plain, strict=True):
        np.testing.assert_array_equal(frame.image, turned(stored))  # type: ignore[operator]


# A size that changes ----------------------------------------------------------------------------------


def joined(folder: Path, *sizes: tuple[int, int]) -> Path:
    """Ten numbered pictures of each size."""
    film = b""
    for width, height in sizes:
        film += write_video(folder / "part.h264", BARE, steady(10), width=width, height=height).read_bytes()
    path = folder / "joined.h264"
    path.write_bytes(film)
    return path


def test_a_picture_of_another_shape_is_shown_in_bars(tmp_path: Path) -> None:
    frames, gaps = read(joined(tmp_path, (64, 48), (16, 48), (64, 48)))
    assert [number_in(frame.image) for frame in frames[:10]] == list(range(10))
    for index, frame in enumerate(frames[10:20]):
        assert not frame.image[:, :24].any()
        assert not frame.image[:, 40:].any()
        assert number_in(frame.image[:, 24:40]) == index  # neither stretched nor cut
    assert [number_in(frame.image) for frame in frames[20:]] == list(range(10))
    assert [frame.index for frame in frames if frame.gap_before] == [10, 20]
    assert [gap.reason for gap in gaps] == [
        "the picture changes from 64x48 to 16x48 px; shown in bars",
        "the picture changes from 16x48 to 64x48 px; as at first",
    ]
    assert [(gap.start_s, gap.end_s) for gap in gaps] == [
        (frames[9].pts_s, frames[10].pts_s),
        (frames[19].pts_s, frames[20].pts_s),
    ]


def test_the_same_picture_at_another_resolution_fills_the_first(tmp_path: Path) -> None:
    frames, gaps = read(joined(tmp_path, (64, 48), (128, 96)))
    assert [number_in(frame.image) for frame in frames] == [*range(10), *range(10)]
    assert frames[10].image[:4].any()
    assert frames[10].image[-4:].any()
    assert [gap.reason for gap in gaps] == [
        "the picture changes from 64x48 to 128x96 px; scaled to the first"
    ]


def test_size_and_shape_change_in_a_transport_stream(tmp_path: Path) -> None:
    kind = Kind("ts", "libx264", options=(("preset", "ultrafast"), ("tune", "zerolatency")))
    small = write_video(tmp_path / "small.ts", kind, steady(10))
    wide = write_video(tmp_path / "wide.ts", kind, steady(10), width=64, height=96, sar=Fraction(4))
    path = tmp_path / "joined.ts"
    path.write_bytes(small.read_bytes() + wide.read_bytes())
    frames, gaps = read(path)
    assert [number_in(frame.image) for frame in frames[:10]] == list(range(10))
    assert [number_in(frame.image[12:36]) for frame in frames[10:]] == list(range(10))  # 256x96 in 64x48
    assert "from 64x48 to 256x96 px" in " ".join(gap.reason for gap in gaps)
    times = [frame.pts for frame in frames]
    assert times == sorted(set(times))
