"""Progress: a bar on the terminal, and of long runs lines for a file or a pipe."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from types import TracebackType

    from choros.track_video import Progress

EVERY_S = 5.0  # between lines
HELD_OUT, REAL = "held_out/", "real/"
NO_LOSSES = ("step", "steps", "stage")


class TrackProgress:
    """Draws while tracking; quiet where the output is not a terminal, except for the summary.

    With ``shares`` it tells per cent, of a total that counts nothing.
    """

    def __init__(self, what: str = "tracking", shares: bool = False) -> None:
        self._what = what
        self._console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn() if shares else MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(what, total=None, rate="")
        self._began = time.monotonic()
        self._first: Progress | None = None
        self._last: Progress | None = None

    def __enter__(self) -> TrackProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """Replace the words before the bar."""
        self._bar.update(self._task, description=text)

    def update(self, now: Progress) -> None:
        """Move the bar to a frame, with the number of people and the speed since the first call."""
        if self._first is None:
            self._first, self._began = now, time.monotonic()
        self._last = now
        people = f"{now.n_people} {'person' if now.n_people == 1 else 'people'}"
        self._bar.update(
            self._task,
            description=self._what,
            completed=now.n_frames,
            total=now.info.n_frames_hint,
            rate=f"{people}, {self._rate()}",
        )

    def count(self, done: int, total: int | None) -> None:
        """Progress of something that has only frames."""
        self._bar.update(self._task, completed=done, total=total)

    def line(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def summary(self, path: Path) -> None:
        """Print how many frames were tracked and how fast; ``path`` is what was written."""
        if self._last is None:
            print(f"{path}: was complete; leave out --resume to track again")
            return
        print(f"{path}: {self._last.n_frames} {_unit(self._last)}, {self._rate()}")

    def _rate(self) -> str:
        if self._first is None or self._last is None:
            return ""
        done, took_s = self._last.n_frames - self._first.n_frames, time.monotonic() - self._began
        return f"{done / max(took_s, 1e-9):.1f} {_unit(self._last)}/s"


class RunProgress:
    """Where a run stands: a bar on a terminal; into a file or a pipe a line at once and every few seconds.

    With ``on_terminal`` lines come there too, above the bar. They come as often while a step takes long, or the first
    is yet to come. Under ``torchrun`` the first process
    alone says anything. ``stream`` is where lines go: standard error if results stand in the output.
    """

    def __init__(
        self,
        what: str = "training",
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
        stream: Literal["stdout", "stderr"] = "stdout",
        on_terminal: bool = False,
    ) -> None:
        self._doing: str | None = what
        self._done, self._every_s, self._clock = "", every_s, clock
        self._bar = TrackProgress(what)
        self._stream = stream
        self._terminal = all(s is not None and s.isatty() for s in (getattr(sys, stream), sys.stderr))
        self._lines = (on_terminal or not self._terminal) and os.environ.get("RANK", "0") == "0"
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._teller = threading.Thread(target=self._keep_telling, name="choros-progress", daemon=True)
        self._began = clock()
        self._first: tuple[float, int] | None = None  # when the run was told of its first step, and which
        self._told = -math.inf
        self._now: dict[str, Any] = {}
        self._losses: dict[str, list[float]] = {}  # since the last line

    def __enter__(self) -> RunProgress:
        self._bar.__enter__()
        if self._lines:
            self._teller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._teller.is_alive():
            self._teller.join()
        if self._losses:
            self._tell()
        self._bar.__exit__(kind, error, trace)

    def say(self, doing: str) -> None:
        """What is being done where there are no steps, or not yet."""
        with self._lock:
            self._doing, self._done, self._began = doing, "", self._clock()
        self._bar.say(doing)
        self._tell()

    def note(self, text: str) -> None:
        """A line of its own."""
        self._print(text)

    def count(self, done: int, total: int | None, what: str = "frames") -> None:
        """How far that has come."""
        with self._lock:
            self._done = f", {done} {what}" if total is None else f", {done} of {total} {what}"
        self._bar.count(done, total)

    def update(self, record: Mapping[str, Any]) -> None:
        """A step: "step", how many there are in all ("steps"), its losses; or what was measured, or drawn."""
        step, steps = int(record["step"]), int(record["steps"])
        measured = {name: value for name, value in record.items() if name.startswith((HELD_OUT, REAL))}
        looked = bool(measured) or "sample" in record
        with self._lock:
            begins, self._now = self._first is None, dict(record)
            self._doing, self._done = (self._doing, self._done) if looked and begins else (None, "")
            if not looked:
                self._first = self._first or (self._clock(), step)
                for name, value in record.items():
                    if name not in NO_LOSSES:
                        self._losses.setdefault(name, []).append(float(value))
        if looked:
            self._print(f"step {step} of {steps}, {_looked_at(measured, record)}")
        elif begins:
            self._tell()
        self._bar.count(step, steps)
        if "loss" in record:
            self._bar.say(f"{record.get('stage', 'training')}: loss {record['loss']:.3f}")

    def line(self) -> str:
        """Where the run stands. Losses are means since the last line."""
        with self._lock:
            if self._doing is not None or self._first is None:
                return f"{self._doing}{self._done}, {duration(self._clock() - self._began)}"
            (began_s, first), step, steps = self._first, int(self._now["step"]), int(self._now["steps"])
            stage = f" ({self._now['stage']})" if "stage" in self._now else ""
            told = [f"step {step} of {steps}{stage}"]
            if self._losses:
                told.append(_numbers({n: sum(values) / len(values) for n, values in self._losses.items()}))
                self._losses.clear()
            if step > first:
                step_s = (self._clock() - began_s) / (step - first)
                told.append(f"{step_s:.2g} s a step, {duration(step_s * (steps - step))} left")
            return ", ".join(told)

    def _keep_telling(self) -> None:
        while not self._ended.wait(self._every_s):
            if time.monotonic() - self._told > 0.2 * self._every_s:  # not right after another line
                self._tell()

    def _tell(self) -> None:
        if self._lines:
            self._told = time.monotonic()
            self._print(self.line())

    def _print(self, line: str) -> None:
        if self._lines and self._terminal:
            self._bar.line(line)
        elif self._lines:
            with suppress(OSError):  # whoever read along is gone; the run goes on
                print(line, file=getattr(sys, self._stream), flush=True)


def _unit(now: Progress) -> str:
    """Photographs that have nothing to do with each other are no frames."""
    return "pictures" if now.info.pictures else "frames"


def _looked_at(measured: Mapping[str, float], record: Mapping[str, Any]) -> str:
    """What was measured, on what, and where it is drawn."""
    said = []
    for prefix, of_what in ((HELD_OUT, "held out"), (REAL, "real footage")):
        if mine := {name: value for name, value in measured.items() if name.startswith(prefix)}:
            said.append(f"{of_what}: {_numbers(mine)}")
    if "sample" in record:
        said.append(f"drawn in {record['sample']}")
    return "; ".join(said)


def _numbers(values: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name.removeprefix(HELD_OUT).removeprefix(REAL)} {value:.4g}" for name, value in values.items()
    )


def duration(seconds: float) -> str:
    """``48 s``, ``12 min``, ``3 h 05 min``, ``2 days 4 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} days {minutes % 1440 // 60} h"
