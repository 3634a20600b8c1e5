"""NumPy's files opened without trusting what they claim: no array is made that is larger than the bytes for it.

`numpy.load` makes an array of the shape that a header names before it reads a number; a file of a few hundred bytes can
name terabytes. Here every header is compared with its member of the archive first.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy.lib.npyio import NpzFile

#: What DEFLATE can make of a byte at most (its specification's longest match, 258 bytes in 2 bits).
MOST_OF_A_BYTE = 1032


def open_npz(path: str | Path) -> NpzFile:
    """``numpy.load`` of an npz of plain arrays, once no header claims more than its member holds.

    Raises ``ValueError`` for a claim that cannot be true, arrays of objects and what is no npz.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.file_size > MOST_OF_A_BYTE * max(entry.compress_size, 1):
                    raise ValueError(
                        f"{entry.filename} claims {entry.file_size} bytes, more than there can be"
                    )
                if entry.filename.endswith(".npy"):
                    with archive.open(entry) as file:
                        _check_claim(file, entry.file_size, entry.filename)
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
    ) as error:  # also what is locked by a password
        raise ValueError(f"it is no npz archive ({error})") from error
    loaded: NpzFile = np.load(path, allow_pickle=False)
    return loaded


def load_npy(path: str | Path) -> NDArray[Any]:
    """``numpy.load`` of a .npy of numbers. Raises ``ValueError`` as `open_npz` does, also for what is no .npy."""
    path = Path(path)
    with path.open("rb") as file:
        _check_claim(file, path.stat().st_size, path.name)
        file.seek(0)
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _check_claim(file: Any, size: int, name: str) -> None:
    """Raise ``ValueError`` unless the header of a .npy of ``size`` bytes, open at its beginning, fits that size."""
    shape, dtype, length = _header(file)
    if dtype.hasobject:
        raise ValueError(f"{name} holds objects, not numbers")
    needed = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or needed > size - length:
        raise ValueError(f"{name} claims an array of {shape}, and has {max(size - length, 0)} bytes for it")


def _header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, type and length in bytes of what stands before the numbers."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype, file.tell()
