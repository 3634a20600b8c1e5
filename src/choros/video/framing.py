"""How a decoded picture becomes the one that is shown: square pixels, upright, and of the size of the first.

A container stores pictures as it likes and says how to show them: how wide a pixel is (``sample_aspect_ratio``,
SAR), and a display matrix that turns or mirrors. The SAR is of the stored picture, so it comes first.
"""

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeGuard, cast

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from choros.crops import fitted
from choros.video.limits import MAX_PIXELS, MAX_SIDE_PX

# Pixels longer than this one way are nobody's (the longest in use, of 352x576 px shown 16:9, have 2.9).
LONGEST_PIXEL = 4
# Pixels this near to square are square: encoders declare what their rounding of the size left over.
_SQUARE = 0.005
_UNSPECIFIED = 2  # FFmpeg's number for it, of colour spaces, primaries and transfer functions


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

    size: tuple[int, int]  # width and height upright and with square pixels, px
    orientation: Orientation
    shown: tuple[int, int]  # ``size``, or scaled to fit into the size of the video

    @classmethod
    def of(
        cls,
        width: int,
        height: int,
        sar: Fraction | None,
        orientation: Orientation,
        into: tuple[int, int] | None,
    ) -> "Framing":
        """Of stored pictures of ``width`` x ``height`` px, fitted ``into`` a size unless that is None."""
        size = square(width, height, sar)
        size = size[::-1] if orientation.transpose else size
        return cls(size, orientation, size if into is None else fitted(*size, *into))

    def image(self, picture: VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
        """(H, W, 3) uint8 RGB, contiguous. Raises ``av.error.FFmpegError`` for what cannot be converted."""
        width, height = self.shown[::-1] if self.orientation.transpose else self.shown
        try:
            shown = reformatter.reformat(picture, width, height, "rgb24", threads=1)
        except av.error.FFmpegError:  # damage may name colours that do not exist
            picture.colorspace = picture.color_primaries = picture.color_trc = _UNSPECIFIED
            shown = reformatter.reformat(picture, width, height, "rgb24", threads=1)
        return np.ascontiguousarray(self.orientation.applied(shown.to_ndarray()))


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


def odd(sar: Fraction | None) -> TypeGuard[Fraction]:
    """Whether this is a shape that no camera's pixels have; None and 0 say nothing, and are not odd."""
    return sar is not None and sar != 0 and not Fraction(1, LONGEST_PIXEL) <= sar <= LONGEST_PIXEL


def orientation_of(picture: VideoFrame) -> Orientation:
    """What the display matrix of a picture asks for, so that it stands upright.

    The matrix takes (x, y) to (a x + c y, b x + d y), y down; angles other than quarter turns are rounded to the
    nearest one. FFmpeg has it from the container's header or from the stream (H.264's and HEVC's SEI, EXIF).
    """
    try:
        # Not ``picture.side_data``, which ties the picture into a cycle that lives until a collection.
        matrix = SideDataContainer(picture).get("DISPLAYMATRIX")  # type: ignore[call-arg]  # not in the stubs
    except ValueError:
        # PyAV does not know every kind of side data, and then names none: no mirroring is seen.
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
