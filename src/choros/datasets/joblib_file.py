"""Files that joblib wrote, of plain data and arrays, without joblib and without trusting them.

Such a file is a pickle in which, after a note of its form, the numbers of each array stand between the instructions;
the whole may be compressed. See `choros.restricted_pickle` for what a pickle may hold.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from choros.errors import ChorosError
from choros.restricted_pickle import load_open_pickle

#: How compressed files begin, and what opens them.
_OPENERS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\x1f\x8b", gzip.decompress), (b"BZh", bz2.decompress), (b"\xfd7zXZ", lzma.decompress),
    (b"\x78", zlib.decompress), (b"\x5d\x00", lzma.decompress),
)  # fmt: skip


def load_joblib(path: Path, mend: str) -> Any:
    """The content of a file of `joblib.dump`, compressed or not; arrays of numbers only.

    Raises ``ChorosError``, which ends with ``mend``, for a damaged file and for one that asks for more than plain data.
    """
    content = path.read_bytes()
    for beginning, opened in _OPENERS:
        if content.startswith(beginning):
            try:
                content = opened(content)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise ChorosError(f"{path}: damaged or cut short ({error}); {mend}") from error
            break
    file = _Plain(io.BytesIO(content))

    class Note:
        """What joblib says of an array before its numbers, and then the array."""

        array: np.ndarray

        def __setstate__(self, state: dict[str, Any]) -> None:
            self.array = _numbers(file, state)

    def stand_in(module: str, name: str) -> Any:
        return Note if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper") else None

    def resolved(node: Any) -> Any:
        if isinstance(node, Note):
            return node.array
        if isinstance(node, dict):
            return {key: resolved(value) for key, value in node.items()}
        if isinstance(node, list | tuple):
            members = [resolved(member) for member in node]
            return members if isinstance(node, list) else tuple(members)
        return node

    try:
        return resolved(load_open_pickle(file, path, mend, stand_in))  # type: ignore[arg-type]
    except (AttributeError, RecursionError) as error:
        raise ChorosError(f"{path}: not a file of joblib's ({error}); {mend}") from error


class _Plain:
    """A file that lets nobody look ahead, so that its place is always behind the last instruction that was read."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.readline = file.read, file.readline


def _numbers(file: _Plain, state: dict[str, Any]) -> np.ndarray:
    dtype, shape = np.dtype(state["dtype"]), tuple(state["shape"])
    if dtype.hasobject:
        raise ValueError("an array of objects")
    if state.get("numpy_array_alignment_bytes") is not None:
        file.read(int.from_bytes(file.read(1), "little"))
    raw = file.read(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
    return np.frombuffer(raw, dtype).reshape(shape, order=state["order"]).copy()
