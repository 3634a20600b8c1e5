"""Who looks at frames: threads of this process, processes of this machine, or those of a Ray cluster.

A stream's ``encode`` needs a picture and nothing else, so that it can run anywhere; its ``step`` takes what was found
in order, in one place. The motion is the same to the last bit wherever frames were looked at, on processors that round
alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from itertools import cycle
from multiprocessing import get_context
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError, NotNumbers
from choros.ray_cluster import connected, ray_package
from choros.threads import at_most
from choros.tracking.steady import encoded
from choros.tracking.stream import BatchStream, Stream, System

THREADS = 2  # frames looked at side by side; more would only wait for cores
AHEAD = 2  # frames for each process, so that none waits for the next

Images = Sequence[NDArray[np.uint8]]
Load = Callable[[], System]


class Encoders(Protocol):
    """Looks at runs of frames; ``ahead`` is how many it can have in hand."""

    ahead: int

    def look(self, images: Images, before: Images) -> Future[Sequence[Any]]:
        """What `encode_all` says of ``images``, before which there were ``before``."""

    def close(self) -> None:
        """End whoever looks."""


#: Makes them for a stream, whose intrinsics K (3, 3) px are those of the video.
Makes = Callable[[Stream, NDArray[np.float64]], Encoders]


class Threads:
    """Threads of this process, which share its networks."""

    ahead = THREADS

    def __init__(self, stream: Stream) -> None:
        self._stream, self._pool = stream, ThreadPoolExecutor(THREADS)

    def look(self, images: Images, before: Images) -> Future[Sequence[Any]]:
        """As of `Encoders`."""
        return self._pool.submit(encode_all, self._stream, images, before)

    def close(self) -> None:
        """As of `Encoders`."""
        self._pool.shutdown(cancel_futures=True)


class Processes:
    """``count`` processes of this machine, each with the networks that ``load`` loads, and one thread for each."""

    def __init__(self, load: Load, count: int, K: NDArray[np.float64]) -> None:
        self.ahead = AHEAD * count
        self._pool = ProcessPoolExecutor(
            count, get_context("spawn"), initializer=_begin, initargs=(load, K)
        )  # a fork of a process with threads may hang

    def look(self, images: Images, before: Images) -> Future[Sequence[Any]]:
        """As of `Encoders`. Raises ``ChorosError`` where one of the processes has ended."""
        try:
            return self._pool.submit(_look, images, before)
        except BrokenProcessPool as error:
            raise gone() from error

    def close(self) -> None:
        """As of `Encoders`."""
        self._pool.shutdown(cancel_futures=True)


class OnRay:
    """``count`` actors of a Ray cluster; one whose machine goes away is begun anew elsewhere."""

    def __init__(self, load: Load, count: int, K: NDArray[np.float64], address: str) -> None:
        ray = ray_package()
        self.ahead, self._ray, self._mine = AHEAD * count, ray, connected(address)
        actor = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=3)(Looker)
        self._actors = [actor.remote(load, K) for _ in range(count)]
        self._next = cycle(self._actors)

    def look(self, images: Images, before: Images) -> Future[Sequence[Any]]:
        """As of `Encoders`."""
        asked: Future[Sequence[Any]] = next(self._next).look.remote(images, before).future()
        return asked

    def close(self) -> None:
        """As of `Encoders`."""
        for actor in self._actors:
            with suppress(Exception):
                self._ray.kill(actor)
        if self._mine:
            self._ray.shutdown()


class Looker:
    """A stream with the networks of its own, of which nothing but ``encode`` is asked."""

    def __init__(self, load: Load, K: NDArray[np.float64]) -> None:
        with at_most(1):
            self._stream = load().stream(K)

    def look(self, images: Images, before: Images) -> Sequence[Any]:
        """What `encode_all` says."""
        with at_most(1):
            return encode_all(self._stream, images, before)


_looker: Looker


def _begin(load: Load, K: NDArray[np.float64]) -> None:
    global _looker
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks
    _looker = Looker(load, K)


def _look(images: Images, before: Images) -> Sequence[Any]:
    return _looker.look(images, before)


def gone() -> ChorosError:
    """A process that looks at frames has ended by itself."""
    return ChorosError(
        "a process that looks at frames has ended; is there memory for so many? Give fewer --encoders."
    )


def encode_all(stream: Stream, images: Images, before: Images) -> Sequence[Any]:
    """What the stream says of each of the images, or the `NotNumbers` with which it ended."""
    if not isinstance(stream, BatchStream):
        return [encoded(stream, image) for image in images]
    try:
        return stream.encode_many(images, before)
    except NotNumbers as error:
        if len(images) == 1:
            return [error]
    overlap, every = stream.overlap, [*before, *images]
    return [
        said
        for end in range(len(before), len(every))
        for said in encode_all(stream, [every[end]], every[max(0, end - overlap) : end] if overlap else [])
    ]
