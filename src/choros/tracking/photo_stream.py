"""Photographs that have nothing to do with each other, as one stream: each is a video of one frame to the system.

Nobody is followed from one to the next, and nobody's number is used again. Knows no system.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.motion import FrameResult


class PhotoStream:
    """A ``stream.Stream`` that begins anew with every picture.

    ``stream_of`` gives the system's stream for intrinsics (3, 3) px, ``intrinsics`` those of a picture's width and
    height.
    """

    cut_before = True  # each is a shot of its own

    def __init__(
        self,
        stream_of: Callable[[NDArray[np.float64]], Any],
        intrinsics: Callable[[int, int], NDArray[np.float64]],
    ) -> None:
        self._stream_of, self._intrinsics = stream_of, intrinsics
        self._photo = self._people = 0
        self._statures: dict[int, tuple[float, float]] = {}

    def encode(self, image: NDArray[np.uint8]) -> Any:
        """A new stream for the picture (H, W, 3) and its features."""
        stream = self._stream_of(self._intrinsics(image.shape[1], image.shape[0]))
        return stream, stream.encode(image)

    def step(self, features: Any, time_s: float) -> FrameResult:
        """The picture's people, numbered on from those of earlier pictures; ``time_s`` plays no part."""
        stream, seen = features
        result: FrameResult = stream.step(seen, 0.0)
        rows = result.rows.copy()
        ids = {int(person): self._people + k + 1 for k, person in enumerate(np.unique(rows["person"]))}
        rows["person"] = [ids[int(person)] for person in rows["person"]]
        rows["frame"] = self._photo
        self._photo, self._people = self._photo + 1, self._people + len(ids)
        of_stream = stream.statures() if hasattr(stream, "statures") else {}
        self._statures = {ids[person]: about for person, about in of_stream.items() if person in ids}
        return result._replace(rows=rows)

    def update(self, image: NDArray[np.uint8], time_s: float) -> FrameResult:
        """``step`` of ``encode``."""
        return self.step(self.encode(image), time_s)

    def statures(self) -> dict[int, tuple[float, float]]:
        """Of the people of the last picture."""
        return self._statures

    def state(self) -> Mapping[str, NDArray[Any]]:
        """How many pictures and people there were."""
        return {"photos": np.array([self._photo, self._people])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on numbering from a ``state``."""
        self._photo, self._people = (int(count) for count in state["photos"])
