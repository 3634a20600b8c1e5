"""AVA Actions: who does what at one instant a second, in 15 minutes of films.

A table of boxes and actions, and a second one of instants to leave out; the films are fetched by their YouTube
names. The tables' form is that of the published description; no real file was seen.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from choros.datasets.official import Official
from choros.datasets.sample import PersonLabel, Sample, Samples

AVA = Official(
    "AVA Actions",
    "research.google.com/ava (ava_train_v2.2.csv, ava_val_v2.2.csv, excluded timestamps)",
    "annotations CC BY 4.0; the films belong to their owners",
)
_Row = tuple[tuple[float, ...], int, int]  # box in shares of the frame, action, person


def read_ava(
    table: Path,
    excluded: Path | None = None,
    sizes_px: Mapping[str, tuple[int, int]] | None = None,
) -> Samples:
    """Labelled instants of ``ava_*_v2.2.csv``, in the table's order; excluded is the table of ones to leave out.

    `Sample.sequence` is the film's name and `Sample.time_s` the instant in it. The table gives boxes as shares of
    the frame: sizes_px tells the films' width and height; without it a frame counts as 1 px wide and high, as
    `evaluation.metrics.actions` may take it. Actions are AVA's numbers. An instant at which nobody acts, a row
    of film and time alone, is a sample without people.
    """
    skip = set(_instants(excluded)) if excluded else set()
    instants: dict[tuple[str, float], list[_Row]] = {}
    with AVA.reading(AVA.there(table)), table.open(newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            instant = row[0], float(row[1])
            if instant in skip:
                continue
            people = instants.setdefault(instant, [])
            if len(row) > 2 and row[2]:
                people.append((tuple(float(x) for x in row[2:6]), int(row[6]), int(row[7])))
    keys = list(instants)

    def build(index: int) -> Sample:
        film, time_s = keys[index]
        size = sizes_px[film] if sizes_px is not None else (1, 1)
        actions: dict[int, list[int]] = {}
        boxes: dict[int, np.ndarray] = {}
        for shares, action, person in instants[keys[index]]:
            actions.setdefault(person, []).append(action)
            boxes[person] = np.array(shares) * (*size, *size)
        people = tuple(
            PersonLabel(identity, boxes[identity], actions=tuple(done)) for identity, done in actions.items()
        )
        return Sample(sequence=film, time_s=time_s, size_px=size, people=people)

    return AVA.samples(table, len(keys), build)


def _instants(path: Path) -> list[tuple[str, float]]:
    with AVA.reading(AVA.there(path)), path.open(newline="", encoding="utf-8") as file:
        return [(row[0], float(row[1])) for row in csv.reader(file)]
