"""The camera of a scene: where it is set up, how it moves while it films, and its lens in every frame.

A ``View`` is the set-up that people are directed for; a ``Film`` is what the camera then did: K and T_world_camera
of each frame, exact. World axes: z up, floor at 0; camera axes: OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.camera import intrinsics

Floats = NDArray[np.float64]

HEADROOM_M = 2.0  # what the picture shows of height, at the far end of the floor that people use
MOVES = ("static", "handheld")


@dataclass(frozen=True)
class View:
    """A static camera and the floor it shows from head to foot."""

    K: Floats  # (3, 3) px
    T_world_camera: Floats  # (4, 4)
    width: int
    height: int
    near_m: float  # along y
    far_m: float

    def half_width_m(self, depth_m: float) -> float:
        """From the middle of the picture to its side, on the floor at a depth."""
        return depth_m * self.width / (2 * float(self.K[0, 0]))


@dataclass(frozen=True)
class Film:
    """The camera over T frames."""

    K: Floats  # (T, 3, 3) px
    T_world_camera: Floats  # (T, 4, 4)

    @property
    def still(self) -> bool:
        """Whether neither camera nor lens ever moves."""
        return bool(np.all(self.K[0] == self.K) and np.all(self.T_world_camera == self.T_world_camera[0]))


def sample_view(
    rng: np.random.Generator, width: int, height: int, fov_deg: float | None, far_m: float
) -> View:
    """A camera on a tripod, a balcony or a lamp post, tilted so that people stand on the picture's floor."""
    fov = float(rng.uniform(48, 68)) if fov_deg is None else fov_deg
    K = intrinsics(width, height, fov_deg=fov)
    eye = float(rng.uniform(1.5, 2.8))
    half_high = np.arctan(height / 2 / K[1, 1])
    # As near as feet are wanted in the picture, and no steeper than leaves room above the farthest heads.
    tilt = min(
        np.arctan(eye / rng.uniform(3.2, 3.9)), 2 * half_high + np.arctan((eye - HEADROOM_M) / (3.5 + far_m))
    )
    near, pitch = float(eye / np.tan(tilt)), tilt - half_high
    c, s = np.cos(pitch), np.sin(pitch)
    T = np.eye(4)
    T[:3, :3] = np.array([[1, 0, 0], [0, -s, c], [0, -c, -s]])  # columns: right, down, forward
    T[2, 3] = eye
    return View(K, T, width, height, near + 0.3, near + far_m)


def film(rng: np.random.Generator, view: View, times_s: Floats, move: str) -> Film:
    """Film a scene at times (T,): standing still, or panning and rolling along in somebody's hands."""
    T = np.tile(view.T_world_camera, (len(times_s), 1, 1))
    K = np.tile(view.K, (len(times_s), 1, 1))
    if move == "static":
        return Film(K, T)

    def sway(size: float, period_s: float) -> Floats:
        a, b = rng.uniform(0, 2 * np.pi, 2)
        t = 2 * np.pi * times_s / period_s
        return size * (0.7 * np.sin(t + a) + 0.3 * np.sin(1.7 * t + b))

    pan, dolly = float(rng.uniform(0.02, 0.16)), float(rng.uniform(0.0, 0.9))
    shake = float(rng.uniform(0.0, 0.005))
    rotvec = np.stack([sway(shake, 0.9), sway(pan, 6.0) + sway(shake, 0.7), sway(shake, 1.3)], axis=-1)
    T[:, :3, :3] = T[:, :3, :3] @ Rotation.from_rotvec(rotvec).as_matrix()
    T[:, :3, 3] += np.stack([sway(dolly, 8.0), sway(0.3 * dolly, 7.0), sway(2 * shake, 1.1)], axis=-1)
    return Film(K, T)
