"""The words of the video room: a frame with its exact time, a gap where frames were lost, and the reader.

A reader hands out frames once, in order of time; which kind of source they come from is the business of
``container`` (files, cameras, streams) and ``images`` (folders and single pictures).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Literal, TypeAlias

import numpy as np

#: Where the numbers of frames come from: the names of pictures, or counting from 0 at the start of the source.
Numbers: TypeAlias = Literal["named", "counted"]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a video and when it is shown."""

    index: int  # 0, 1, 2, ... among the frames delivered
    pts_s: float  # ``pts`` as a float
    pts: Fraction  # exact seconds since the start of the video, strictly increasing
    image: np.ndarray  # (H, W, 3) uint8 RGB, contiguous, upright, pixels square
    gap_before: bool  # something was lost or damaged between the frame before and this one
    number: int  # the source's own: in the name of a picture, else its place from the first one, 0 (see VideoInfo)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of video that could not be read, or could only be read with damage."""

    start_s: float  # time of the last frame before it (the start of reading if there is none)
    end_s: float | None  # time of the first frame after it; None: nothing readable follows
    reason: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A photograph in a folder that is read with ``photos``."""

    number: int  # as its frame's
    name: str  # of the file
    width: int  # px, upright
    height: int


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before it is read to its end."""

    width: int  # px, upright and with square pixels; of photographs the largest
    height: int  # px; likewise
    fps: Fraction  # frames per second by which most frames come; their exact times are in ``Frame.pts``
    n_frames_hint: int | None  # what the file claims, between start and end; a claim, not a promise
    source: str
    is_live: bool  # a camera or a stream: no end known, cannot be read twice
    numbers: Numbers = "counted"  # what ``Frame.number`` is
    notes: tuple[str, ...] = ()  # what the file claims and is not believed, in words
    pictures: tuple[Picture, ...] = ()  # read with ``photos``: each by itself, of its own size
    focal_35mm: float | None = None  # mm on 35 mm film, as the source's metadata says (``lens_tags``)


class VideoReader(ABC):
    """Frames of one source, iterated once; a context manager.

    ``gaps`` grows while the frames are read and is complete after the last one.
    """

    info: VideoInfo
    gaps: list[Gap]

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    @abstractmethod
    def close(self) -> None:
        """Release the source. May be called at any time, and more than once."""

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
