"""Pictures of a calibrated lens as a pinhole would have taken them, made so while they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from choros.camera.calibration import Calibration
from choros.video.frame import Frame, VideoReader


class Undistorted(VideoReader):
    """The frames of ``reader``, made straight; their size and K stay those of the calibration.

    Raises ``ChorosError`` if the calibration is of pictures of another shape.
    """

    def __init__(self, reader: VideoReader, calibration: Calibration) -> None:
        self._reader, self.info, self.gaps = reader, reader.info, reader.gaps
        self._calibration = calibration
        calibration.fitted(self.info.width, self.info.height)

    def __iter__(self) -> Iterator[Frame]:
        straight: Callable[[np.ndarray], np.ndarray] | None = None
        size = 0, 0
        for frame in self._reader:
            height, width = frame.image.shape[:2]
            if (width, height) != size:  # photographs have their own sizes
                size = width, height
                fitted = self._calibration.fitted(width, height)
                lens = fitted.lens
                straight = None if lens is None else lens.straightener(fitted.matrix, width, height)
            yield frame if straight is None else replace(frame, image=straight(frame.image))

    def close(self) -> None:
        """Release the source. May be called at any time, and more than once."""
        self._reader.close()
