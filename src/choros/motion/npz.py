"""``motion.npz``: both tables and the header as plain arrays, written a piece at a time."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.motion.extras import PREFIX, with_extras
from choros.motion.header import Header
from choros.motion.tables import CHUNK, FRAME, ROW, SINCE_2, Table
from choros.npz import open_npz
from choros.outputs import atomic_write


def write_npz(path: str | Path, header: Header, frames: Table, rows: Table) -> None:
    """Both tables as ``motion.npz``; the same tables give the same bytes."""
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        with out.open(_entry("header"), "w") as member:
            np.lib.format.write_array(member, np.array(header.to_json()), allow_pickle=False)
        for table in (frames, rows):
            for name in table.dtype.names or ():
                _write_column(out, table, name)


def read_npz(path: Path) -> tuple[Header, NDArray[np.void], NDArray[np.void]]:
    """The header and both tables. Raises ``ChorosError`` if the file is damaged or something else."""
    try:
        if not zipfile.is_zipfile(path):
            raise ChorosError("it is no npz archive")
        with open_npz(path) as stored:
            header = Header.from_json(str(stored["header"]))
            frames = _table(FRAME, stored, len(stored["pts"]))
            if "number" not in stored:
                frames["number"] = np.arange(len(frames))
            if "camera_known" not in stored:  # no camera stands so, on the floor and looking straight up
                frames["camera_known"] = (frames["T_world_camera"] != np.eye(4)).any(axis=(1, 2))
            extras = {
                name.removeprefix(PREFIX): stored[name] for name in stored.files if name.startswith(PREFIX)
            }
            return header, frames, with_extras(_table(ROW, stored, len(stored["frame"])), extras)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, ChorosError) as error:
        reason = str(error).strip("'\" .")
        raise ChorosError(
            f"{path} is not a motion.npz that can be read ({reason}); run `choros track` again."
        ) from error


def _write_column(out: zipfile.ZipFile, table: Table, name: str) -> None:
    kind, shape = table.dtype[name].base, table.dtype[name].shape
    about = {"descr": kind.str, "fortran_order": False, "shape": (len(table), *shape)}
    with out.open(_entry(name), "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, about)
        for start in range(0, len(table), CHUNK):
            member.write(np.ascontiguousarray(table[start : start + CHUNK][name]).tobytes())


def _entry(name: str) -> zipfile.ZipInfo:
    """A member with a fixed date, so that the bytes of a file tell nothing but its content."""
    entry = zipfile.ZipInfo(f"{name}.npy")
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _table(dtype: np.dtype[np.void], stored: Any, length: int) -> NDArray[np.void]:
    table = np.zeros(length, dtype)
    for name in dtype.names or ():
        if name in SINCE_2 and name not in stored:
            continue
        column = stored[name]
        if column.shape != table[name].shape:
            raise ChorosError(f"its {name} has shape {column.shape}, not {table[name].shape}")
        table[name] = column
    return table
