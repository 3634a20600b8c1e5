"""A video turned by quarter turns, because whoever filmed held the camera so and no metadata says it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from choros.errors import ChorosError
from choros.video.frame import Frame, VideoReader


class _Turned(VideoReader):
    def __init__(self, reader: VideoReader, quarters: int) -> None:
        self._reader, self._quarters = reader, quarters
        info = reader.info
        width, height = (info.height, info.width) if quarters % 2 else (info.width, info.height)
        self.info = replace(info, width=width, height=height)
        self.gaps = reader.gaps

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._reader:
            yield replace(frame, image=np.ascontiguousarray(np.rot90(frame.image, -self._quarters)))

    def close(self) -> None:
        self._reader.close()


def quarters_of(rotate_deg: int) -> int:
    """Quarter turns clockwise. Raises ChorosError for what is no quarter turn."""
    if rotate_deg not in (0, 90, 180, 270):
        raise ChorosError(
            f"a video cannot be turned by {rotate_deg} degrees; give 90, 180 or 270, clockwise."
        )
    return int(rotate_deg) // 90


def turned(reader: VideoReader, rotate_deg: int) -> VideoReader:
    """The frames of ``reader`` turned clockwise by 0, 90, 180 or 270 degrees. Closing it closes ``reader``."""
    quarters = quarters_of(rotate_deg)
    return _Turned(reader, quarters) if quarters else reader
