"""Checks of a frame and its time before a stream takes a step, so that all systems refuse the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.camera import intrinsics
from choros.camera.plausible import checked_K
from choros.detection.protocols import check_image
from choros.errors import ChorosError

Floats = NDArray[np.float64]


def checked_picture(image: Any) -> NDArray[np.uint8]:
    """A picture (H, W, 3) uint8 RGB, contiguous. Raises ``ChorosError`` for anything else."""
    check_image(image)
    return np.ascontiguousarray(image)


def stream_K(K: Any) -> Floats:
    """K (3, 3) that a stream was given, as far as it can be judged without a picture; zeros for None."""
    return np.zeros((3, 3)) if K is None else checked_K(K)


def checked_step(size: Any, now_s: Any, first_size: Any, before_s: float | None) -> float:
    """The time of a picture of ``size`` (width, height) that can follow those before, seconds.

    ``first_size`` is theirs, zeros for none; ``before_s`` the time of the last, None if there was none. Raises
    ``ChorosError`` and leaves the stream as it was.
    """
    try:
        time_s = float(now_s)
    except (TypeError, ValueError):
        raise ChorosError(f"a frame's time must be a number of seconds, not {now_s!r}.") from None
    if not math.isfinite(time_s):
        raise ChorosError(
            f"a frame's time must be a finite number of seconds, not {time_s}; give its time stamp."
        )
    if before_s is not None and time_s < before_s:
        raise ChorosError(
            f"frame times must not go back, but {time_s:.3f} s follows {before_s:.3f} s; "
            "begin a new stream for another video."
        )
    if any(first_size) and tuple(size) != tuple(first_size):
        raise ChorosError(
            f"a picture of {size[0]}x{size[1]} px follows pictures of {first_size[0]}x{first_size[1]} px; "
            "pictures of a stream have one size: scale them, or begin a new stream."
        )
    return time_s


def first_K(K: Floats, width: int, height: int) -> Floats:
    """``stream_K``'s K with the first picture: judged by its size, or ``camera``'s default where there was none."""
    return intrinsics(width, height, K=K if K.any() else None)


def checked_boxes(boxes_px: Any) -> NDArray[np.float32]:
    """Boxes (n, 4) xyxy px that somebody gave, n may be 0. Raises ``ChorosError`` for anything else."""
    boxes = np.asarray(boxes_px, np.float32)
    if boxes.size == 0:
        return boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ChorosError(
            f"people are given by finite boxes (n, 4), x_min, y_min, x_max, y_max in px, not by {boxes.shape}."
        )
    return boxes
