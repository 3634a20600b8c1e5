"""The embedded engine: processes of this machine, each with the networks loaded once and one thread for each of them.

A process that crashes, takes too long or too much memory is ended alone, and another takes its place.
"""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NoReturn

from choros.batch import machine
from choros.batch.clips import Clip
from choros.batch.outcome import CRASHED, STOPPED, TOO_LARGE, TOO_LONG, Outcome
from choros.batch.run import Event, Limits, Standing, ended_by
from choros.batch.work import Job, Now, loaded, peak_mb, track_clip
from choros.errors import ChorosError

LOOK_S = 0.5  # between looks at the clock and at memory
TELL_S = 0.5  # between words of a worker
GRACE_S = 10.0  # to write what is done before a worker is killed
SPARE = 1.25  # times the memory of the largest worker that must be free for another one


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    ready: bool = False  # its networks are loaded
    peak_mb: float = 0.0
    clip: Clip | None = None
    began: float = 0.0
    why: str = ""  # it is being ended
    until: float = field(default=float("inf"))  # when it is killed

    def give(self, clip: Clip) -> None:
        self.clip, self.began = clip, time.monotonic()
        with suppress(OSError):  # it has just gone, which is heard next
            self.pipe.send(clip)

    def end(self, why: str, at_once: bool = False) -> None:
        """Let it write what is done; ``at_once`` where it would take more of what there is none of."""
        self.why, self.until = why, time.monotonic() + (0 if at_once else GRACE_S)
        self.process.kill() if at_once else self.process.terminate()


def run_pool(clips: Sequence[Clip], job: Job, limits: Limits) -> Iterator[Event]:
    """Do clips; see `run.Engine`. Raises ``ChorosError`` where the system itself cannot be loaded."""
    waiting, workers = deque(clips), list[_Worker]()
    looked = 0.0
    try:
        while waiting or any(worker.clip for worker in workers):
            if _wants_another(workers, len(waiting), limits):
                workers.append(_started(job))
            for worker in workers:
                if waiting and worker.ready and worker.clip is None and not worker.why:
                    worker.give(waiting.popleft())
            for pipe in wait([worker.pipe for worker in workers], LOOK_S):
                worker = next(one for one in workers if one.pipe is pipe)
                event = _heard(worker, job)
                if worker.why == "gone":
                    workers.remove(worker)
                if event is not None:
                    yield event
            if time.monotonic() - looked > LOOK_S:
                _look(workers, limits)
                looked = time.monotonic()
            yield None
    finally:
        _stop(workers, job)


def _wants_another(workers: Sequence[_Worker], waiting: int, limits: Limits) -> bool:
    """Whether to start one more: one at a time, as far as cores and what the others were measured to need allow."""
    idle = sum(worker.clip is None for worker in workers)
    if waiting <= idle or not all(worker.ready for worker in workers):
        return False
    if limits.workers is not None:
        return len(workers) < limits.workers
    if not workers:
        return True
    free = machine.free_mb()
    needed = SPARE * max(worker.peak_mb for worker in workers)
    return len(workers) < machine.cores() and (free is None or free > needed)


def _started(job: Job) -> _Worker:
    context = get_context("spawn")  # a fork of a process with threads may hang
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, job), name="choros-batch", daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _heard(worker: _Worker, job: Job) -> Event:
    """What a worker said; where it has gone, what became of its clip."""
    try:
        said = worker.pipe.recv()
    except (EOFError, OSError):
        return _gone(worker, job)
    if isinstance(said, ChorosError):
        raise said
    if isinstance(said, float):
        worker.ready, worker.peak_mb = True, said
        return None
    if isinstance(said, Outcome):
        worker.clip = None
        worker.peak_mb = max(worker.peak_mb, said.memory_mb)
        return said
    worker.peak_mb = max(worker.peak_mb, said.memory_mb)
    return None if worker.clip is None else Standing(worker.clip, said)


def _gone(worker: _Worker, job: Job) -> Event:
    worker.process.join()
    clip, why, code = worker.clip, worker.why, worker.process.exitcode or 0
    worker.clip, worker.why = None, "gone"
    if clip is None:
        if not worker.ready:
            raise ChorosError(
                f"a worker ended {_how(code)} before it was ready; is there memory for the networks?"
            )
        return None
    if not why:
        killed = -code == signal.SIGKILL
        why = TOO_LARGE if killed else CRASHED
        error = f"{clip.source}: its worker ended {_how(code)}" + (
            ", most likely for want of memory" if killed else ""
        )
        return ended_by(clip, job.folder, why, f"{error}; run it alone, or leave it out.")
    mend = {
        TOO_LONG: "it took longer than it may; give it more time, or cut it",
        TOO_LARGE: "its worker took more memory than it may; give it more, or cut it",
    }
    return ended_by(clip, job.folder, why, f"{clip.source}: {mend.get(why, why)}.")


def _how(code: int) -> str:
    return f"with signal {signal.Signals(-code).name}" if code < 0 else f"with code {code}"


def _look(workers: Sequence[_Worker], limits: Limits) -> None:
    """End whatever is over its time or memory."""
    now = time.monotonic()
    for worker in workers:
        if worker.why and now > worker.until:
            worker.process.kill()
        if worker.clip is None or worker.why:
            continue
        if limits.seconds is not None and now - worker.began > limits.seconds:
            worker.end(TOO_LONG)
        elif limits.memory_mb is not None:
            used = machine.used_mb(worker.process.pid or 0)
            if (worker.peak_mb if used is None else used) > limits.memory_mb:
                worker.end(TOO_LARGE, at_once=True)


def _stop(workers: Sequence[_Worker], job: Job) -> None:
    """All workers end when they have written what is done; a second Ctrl-C does not wait for that."""
    try:
        for worker in workers:
            if worker.clip is None:
                worker.process.terminate()
            else:
                worker.end(STOPPED)
        until = time.monotonic() + GRACE_S
        for worker in workers:
            worker.process.join(max(0.0, until - time.monotonic()))
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()


# In the worker --------------------------------------------------------------------------------------------


def work(pipe: Connection, job: Job) -> None:
    """Load the system, say so, then do clip after clip until there are no more, or whoever hands them out is gone."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C comes to all; whoever hands out clips says when to stop
    signal.signal(signal.SIGTERM, _stopped)
    machine.first_to_go()
    told = 0.0

    def tell(now: Now) -> None:
        nonlocal told
        if time.monotonic() - told > TELL_S:
            told = time.monotonic()
            try:
                pipe.send(now)
            except OSError:
                raise KeyboardInterrupt from None

    try:
        try:
            loaded(job.load, ())
        except ChorosError as error:
            pipe.send(error)
            return
        pipe.send(peak_mb())
        while True:
            pipe.send(track_clip(pipe.recv(), job, tell))
    except (KeyboardInterrupt, EOFError, OSError):
        return


def _stopped(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
