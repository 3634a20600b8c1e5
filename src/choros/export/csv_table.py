"""Joints as a table of comma-separated values, for spreadsheets, R, pandas and whatever reads no binary file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from choros.body.skeleton import JOINT_NAMES
from choros.export.formats import ExportOptions
from choros.export.people import cast_of, stature_m
from choros.export.points import joints_m
from choros.motion import Motion
from choros.outputs import atomic_write

COLUMNS = (
    "frame", "time_s", "person", "visible", "confidence", "stature_m",
    *(f"{joint}_{axis}_m" for joint in JOINT_NAMES for axis in "xyz"),
)  # fmt: skip
FORMATS_OF_COLUMNS = ["%d", "%.6f", "%d", "%d", "%.4f", "%.3f", *["%.5f"] * (3 * len(JOINT_NAMES))]


def write_csv(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """One row a person and frame, sorted by frame, then person; z up. Frames count from 0 as in ``Motion``.

    Raises ``ChorosError`` as ``cast_of`` does.
    """
    cast = cast_of(motion, options or ExportOptions(), up="z", may_be_empty=True)
    tables = [np.empty((0, len(COLUMNS)))]
    for person in cast.people:
        about = np.stack([person.frame, person.time_s, np.full(len(person.frame), person.id)], axis=1)
        stature = np.full(len(person.frame), stature_m(person, cast.body))
        seen = np.stack([person.visible, person.confidence, stature], axis=1)
        joints = joints_m(cast.body, person).reshape(len(about), -1)
        tables.append(np.concatenate([about, seen, joints], axis=1))
    table = np.concatenate(tables)
    table = table[np.lexsort((table[:, 2], table[:, 0]))]
    with atomic_write(path) as file:
        np.savetxt(file, table, FORMATS_OF_COLUMNS, ",", header=",".join(COLUMNS), comments="")
    return [path]
