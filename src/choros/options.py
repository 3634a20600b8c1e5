"""What is tracked of a source, and with which camera: the same options for files, folders and streams."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.camera import intrinsics
from choros.errors import ChorosError
from choros.video import Spool, VideoReader, open_video
from choros.video.source import IMAGE_FPS, check_range, image_rate, takes_image_fps
from choros.video.turning import quarters_of

Row = tuple[float, float, float]
Matrix = tuple[Row, Row, Row]


@dataclass(frozen=True)
class TrackOptions:
    """What to track and with which camera; at most one of ``focal_px``, ``fov_deg`` and ``K``."""

    start_s: float | None = None
    end_s: float | None = None
    focal_px: float | None = None
    fov_deg: float | None = None
    K: Matrix | None = None
    image_fps: Fraction | float | None = None  # of pictures, which have no times; None: ``IMAGE_FPS``
    photos: bool = False  # the pictures of a folder have nothing to do with each other; each by itself
    rotate: int = 0  # degrees clockwise, quarter turns, beyond what the video says of itself

    def __post_init__(self) -> None:
        check_range(self.start_s, self.end_s)
        quarters_of(self.rotate)
        if self.image_fps is not None:
            image_rate(self.image_fps)
        if self.photos and (self.start_s, self.end_s, self.image_fps) != (None, None, None):
            raise ChorosError("photographs have no times; leave out the start, the end and the frame rate.")

    def open(self, source: str | Path, prefetch: int = 0, spool: Spool | None = None) -> VideoReader:
        """The frames to track; ``spool`` keeps what comes through a pipe.

        Raises ``ChorosError`` as ``open_video`` does, and for a frame rate where ``source`` has its own times.
        """
        if self.image_fps is not None and not takes_image_fps(source):
            raise ChorosError(
                f"{source} has times of its own; a frame rate can be given for folders of pictures alone."
            )
        fps = IMAGE_FPS if self.image_fps is None else self.image_fps
        return open_video(
            source, self.start_s, self.end_s,
            rotate=self.rotate, prefetch=prefetch, image_fps=fps, photos=self.photos, spool=spool,
        )  # fmt: skip

    def provenance(self) -> dict[str, Any]:
        """What whoever reads the video again must know; ``Header`` has it by name."""
        return {"rotate": self.rotate} if self.rotate else {}

    def intrinsics(self, width: int, height: int) -> NDArray[np.float64]:
        K = None if self.K is None else np.array(self.K, np.float64)
        return intrinsics(width, height, focal_px=self.focal_px, fov_deg=self.fov_deg, K=K)
