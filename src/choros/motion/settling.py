"""What only the end of a video tells: who was never seen again, who came back, who was hardly there.

While a video runs, an unseen person's rows are predictions. Once it is over, rows after a person's last sight go
(a tail of nobody), rows between two sights are led to where the person was seen again, and whoever had less than
``TENTATIVE_S`` of sight is *tentative*. Shots are by themselves: nobody is led over a cut. Rows are read and written
a piece at a time; what is kept grows with the people of the video, and with the rows since the last sight of whoever
is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.motion.tables import CHUNK, Table

TENTATIVE_S = 0.2  # of sight; whoever had less may be nobody

#: What is led to the next sight: columns that are places.
_PLACES = ("transl", "box_px")


class SeenSpan(NamedTuple):
    """The first and the last frame in which a person was seen."""

    first: int
    last: int


def seen_spans(rows: Table) -> dict[int, SeenSpan]:
    """Who was seen from when to when, by ``motion.ROW``, sorted by frame; whoever was never seen is not in it."""
    found: dict[int, SeenSpan] = {}
    for start in range(0, len(rows), CHUNK):
        seen = rows[start : start + CHUNK]
        seen = seen[seen["visible"]]
        for person, frame in zip(seen["person"].tolist(), seen["frame"].tolist(), strict=True):
            found[person] = SeenSpan(found[person].first if person in found else frame, frame)
    return found


def tentative(found: Mapping[int, SeenSpan], frames: Table, fps: float) -> list[int]:
    """People who had less than ``TENTATIVE_S`` of sight; nobody in a picture, or a video as short as that.

    ``frames`` are the video's, ``motion.FRAME``. A frame shows a person for as long as a frame lasts at the nominal
    rate ``fps``.
    """
    frame_s = 1 / fps if fps > 0 else TENTATIVE_S

    def short(first: int, last: int) -> bool:
        return _time_s(frames, last) - _time_s(frames, first) + frame_s < TENTATIVE_S - 1e-9

    if len(frames) < 2 or short(0, len(frames) - 1):
        return []
    return [person for person, sight in sorted(found.items()) if short(*sight)]


def _time_s(frames: Table, index: int) -> float:
    numerator, denominator = frames[index : index + 1]["pts"][0].tolist()
    return numerator / max(denominator, 1)


def shot_starts(frames: Table) -> NDArray[np.int64]:
    """The frames, ``motion.FRAME``, with which another shot begins, ascending; the first is none of them."""
    parts = [
        start + np.flatnonzero(frames[start : start + CHUNK]["cut_before"])
        for start in range(0, len(frames), CHUNK)
    ]
    starts = np.concatenate([*parts, np.zeros(0, np.int64)])
    return starts[starts > 0]


def settle(rows: Table, frames: Table, path: Path, settled_until: int = 0) -> int:
    """Write the rows that a finished file has to ``path``, plain records with their extras; returns how many.

    ``frames`` are the video's, ``motion.FRAME``: somebody who goes on after a cut ends before it nevertheless. Rows of
    frames before ``settled_until`` are led to a sight already, unless that comes later.
    """
    starts = shot_starts(frames)
    last = _last_sights(rows, starts)
    gaps: dict[tuple[int, int], _Gap] = {}
    n_kept = 0
    with open(path, "w+b") as file:
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            ends = np.array([last.get(one, -1) for one in _in_shots(chunk, starts)], np.int64)
            chunk = chunk[chunk["frame"] <= ends]
            file.seek(0, 2)
            file.write(chunk.tobytes())
            # The few rows that are not seen, or follow one that is not, are looked at one by one.
            for index, (one, row) in enumerate(zip(_in_shots(chunk, starts), chunk, strict=True)):
                gap = gaps.setdefault(one, _Gap())
                if not row["visible"]:
                    gap.add(n_kept + index, row)
                elif gap.rows and row["frame"] < settled_until:
                    gap.rows.clear()
                elif gap.rows:
                    for place, better in gap.led_to(row):
                        file.seek(place * row.dtype.itemsize)
                        file.write(better.tobytes())
                    gap.rows.clear()
                if row["visible"]:
                    gap.seen_frame = int(row["frame"])
                    if row["frame"] == last[one]:
                        del gaps[one]
            n_kept += len(chunk)
    return n_kept


def _in_shots(rows: NDArray[np.void], starts: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Of each row the person, and the shot, counted from 0."""
    shots = np.searchsorted(starts, rows["frame"], side="right")
    return list(zip(rows["person"].tolist(), shots.tolist(), strict=True))


def _last_sights(rows: Table, starts: NDArray[np.int64]) -> dict[tuple[int, int], int]:
    """The last frame in which each person was seen in each shot; who was not seen in it is not there."""
    last: dict[tuple[int, int], int] = {}
    for start in range(0, len(rows), CHUNK):
        seen = rows[start : start + CHUNK]
        seen = seen[seen["visible"]]
        last.update(zip(_in_shots(seen, starts), seen["frame"].tolist(), strict=True))
    return last


class _Gap:
    """The rows of one person since they were last seen."""

    def __init__(self) -> None:
        self.seen_frame = -1  # -1: never
        self.rows: list[tuple[int, NDArray[Any]]] = []  # number in the file, and the row

    def add(self, number: int, row: NDArray[Any]) -> None:
        self.rows.append((number, row.copy()))

    def led_to(self, seen: NDArray[Any]) -> list[tuple[int, NDArray[Any]]]:
        """The rows, drawn to the next sight by what the prediction missed it by, more and more.

        The prediction keeps what it knows of the way between, such as a camera that turned; at the next sight it is
        taken to have gone on as in its last two rows.
        """
        if self.seen_frame < 0:
            return []
        numbers, rows = [number for number, _ in self.rows], [row for _, row in self.rows]
        for name in _PLACES:
            last = rows[-1][name].astype(np.float64)
            before = rows[-2][name].astype(np.float64) if len(rows) > 1 else last
            miss = seen[name] - (2 * last - before)
            for row in rows:
                share = (row["frame"] - self.seen_frame) / (seen["frame"] - self.seen_frame)
                row[name] = row[name] + share * miss
        return list(zip(numbers, rows, strict=True))
