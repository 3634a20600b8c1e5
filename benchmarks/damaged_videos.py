"""Reads several hundred damaged videos and prints what arrived, what was owed, and what went wrong.

Every file is read in a child process with a time limit, so that a hang or a crash of the decoder is counted
instead of ending the run. "Decodable" is what the simplest forgiving loop gets out of the file; "OpenCV" is
what ``cv2.VideoCapture`` gets, which stops at the first frame that it cannot read.

    python benchmarks/damaged_videos.py
"""

import multiprocessing
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "video"))
from making import damaged_corpus, plain_decode

LIMIT_S = 10.0
Result = TypeVar("Result")


@dataclass
class Row:
    """Sums over the files of one kind."""

    files: int = 0
    owed: int = 0
    delivered: int = 0
    opencv: int = 0
    gaps: int = 0
    refused: int = 0
    short: int = 0
    failed: int = 0
    max_s: float = 0.0


COLUMNS = (
    "files",
    "decodable",
    "delivered",
    "OpenCV",
    "gaps told",
    "refused",
    "files with loss",
    "hung, crashed",
    "max s",
)


def read(path: Path) -> tuple[int, int, bool]:
    """(frames delivered, gaps reported, refused with a message)."""
    from choros.errors import ChorosError
    from choros.video import open_video

    try:
        with open_video(path) as reader:
            return sum(1 for _ in reader), len(reader.gaps), False
    except ChorosError:
        return 0, 0, True


def read_by_opencv(path: Path) -> int:
    import cv2

    capture = cv2.VideoCapture(str(path))
    frames = 0
    while capture.read()[0]:
        frames += 1
    return frames


def plain_count(path: Path) -> int:
    return len(plain_decode(path))


class Child:
    """A process that is replaced when a call in it hangs, crashes or raises."""

    def __init__(self) -> None:
        self._pool = multiprocessing.get_context("spawn").Pool(1)

    def call(self, function: Callable[[Path], Result], path: Path) -> Result | None:
        """What the function returns; None if it does not return within the limit."""
        try:
            return self._pool.apply_async(function, (path,)).get(LIMIT_S)
        except Exception as error:
            print(f"{function.__name__} failed on {path.name}: {error!r}", file=sys.stderr)
            self._pool.terminate()
            self._pool = multiprocessing.get_context("spawn").Pool(1)
            return None

    def close(self) -> None:
        self._pool.terminate()


def add(row: Row, child: Child, path: Path) -> None:
    owed = child.call(plain_count, path) or 0
    began = time.monotonic()
    result = child.call(read, path)
    row.max_s = max(row.max_s, time.monotonic() - began)
    row.files += 1
    row.owed += owed
    row.opencv += child.call(read_by_opencv, path) or 0
    if result is None:
        row.failed += 1
        return
    delivered, gaps, refused = result
    row.delivered += delivered
    row.gaps += gaps
    row.refused += refused
    row.short += delivered < owed


def main() -> None:
    rows: dict[str, Row] = defaultdict(Row)
    child = Child()
    child.call(read, Path("nothing"))  # let it import everything outside the time that is measured
    with tempfile.TemporaryDirectory() as folder:
        for kind, _, path in damaged_corpus(Path(folder)):
            add(rows[kind], child, path)
    child.close()

    total = Row(*(sum(values) for values in zip(*map(astuple, rows.values()), strict=True)))
    total.max_s = max(row.max_s for row in rows.values())
    table = Table("kind", *COLUMNS)
    for kind, row in [*rows.items(), ("all", total)]:
        *counts, seconds = astuple(row)
        table.add_row(kind, *map(str, counts), f"{seconds:.2f}", end_section=kind == "strange")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
