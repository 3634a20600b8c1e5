"""Where a drawn world is looked at from, so that everybody is in the picture: a viewpoint for each frame.

A picture's four sides are planes through the eye; of all eyes that look one way, the nearest from which all points
lie within the four is found in closed form. Over time the planes are moved outward to where they must be within
some seconds and then averaged, which moves the eye softly and never leaves anybody out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from choros.camera import intrinsics, project_in_front

Floats = NDArray[np.float64]

NEAR_M = 0.1
MARGIN = 0.12  # of the picture's half width and height, left free
STAY_M = 16.0  # if all takes place within so much floor, the eye stays where it is; else it goes along
AHEAD_S = 2.0  # how far it looks ahead, and back, when it goes along


@dataclass(frozen=True)
class Viewpoint:
    """A camera that looks at a drawn world, z up. OpenCV axes."""

    K: Floats  # (3, 3) px
    T_world_eye: Floats  # (4, 4) metres
    width: int
    height: int

    def to_eye(self, points_world: NDArray[np.floating]) -> Floats:  # (..., 3) -> (..., 3) metres
        """Points in the eye's axes."""
        return np.asarray((points_world - self.T_world_eye[:3, 3]) @ self.T_world_eye[:3, :3])

    def to_px(self, points_world: NDArray[np.floating]) -> Floats:  # (..., 3) -> (..., 2) px
        """Points in the picture; NaN for those behind the eye, or nearer than ``NEAR_M``."""
        return project_in_front(self.to_eye(points_world), self.K, NEAR_M)[0]


def looking(heading: Floats, down_rad: float, aside_rad: float = 0.0) -> Floats:  # (3, 3) R_world_eye
    """The axes (right, down, forward) of an eye that looks along a heading (2,), turned aside, and down."""
    yaw = np.arctan2(heading[1], heading[0]) + aside_rad
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    level = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    forward = np.cos(down_rad) * level - np.sin(down_rad) * np.array([0.0, 0.0, 1.0])
    return np.stack([right, np.cross(forward, right), forward], axis=1)


def follow(
    points_world: Sequence[
        NDArray[np.floating]
    ],  # T frames of (n, 3), n may be 0; what must be in the picture
    R_world_eye: Floats,  # (3, 3)
    fov_deg: float,  # across the longer side
    width: int,
    height: int,
    fps: float,
) -> list[Viewpoint]:
    """A viewpoint for each frame, all looking the same way, from which all points of its frame can be seen."""
    K = intrinsics(width, height, fov_deg=fov_deg)
    half = (1 - MARGIN) * np.array([width, height]) / 2 / np.diag(K)[:2]  # where the sides are, at depth 1
    planes = np.full((len(points_world), 4), np.nan)
    for frame, points in enumerate(points_world):
        if len(points):
            seen = points @ R_world_eye
            aside = seen[:, :2] / half
            planes[frame] = np.concatenate([seen[:, 2:] - aside, seen[:, 2:] + aside], axis=1).min(axis=0)
    known = np.flatnonzero(~np.isnan(planes[:, 0]))
    if not len(known):
        planes[:] = -3.0  # an empty floor
    else:  # nobody there: as when somebody was, last or next
        frames = np.arange(len(planes))
        planes = planes[known[np.clip(np.searchsorted(known, frames), 0, len(known) - 1)]]
    everything = np.concatenate([points[:, :2] for points in points_world] or [np.zeros((0, 2))])
    if len(everything) and np.ptp(everything, axis=0).max() > STAY_M:
        reach = 2 * max(round(AHEAD_S * fps), 1) + 1
        planes = uniform_filter1d(minimum_filter1d(planes, reach, axis=0), reach, axis=0)
    else:
        planes = np.broadcast_to(planes.min(axis=0), planes.shape)
    # On the way that leads backwards through the middle of two opposite planes, the eye is within both.
    low, high = planes[:, :2], planes[:, 2:]
    eyes = np.column_stack([half * (high - low) / 2, ((low + high) / 2).min(axis=1)]) @ R_world_eye.T
    T = np.tile(np.eye(4), (len(eyes), 1, 1))
    T[:, :3, :3], T[:, :3, 3] = R_world_eye, eyes
    return [Viewpoint(K, place, width, height) for place in T]
