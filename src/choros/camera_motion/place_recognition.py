"""Whether a shot is of a place where an earlier one ended, filmed from the same spot: two people who speak in turn.

Features of the background (ORB, Rublee et al. 2011) of the last picture of a shot and the first of a later one are
matched, and must agree in how the camera turned between them, by very much more than chance.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.rotation import rotmat_geodesic_distance, special_procrustes

Floats = NDArray[np.float64]

MOST = 20  # ends of shots that are remembered, the newest
FEATURES, LONG_SIDE_PX = 1000, 640
FEWEST, LEAST_SHARE = 40, 0.5  # matches that must agree
AWAY_PX = 2.0  # and by how much they may fail to, in the small picture
NO_TURN = 0.05  # how much a turn may be none: strain of the fitted map
FARTHEST_RAD = np.radians(20)


class PictureFeatures(NamedTuple):
    """What is known again of a picture."""

    frame: int
    points_px: Floats  # (N, 2) in the small picture
    descriptors: NDArray[np.uint8]  # (N, 32)
    K: Floats  # (3, 3) of the small picture


def view_of(
    frame: int,
    image: NDArray[np.uint8],  # (H, W, 3) RGB
    people_px: NDArray[np.floating[Any]],  # (n, 4) boxes
    K: Floats,  # (3, 3) px
) -> PictureFeatures:
    """Features of a picture, none of them within the people's boxes."""
    scale = min(1.0, LONG_SIDE_PX / max(image.shape[:2]))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    free = np.full_like(grey, 255)
    for x0, y0, x1, y1 in np.clip(np.nan_to_num(people_px) * scale, 0, 2**15).astype(int):
        free[y0:y1, x0:x1] = 0
    points, descriptors = cv2.ORB.create(FEATURES).detectAndCompute(grey, free)
    at = np.array([point.pt for point in points]).reshape(-1, 2)
    found = np.zeros((0, 32), np.uint8) if descriptors is None else np.asarray(descriptors, np.uint8)
    return PictureFeatures(frame, at, found, np.diag([scale, scale, 1.0]) @ K)


def turn_of_same_place(before: PictureFeatures, after: PictureFeatures) -> Floats | None:
    """R_before_after (3, 3), camera axes, of a camera that stands where it stood; None if it does not, or elsewhere."""
    if min(len(before.points_px), len(after.points_px)) < FEWEST:
        return None
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(after.descriptors, before.descriptors)
    close = [match for match in matches if match.distance < 64]
    if len(close) < FEWEST:
        return None
    now = after.points_px[[match.queryIdx for match in close]] + 0.5
    then = before.points_px[[match.trainIdx for match in close]] + 0.5
    H, agree = cv2.findHomography(now, then, cv2.RANSAC, AWAY_PX)
    if H is None or agree.sum() < max(FEWEST, LEAST_SHARE * len(close)):
        return None
    map_ = np.linalg.inv(before.K) @ H @ after.K
    map_ /= np.cbrt(np.linalg.det(map_))
    R = special_procrustes(map_)
    angle = rotmat_geodesic_distance(np.eye(3), R)
    return R if np.abs(map_ - R).max() < NO_TURN and angle < FARTHEST_RAD else None


class PlaceMemory:
    """The places where shots ended, the newest ``MOST`` of them."""

    def __init__(self) -> None:
        self._views: list[PictureFeatures] = []

    def end(self, last: PictureFeatures) -> None:
        """Remember the last picture of a shot."""
        self._views = [*self._views, last][-MOST:]

    def recognise(self, first: PictureFeatures) -> tuple[int, Floats] | None:
        """The frame, of the newest shot that ended in this place, and R_then_now (3, 3); None of a new place."""
        for view in reversed(self._views):
            R = turn_of_same_place(view, first)
            if R is not None:
                return view.frame, R
        return None
