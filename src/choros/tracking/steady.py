"""A stream that a frame without numbers does not break: what a network answered with NaN is taken back and done again.

In place of such a frame the system is shown once more what it saw in the one before, so that people go on, their
numbers stay and nothing of the bad answer is remembered. Whoever records the frame is told why. Knows no system.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.errors import NotNumbers
from choros.journal import State
from choros.motion import FrameResult
from choros.motion.frame_result import FLOATS
from choros.tracking.stream import Stream

MOST_NOTES = 12
#: What libraries say of numbers that are none.
_OF_NUMBERS = re.compile(r"\bnan\b|\binfs?\b|finite|numeric|singular|converge", re.IGNORECASE)


class Steady:
    """A ``stream.Stream`` taken frame by frame; ``why`` is what was wrong with the last frame, None if nothing was.

    ``hold`` shows the frame before again; without it, of pictures that have nothing to do with each other, a black one.
    """

    def __init__(self, stream: Stream, hold: bool = True) -> None:
        self.stream, self.hold = stream, hold
        self.why: str | None = None
        self._last: Any = None
        self._picture: NDArray[np.uint8] | None = None  # the last one, where they come by `update`
        self._poisoned: list[tuple[float, str]] = []

    def saw(self, features: Any) -> None:
        """These are of a frame that an earlier run has done: the one before the next."""
        self._last = None if isinstance(features, NotNumbers) else features

    def step(self, features: Any, image: NDArray[np.uint8], time_s: float) -> FrameResult:
        """The stream's ``step``. ``features`` may be the `NotNumbers` that ``encode`` ended with.

        Raises `NotNumbers` if what is shown in place of the frame, ``image`` (H, W, 3), brings no numbers either.
        """
        result = self._tried(lambda: self.stream.step(features, time_s), features, time_s)
        if result is not None:
            self._last = features
            return result
        shown = self._last
        if shown is None or not self.hold:
            shown = self.stream.encode(np.zeros_like(image))
        return self._again(lambda: self.stream.step(shown, time_s), time_s)

    def update(self, image: NDArray[np.uint8], time_s: float) -> FrameResult:
        """The stream's ``update``; in place of a picture without numbers it is shown the one before, as of `step`."""
        result = self._tried(lambda: self.stream.update(image, time_s), None, time_s)
        if result is not None:
            self._picture = image
            return result
        shown = self._picture if self._picture is not None and self.hold else np.zeros_like(image)
        return self._again(lambda: self.stream.update(shown, time_s), time_s)

    def notes(self) -> tuple[str, ...]:
        """What was done again, a sentence each."""
        told = [
            f"{time_s:.3f} s: {why}; what was seen just before stands in for that frame"
            for time_s, why in self._poisoned[:MOST_NOTES]
        ]
        rest = len(self._poisoned) - MOST_NOTES
        return (*told, f"and so were {rest} more frames") if rest > 0 else tuple(told)

    def _tried(self, take: Callable[[], FrameResult], features: Any, time_s: float) -> FrameResult | None:
        """What ``take`` gives; None, with the stream as it was, if there are no numbers in it."""
        before, self.why = self.stream.state(), None
        if isinstance(features, NotNumbers):
            why = str(features)
        else:
            try:
                result = take()
                if _numbers(result, self.stream.state()):
                    return result
                why = "a network answered with what is no number"
            except NotNumbers as error:
                why = str(error)
            except (ArithmeticError, ValueError, RuntimeError, IndexError, np.linalg.LinAlgError) as error:
                if not (_OF_NUMBERS.search(str(error)) or _somewhere_none(features)):
                    raise
                why = f"a network answered with what is no number ({type(error).__name__})"
        self.stream.restore(before)
        self.why = why.rstrip(".")
        self._poisoned.append((time_s, self.why))
        return None

    def _again(self, take: Callable[[], FrameResult], time_s: float) -> FrameResult:
        result = take()
        if _numbers(result, self.stream.state()):
            return result
        raise NotNumbers(
            f"at {time_s:.3f} s {self.why}, and so it is with the picture before; are the weights damaged?"
        )


def encoded(stream: Stream, image: NDArray[np.uint8]) -> Any:
    """The stream's ``encode``, or the `NotNumbers` that it ended with."""
    try:
        return stream.encode(image)
    except NotNumbers as error:
        return error


def _numbers(result: FrameResult, state: State) -> bool:
    """Whether people are told in finite numbers, and nothing is remembered that is none."""
    if isinstance(result, FrameResult) and not all(
        np.isfinite(result.rows[name]).all() for name in FLOATS if name in (result.rows.dtype.names or ())
    ):
        return False
    return not any(_has_nan(np.asarray(array)) for array in state.values())


def _has_nan(array: NDArray[Any]) -> bool:
    if array.dtype.names:
        return any(_has_nan(array[name]) for name in array.dtype.names)
    return bool(np.issubdtype(array.dtype, np.inexact) and np.isnan(array).any())


def _somewhere_none(features: Any, depth: int = 5) -> bool:
    """Whether there is a NaN in arrays or tensors anywhere in ``features``."""
    if isinstance(features, np.ndarray):
        return _has_nan(features)
    if hasattr(features, "isnan"):
        return bool(features.isnan().any())
    if depth == 0:
        return False
    parts: Any = ()
    if isinstance(features, dict):
        parts = features.values()
    elif isinstance(features, list | tuple):
        parts = features
    elif hasattr(features, "__dict__"):
        parts = vars(features).values()
    return any(_somewhere_none(part, depth - 1) for part in parts)
