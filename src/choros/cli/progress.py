"""A progress line for the terminal: frames, people, frames per second."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from types import TracebackType

    from choros.systems import Progress


class TrackProgress:
    """Draws while tracking; quiet where the output is not a terminal, except for the summary."""

    def __init__(self, what: str = "tracking") -> None:
        self._what = what
        self._console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
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
        self._bar.update(self._task, description=text)

    def update(self, now: Progress) -> None:
        if self._first is None:
            self._first, self._began = now, time.monotonic()
        self._last = now
        people = f"{now.n_people} {'person' if now.n_people == 1 else 'people'}"
        self._bar.update(
            self._task,
            description=self._what,
            completed=now.n_frames,
            total=now.info.n_frames_hint,
            rate=f"{people}, {self._rate():.1f} frames/s",
        )

    def count(self, done: int, total: int | None) -> None:
        """Progress of something that has only frames."""
        self._bar.update(self._task, completed=done, total=total)

    def summary(self, path: Path) -> None:
        if self._last is None:
            print(f"{path}: was complete; leave out --resume to track again")
            return
        print(f"{path}: {self._last.n_frames} frames, {self._rate():.1f} frames/s")

    def _rate(self) -> float:
        if self._first is None or self._last is None or self._last is self._first:
            return 0.0
        return (self._last.n_frames - self._first.n_frames) / max(time.monotonic() - self._began, 1e-9)
