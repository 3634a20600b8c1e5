"""The light motion backbone of the small TRACE: dense optical flow of two small pictures, at the size of the maps.

At paper scale RAFT tells how the picture's points moved. Here it is OpenCV's inverse search (Kroeger et al. 2016),
which takes three milliseconds a frame and needs no weights.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

#: Side of the pictures that flow is looked for in, px: half of the network's square.
SIDE_PX = 256
#: The network takes flow in eighths of its square's px, as the release.
FLOW_UNIT_PX = 8.0


def flow_picture(square: NDArray[np.uint8]) -> Grey:
    """The small grey picture (SIDE_PX, SIDE_PX) of a square (S, S, 3) RGB that flow is looked for in."""
    green = np.ascontiguousarray(square[..., 1])  # green is near enough to grey
    small = cv2.resize(green, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def light_flow(before: Grey, now: Grey, square_px: int, map_size: int) -> NDArray[np.float32]:
    """How the points of ``now`` moved since ``before``, both of `flow_picture`: (2, map_size, map_size), x and y.

    In ``FLOW_UNIT_PX`` of a square of ``square_px`` px; each cell is the mean of its pixels.
    """
    back = _finder().calc(now, before, None)  # of each pixel of ``now``, to where it was
    moved = cv2.resize(-back, (map_size, map_size), interpolation=cv2.INTER_AREA)
    unit = square_px / SIDE_PX / FLOW_UNIT_PX
    return np.ascontiguousarray(np.moveaxis(np.asarray(moved, np.float32) * unit, -1, 0))


@cache
def _finder() -> Any:
    """What finds flow; it keeps nothing from one pair of pictures to the next."""
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
