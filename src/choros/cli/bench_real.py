"""``choros bench real``: systems on real video and pictures that nobody trains on; see docs/benchmarks.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from choros.body import BodyModel
    from choros.cli.bench import Bench
    from choros.evaluation.benchmark import Recorded
    from choros.tracking.stream import System

_WIDTH = 100  # that the widest table needs


def bench_real(options: Bench, asked: Mapping[str, System | Recorded]) -> None:
    """Measures, prints the tables, and writes what else was asked for."""
    from rich.console import Console

    from choros.cli.progress import TrackProgress
    from choros.errors import ChorosError
    from choros.evaluation.benchmark import Recorded
    from choros.evaluation.plots import check_matplotlib
    from choros.evaluation.real.curves import plot_real
    from choros.evaluation.real.run import run_real
    from choros.evaluation.real.sheets import write_sheets
    from choros.evaluation.real.table import tables
    from choros.outputs import atomic_write

    if options.footage is None and not options.clips:
        raise ChorosError("give the folder of the footage, --footage DIR, or any video with --clips FILE.")
    systems = {name: system for name, system in asked.items() if not isinstance(system, Recorded)}
    if len(systems) < len(asked):
        raise ChorosError("recorded motions cannot be asked about pictures; give --system a system.")
    if options.plots:
        check_matplotlib()  # not after an hour of tracking
    with TrackProgress("loading") as progress:

        def tell(what: str, done: int, total: int | None) -> None:
            progress.say(what)
            progress.count(done, total)

        results = run_real(
            systems,
            options.footage,
            rows=options.rows,
            clips=options.clips,
            remember=options.remember,
            keep=options.keep,
            world=options.world,
            progress=tell,
        )
    console = Console()
    console = Console(width=max(console.width, _WIDTH))  # what is cut off cannot be read from a log
    for table in tables(results):
        console.print(table)
    if options.explain:
        for result in results:
            for part in result.parts:
                if "causes" in part:
                    console.print(f"switches of {result.system} on vtest", *part["causes"], sep="\n")
    if options.output:
        records = [result.record() for result in results]
        with atomic_write(options.output) as file:
            file.write((json.dumps(records, indent=2, allow_nan=False) + "\n").encode())
        print(options.output)
    if options.plots:
        for path in plot_real(results, options.plots):
            print(path)
    if options.sheets:
        for path in write_sheets(
            results, {name: _light(system) for name, system in systems.items()}, options.sheets
        ):
            print(path)


def _light(system: System) -> BodyModel:
    """The body to draw a system's people with: the light one, where it is the open body."""
    from choros.body import BodyModel

    body = getattr(system, "body", None)
    return BodyModel.load(detail="light") if body is None or body.name == "open" else body
