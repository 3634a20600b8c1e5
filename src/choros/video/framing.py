"""How a decoded picture becomes the one that is shown: square pixels, upright, and of the size of the first.

A container stores pictures as it likes and says how to show them: how wide a pixel is (``sample_aspect_ratio``,
SAR), and a display matrix that turns or mirrors. The SAR is of the stored picture, so it comes first.
"""

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import cv2
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from choros.video.limits import MAX_PIXELS, MAX_SIDE_PX

# Pixels longer than this one way are nobody's (the longest in use, of 352x576 px shown 16:9, have 2.9).
LONGEST_PIXEL = 4
# Pixels this near to square are square: encoders declare what their rounding of the size left over.
_SQUARE = 0.005


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a picture: transposed or not, then mirrored in x, in y, or both."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def applied(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) as stored -> (H, W, 3) or (W, H, 3) upright, a view."""
        if self.transpose:
            image = image.transpose(1, 0, 2)
        return image[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]


@dataclass(frozen=True)
class Framing:
    """How the pictures of one size are shown."""

    stored: tuple[int, int]  # width, height of the pictures with square pixels, px
    orientation: Orientation

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as shown, px."""
        width, height = self.stored
        return (height, width) if self.orientation.transpose else (width, height)

    def image(self, picture: VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
        """(H, W, 3) uint8 RGB, contiguous."""
        width, height = self.stored
        image = reformatter.reformat(picture, width, height, "rgb24", threads=1).to_ndarray()
        return np.ascontiguousarray(self.orientation.applied(image))


def square(width: int, height: int, sar: Fraction | None) -> tuple[int, int]:
    """Size in square pixels of pictures whose pixels are ``sar`` times as wide as high.

    The shorter direction grows, so that nothing is lost; where the result would be larger than is read, the other
    one shrinks. A SAR that no camera has (see ``odd``) is passed over.
    """
    if not sar or odd(sar) or abs(sar - 1) < _SQUARE:
        return width, height
    grown = (round(width * sar), height) if sar > 1 else (width, round(height / sar))
    if max(grown) > MAX_SIDE_PX or grown[0] * grown[1] > MAX_PIXELS:
        grown = (width, round(height / sar)) if sar > 1 else (round(width * sar), height)
    return max(1, grown[0]), max(1, grown[1])


def odd(sar: Fraction | None) -> bool:
    """Whether this is a shape that no camera's pixels have; None and 0 say nothing, and are not odd."""
    return bool(sar) and not Fraction(1, LONGEST_PIXEL) <= cast(Fraction, sar) <= LONGEST_PIXEL


def orientation_of(picture: VideoFrame) -> Orientation:
    """What the display matrix of a picture asks for, so that it stands upright.

    The matrix takes (x, y) to (a x + c y, b x + d y), y down; angles other than quarter turns are rounded to the
    nearest one. FFmpeg has it from the container's header or from the stream (H.264's and HEVC's SEI, EXIF).
    """
    try:
        # Not ``picture.side_data``, which ties the picture into a cycle that lives until a collection.
        matrix = SideDataContainer(picture).get("DISPLAYMATRIX")
    except (
        ValueError
    ):  # PyAV does not know every kind of side data, and then names none: no mirroring is seen
        angle_rad = math.radians(picture.rotation)  # counterclockwise
        a = d = math.cos(angle_rad)
        b, c = -math.sin(angle_rad), math.sin(angle_rad)
    else:
        if matrix is None:
            return Orientation()
        a, b, _, c, d = struct.unpack_from("=5i", cast(bytes, matrix))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, c < 0, b < 0)
    return Orientation(False, a < 0, d < 0)


def in_bars(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The whole image, (h, w, 3), as large as fits into the middle of ``width`` x ``height`` px, on black."""
    scale = min(width / image.shape[1], height / image.shape[0])
    w, h = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    if (w, h) != (image.shape[1], image.shape[0]):
        image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    x, y = (width - w) // 2, (height - h) // 2
    shown = np.zeros((height, width, 3), np.uint8)
    shown[y : y + h, x : x + w] = image
    return shown
