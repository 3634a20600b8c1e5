"""Joints as a table of comma-separated values, for spreadsheets, R, pandas and whatever reads no binary file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from choros.body.cast import cast_of, stature_m
from choros.exporters.formats import ExportOptions
from choros.exporters.points import joints_m
from choros.motion import Motion
from choros.outputs import atomic_write
from choros.skeleton import JOINT_NAMES

COLUMNS = (
    "frame", "time_s", "person", "visible", "confidence", "stature_m",
    *(f"{joint}_{axis}_m" for joint in JOINT_NAMES for axis in "xyz"),
)  # fmt: skip
FORMATS_OF_COLUMNS = ["%d", "%.6f", "%d", "%d", "%.4f", "%.3f", *["%.5f"] * (3 * len(JOINT_NAMES))]


def write_csv(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """One row a person and frame, sorted by frame, then person; metres, z up.

    ``frame`` is the source's own number (``Motion.number``). Of photographs the last
    column, ``picture``, is the name of the file.

    Raises ``ChorosError`` as ``cast_of`` does.
    """
    cast = cast_of(motion, options or ExportOptions(), up="z", may_be_empty=True)
    tables = [np.empty((0, len(COLUMNS)))]
    for person in cast.people:
        about = np.stack(
            [motion.number[person.frame], person.time_s, np.full(len(person.frame), person.id)], axis=1
        )
        stature = np.full(len(person.frame), stature_m(person, cast.body))
        seen = np.stack([person.visible, person.confidence, stature], axis=1)
        joints = joints_m(cast.body, person).reshape(len(about), -1)
        tables.append(np.concatenate([about, seen, joints], axis=1))
    table = np.concatenate(tables)
    table = table[np.lexsort((table[:, 2], table[:, 1]))]
    text = io.StringIO()
    np.savetxt(text, table, FORMATS_OF_COLUMNS, ",", header=",".join(COLUMNS), comments="")
    lines = text.getvalue().splitlines()
    if motion.pictures:
        name_of = {picture.number: picture.name for picture in motion.pictures}
        names = [name_of[int(number)] for number in table[:, 0]]
        lines = [f"{line},{_cell(name)}" for line, name in zip(lines, ["picture", *names], strict=True)]
    with atomic_write(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
    return [path]


def _cell(text: str) -> str:
    """A text that may have a comma or a quotation mark in it, as a cell."""
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text
