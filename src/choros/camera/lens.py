"""How a lens bends what a pinhole would show, by OpenCV's two models, and pictures made straight again.

"brown" is Brown's (radial, tangential, and OpenCV's rational, thin prism and tilt terms), "fisheye" that of Kannala
and Brandt with four terms of the angle. Image coordinates are ours, (0, 0) at the outer corner of the first pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError

Floats = NDArray[np.float64]
LensModel: TypeAlias = Literal["brown", "fisheye"]

#: How many coefficients each model may have, in OpenCV's order.
COEFFICIENTS = {"brown": (4, 5, 8, 12, 14), "fisheye": (4,)}

#: From our image coordinates to OpenCV's, which count from the centre of the first pixel.
TO_CENTRES = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])


@dataclass(frozen=True)
class Lens:
    """A lens: k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4 [tx ty]]]] of "brown", k1 k2 k3 k4 of "fisheye".

    Raises ``ChorosError`` on another number of them, or values that are not finite.
    """

    model: LensModel
    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.model not in COEFFICIENTS:
            raise ChorosError(
                f"there is no lens model {self.model!r}; choose one of: {', '.join(COEFFICIENTS)}."
            )
        if len(self.coefficients) not in COEFFICIENTS[self.model]:
            takes = ", ".join(map(str, COEFFICIENTS[self.model]))
            raise ChorosError(
                f"a {self.model} lens has {takes} coefficients, not {len(self.coefficients)}; "
                "give them in OpenCV's order."
            )
        if not np.isfinite(self.coefficients).all():
            raise ChorosError(
                f"lens coefficients {self.coefficients} are not finite numbers; calibrate again."
            )

    def distorted(self, points_px: Floats, K: Floats) -> Floats:
        """Where the lens puts what a pinhole would show at ``points_px`` (n, 2); K (3, 3) is that of both."""
        flat = np.asarray(points_px, np.float64).reshape(-1, 2)
        rays = np.concatenate([flat, np.ones((len(flat), 1))], 1) @ np.linalg.inv(K).T
        none, bends, centres = np.zeros(3), np.array(self.coefficients), TO_CENTRES @ K
        if not len(rays):
            return np.zeros((0, 2))
        if self.model == "fisheye":
            bent, _ = cv2.fisheye.projectPoints(rays[:, None], none, none, centres, bends)
        else:
            bent, _ = cv2.projectPoints(rays, none, none, centres, bends)
        return np.asarray(bent, np.float64).reshape(-1, 2) + 0.5

    def straightener(
        self, K: Floats, width: int, height: int
    ) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
        """Makes pictures (height, width, 3) of this lens what a pinhole with the same K and size would show.

        What the pinhole would see beyond the picture is black.
        """
        bends, centres = np.array(self.coefficients), TO_CENTRES @ K
        make = cv2.fisheye.initUndistortRectifyMap if self.model == "fisheye" else cv2.initUndistortRectifyMap
        at, between = make(centres, bends, np.eye(3), centres, (width, height), cv2.CV_16SC2)

        def straight(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
            return np.asarray(cv2.remap(image, at, between, cv2.INTER_LINEAR), np.uint8)

        return straight
