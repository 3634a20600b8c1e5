"""A motion's video once more, read as it was read when the motion was made."""

from __future__ import annotations

from pathlib import Path

from choros.camera.calibration import calibration_of
from choros.errors import ChorosError
from choros.motion import Motion
from choros.video import VideoReader, open_video


def open_again(
    source: str | Path,
    motion: Motion,
    start_s: float | None = None,
    end_s: float | None = None,
    *,
    prefetch: int = 0,
) -> VideoReader:
    """The frames of ``source`` from ``start_s`` to ``end_s``, for things that are drawn over or read behind people.

    Turned and made straight as the motion was tracked, a folder of pictures at its rate. Raises ``ChorosError`` if
    the source cannot be read, or its pictures have another size than those of the motion.
    """
    header = motion.header
    reader = open_video(
        source, start_s, end_s, rotate=header.rotate, prefetch=prefetch, image_fps=motion.fps, photos=header.photos,
        calibration=calibration_of(header.provenance),
    )  # fmt: skip
    size = reader.info.width, reader.info.height
    if not header.photos and size != (motion.width, motion.height):
        reader.close()
        raise ChorosError(
            f"{source} is {size[0]}x{size[1]} px, but the motion was tracked in a video of "
            f"{motion.width}x{motion.height} px ({header.source}); give that video."
        )
    return reader
