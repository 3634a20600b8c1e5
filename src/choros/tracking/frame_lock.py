"""How a stream's methods may be called: by one thread at a time, and with few threads of the numeric libraries."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from choros.errors import ChorosError
from choros.threads import at_most

P = ParamSpec("P")
R = TypeVar("R")


class FrameLock:
    """Held by the thread that has a stream's frame in hand; whoever else wants it is refused, not kept waiting.

    Two threads that take turns by chance would give frames out of order.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # `update` calls `step`

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise ChorosError(
                "another thread is in the middle of a frame of this stream; give each thread its own: system.stream()."
            )

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type[FrameLock], tuple[()]]:
        return FrameLock, ()  # a copy of a stream is in nobody's hands


class _Stream(Protocol):
    turn: FrameLock
    threads: int | None


S = TypeVar("S", bound=_Stream)


def in_turn(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method that only one thread may be in, of a stream that has a `turn`; raises `ChorosError` for another."""

    @wraps(method)
    def alone(stream: S, *args: P.args, **named: P.kwargs) -> R:
        with stream.turn:
            return method(stream, *args, **named)

    return alone


def with_few_threads(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method for which PyTorch and NumPy have the stream's number of `threads` (`choros.threads`)."""

    @wraps(method)
    def sparing(stream: S, *args: P.args, **named: P.kwargs) -> R:
        with at_most(stream.threads):
            return method(stream, *args, **named)

    return sparing
