"""Folders of images and single images."""

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from making import number_in, numbered
from PIL import Image

from choros.errors import ChorosError
from choros.video import open_video


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
    with pytest.raises(ChorosError, match=r"1\.png.* 32x32 px .*64x48 px.*--photos"):
        open_video(tmp_path)
    data = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(data[:60])  # what is damaged may say any size
    frames, reader = read(tmp_path)
    assert len(frames) == len(reader.gaps) == 1


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
        head = b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + header + struct.pack(">I", zlib.crc32(header))
        path.write_bytes(head + struct.pack(">I", 1000) + b"IDAT" + bytes(1000))
    else:
        data = cv2.imencode(".jpg", numbered(1))[1].tobytes()
        at = data.index(b"\xff\xc0") + 5
        path.write_bytes(data[:at] + struct.pack(">HH", 60000, 60000) + data[at + 4 :])
    with pytest.raises(ChorosError, match=r"0000x.0000 px, more than is read"):
        open_video(path)


# Folders ----------------------------------------------------------------------------------------------


def folder_of(tmp_path: Path, *names: str) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, name in enumerate(names):
        write_image(folder / f"_{index}.png", numbered(index)).rename(folder / name)
    return folder


def read(folder: Path, *when, **how):
    with open_video(folder, *when, **how) as reader:
        return list(reader), reader


def test_frames_have_the_numbers_and_times_of_their_names(tmp_path: Path) -> None:
    numbers = [3, 4, 5, 8, 9, 10]
    folder = folder_of(tmp_path, *(f"cam1_{number:06d}.png" for number in numbers))
    (folder / "cam1_000009.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    frames, reader = read(folder, image_fps=10)
    assert reader.info.numbers == "named"
    assert [frame.number for frame in frames] == [3, 4, 5, 8, 10]
    assert [frame.pts for frame in frames] == [Fraction(number - 3, 10) for number in (3, 4, 5, 8, 10)]
    assert [frame.gap_before for frame in frames] == [False, False, False, True, True]
    assert [(gap.start_s, gap.end_s) for gap in reader.gaps] == [(0.2, 0.5), (0.5, 0.7)]
    assert reader.gaps[0].reason == "pictures 6 to 7 are missing"
    assert "cam1_000009.png" in reader.gaps[1].reason


def test_numbers_stay_from_wherever_reading_starts(tmp_path: Path) -> None:
    numbers = [1, 2, 3, 4, 10, 11]
    folder = folder_of(tmp_path, *(f"{number:06d}.png" for number in numbers))
    for start, end, left, n_gaps in (
        (0.1, 0.35, [2, 3, 4], 0),
        (0.3, 0.95, [4, 10], 1),
        (0.5, None, [10, 11], 1),
        (0.9, None, [10, 11], 0),
    ):
        frames, reader = read(folder, start, end, image_fps=10)
        assert [frame.number for frame in frames] == left
        assert [frame.pts for frame in frames] == [Fraction(number - 1, 10) for number in left]
        assert len(reader.gaps) == n_gaps, start


def test_unlike_names_are_counted(tmp_path: Path) -> None:
    frames, reader = read(folder_of(tmp_path, "start.png", "then.png", "unknown.png"))
    assert reader.info.numbers == "counted"
    assert [frame.number for frame in frames] == [0, 1, 2]


def test_all_that_looks_like_a_picture_is_read_or_named(tmp_path: Path) -> None:
    names = ["01.png", "02.PNG", "03.jfif", "04", "05.dat", "06.png"]
    folder = folder_of(tmp_path, *names)  # PNG all of them: content decides
    (folder / "07.jxl").write_bytes(b"\xff\x0a" + bytes(50))
    (folder / "08.exr").write_bytes(b"v/1\x01" + bytes(50))
    (folder / "09.cr2").write_bytes(b"II*\0" + bytes(50))
    (folder / "06.cr2").write_bytes(b"II*\0" + bytes(50))  # of the same picture as 06.png
    (folder / "10.heif").write_bytes(bytes(50))
    others = {
        "Thumbs.db": b"\xd0\xcf\x11\xe0", "readme.txt": b"P3 said", "a.json": b"{}", "BM.txt": b"BM is a bank",
        ".DS_Store": b"\0", "._01.png": b"\0\5\x16\7", ".hidden.png": b"no",
    }  # fmt: skip
    for name, data in others.items():
        (folder / name).write_bytes(data + bytes(30))
    (folder / "below").mkdir()
    frames, reader = read(folder)
    assert [number_in(frame.image) for frame in frames] == list(range(6))
    (gap,) = reader.gaps
    for name in ("07.jxl", "08.exr", "09.cr2", "10.heif"):
        assert name in gap.reason
    assert "06.cr2" not in gap.reason
    assert gap.end_s is None


def test_many_lost_in_a_row_are_named_and_counted(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, *(f"{k:02d}.png" for k in range(12)))
    for k in range(2, 10):
        (folder / f"{k:02d}.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    _, reader = read(folder)
    (gap,) = reader.gaps
    assert all(f"0{k}.png" in gap.reason for k in range(2, 7))
    assert gap.reason.endswith("and 3 more")


@pytest.mark.parametrize("content", ["video", "folder", "nothing"])
def test_a_folder_without_pictures_says_what_to_name(content: str, tmp_path: Path) -> None:
    folder = tmp_path / "take"
    folder.mkdir()
    if content == "video":
        (folder / "clip.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(30))
    elif content == "folder":
        (folder / "camera1").mkdir()
    wanted = {
        "video": r"clip\.mp4.*name one of them",
        "folder": r"camera1.*name one of them",
        "nothing": "no images",
    }
    with pytest.raises(ChorosError, match=wanted[content]):
        open_video(folder)


def test_a_film_among_pictures_is_told(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "1.png", "3.png")
    film = [Image.fromarray(numbered(index)) for index in (7, 8)]
    film[0].save(folder / "2.png", save_all=True, append_images=film[1:], duration=40)
    frames, reader = read(folder)
    assert [number_in(frame.image) for frame in frames] == [0, 7, 1]
    (gap,) = reader.gaps
    assert gap.reason.startswith("2.png holds more pictures than one")
    assert [frame.gap_before for frame in frames] == [False, False, True]


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf"), 5000])
def test_a_rate_that_is_none_is_refused(fps: float, tmp_path: Path) -> None:
    with pytest.raises(ChorosError, match="times a second"):
        open_video(folder_of(tmp_path, "1.png"), image_fps=fps)


def test_a_rate_keeps_times_exact(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "1.png", "2.png")
    assert [read(folder, image_fps=fps)[0][1].pts for fps in (29.97, Fraction(30000, 1001))] == [
        Fraction(100, 2997),
        Fraction(1001, 30000),
    ]


# Photographs ------------------------------------------------------------------------------------------


def test_photographs_have_their_own_sizes_and_no_times(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "IMG_0003.png", "IMG_0007.png")
    write_image(folder / "IMG_0005.jpg", numbered(2, 96, 160))
    (folder / "IMG_0006.jpg").write_bytes(b"\xff\xd8\xff broken")
    frames, reader = read(folder, photos=True)
    assert [frame.image.shape for frame in frames] == [(48, 64, 3), (160, 96, 3), (48, 64, 3)]
    assert [frame.number for frame in frames] == [3, 5, 7]
    assert [frame.pts for frame in frames] == [0, 1, 3]
    assert all(frame.gap_before for frame in frames)
    assert (reader.info.width, reader.info.height, reader.info.fps) == (96, 160, 1)
    assert [(p.number, p.name, p.width, p.height) for p in reader.info.pictures] == [
        (3, "IMG_0003.png", 64, 48),
        (5, "IMG_0005.jpg", 96, 160),
        (7, "IMG_0007.png", 64, 48),
    ]
    (gap,) = reader.gaps
    assert "IMG_0006.jpg" in gap.reason
