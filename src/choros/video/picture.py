"""One picture of any kind from a file: what kind it is, by its content, and its pixels upright in RGB.

Pillow decodes, since OpenCV alone leaves kinds out (AVIF of several pictures, orientation of all but JPEG) and
turns half a file into a grey half of a picture without a word. Alpha is left out, more than eight bits are cut
to the upper eight.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from choros.video import heif
from choros.video.limits import MAX_PIXELS, MAX_SIDE_PX

if TYPE_CHECKING:
    from PIL import Image

#: Kinds by what Pillow calls them, and what names of pictures end in.
_READ = {
    "jpeg": ("JPEG", ".jpg .jpeg .jpe .jfif"),
    "png": ("PNG", ".png .apng"),
    "webp": ("WEBP", ".webp"),
    "tiff": ("TIFF", ".tif .tiff"),
    "gif": ("GIF", ".gif"),
    "bmp": ("BMP", ".bmp .dib"),
    "avif": ("AVIF", ".avif"),
    "heic": ("", ".heic .heif .hif"),  # by a package of its own
    "jp2": ("JPEG2000", ".jp2 .j2k .jpx"),
    "pnm": ("PPM", ".ppm .pgm .pbm .pnm"),
    "qoi": ("QOI", ".qoi"),
    "tga": ("TGA", ".tga"),
}
SUFFIXES = frozenset(suffix for _, suffixes in _READ.values() for suffix in suffixes.split())
_CAMERA_RAW = ".dng .cr2 .cr3 .nef .nrw .arw .orf .rw2 .raf .pef .srw .3fr .iiq"
RAW = frozenset(_CAMERA_RAW.split())
_NOT_READ = ".jxl .exr .hdr .psd"
#: Of pictures that are named, not read.
UNREAD_SUFFIXES = RAW | frozenset(_NOT_READ.split())

_REDUCED, _MASK = 1, 4  # of TIFF's NewSubfileType: pages that are no pictures of their own
HEAD = 64  # bytes that tell a kind


class Unreadable(Exception):
    """Why a picture cannot be read, in words that begin with its name."""


def kind_of(path: Path) -> str | None:
    """The kind of picture in a file, by its first bytes; None if it is none, or cannot be opened.

    A raw picture of a camera is "tiff" by its content; ``load`` tells them apart.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
        return _kind_of(head) or (heif.kind_of(path) if head[4:8] == b"ftyp" else None)
    except OSError:
        return None


def looks_like_one(path: Path) -> bool:
    """Whether a file of a folder is a picture, by its name or else by its content."""
    if path.suffix.lower() in SUFFIXES | UNREAD_SUFFIXES:
        return True
    return kind_of(path) is not None


def _kind_of(head: bytes) -> str | None:
    starts = {
        b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"GIF87a": "gif", b"GIF89a": "gif",
        b"II*\0": "tiff", b"MM\0*": "tiff", b"II+\0": "tiff", b"MM\0+": "tiff", b"qoif": "qoi",
        b"\0\0\0\x0cjP  \r\n\x87\n": "jp2", b"\xff\x4f\xff\x51": "jp2",
        b"\0\0\0\x0cJXL \r\n\x87\n": "jxl", b"\xff\x0a": "jxl", b"v/1\x01": "exr", b"#?RADIANCE": "hdr",
        b"8BPS\0\x01": "psd",
    }  # fmt: skip
    for start, kind in starts.items():
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:2] == b"BM" and head[6:10] == bytes(4) and head[14:18] in _BMP_HEADERS:
        return "bmp"
    return "pnm" if re.match(rb"P[1-6]\s+(#[^\n]*\s+)*[0-9]+\s", head) else None


_BMP_HEADERS = frozenset(size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124))


def read(path: Path) -> tuple[NDArray[np.uint8], str | None]:
    """(H, W, 3) uint8 RGB upright, and what else the file holds that was not taken, if anything.

    Raises ``Unreadable``.
    """
    with _file(path) as file:
        image = opened(path, file)
        pixels = pixels_of(image, path.name)
        more = _how_many(image)
    return (
        pixels,
        f"{path.name} holds more pictures than one, of which the first is taken" if more > 1 else None,
    )


def size_of(path: Path) -> tuple[int, int]:
    """Width and height, px, upright, from the header alone. Raises ``Unreadable``."""
    with _file(path) as file:
        image = opened(path, file)
        width, height = image.size
        # Pillow says the upright size of TIFF by itself, as its pixels come upright.
        return (height, width) if image.format != "TIFF" and _orientation(image) >= 5 else (width, height)


def opened(path: Path, file: IO[bytes]) -> Image.Image:
    """A picture of acceptable size of which only the header is read. Raises ``Unreadable``."""
    kind = kind_of(path) or {".tga": "tga"}.get(path.suffix.lower())
    if path.suffix.lower() in RAW:
        raise Unreadable(f"{path.name} is a camera's raw picture; export it as JPEG or PNG")
    if kind is None:
        raise Unreadable(f"{path.name} is not a readable image")
    if kind not in _READ:
        raise Unreadable(f"{path.name} is {kind.upper()}, which is not read; convert it to PNG or JPEG")
    if kind == "webp":  # its decoder gives memory as soon as it is made
        check_size(path.name, *_webp_size(file.read(HEAD)))
        file.seek(0)
    image = decoder(kind, path.name, file)
    if kind == "tiff":
        if 50706 in image.tag_v2:  # type: ignore[attr-defined]  # DNGVersion
            raise Unreadable(f"{path.name} is a camera's raw picture; export it as JPEG or PNG")
        pages = pages_of(image)
        if not pages:
            raise Unreadable(f"{path.name} holds nothing but previews; export it as JPEG or PNG")
        with suppress(Exception):  # a page that cannot be had is told when it is read
            image.seek(pages[0])
    check_size(path.name, *image.size)
    return image


def pages_of(image: Image.Image) -> list[int]:
    """Which pages of a TIFF are pictures: not its thumbnails and masks."""
    pages = []
    for page in count():
        about = 0
        try:
            image.seek(page)
            about = int(image.tag_v2.get(254, 0))  # type: ignore[attr-defined]  # NewSubfileType
        except EOFError:
            break
        except Exception:  # a damaged page is told when it is read; one that leads nowhere ends the list
            places: list[int] = image._frame_pos  # type: ignore[attr-defined]
            if len(places) <= page or places[page] in places[:page]:
                break
        if not about & (_REDUCED | _MASK):
            pages.append(page)
    return pages


def _how_many(image: Image.Image) -> int:
    """Pictures in a file, apart from what a camera puts behind its JPEG."""
    if image.format == "TIFF":
        return len(pages_of(image))
    try:
        return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
    except Exception:  # the first was read; what is behind it is damaged
        return 2


def decoder(kind: str, name: str, data: IO[bytes] | bytes) -> Image.Image:
    """Pillow's image of a kind. Not ``Image.open``, whose limits on size are for all of the process.

    Raises ``Unreadable``.
    """
    from PIL import Image

    Image.init()
    factory = _heic_factory(name) if kind == "heic" else Image.OPEN[_READ[kind][0]][0]
    try:
        return factory(BytesIO(data) if isinstance(data, bytes) else data, name)
    except Exception as error:  # plugins raise all there is on damaged headers
        raise Unreadable(f"{name} is not a readable image ({_why(error)})") from error


def _heic_factory(name: str) -> Callable[..., Image.Image]:
    try:
        factory: Callable[..., Image.Image] = import_module("pi_heif.as_plugin").HeifImageFile
    except ModuleNotFoundError:
        raise Unreadable(
            f"{name} is HEIC, which takes a package of its own; run `pip install choros[heic]`"
        ) from None
    return factory


def check_size(name: str, width: int, height: int) -> None:
    """Raises ``Unreadable`` for a picture that would take too much memory."""
    if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
        raise Unreadable(f"{name} declares {width}x{height} px, more than is read")
    if min(width, height) < 1:
        raise Unreadable(f"{name} declares {width}x{height} px")


def pixels_of(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, upright. Raises ``Unreadable`` if the picture is damaged."""
    from PIL import ImageOps

    try:
        image.load()
        if _orientation(image) != 1:
            image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16") or image.mode in "IF":
            return np.repeat(_to_8_bits(np.array(image))[..., None], 3, axis=2)
        return np.array(image.convert("RGB"))
    except Exception as error:
        raise Unreadable(f"{name} cannot be read ({_why(error)})") from error


def _to_8_bits(grey: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Whole numbers are of 16 bits; of floats 1 is white."""
    if grey.dtype.kind == "f":
        return (np.clip(np.nan_to_num(grey), 0, 1) * 255 + 0.5).astype(np.uint8)
    return (np.clip(grey.astype(np.int64), 0, 65535) >> 8).astype(np.uint8)


def _orientation(image: Image.Image) -> int:
    """EXIF's, 1 to 8; 1 where it says none that makes sense."""
    try:
        orientation = image.getexif().get(0x0112, 1)
    except Exception:  # EXIF is written by whoever likes; it must not cost the picture
        return 1
    return orientation if orientation in range(1, 9) else 1


def _webp_size(head: bytes) -> tuple[int, int]:
    """Width and height of the canvas from the first bytes of a WebP; (1, 1) where they make no sense."""
    kind = head[12:16]
    if kind == b"VP8X" and len(head) >= 30:
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(head) >= 30:
        return (int.from_bytes(head[at : at + 2], "little") & 0x3FFF or 1 for at in (26, 28))  # type: ignore[return-value]
    return 1, 1


def _file(path: Path) -> IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        raise Unreadable(f"{path.name} cannot be opened: {error.strerror}") from error


def _why(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
