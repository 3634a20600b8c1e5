"""``choros batch``: many videos, one folder each and one table of how all went."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from choros.cli.arguments import Flag, Name, Seconds
from choros.cli.tracking import TrackingFlags, whole_tracking
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.batch import Limits, Outcome, State
    from choros.batch.run import Engine

Workers = Annotated[int | None, arg(metavar="NUMBER", constructor=int, help_behavior_hint="")]
Gigabytes = Annotated[float | None, arg(metavar="GB", constructor=float, help_behavior_hint="")]


@dataclass
class Batch:
    """Track many videos: one folder a clip, a table of all; the same command does what is missing or failed."""

    inputs: Positional[Annotated[tuple[str, ...], arg(metavar="INPUT...")]]
    """Videos, folders, globs, lists (.txt), manifests (.csv, .tsv, .jsonl, .parquet), addresses (s3://, gs://, https://)."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="DIR")] = Path("choros-batch")
    """Folder to write to: a folder for each clip, and batch.parquet (batch.jsonl without pyarrow)."""
    start: Seconds = None
    """Where in each video to begin, unless its manifest says so."""
    end: Seconds = None
    """Where in each video to stop, unless its manifest says so."""
    workers: Workers = None
    """How many processes; as many as cores and memory allow if it is not said. With --ray, clips at a time."""
    limit: Seconds = None
    """How long a clip may take, by the clock."""
    memory_limit: Gigabytes = None
    """How much memory a worker may have; whoever takes more is ended, and the others go on."""
    ray: Name = None
    """Hand clips to a Ray cluster (extra `ray`): auto, or its ADDRESS; all its machines must see INPUT and DIR."""
    gpus: float = 0.0
    """How much of a GPU a clip needs, for Ray: 0.25 puts four clips on one."""
    sandbox: Flag = False
    """Decode videos that nobody trusts in processes with few rights: memory, time, files, network."""
    json: Flag = False
    """Say everything as one JSON object a line."""
    tracking: TrackingFlags = field(default_factory=lambda: whole_tracking()())

    def run(self) -> None:
        """Track whatever is missing, say how it goes, and write the table.

        Raises ``ChorosError`` for inputs and options that do not fit, and at the end if clips have failed.
        """
        from choros.batch import clips_of, run_batch, write_table
        from choros.batch.outcome import DONE, check_same_batch
        from choros.batch.work import Job
        from choros.outputs import claimed

        limits = self._limits()
        self.tracking.check()
        options = replace(self.tracking.options(self.start, self.end), sandbox=self.sandbox)
        if options.K is None and options.calibration is None:
            options.intrinsics(1, 1)  # refuses an angle that no camera has, once and not for every clip
        clips = clips_of(self.inputs)
        load = self.tracking.loading()
        self.output.mkdir(parents=True, exist_ok=True)
        with claimed(self.output / "batch"), _goes_on():
            check_same_batch(self.output, load.choices() | {"options": self._options(options)})
            job = Job(load, options, self.output.resolve())
            telling = Telling(self.json)
            outcomes: list[Outcome] = []
            try:
                outcomes = run_batch(clips, job, self._engine(), limits, telling)
            finally:
                table = write_table(outcomes or self._so_far(clips), self.output)
        failed = [one for one in outcomes if one.status != DONE]
        telling.end(outcomes, table)
        if failed:
            raise ChorosError(
                f"{len(failed)} of {len(outcomes)} clips failed, the first {failed[0].name} "
                f"({failed[0].error.removesuffix('.')}); once that is mended, the same command does them and no other."
            )

    def _limits(self) -> Limits:
        from choros.batch import Limits

        for name, value in (
            ("workers", self.workers),
            ("limit", self.limit),
            ("memory-limit", self.memory_limit),
        ):
            if value is not None and not value > 0:
                raise ChorosError(f"--{name} {value} does nothing; give a number above 0.")
        if self.gpus and self.ray is None:
            raise ChorosError("--gpus is what Ray shares out; leave it out, or give --ray.")
        return Limits(
            self.workers, self.limit, None if self.memory_limit is None else 1e3 * self.memory_limit
        )

    def _engine(self) -> Engine:
        if self.ray is not None:
            import os

            from choros.batch.ray_engine import on_ray

            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports to its makers
            return on_ray(self.ray, self.gpus)
        from choros.batch.pool import run_pool

        return run_pool

    def _options(self, options: Any) -> dict[str, Any]:
        told: dict[str, Any] = options.identity()
        for name in ("rotate", "camera_pose", "live_world"):
            if value := getattr(options, name):
                told[name] = value
        if self.tracking.calibration is not None:
            told["calibration"] = str(self.tracking.calibration)
        return told

    def _so_far(self, clips: Any) -> list[Outcome]:
        from choros.batch.outcome import read_outcome

        found = (read_outcome(self.output / clip.name) for clip in clips)
        return [one for one in found if one is not None]


class Telling:
    """Says how a batch goes: a line for each failure and every few seconds, a bar on a terminal, or JSON."""

    def __init__(self, as_json: bool) -> None:

        self._json, self._every_s, self._told = as_json, 5.0, 0.0

        self._state: State | None = None

    def __call__(self, state: State, outcome: Outcome | None) -> None:
        """An outcome, or that time has passed."""
        import time

        self._state = state
        if self._json:
            if outcome is not None:
                self._say({"event": "clip", **asdict(outcome)})
        elif outcome is not None and outcome.error:
            print(f"{outcome.name}: {outcome.status}: {outcome.error}", flush=True)
        now = time.monotonic()
        if now - self._told >= self._every_s or not self._told:
            self._told = now
            self._progress(state)

    def _progress(self, state: State) -> None:
        left = state.left_s()
        if self._json:
            told = {"clips": state.clips, "done": state.done, "failed": state.failed, "frames": state.frames,
                    "running": sorted(state.running), "frames_per_s": round(state.frames_per_s(), 2),
                    "left_s": None if left is None else round(left)}  # fmt: skip
            self._say({"event": "progress", **told})
            return
        from choros.cli.progress import duration

        failed = f", {state.failed} failed" if state.failed else ""
        frames = state.frames + sum(now.frames for now in state.running.values())
        rest = "" if left is None else f", {duration(left)} left"
        print(
            f"{state.done} of {state.clips} clips{failed}, {len(state.running)} running, {frames} frames, "
            f"{state.frames_per_s():.1f} frames/s{rest}",
            file=sys.stderr, flush=True,
        )  # fmt: skip

    def end(self, outcomes: list[Outcome], table: Path) -> None:
        """The last word."""
        frames = sum(one.frames for one in outcomes)
        done = sum(not one.error for one in outcomes)
        if self._json:
            self._say(
                {"event": "end", "clips": len(outcomes), "done": done, "frames": frames, "table": str(table)}
            )
        else:
            print(f"{table}: {done} of {len(outcomes)} clips done, {frames} frames")

    def _say(self, told: dict[str, Any]) -> None:
        print(json.dumps(told), flush=True)


@contextmanager
def _goes_on() -> Iterator[None]:
    """Whoever stops a batch is told that it can be gone on with."""
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.add_note("what was done is written, and the same command goes on")
        raise
