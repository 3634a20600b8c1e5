"""``choros bench real``: systems on real video and pictures that nobody trains on; see docs/benchmarks.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from choros.cli.bench import Bench
    from choros.systems import System


def bench_real(options: Bench, systems: Mapping[str, System]) -> None:
    """Measures, prints the tables, and writes what else was asked for."""
    from rich.console import Console

    from choros.cli.progress import TrackProgress
    from choros.errors import ChorosError
    from choros.evaluation.real.run import run_real
    from choros.evaluation.real.table import tables

    if options.footage is None and not options.clips:
        raise ChorosError("give the folder of the footage, --footage DIR, or any video with --clips FILE.")
    with TrackProgress("loading") as progress:

        def tell(what: str, done: int, total: int | None) -> None:
            progress.say(what)
            progress.count(done, total)

        results = run_real(
            systems,
            options.footage,
            rows=options.rows,
            clips=options.clips,
            eyes=options.eyes,
            progress=tell,
        )
    for table in tables(results):
        Console().print(table)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        records = [result.record() for result in results]
        options.output.write_text(json.dumps(records, indent=2, allow_nan=False) + "\n")
        print(options.output)
