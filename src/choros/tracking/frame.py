"""What goes to and fro between `online.OnlineStream` and a system's `online.OnlineTracker` in a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from choros.camera_motion.background import Background
from choros.video.cuts import Sketch

Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]
Tracks = NDArray[np.void]

#: What every track has, whatever the system.
COMMON_FIELDS = [
    ("id", "i4"),  # 0 until the person is shown
    ("detection", "i4"),  # which of this frame's detections they are, -1 for none
    ("sights", "i4"),  # searched frames with a detection
    ("searched_score", "f8"),  # of the detection in the last searched frame, 0 for none
    ("crowded", "?"),  # first seen where somebody else was
    ("score", "f8"),  # of the best detection so far
    ("born_s", "f8"),  # first sight
    ("seen_s", "f8"),  # last sight
    ("inside_s", "f8"),  # last time in view, seen or predicted
]


class Detected(Protocol):
    """What a system finds in one picture by itself: m detections, and anything else that it wants of the picture."""

    @property
    def boxes_px(self) -> Floats:
        """(m, 4) xyxy."""

    @property
    def scores(self) -> Floats:
        """(m,) 0 to 1."""


@dataclass(frozen=True)
class Affinity:
    """How well tracks and detections go together; a system may add what it wants to use again in this frame."""

    similarity: (
        Floats  # (n, m); pairs below 0, and NaN, are forbidden, of the others the greatest sum is taken
    )


D = TypeVar("D", bound=Detected)
A = TypeVar("A", bound=Affinity)


@dataclass(frozen=True)
class FrameFeatures(Generic[D]):
    """What one picture says by itself."""

    found: D
    width: int
    height: int
    behind: Background | None = None  # the people; without it the camera counts as standing still
    sketch: Sketch | None = None  # by which a cut is told, if wanted
    image: NDArray[np.uint8] | None = None  # None if every frame is searched
    searched: bool = True  # for people


@dataclass(frozen=True)
class Moment(Generic[D]):
    """The frame in hand, as the shell gives it to a tracker."""

    found: D
    time_s: float
    dt_s: float  # since the frame before; 0 in the first of a shot
    K: NDArray[np.float64]  # (3, 3)
    width: int
    height: int
    turn: (
        NDArray[np.float64] | None
    )  # (3, 3): what is thought to be at p is at ``turn`` p; None: nothing turned
    begins_shot: bool  # no frame before this one tells anything of it
    given: bool  # the people of the first frame were given, and stay the only ones
    searched: bool = True  # for people; if not, nobody is found until some are read (`OnlineTracker.read`)


class Verdict(NamedTuple):
    """What a tracker says of all its tracks (n,) at the end of a frame."""

    inside: Flags  # where they are is in view, seen or not
    shown: Flags  # who may be shown; who was shown before is anyhow
    stays: Flags  # False ends a track for a reason of the system's own


def track_type(fields: Sequence[Any]) -> np.dtype[np.void]:
    """The type of a track with these fields beside the common ones."""
    return np.dtype(
        [*COMMON_FIELDS, *fields], align=True
    )  # torch takes no field that lies across its own size


def seen_as(tracks: Tracks) -> tuple[Indices, Indices]:
    """The tracks (k,) that are seen in this frame, in order, and the detections (k,) that they are."""
    which = np.flatnonzero(tracks["detection"] >= 0)
    return which, tracks["detection"][which].astype(np.intp)
