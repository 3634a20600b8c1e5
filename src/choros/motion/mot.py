"""Text as the MOT Challenge has it: one line a person and frame."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from choros.motion.header import Header, numbers_from_1
from choros.motion.settling import seen_spans
from choros.motion.tables import CHUNK, Table
from choros.outputs import atomic_write


def write_mot(
    path: str | Path, header: Header, frames: Table, rows: Table, without: Iterable[int] = ()
) -> None:
    """Rows as MOT text, but for these people; see ``Motion.write_mot``."""
    last_seen = {person: sight.last for person, sight in seen_spans(rows).items()}
    for person in without:
        last_seen.pop(person, None)
    with atomic_write(path) as file:
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            first = int(part["frame"][0])
            numbers = numbers_from_1(header, frames[first : int(part["frame"][-1]) + 1])
            for row in part:
                frame, person = int(row["frame"]), int(row["person"])
                if frame > last_seen.get(person, -1):
                    continue
                x0, y0, x1, y1 = row["box_px"].tolist()
                line = f"{numbers[frame - first]},{person},{x0:.2f},{y0:.2f},{x1 - x0:.2f},{y1 - y0:.2f}"
                file.write(f"{line},{row['confidence']:.4f},-1,-1,-1\n".encode())
