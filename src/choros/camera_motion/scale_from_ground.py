"""How far a camera went over the ground it sees, from points followed from one picture to another.

Two pictures tell everything but the scale. The scale here is the camera's height above the ground: the points on it
lie in one plane, below all others and square to the way up, which people in the picture show roughly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.camera_motion.epipolar import RelativeRotation, rays

Floats = NDArray[np.float64]

NOISE_PX = 0.3  # of followed points
UNEVEN = 0.03  # of the ground, share of the camera's height
DIP_RAD = np.radians(4)  # below the horizon by that much, or a point says nothing of the ground
TILT_RAD = np.radians(5)  # by which the way up is off, as it was told
STEEPEST_RAD = np.radians(10)  # of what is still a floor
FEWEST = 20  # points that make a ground
LEAST_SHARE = 0.5  # of the points below the horizon that lie in it
OUTLIER = 3.0  # standard deviations
LEAST_RATIO = 12.0  # of how far the camera went to its standard deviation
STEPS = 6


class Ground(NamedTuple):
    """The plane below a camera that went somewhere, whose height above it, before, is 1."""

    went: Floats  # (3,) where the camera came to, in its axes before
    up: Floats  # (3,) unit, away from the plane, in those axes
    sigma: float  # standard deviation of the length of ``went``


def ground_between(
    before_px: NDArray[np.floating[Any]],  # (N, 2)
    after_px: NDArray[np.floating[Any]],  # (N, 2) the same points in the other picture
    K_before: Floats,  # (3, 3)
    K_after: Floats,  # (3, 3)
    turn: RelativeRotation,  # what ``turn_between`` found in these points
    up: Floats,  # (3,) unit, about the way up, camera axes before
) -> Ground | None:
    """The ground that most points below the horizon lie in; None without one, or where the camera only turned.

    With the distance the camera went for unit, a point of the plane n X = -h seen along x has the inverse depth
    (-n / h) x: so the plane is a robust linear fit to inverse depths, held loosely to the way up.
    """
    if turn.way is None:
        return None
    x, after = rays(before_px, K_before)[turn.agree], rays(after_px, K_after)[turn.agree]
    sideways = np.cross(after, turn.way)
    parallax = np.maximum(np.linalg.norm(sideways, axis=1), 1e-9)
    inverse = -(np.cross(after, x @ turn.R_after_before.T) * sideways).sum(1) / parallax**2
    # Two pictures leave the sign of the way open; but all that is seen is in front of the camera.
    sign = np.sign(np.median(inverse))
    inverse, way = sign * inverse, sign * turn.way
    noise = NOISE_PX / np.sqrt(K_after[0, 0] * K_after[1, 1]) / parallax

    down = -x @ up
    below = down > np.sin(DIP_RAD) * np.linalg.norm(x, axis=1)
    if below.sum() < FEWEST:
        return None
    x, inverse, noise, down = x[below], inverse[below], noise[below], down[below]
    far, spread = inverse / down, OUTLIER * np.hypot(noise / down, UNEVEN * inverse / down)
    support = np.abs(far - far[:, None]) < spread
    plane = -abs(far[np.argmax(support.sum(1))]) * up
    for _ in range(STEPS):
        error, scale = inverse - x @ plane, np.hypot(noise, UNEVEN * np.linalg.norm(plane) * down)
        strays = error / (OUTLIER * scale)
        weight = 1 / (scale * (1 + strays**2)) ** 2  # Geman and McClure
        level = (np.eye(3) - np.outer(up, up)) / (np.tan(TILT_RAD) ** 2 * (plane @ plane))
        normal = np.einsum("n,ni,nj->ij", weight, x, x) + level
        plane = np.linalg.solve(normal, (weight * inverse) @ x)
    length = float(np.linalg.norm(plane))
    found = -plane / length
    sigma = float(np.sqrt(found @ np.linalg.solve(normal, found)))
    lie = np.abs(strays) < 1
    if (
        lie.sum() < max(FEWEST, LEAST_SHARE * len(x))
        or found @ up < np.cos(STEEPEST_RAD)
        or length < LEAST_RATIO * sigma
    ):
        return None
    return Ground(-length * turn.R_after_before.T @ way, found, sigma)
