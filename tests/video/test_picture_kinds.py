"""Kinds of pictures: by content, upright, in eight bits of RGB; what cannot be read says so by name."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from making import number_in, numbered
from PIL import Image, features

from choros.errors import ChorosError
from choros.video import open_video, picture

FORMATS = {
    "jpg": "JPEG", "JPEG": "JPEG", "jpe": "JPEG", "jfif": "JPEG", "png": "PNG", "apng": "PNG", "webp": "WEBP",
    "tif": "TIFF", "tiff": "TIFF", "gif": "GIF", "bmp": "BMP", "dib": "BMP", "jp2": "JPEG2000", "ppm": "PPM",
    "tga": "TGA", "avif": "AVIF",
}  # fmt: skip


def only_frame(path: Path) -> np.ndarray:
    with open_video(path) as reader:
        (frame,) = reader
    assert reader.gaps == []
    assert frame.image.dtype == np.uint8
    assert frame.image.flags.c_contiguous
    return frame.image


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_kind_is_read_under_its_suffix(suffix, tmp_path):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("Pillow without AVIF")
    path = tmp_path / f"photo.{suffix}"
    Image.fromarray(numbered(1234)).save(path, FORMATS[suffix])
    assert number_in(only_frame(path)) == 1234


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "JPEG2000", "PPM"])
@pytest.mark.parametrize("name", ["photo", "photo.jpg", "photo.mp4", "photo.heic"])
def test_content_decides_not_the_name(kind, name, tmp_path):
    Image.fromarray(numbered(77)).save(tmp_path / name, kind)
    assert number_in(only_frame(tmp_path / name)) == 77


def test_jpeg_is_what_opencv_reads(tmp_path):
    """Another decoder of the same standard: figures measured on pictures stay."""
    Image.fromarray(numbered(5, 512, 384)).save(tmp_path / "a.jpg", quality=90)
    other = cv2.imread(str(tmp_path / "a.jpg"))[..., ::-1]
    np.testing.assert_array_equal(only_frame(tmp_path / "a.jpg"), other)


MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "I", "F"]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_rgb(mode, tmp_path):
    picture = Image.fromarray(numbered(901))
    grey = np.array(picture.convert("L"))
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "I":
        picture = Image.fromarray(grey.astype(np.int32) * 257)
    elif mode == "F":
        picture = Image.fromarray(grey.astype(np.float32) / 255)
    elif mode == "1":
        picture = Image.fromarray(grey > 128)
    else:
        picture = picture.convert("L").convert(mode) if mode == "LA" else picture.convert(mode)
    suffix = "png" if mode in ("P", "I;16", "1", "LA") else "tif"
    picture.save(tmp_path / f"a.{suffix}")
    image = only_frame(tmp_path / f"a.{suffix}")
    assert number_in(image) == 901
    if mode in ("L", "LA", "I;16", "I", "F"):
        np.testing.assert_allclose(image.astype(int), np.repeat(grey[..., None], 3, axis=2), atol=1)


def test_colours_of_16_bits(tmp_path):
    deep = numbered(33).astype(np.uint16) * 257
    for suffix in ("png", "tif"):
        assert cv2.imwrite(str(tmp_path / f"a.{suffix}"), deep[..., ::-1])
        np.testing.assert_array_equal(only_frame(tmp_path / f"a.{suffix}"), numbered(33))


def test_alpha_is_left_out(tmp_path):
    """What is under it stays: a mask says where somebody wants to look, not that there is nothing."""
    rgba = np.dstack([numbered(3), np.zeros((48, 64), np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    np.testing.assert_array_equal(only_frame(tmp_path / "a.png"), numbered(3))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_all_orientations_of_all_kinds(kind, orientation, tmp_path):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("Pillow without AVIF")
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:24, :32, 0] = upright[:24, 32:, 1] = upright[24:, :32, 2] = 255  # red, green; blue, black
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.transpose(1, 0, 2),
        6: np.rot90(upright), 7: np.rot90(upright, 2).transpose(1, 0, 2), 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{kind.lower()}"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, kind, exif=exif)
    image = only_frame(path)
    assert image.shape == upright.shape
    assert picture.size_of(path) == (64, 48)
    assert np.abs(image[12:48:24, 16:64:32].astype(int) - upright[12:48:24, 16:64:32]).max() < 40


def test_senseless_exif_costs_nothing(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 99
    Image.fromarray(numbered(6)).save(tmp_path / "a.jpg", exif=exif)
    assert number_in(only_frame(tmp_path / "a.jpg")) == 6
    data = (tmp_path / "a.jpg").read_bytes()
    at = data.index(b"Exif\0\0") + 6
    (tmp_path / "b.jpg").write_bytes(data[:at] + b"\xff" * 16 + data[at + 16 :])
    assert number_in(only_frame(tmp_path / "b.jpg")) == 6


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.jxl", b"\xff\x0a" + bytes(40), "a.jxl is JXL, which is not read; convert it"),
        ("a", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "a is JXL"),
        ("a.exr", b"v/1\x01" + bytes(40), "a.exr is EXR"),
        ("a.nef", b"MM\0*" + bytes(40), "a.nef is a camera's raw picture"),
        ("a.jpg", b"hello" + bytes(40), "a.jpg is not a readable image"),
        ("a.psd", b"8BPS\0\x01" + bytes(40), "a.psd is PSD"),
        ("a.heif", b"\0\0\0\x18ftypmif1\0\0\0\0mif1unci" + bytes(40), "a.heif is HEIF, which is not read"),
    ],
)
def test_what_cannot_be_read_is_said_by_name(name, data, words, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ChorosError) as caught:
        open_video(tmp_path / name)
    assert words in str(caught.value)


def test_half_a_file_is_not_taken_for_a_picture(tmp_path):
    """OpenCV shows grey where the file ends, and says nothing."""
    file = io.BytesIO()
    Image.fromarray(numbered(9, 640, 480)).save(file, "JPEG")
    (tmp_path / "a.jpg").write_bytes(file.getvalue()[: len(file.getvalue()) // 2])
    assert cv2.imread(str(tmp_path / "a.jpg")) is not None
    with pytest.raises(ChorosError, match=r"a\.jpg.*truncated"):
        open_video(tmp_path / "a.jpg")


def test_a_camera_raw_in_tiff_is_not_its_preview(tmp_path):
    Image.fromarray(numbered(1)).save(tmp_path / "a.tif", tiffinfo={50706: b"\1\4\0\0"})
    with pytest.raises(ChorosError, match="raw picture"):
        open_video(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["webp", "tif", "bmp", "ppm"])
def test_a_declared_size_is_refused_before_memory_is_given(kind, tmp_path):
    path = tmp_path / f"bomb.{kind}"
    if kind == "ppm":
        path.write_bytes(b"P6\n60000 60000\n255\n" + bytes(100))
    elif kind == "webp":
        path.write_bytes(
            b"RIFF\x20\0\0\0WEBPVP8L\x14\0\0\0\x2f"
            + (0x3FFF | 0x3FFF << 14).to_bytes(4, "little")
            + bytes(20)
        )
    elif kind == "bmp":
        Image.fromarray(numbered(1)).save(path)
        data = bytearray(path.read_bytes())
        data[18:26] = (60000).to_bytes(4, "little") * 2
        path.write_bytes(data)
    else:
        Image.fromarray(numbered(1)).save(path)
        data = bytearray(path.read_bytes())
        at = int.from_bytes(data[4:8], "little") + 2
        for entry in range(at, at + 12 * 2, 12):  # width and height come first
            data[entry : entry + 12] = (
                data[entry : entry + 2] + b"\4\0\1\0\0\0" + (60000).to_bytes(4, "little")
            )
        path.write_bytes(data)
    with pytest.raises(ChorosError, match="more than is read"):
        open_video(path)
