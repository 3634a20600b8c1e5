"""What a system has on people beyond ``ROW``: named arrays with an entry for each row, as further columns of the rows.

Actions and their scores, an embedding, contact of the feet. In rows, in the journal and in ``motion.npz`` the column
of ``NAME`` is ``extra.NAME``, so that extras go wherever their rows go: whoever cuts, chooses, sorts or copies rows
need not know of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.motion.tables import ROW

PREFIX = "extra."


def with_extras(rows: NDArray[np.void], extras: Mapping[str, NDArray[Any]]) -> NDArray[np.void]:
    """Rows (n,) with these columns, each (n, ...), beside those that they have; the very same rows if there are none.

    Raises ``ChorosError`` if one is none that can be kept.
    """
    if not extras:
        return rows
    wrong = what_is_wrong(extras, len(rows))
    if wrong is not None:
        raise ChorosError(f"{wrong}.")
    columns = extras_of(rows) | dict(extras)
    table = np.zeros(len(rows), _type_of(columns))
    for name in ROW.names or ():
        table[name] = rows[name]
    for name, column in columns.items():
        table[PREFIX + name] = column
    return table


def extras_of(rows: NDArray[np.void]) -> dict[str, NDArray[Any]]:
    """The columns of rows beyond ``ROW``, each (n, ...), by their names; views, not copies."""
    return {name.removeprefix(PREFIX): rows[name] for name in names_of(rows.dtype)}


def names_of(dtype: np.dtype[np.void]) -> tuple[str, ...]:
    """The columns beyond ``ROW`` of a type of rows, with ``PREFIX``."""
    return (dtype.names or ())[len(ROW.names or ()) :]


def are_rows(rows: NDArray[np.void]) -> bool:
    """Whether an array has ``ROW``'s columns, and after them extras alone."""
    extra = names_of(rows.dtype)
    columns = [*ROW.descr, *((name, rows.dtype[name].base, rows.dtype[name].shape) for name in extra)]
    return all(name.startswith(PREFIX) for name in extra) and rows.dtype == np.dtype(columns)


def what_is_wrong(extras: Mapping[str, NDArray[Any]], n_rows: int) -> str | None:
    """Why named arrays cannot be extras of so many rows; None if they can."""
    for name, column in extras.items():
        if not isinstance(name, str) or not name.isidentifier():
            return f"an extra is called {name!r}, which is no identifier"
        if name in (ROW.names or ()):
            return f"an extra is called {name}, as a column that every row has"
        if not isinstance(column, np.ndarray) or column.dtype.kind in "OV":
            return f"the extra {name} is not an array of numbers, truths or text"
        if column.shape[:1] != (n_rows,):
            return f"the extra {name} has shape {column.shape}, not an entry for each of {n_rows} rows"
    return None


def told(dtype: np.dtype[np.void]) -> str:
    """The extras of a type of rows, for messages: "score float32, action <U9 (3,)"."""
    parts = [(name.removeprefix(PREFIX), dtype[name].base, dtype[name].shape) for name in names_of(dtype)]
    return ", ".join(f"{name} {kind} {shape or ''}".strip() for name, kind, shape in parts) or "no extras"


def _type_of(columns: Mapping[str, NDArray[Any]]) -> np.dtype[np.void]:
    """``ROW`` with these columns (n, ...) after its own."""
    extra = [(PREFIX + name, column.dtype, column.shape[1:]) for name, column in columns.items()]
    dtype: np.dtype[np.void] = np.dtype([*ROW.descr, *extra])
    return dtype
