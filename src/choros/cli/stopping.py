"""Ctrl-C and SIGTERM: training stops after its step and can go on; a file that is written at once is as it was."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType


class Stop:
    """Asks whether it is time to stop: after some minutes, or once Ctrl-C or a terminating signal came."""

    def __init__(self, minutes: float | None = None) -> None:
        self.interrupted = False
        self._begun = False
        self._until = float("inf") if minutes is None else time.monotonic() + 60 * minutes

    def __call__(self) -> bool:
        """Whether to stop now; asked between two steps."""
        self.begun()
        return self.interrupted or time.monotonic() > self._until

    def begun(self) -> None:
        """There is a step to be kept: from now on the one in hand is waited for."""
        self._begun = True

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Before the first step nothing would be kept: it ends at once. Later the step in hand is waited for."""
        if not self._begun:
            raise KeyboardInterrupt
        if self.interrupted:  # a second time: not even for that
            raise SystemExit(130)
        self.interrupted = True


@contextmanager
def stopping(minutes: float | None = None) -> Iterator[Stop]:
    """A `Stop` that listens to signals while it is open; afterwards an interrupted run ends as Ctrl-C ends it."""
    stop = Stop(minutes)
    heard = [
        n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN
    ]  # as by nohup
    before = {number: signal.signal(number, stop.interrupt) for number in heard}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stop.interrupted:
        raise KeyboardInterrupt


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does: what was done until then is written."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # which alone hears signals
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def whole_or_not(path: Path) -> Iterator[None]:
    """Around work that ends in one file, written at once: a run that Ctrl-C ends says that it is not there."""
    before = path.exists()
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.add_note(f"{path} {'is as it was' if before else 'is not written'}")
        raise
