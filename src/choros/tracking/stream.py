"""What a system is: anything with a ``stream``, which takes frames one by one and gives back the people of each.

Nothing is inherited or registered; what a stream can do beyond the two parts of every frame is a protocol of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from choros.journal import State
from choros.motion import FrameResult


class Stream(Protocol):
    """One video being tracked. Its future depends on past frames and ``state`` alone.

    A frame is worked on in two parts, so that the first can run ahead on another core: ``encode`` needs the
    picture and nothing else and may be called from several threads; ``step`` takes the frames in order.
    """

    def encode(self, image: NDArray[np.uint8]) -> Any:
        """All that can be told from one picture, (H, W, 3) uint8 RGB, by itself."""

    def step(self, features: Any, time_s: float) -> FrameResult:
        """The next frame's people, in camera axes, from its features."""

    def update(self, image: NDArray[np.uint8], time_s: float) -> FrameResult:
        """``step`` of ``encode``: one frame in, its people out."""

    def state(self) -> State:
        """Arrays from which ``restore`` continues bit for bit."""

    def restore(self, state: State) -> None:
        """Become the stream that had this ``state``."""


@runtime_checkable
class GivenStream(Stream, Protocol):
    """A stream that can also be told who is there (CoMotion, appendix A.2); a system need not have one."""

    def begin(self, image: NDArray[np.uint8], boxes_px: NDArray[np.floating], time_s: float) -> FrameResult:
        """The first frame, with exactly these people in it, (n, 4) xyxy px; nobody is added or dropped later.

        Takes the place of the first ``update``. They are people 1 to n in the order of their boxes, and every
        frame has a row for each of them, seen or not.
        """


@runtime_checkable
class BatchStream(Stream, Protocol):
    """A stream that looks at several frames at once, or at each beside those before it; a system need not have one.

    ``encode_many`` has up to ``batch`` frames, in order and over cuts and gaps alike, and ``before`` them the
    ``overlap`` frames that came last, fewer where the video begins. What it says of a frame depends on that frame and
    the ``overlap`` ones before it alone: not on how frames are put into batches, and not on a later one.
    ``encode(image)`` is of a frame with none before it. ``update`` is ``step`` of ``encode_many([image], before)``, of
    frames that the stream remembers, in its ``state`` too.
    """

    batch: int  # 1 or more
    overlap: int  # 0 or more

    def encode_many(
        self, images: Sequence[NDArray[np.uint8]], before: Sequence[NDArray[np.uint8]]
    ) -> Sequence[Any]:
        """The features of each of ``images``, (H, W, 3) uint8 RGB; may be called from several threads."""


@runtime_checkable
class CuttingStream(Stream, Protocol):
    """A stream that sees cuts, over which nobody is followed; a system need not have one."""

    cut_before: bool  # whether another shot began with the last frame


def cut_before(stream: Stream) -> bool:
    """Whether another shot began with the last frame of a stream, as far as it knows."""
    return isinstance(stream, CuttingStream) and stream.cut_before


@runtime_checkable
class MeasuringStream(Stream, Protocol):
    """A stream that knows how tall people are; a system need not have one."""

    def statures(self) -> dict[int, tuple[float, float]]:
        """Stature and its standard deviation, metres, of everybody named who is still followed."""


@runtime_checkable
class NamingStream(Stream, Protocol):
    """A stream whose people can be given the identities that they have elsewhere; a system need not have one."""

    def rename(self, identities: Mapping[int, int], last_id: int, frame: int) -> None:
        """From now on whoever is called k is ``identities[k]``; everybody else gets numbers after ``last_id``.

        The last frame counts as number ``frame``, from 0, so that the next one's rows are of the one after it.
        """


@runtime_checkable
class System(Protocol):
    """Frames in, people out."""

    name: str

    def stream(self, K: NDArray[np.float64] | None = None) -> Stream:
        """A new video with intrinsics ``K`` (3, 3), px; None assumes ``camera.default_focal_px``."""


@runtime_checkable
class IdentifiedSystem(System, Protocol):
    """A system that tells by what its results are decided; a system need not, and is then known by its class."""

    def identity(self) -> Mapping[str, Any]:
        """For JSON: its ``options``, its ``weights`` and ``body`` (``run_identity.file_identity``), and the like.

        It stands in every header, and a run that is resumed must have the same.
        """
