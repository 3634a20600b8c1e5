"""Joint angles over time as a table: hips, knees, ankles, shoulders and elbows, after the ISB (``body.isb_angles``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.body.cast import cast_of
from choros.body.isb_angles import NAMES, isb_angles
from choros.exporters.formats import ExportOptions
from choros.motion import Motion
from choros.outputs import atomic_write

ANGLE_COLUMNS = tuple(f"{name}_deg" for name in NAMES)


def angle_table(motion: Motion, options: ExportOptions) -> dict[str, NDArray[Any]]:
    """Columns (n,) by name, a row a person and frame, by frame, then person; NaN where an angle cannot be told.

    Raises ``ChorosError`` as ``cast_of`` does.
    """
    cast = cast_of(motion, options, may_be_empty=True)
    frame = np.concatenate([np.zeros(0, np.int32), *(person.frame for person in cast.people)])
    names = [np.full(len(person.frame), person.id) for person in cast.people]
    person_of = np.concatenate([np.zeros(0, np.int64), *names])
    order = np.lexsort((person_of, frame))

    def joined(parts: list[NDArray[Any]], empty: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([empty, *parts])[order]

    people = cast.people
    angles = joined([isb_angles(person.rotvec) for person in people], np.zeros((0, len(NAMES))))
    table: dict[str, NDArray[Any]] = {
        "frame": motion.number[frame[order]],
        "time_s": cast.time_s[frame[order]],
        "person": person_of[order],
        "visible": joined([person.visible for person in people], np.zeros(0, bool)),
        "confidence": joined([person.confidence for person in people], np.zeros(0, np.float32)),
    }
    return table | dict(zip(ANGLE_COLUMNS, angles.T, strict=True))


def write_angles(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """The table as comma-separated values; a cell is empty where an angle cannot be told.

    Raises ``ChorosError`` as ``cast_of`` does.
    """
    table = angle_table(motion, options or ExportOptions())
    forms = {"frame": "d", "time_s": ".6f", "person": "d", "visible": "d", "confidence": ".4f"}
    cells = [
        ["" if np.isnan(value) else format(value, forms.get(name, ".3f")) for value in column.tolist()]
        for name, column in table.items()
    ]
    lines = [",".join(table), *(",".join(row) for row in zip(*cells, strict=True))]
    with atomic_write(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
    return [path]
