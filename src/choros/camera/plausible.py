"""Whether a matrix K can be a camera's, and if not, what it looks like and what to give instead.

What is caught are the ways in which people get K wrong: transposed, divided by the size of the picture, of another
resolution, in another order, in millimetres, without a principal point. What is only unusual passes: pictures cut
from larger ones, long lenses, pixels that are not square, a little skew.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError

Floats = NDArray[np.float64]

#: Fields of view, across a side of the picture, beyond which K is taken for a mistake.
NARROWEST_DEG, WIDEST_DEG = 1.0, 170.0
MOST_STRETCH = 2.1  # fx over fy, or the reverse: an anamorphic lens squeezes by 2 at most
MOST_SKEW = 0.2  # of fx
FURTHEST = 1.25  # of the longer side: principal point from the middle, in a picture cut from a larger one
LEAST_FOCAL_PX = 10.0  # below it, with a principal point below it too, K is in units of the picture's size
OTHER_SIZE = 1.3  # by how much a resolution differs that K is not of
NEAR = 0.03  # of a picture's size: how far from the middle a principal point lies as a rule
ALIKE = 1.06  # of how many times too large a principal point's x and y are, where it is of another resolution

#: Sizes of pictures that cameras and sites make; K's principal point is near the middle of the one it is of.
RESOLUTIONS = (
    (320, 240), (640, 360), (640, 480), (800, 600), (848, 480), (854, 480), (1024, 768), (1280, 720), (1280, 960),
    (1280, 1024), (1440, 1080), (1600, 1200), (1920, 1080), (1920, 1440), (2048, 1536), (2048, 2048), (2560, 1440),
    (2704, 1520), (3840, 2160), (4000, 3000), (4032, 3024), (4096, 2160),
)  # fmt: skip


def checked_K(K: Any, width: int | None = None, height: int | None = None) -> Floats:
    """K as (3, 3) float64, px, of a picture of this size, if that is known.

    Raises ``ChorosError`` that says what is odd and what it should look like.
    """
    try:
        matrix = np.array(K, np.float64)
    except (TypeError, ValueError):
        raise ChorosError(f"K must be nine numbers in three rows, {SHAPE}.") from None
    if matrix.shape != (3, 3):
        raise ChorosError(f"K must have three rows of three numbers, {SHAPE}; this has shape {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise ChorosError(f"K must be of finite numbers, {SHAPE}; this is {_text(matrix)}.")
    _check_form(matrix)
    if width is not None and height is not None:
        _check_order(matrix, width, height)
    _check_units(matrix, width, height)
    _check_focal(matrix)
    if width is not None and height is not None:
        _check_centre(matrix, width, height)
        _check_field(matrix, width, height)
    return matrix


SHAPE = "fx 0 cx, 0 fy cy, 0 0 1"


def field_deg(side_px: float, focal_px: float) -> float:
    """Field of view across ``side_px`` pixels."""
    return float(2 * np.degrees(np.arctan2(side_px / 2, focal_px)))


def _check_form(K: Floats) -> None:
    """The places of ones and zeros."""
    if not np.allclose(K[2], [0, 0, 1], rtol=0, atol=1e-6):
        if np.allclose(K[:2, 2], 0, rtol=0, atol=1e-6) and np.isclose(K[2, 2], 1) and K[2, :2].any():
            raise ChorosError(
                f"K looks transposed: its principal point is in the last row; give {_text(K.T)} (row by row: {SHAPE})."
            )
        if not K[2, :2].any() and K[2, 2] > 0:
            raise ChorosError(f"K's last row is {_text(K[2:])} and must be 0 0 1; give {_text(K / K[2, 2])}.")
        raise ChorosError(f"K's last row is {_text(K[2:])} and must be 0 0 1; row by row K is {SHAPE}.")
    if abs(K[1, 0]) > 1e-6 * max(abs(K[0, 0]), 1):
        raise ChorosError(
            f"K's second row begins with {K[1, 0]:.6g} and must begin with 0; row by row K is {SHAPE}."
        )
    for name, focal in (("fx", K[0, 0]), ("fy", K[1, 1])):
        if focal <= 0:
            raise ChorosError(
                f"K must have positive focal lengths, px, but {name} is {focal:.6g}; row by row K is {SHAPE}."
            )


def _check_order(K: Floats, width: int, height: int) -> None:
    """Numbers that make an ordinary camera in another order and an odd one in this."""
    (fx, _, cx), (_, fy, cy) = K[:2]
    if K[0, 1] or _ordinary(fx, fy, cx, cy, width, height):
        return
    orders = {
        "fx cx fy cy": (fx, cx, fy, cy),
        "cx cy fx fy": (cx, cy, fx, fy),
        "cx fx cy fy": (fy, cy, fx, cx),
        "fx fy cy cx": (fx, fy, cy, cx),
    }
    for order, (a, b, c, d) in orders.items():
        if _ordinary(a, b, c, d, width, height):
            raise ChorosError(
                f"K looks as if its numbers came in the order {order}; the order is fx fy cx cy: "
                f"{a:.6g} {b:.6g} {c:.6g} {d:.6g} for this picture of {width}x{height} px."
            )


def _ordinary(fx: float, fy: float, cx: float, cy: float, width: int, height: int) -> bool:
    """Square pixels, a principal point near the middle and a usual field of view."""
    near = abs(cx / width - 0.5) < 2 * NEAR and abs(cy / height - 0.5) < 2 * NEAR
    return near and fx > 0 and 0.95 < fy / fx < 1.05 and 5 < field_deg(max(width, height), fx) < 150


def _check_units(K: Floats, width: int | None, height: int | None) -> None:
    """Not pixels: shares of the picture's size, or millimetres on a small sensor."""
    largest = np.abs(K[:2]).max()
    if largest >= LEAST_FOCAL_PX and (width is None or height is None or largest >= 0.1 * max(width, height)):
        return
    mend = "multiply its first row by the picture's width and its second by its height"
    if width is not None and height is not None and (K[:2, 2] > 0).all() and (K[:2, 2] < 1).all():
        mend += f": {_text(np.diag([width, height, 1.0]) @ K)}"
    raise ChorosError(
        f"K must be in pixels, but a focal length of {K[0, 0]:.4g} and a principal point of ({K[0, 2]:.4g}, "
        f"{K[1, 2]:.4g}) are not; if it is normalised to 1, {mend}; "
        "if it is in millimetres, divide by those of a pixel."
    )


def _check_focal(K: Floats) -> None:
    fx, fy, skew = K[0, 0], K[1, 1], K[0, 1]
    if not 1 / MOST_STRETCH <= fx / fy <= MOST_STRETCH:
        raise ChorosError(
            f"K's focal lengths are {fx:.6g} and {fy:.6g} px, but those of a camera are alike; "
            "the order is fx fy cx cy, and both are in pixels."
        )
    if abs(skew) > MOST_SKEW * fx:
        raise ChorosError(
            f"K's skew (second number of its first row) is {skew:.6g}, but a camera's is near 0; "
            f"row by row K is {SHAPE}."
        )


def _check_centre(K: Floats, width: int, height: int) -> None:
    centre = K[:2, 2]
    size = np.array([width, height], np.float64)
    where = f"K's principal point ({centre[0]:.6g}, {centre[1]:.6g})"
    if np.abs(centre).max() < 1e-6:
        raise ChorosError(
            f"{where} is the picture's corner; put it where the lens looks, as a rule the middle: "
            f"cx {width / 2:g}, cy {height / 2:g}."
        )
    scale = centre / (size / 2)  # by how much larger the picture is whose middle this would be
    if np.abs(scale - 1).max() <= OTHER_SIZE - 1 and scale.min() >= 1 / OTHER_SIZE:
        return
    if scale.min() > 0 and scale.max() / scale.min() < ALIKE:
        share = 2 / scale.sum()
        raise ChorosError(
            f"{where} is the middle of a picture of {2 * centre[0]:.0f}x{2 * centre[1]:.0f} px, but this one has "
            f"{width}x{height} px; give the K of this size: {_text(np.diag([share, share, 1.0]) @ K)}."
        )
    for sides in RESOLUTIONS:
        for other in (np.array(sides), np.array(sides[::-1])):
            if (np.abs(2 * centre / other - 1) < 1.3 * NEAR).all() and (
                np.abs(np.log(other / size)).max() > np.log(OTHER_SIZE)
            ):
                raise ChorosError(
                    f"{where} is the middle of a picture of {other[0]}x{other[1]} px, but this one has "
                    f"{width}x{height} px; give the K of the video as it is."
                )
    if np.abs(centre - size / 2).max() > FURTHEST * max(width, height):
        raise ChorosError(
            f"{where} is far outside the picture of {width}x{height} px; it is near its middle, "
            f"({width / 2:g}, {height / 2:g}), or a picture's width off where the picture was cut from a larger one."
        )


def _check_field(K: Floats, width: int, height: int) -> None:
    field = field_deg(max(width / K[0, 0], height / K[1, 1]), 1.0)
    if not NARROWEST_DEG <= field <= WIDEST_DEG:
        raise ChorosError(
            f"K's focal lengths of {K[0, 0]:.4g} and {K[1, 1]:.4g} px see {field:.3g} degrees of a picture of "
            f"{width}x{height} px, which no camera does; give them in pixels of this picture (its longer side, "
            f"{max(width, height)}, is usual)."
        )


def _text(rows: Floats) -> str:
    return ", ".join(" ".join(f"{value:.6g}" for value in row) for row in rows)
