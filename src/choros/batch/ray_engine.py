"""Ray's engine (extra ``ray``): clips as tasks of a cluster, with Ray's own scheduling, retries and memory watch.

Nothing is scheduled here: a task says what it needs, and no more tasks are handed in than the cluster has room for
twice. Inputs and the batch's folder must be seen under the same paths on all machines; a task that Ray starts again, on
whatever machine, goes on from the journal that lies there.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from choros.batch import machine
from choros.batch.clips import Clip
from choros.batch.outcome import CRASHED, TOO_LARGE, TOO_LONG, Outcome, read_outcome
from choros.batch.run import Engine, Event, Limits, ended_by
from choros.batch.work import Job, Now, loaded, track_clip
from choros.errors import ChorosError
from choros.ray_cluster import connected, ray_package

RETRIES = 3  # of a clip whose machine or process went away
WAIT_S = 1.0
GRACE_S = 10.0  # to write what is done before a process that is over its time ends itself
ROOM = 2  # tasks handed in for each that can run


def on_ray(address: str, gpus: float = 0.0) -> Engine:
    """The engine of a cluster: ``auto`` is the one that this machine is in, or else one of this machine alone.

    ``gpus`` is how much of a GPU a clip needs. Raises ``ChorosError`` where Ray is not installed.
    """
    ray_package()

    def engine(clips: Sequence[Clip], job: Job, limits: Limits) -> Iterator[Event]:
        return _run(clips, job, limits, address, gpus)

    return engine


def _run(clips: Sequence[Clip], job: Job, limits: Limits, address: str, gpus: float) -> Iterator[Event]:
    ray, mine = ray_package(), connected(address)
    task = ray.remote(_task).options(
        num_cpus=1, num_gpus=gpus, max_retries=RETRIES,
        **({} if limits.memory_mb is None else {"memory": int(1e6 * limits.memory_mb)}),
    )  # fmt: skip
    shared = ray.put(job)
    most = limits.workers or max(1, ROOM * int(ray.cluster_resources().get("CPU", 1)))
    waiting, running = deque(clips), dict[Any, Clip]()
    try:
        while waiting or running:
            while waiting and len(running) < most:
                clip = waiting.popleft()
                running[task.remote(clip, shared, limits)] = clip
            ended, _ = ray.wait(list(running), timeout=WAIT_S)
            for one in ended:
                yield _outcome(ray, one, running.pop(one), job)
            yield None
    finally:
        for one in running:
            ray.cancel(one)  # as Ctrl-C: what is done is written
        if running:
            ray.wait(list(running), num_returns=len(running), timeout=GRACE_S)
        if mine:
            ray.shutdown()


def _outcome(ray: Any, ended: Any, clip: Clip, job: Job) -> Outcome:
    """What a task answered; of one that Ray gave up, what that says."""
    try:
        said = ray.get(ended)
    except ray.exceptions.OutOfMemoryError:
        return ended_by(
            clip, job.folder, TOO_LARGE, f"{clip.source}: its machine had not memory enough; give it more."
        )
    except ray.exceptions.RayError as error:
        left = read_outcome(job.folder / clip.name)
        if left is not None and left.status == TOO_LONG:  # which its process wrote before it ended itself
            return left
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        return ended_by(
            clip,
            job.folder,
            CRASHED,
            f"{clip.source}: its worker ended ({why}); run it alone, or leave it out.",
        )
    return said if isinstance(said, Outcome) else _too_long(clip, job)


def _task(clip: Clip, job: Job, limits: Limits) -> Outcome | None:
    """In a process of Ray's, which keeps its networks from clip to clip; None of a clip that was over its time."""

    def tell(now: Now) -> None:
        used = machine.used_mb(os.getpid()) or now.memory_mb
        if limits.memory_mb is not None and used > limits.memory_mb:
            raise MemoryError

    if limits.seconds is None:
        return track_clip(clip, job, tell)
    with suppress(ChorosError):  # which the clip's outcome will tell
        loaded(job.load, clip.subjects)  # none of the clip's time
    alarm = Alarm(limits.seconds, partial(_give_up, clip, job))
    try:
        return track_clip(clip, job, tell)
    except KeyboardInterrupt:
        if alarm.rang:
            return None
        raise
    finally:
        alarm.cancel()


class Alarm:
    """Interrupts a clip that is over its time, and ends the process of one that does not heed that.

    In the main thread alone, where Ray runs tasks; by a signal, which also wakes what sleeps.
    """

    def __init__(self, seconds: float, give_up: Callable[[], None], grace_s: float = GRACE_S) -> None:
        self.rang = False
        self._before = signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        self._last = threading.Timer(seconds + grace_s, give_up)
        self._last.daemon = True
        self._last.start()

    def _ring(self, number: int, frame: object) -> NoReturn:
        self.rang = True
        raise KeyboardInterrupt

    def cancel(self) -> None:
        """It is no longer needed."""
        self._last.cancel()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)


def _too_long(clip: Clip, job: Job) -> Outcome:
    error = f"{clip.source}: it took longer than it may; give it more time, or cut it."
    return ended_by(clip, job.folder, TOO_LONG, error)


def _give_up(clip: Clip, job: Job) -> NoReturn:
    _too_long(clip, job)
    os._exit(1)
