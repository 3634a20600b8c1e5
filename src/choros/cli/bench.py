"""``choros bench``: systems measured on test sets, as a table to read and as JSON to keep."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from choros.cli.arguments import Flag, OptionalFile

if TYPE_CHECKING:
    from rich.table import Table

#: What each table shows: part of the record, key, heading, factor, decimals.
SHOWN = {
    "tracking": (
        ("metrics", "HOTA", "HOTA\n%", 100, 1),
        ("metrics", "IDF1", "IDF1\n%", 100, 1),
        ("metrics", "MOTA", "MOTA\n%", 100, 1),
        ("metrics", "id_switches", "id\nswitches", 1, 0),
    ),
    "pose": (
        ("metrics", "mpjpe_mm", "MPJPE\nmm", 1, 1),
        ("metrics", "pa_mpjpe_mm", "PA-MPJPE\nmm", 1, 1),
        ("metrics", "mpjpe_occluded_mm", "hidden\nmm", 1, 1),
        ("metrics", "pck_05", "PCK@.05\n%", 100, 1),
        ("metrics", "accel_mm_s2", "accel\nmm/s²", 1, 0),
        ("metrics", "g_mpjpe_mm", "G-MPJPE\nmm", 1, 0),
        ("metrics", "foot_slide_cm_s", "slide\ncm/s", 1, 1),
    ),
    "runtime": (
        ("runtime", "fps", "frames\n/s", 1, 1),
        ("runtime", "ms_per_frame", "ms\na frame", 1, 1),
        ("runtime", "peak_mb", "peak\nMB", 1, 0),
    ),
}


@dataclass
class Bench:
    """Measure systems on test sets: a table here, everything in the JSON file."""

    what: Positional[Literal["tracking", "pose", "runtime"]]
    """What the table shows: who is who, body poses, or speed and memory."""
    data: Annotated[tuple[str, ...], arg(metavar="NAME|PATH...")]
    """easy, crossing, crowd, longgone, moving, scene:KIND:SEED[:COUNT], a folder of clips (or any video to time)."""
    system: Annotated[tuple[str, ...], arg(metavar="NAME...", help_behavior_hint="(default: baseline)")] = (
        "baseline",
    )
    """Which systems, side by side."""
    accurate: Flag = False
    """The accurate keypoint network, about half as fast."""
    output: Annotated[OptionalFile, arg(aliases=["-o"])] = None
    """JSON file for the whole table: every measure, whichever are shown."""

    def run(self) -> None:
        from rich.console import Console

        from choros.cli.progress import TrackProgress
        from choros.cli.threads import leave_cores_to_the_networks
        from choros.errors import ChorosError
        from choros.evaluation.benchmark import run_benchmark
        from choros.systems import load

        if not (self.data and self.system):
            raise ChorosError("--data and --system take at least one name each; try --data easy.")
        with TrackProgress("loading") as progress:
            leave_cores_to_the_networks()
            suffix = ", accurate" if self.accurate else ""
            systems = {name + suffix: load(name, accurate=self.accurate) for name in self.system}

            def tell(what: str, done: int, total: int | None) -> None:
                progress.say(what)
                progress.count(done, total)

            records = run_benchmark(systems, self.data, need_truth=self.what != "runtime", progress=tell)
        Console().print(_table(self.what, records))
        if self.output:
            self.output.parent.mkdir(parents=True, exist_ok=True)
            self.output.write_text(json.dumps(records, indent=2, allow_nan=False) + "\n")
            print(self.output)


def _table(what: str, records: list[dict[str, Any]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=0, title=what, title_justify="left")  # ten columns in 80
    for heading in ("data", "system"):
        table.add_column(heading, overflow="fold")
    for heading in ("frames", *(column[2] for column in SHOWN[what])):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in records:
        cells = [record["data"], record["system"], str(record["frames"])]
        for part, key, _, factor, decimals in SHOWN[what]:
            value = record[part][key]
            cells.append("-" if value is None else f"{value * factor:.{decimals}f}")
        table.add_row(*cells)
    return table
