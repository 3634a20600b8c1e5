"""Pictures of a calibrated lens as a pinhole would have taken them, made so while they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from choros.calibration import Calibration
from choros.video.frame import Frame, VideoReader


class Undistorted(VideoReader):
    """The frames of ``reader``, made straight; their size and K stay those of the calibration.

    Raises ``ChorosError`` if the calibration is of pictures of another shape.
    """

    def __init__(self, reader: VideoReader, calibration: Calibration) -> None:
        self._reader, self.info, self.gaps = reader, reader.info, reader.gaps
        fitted = calibration.fitted(self.info.width, self.info.height)
        lens, size = fitted.lens, (self.info.width, self.info.height)
        self._straight = None if lens is None else lens.straightener(fitted.matrix, *size)

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._reader:
            yield frame if self._straight is None else replace(frame, image=self._straight(frame.image))

    def close(self) -> None:
        self._reader.close()
