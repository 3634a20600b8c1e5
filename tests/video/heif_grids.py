"""Photos made of tiles, as phones store them, put together box by box: no encoder here writes grids."""

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from PIL import Image


def box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def full(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def found(data: bytes, name: bytes) -> bytes:
    """The first box of that name, wherever it is."""
    at = data.index(name) - 4
    return data[at : at + int.from_bytes(data[at : at + 4], "big")]


def av1_tile(image: np.ndarray) -> tuple[bytes, bytes]:
    """Its configuration box and its data."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "AVIF", quality=90, subsampling="4:4:4", speed=10)
    return found(file.getvalue(), b"av1C"), found(file.getvalue(), b"mdat")[8:]


def hevc_tile(image: np.ndarray, folder: Path) -> tuple[bytes, bytes]:
    path = folder / "tile.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=1, options={"x265-params": "log-level=none:qp=8"})
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    return found(data, b"hvcC"), found(data, b"mdat")[8:]


def write_grid(
    path: Path,
    tiles: Sequence[tuple[bytes, bytes]],
    tile_px: tuple[int, int],  # width, height
    columns: int,
    item: bytes = b"av01",
    brands: Sequence[bytes] = (b"avif", b"avif", b"mif1", b"miaf"),
    turns: int = 0,  # quarter turns counterclockwise to be shown with
) -> Path:
    """A photo of tiles, row by row; the first of ``brands`` is the major one."""
    (width, height), rows = tile_px, len(tiles) // columns
    size = width * columns, height * rows
    contents = [struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size), *(data for _, data in tiles)]
    ids = range(1, len(contents) + 1)

    infos = [
        full(b"infe", 2, int(i > 1), struct.pack(">HH4sB", i, 0, item if i > 1 else b"grid", 0)) for i in ids
    ]
    properties = [
        full(b"ispe", 0, 0, struct.pack(">II", *size)),
        full(b"ispe", 0, 0, struct.pack(">II", *tile_px)),
        tiles[0][0],
        full(b"pixi", 0, 0, bytes([3, 8, 8, 8])),
        box(b"irot", bytes([turns])),
    ]
    whole, part = ([1, 4, 0x85] if turns else [1, 4]), [2, 0x83, 4]
    ties = b"".join(
        struct.pack(">HB", i, len(p)) + bytes(p) for i, p in ((i, part if i > 1 else whole) for i in ids)
    )

    def meta(first: int) -> bytes:
        places, at = b"", first
        for i, content in zip(ids, contents, strict=True):
            places += struct.pack(">HHHII", i, 0, 1, at, len(content))
            at += len(content)
        return full(
            b"meta", 0, 0,
            full(b"hdlr", 0, 0, struct.pack(">I4s12xB", 0, b"pict", 0)),
            full(b"pitm", 0, 0, struct.pack(">H", 1)),
            full(b"iloc", 0, 0, struct.pack(">BBH", 0x44, 0, len(contents)), places),
            full(b"iinf", 0, 0, struct.pack(">H", len(infos)), *infos),
            full(b"iref", 0, 0, box(b"dimg", struct.pack(f">HH{len(tiles)}H", 1, len(tiles), *ids[1:]))),
            box(b"iprp", box(b"ipco", *properties), full(b"ipma", 0, 0, struct.pack(">I", len(ids)), ties)),
        )  # fmt: skip

    head = box(b"ftyp", brands[0], bytes(4), *brands[1:])
    first = len(head) + len(meta(0)) + 8
    path.write_bytes(head + meta(first) + box(b"mdat", *contents))
    return path
