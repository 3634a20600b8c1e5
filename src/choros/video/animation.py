"""Animated WebP and APNG, cut into the pictures that they are made of.

Both store a picture per frame, of part of the canvas, that any decoder of stills can read by itself. So a damaged
one costs itself and no other, and memory holds one canvas however long the film is; a decoder of whole films
(libwebp's, Pillow's for PNG) stops at the first damage.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from choros.video.picture import Unreadable, check_size, decoder, pixels_of

if TYPE_CHECKING:
    from PIL import Image

#: What a frame without a duration lasts, as in browsers.
NO_DURATION_S = Fraction(1, 10)


@dataclass(frozen=True)
class AnimationStill:
    """A still that changes part of the canvas."""

    still: bytes  # a file of its own
    x: int  # px, of its upper left corner
    y: int
    width: int  # px
    height: int
    duration_s: Fraction
    blend: bool  # over what is there, else in its place
    dispose: Literal["none", "background", "previous"]  # what becomes of it before the next one
    damage: str | None  # what was wrong in the file before it, or in it


@dataclass(frozen=True)
class Animation:
    """A file of parts; ``parts`` reads it anew, from its beginning."""

    kind: Literal["webp", "png"]
    width: int  # px
    height: int
    parts: Callable[[], Iterator[AnimationStill | str]]  # a text: damage at the end


def animation_of(path: Path, kind: str) -> Animation | None:
    """The animation in a WebP or PNG; None if it is a still. Raises ``Unreadable`` for a canvas too large."""
    with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        if kind == "webp" and data[12:16] == b"VP8X" and data[20] & 2:
            width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        elif kind == "png" and data[12:16] == b"IHDR" and b"acTL" in data[: max(data.find(b"IDAT"), 0)]:
            width, height = struct.unpack(">II", data[16:24])
        else:
            return None
    check_size(path.name, int(width), int(height))
    walk = _webp_parts if kind == "webp" else _png_parts
    return Animation("webp" if kind == "webp" else "png", width, height, lambda: walk(path))


def pictures(
    animation: Animation, name: str
) -> Iterator[tuple[NDArray[np.uint8] | None, Fraction, str | None]]:
    """(H, W, 3) RGB of each frame or None, its time in seconds, and what is damaged in it or before it."""
    canvas = np.zeros((animation.height, animation.width, 4), np.uint8)
    pts = Fraction(0)
    for part in animation.parts():
        if isinstance(part, str):
            yield None, pts, part
            return
        try:
            still = decoder(animation.kind, name, part.still)
            if (
                max(part.x, still.width - 1) >= animation.width
                or max(part.y, still.height - 1) >= animation.height
            ):
                raise Unreadable(f"a picture of {name} lies outside of it")
            # Of one that reaches beyond the canvas, as damage to its place makes it, what is within.
            pixels = _rgba(still, name)[: animation.height - part.y, : animation.width - part.x]
        except Unreadable as error:
            yield None, pts, part.damage or str(error)
            pts += part.duration_s
            continue
        place = canvas[part.y : part.y + pixels.shape[0], part.x : part.x + pixels.shape[1]]
        before = place.copy() if part.dispose == "previous" else None
        place[...] = _over(pixels, place) if part.blend else pixels
        yield np.ascontiguousarray(canvas[..., :3]), pts, part.damage
        pts += part.duration_s
        if before is not None:
            place[...] = before
        elif part.dispose == "background":
            place[...] = 0


def _rgba(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """(h, w, 4). Raises ``Unreadable``."""
    if image.mode.startswith("I"):  # grey of 16 bits
        rgb = pixels_of(image, name)
        return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    try:
        return np.array(image.convert("RGBA"))
    except Exception as error:  # decoders raise all there is
        raise Unreadable(f"a picture of {name} is damaged ({error})") from error


def _over(top: NDArray[np.uint8], below: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One (h, w, 4) over another, alpha not premultiplied."""
    if (top[..., 3] == 255).all():
        return top
    a, b = top[..., 3:] / 255.0, below[..., 3:] / 255.0
    alpha = a + b * (1 - a)
    colour = (top[..., :3] * a + below[..., :3] * b * (1 - a)) / np.maximum(alpha, 1e-9)
    return (np.concatenate([colour, alpha * 255], axis=2) + 0.5).astype(np.uint8)


# WebP -------------------------------------------------------------------------------------------------

_KNOWN = frozenset({b"VP8X", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP ", b"ALPH", b"VP8 ", b"VP8L"})


def _webp_parts(path: Path) -> Iterator[AnimationStill | str]:
    with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        at, damage = 12, None
        end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
        if end < 8 + int.from_bytes(data[4:8], "little"):
            end = len(data)
        while at + 8 <= end:
            name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
            if name not in _KNOWN or at + 8 + size > len(data):
                # What is damaged here is skipped; frames behind it stand by themselves.
                following = data.find(b"ANMF", at + 4)
                damage = damage or f"{path.name} is damaged at byte {at}"
                if following < 0:
                    break
                at = following
                continue
            if name == b"ANMF" and size > 24:
                yield _webp_part(data[at + 8 : at + 8 + size], damage)
                damage = None
            at += 8 + size + size % 2
        if damage or len(data) < 8 + int.from_bytes(data[4:8], "little"):
            yield damage or f"{path.name} is cut short"


def _webp_part(frame: bytes, damage: str | None) -> AnimationStill:
    x, y, width, height, ms = (int.from_bytes(frame[at : at + 3], "little") for at in (0, 3, 6, 9, 12))
    body = b"WEBP" + frame[16:]
    if frame[16:20] == b"ALPH":  # only this needs a header; without one a damaged size does no harm
        head = bytes([0x10, 0, 0, 0]) + frame[6:12]
        body = b"WEBPVP8X" + struct.pack("<I", len(head)) + head + frame[16:]
    return AnimationStill(
        still=b"RIFF" + struct.pack("<I", len(body)) + body,
        x=2 * x,
        y=2 * y,
        width=width + 1,
        height=height + 1,
        duration_s=Fraction(ms, 1000) or NO_DURATION_S,
        blend=not frame[15] & 2,
        dispose="background" if frame[15] & 1 else "none",
        damage=damage,
    )


# APNG -------------------------------------------------------------------------------------------------

_PNG = b"\x89PNG\r\n\x1a\n"
_DISPOSE: tuple[Literal["none", "background", "previous"], ...] = ("none", "background", "previous")


def _png_parts(path: Path) -> Iterator[AnimationStill | str]:
    """The first image is a frame only if a control chunk stands before it."""
    with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        shared: list[bytes] = []  # palette, transparency and the like: whatever stands before the first image
        control: bytes | None = None
        pixels: list[bytes] = []
        damage: str | None = None
        claimed = given = 0
        told = False  # of damage
        for name, chunk, wrong in _png_chunks(data):
            damage = damage or (f"{path.name} is damaged ({wrong})" if wrong else None)
            if name == b"acTL" and len(chunk) == 8:
                claimed = int.from_bytes(chunk[:4], "big")
            elif name in (b"fcTL", b"IEND"):
                if control is not None:
                    yield _png_part(data, shared, control, pixels, damage)
                    given, told, damage = given + 1, told or damage is not None, None
                control, pixels = (chunk if len(chunk) == 26 else None), []
            elif name == b"IDAT" or (name == b"fdAT" and len(chunk) > 4):
                if control is not None:
                    pixels.append(chunk if name == b"IDAT" else chunk[4:])
            elif name not in (b"IHDR",) and not pixels and given == 0:
                shared.append(_chunk(name, chunk))
        if control is not None and pixels:  # the file ends within a frame
            yield _png_part(data, shared, control, pixels, damage or f"{path.name} is cut short")
            given, told, damage = given + 1, True, None
        if damage or (given < claimed and not told):
            yield damage or f"{path.name} has {given} of {claimed} pictures"


def _png_part(
    data: mmap, shared: list[bytes], control: bytes, pixels: list[bytes], damage: str | None
) -> AnimationStill:
    width, height, x, y, number, unit, dispose, blend = struct.unpack(">IIIIHHBB", control[4:])
    head = struct.pack(">II", width, height) + data[24:29]
    chunks = [_chunk(b"IHDR", head), *shared, _chunk(b"IDAT", b"".join(pixels)), _chunk(b"IEND", b"")]
    return AnimationStill(
        still=_PNG + b"".join(chunks),
        x=x,
        y=y,
        width=width,
        height=height,
        duration_s=Fraction(number, unit or 100) or NO_DURATION_S,
        blend=blend == 1,
        dispose=_DISPOSE[dispose] if dispose < 3 else "none",
        damage=damage,
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png_chunks(data: mmap) -> Iterator[tuple[bytes, bytes, str | None]]:
    """Name and content of each sound chunk, and what was wrong since the last one."""
    at, wrong = len(_PNG), None
    while at + 12 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if not name.isalpha() or at + 12 + size > len(data):
            wrong = wrong or f"at byte {at}"
            following = data.find(b"fcTL", at + 5)
            if following < 0:
                return
            at = following - 4
            continue
        chunk = data[at + 8 : at + 8 + size]
        sound = zlib.crc32(name + chunk) == int.from_bytes(data[at + 8 + size : at + 12 + size], "big")
        if not sound:
            wrong = wrong or f"at byte {at}"
        if sound or name in (b"IDAT", b"fdAT"):  # pixels as far as they go
            yield name, chunk, wrong
            wrong = None
        at += 12 + size
