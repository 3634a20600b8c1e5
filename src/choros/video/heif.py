"""What a file of the MPEG-4 family holds: a video, or pictures (HEIF: AVIF and HEIC).

Phones store a photo as a grid of tiles. FFmpeg takes each tile for a stream of its own, so such files must be
told from videos before it sees them; brands alone do not tell, since any may be written in front.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

#: Brands of still pictures and of sequences of pictures.
BRANDS = frozenset(
    b"avif avis heic heix heim heis hevc hevx hevm hevs mif1 mif2 msf1 jpeg j2ki miaf MA1A MA1B".split()
)
_MOST_BOXES = 1000  # of one file at its top; a recording in fragments has many, and its ``moov`` comes first
_MOST_META = 1 << 22  # bytes; that of a photo with thousands of tiles is far smaller


def kind_of(path: Path) -> str | None:
    """The coding of a file's pictures: "avif" or "heic", or "heif" for another; None if it holds none."""
    brands, meta, film = _summary(path)
    pictured = bool(brands) and brands[0] in BRANDS
    if not pictured and (film or not _is_of_pictures(meta)):
        return None
    if b"av1C" in meta or b"avis" in brands:
        return "avif"
    return "heic" if b"hvcC" in meta or {b"hevc", b"heic", b"heix"} & set(brands) else "heif"


def is_film(path: Path) -> bool:
    """Whether the pictures are those of a film, with times."""
    return _summary(path)[2]


def _is_of_pictures(meta: bytes) -> bool:
    at = meta.find(b"hdlr")
    return at >= 0 and meta[at + 12 : at + 16] == b"pict"


def _summary(path: Path) -> tuple[list[bytes], bytes, bool]:
    """Brands, the box that tells of pictures, and whether there is one that tells of tracks."""
    brands: list[bytes] = []
    meta = b""
    film = False
    with open(path, "rb") as file:
        for name, size in _boxes(file):
            if name == b"ftyp":
                words = file.read(min(size, 1024))
                brands = [words[:4], *(words[at : at + 4] for at in range(8, len(words), 4))]
            elif name == b"moov":
                film = True
            elif name == b"meta" and not meta:
                meta = file.read(min(size, _MOST_META))
    return brands, meta, film


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Name and length of what is in each box at the top; the file stands at its beginning."""
    end = file.seek(0, 2)
    at = 0
    for _ in range(_MOST_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        size, name = struct.unpack(">I4s", head[:8])
        header = 8
        if size == 1 and len(head) == 16:
            size, header = struct.unpack(">Q", head[8:])[0], 16
        size = size or end - at
        if size < header:
            return
        file.seek(at + header)
        yield name, size - header
        at += size
