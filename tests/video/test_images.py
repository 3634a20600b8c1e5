"""Folders of images and single images."""

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from making import number_in, numbered

from choros.errors import ChorosError
from choros.video import open_video
from choros.video.images import natural_key


def write_image(path: Path, image: np.ndarray) -> Path:
    """``image``: (H, W), (H, W, 3) RGB or (H, W, 4) RGBA."""
    order = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[
        image.ndim if image.ndim == 2 else image.shape[2]
    ]
    assert cv2.imwrite(str(path), image if order is None else cv2.cvtColor(image, order))
    return path


def with_exif_orientation(jpeg: bytes, orientation: int) -> bytes:
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 1) + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def test_natural_order_and_times(tmp_path: Path) -> None:
    for index in range(12):
        write_image(tmp_path / f"frame_{index}.png", numbered(index))
    (tmp_path / "notes.txt").write_text("not an image")
    with open_video(tmp_path, image_fps=Fraction(24)) as reader:
        frames = list(reader)
    assert [number_in(frame.image) for frame in frames] == list(range(12))
    assert [frame.pts for frame in frames] == [Fraction(index, 24) for index in range(12)]
    assert (reader.info.fps, reader.info.n_frames_hint, reader.info.is_live) == (24, 12, False)
    np.testing.assert_array_equal(frames[3].image, numbered(3))


def test_natural_key() -> None:
    assert sorted(["b2", "b10", "B1", "a", "10", "9"], key=natural_key) == ["9", "10", "a", "B1", "b2", "b10"]


def test_a_range_of_a_folder(tmp_path: Path) -> None:
    for index in range(10):
        write_image(tmp_path / f"{index}.png", numbered(index))
    with open_video(tmp_path, 0.2, 0.5, image_fps=10) as reader:
        frames = list(reader)
    assert [(frame.index, number_in(frame.image), frame.pts) for frame in frames] == [
        (0, 2, Fraction(1, 5)),
        (1, 3, Fraction(3, 10)),
        (2, 4, Fraction(2, 5)),
    ]
    with pytest.raises(ChorosError, match=r"end at 1\.00 s"):
        open_video(tmp_path, 3.0, image_fps=10)


def test_grey_and_transparent_images_become_rgb(tmp_path: Path) -> None:
    picture = numbered(5)
    write_image(tmp_path / "0.png", picture)
    write_image(tmp_path / "1.png", picture[..., 0])
    write_image(tmp_path / "2.png", np.dstack([picture, np.full(picture.shape[:2], 9, np.uint8)]))
    with open_video(tmp_path) as reader:
        rgb, grey, transparent = (frame.image for frame in reader)
    np.testing.assert_array_equal(rgb, picture)
    np.testing.assert_array_equal(grey, np.repeat(picture[..., :1], 3, axis=2))
    np.testing.assert_array_equal(transparent, picture)


def test_unreadable_images_leave_gaps(tmp_path: Path) -> None:
    for index in range(8):
        write_image(tmp_path / f"{index}.png", numbered(index))
    for index in (0, 3, 4, 7):
        (tmp_path / f"{index}.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with open_video(tmp_path, image_fps=1) as reader:
        frames = list(reader)
    assert [(number_in(f.image), f.pts, f.gap_before) for f in frames] == [
        (1, 1, True),
        (2, 2, False),
        (5, 5, True),
        (6, 6, False),
    ]
    assert [(gap.start_s, gap.end_s) for gap in reader.gaps] == [(0, 1), (2, 5), (6, None)]
    assert "3.png" in reader.gaps[1].reason


def test_mixed_sizes_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "0.png", numbered(0))
    write_image(tmp_path / "1.png", numbered(1, 32, 32))
    with open_video(tmp_path) as reader, pytest.raises(ChorosError, match=r"1\.png.* 32x32 px .*64x48 px"):
        list(reader)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:24, :32, 0] = upright[:24, 32:, 1] = upright[24:, :32, 2] = 255  # red, green; blue, black
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    path = write_image(tmp_path / "photo.jpg", np.ascontiguousarray(stored))
    path.write_bytes(with_exif_orientation(path.read_bytes(), orientation))
    with open_video(path) as reader:
        (frame,) = reader
    assert frame.image.shape == upright.shape
    centres = frame.image[12:48:24, 16:64:32].astype(int)
    assert np.abs(centres - upright[12:48:24, 16:64:32]).max() < 30


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_picture_that_declares_a_huge_size_is_refused_unopened(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"bomb.{suffix}"
    if suffix == "png":
        header = b"IHDR" + struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
        path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + header + struct.pack(">I", zlib.crc32(header)))
    else:
        data = cv2.imencode(".jpg", numbered(1))[1].tobytes()
        at = data.index(b"\xff\xc0") + 5
        path.write_bytes(data[:at] + struct.pack(">HH", 60000, 60000) + data[at + 4 :])
    with pytest.raises(ChorosError, match=r"0000x.0000 px, more than is read"):
        open_video(path)
