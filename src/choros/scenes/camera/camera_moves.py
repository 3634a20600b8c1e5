"""The camera of a scene: where it is set up, how it moves while it films, and its lens in every frame.

A ``CameraSetup`` is what people are directed for; ``FrameCameras`` are what the camera then did: K and T_world_camera
of each frame, exact. World axes: z up, floor at 0; camera axes: OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.camera import intrinsics
from choros.rotation import rotvec_to_rotmat

Floats = NDArray[np.float64]

HEADROOM_M = 2.0  # what the picture shows of height, at the far end of the floor that people use
HALF_WIDTH_M = 1.3  # of floor that the picture shows at least, where people are nearest
MOVES = ("static", "pan", "dolly", "handheld", "zoom", "travel", "swing", "shake")
SWING_DEG_S = 60.0  # how fast a camera turns that is torn to and fro, at its fastest


@dataclass(frozen=True)
class CameraSetup:
    """The camera where it is set up, and the floor it shows from head to foot."""

    K: Floats  # (3, 3) px
    T_world_camera: Floats  # (4, 4)
    width: int
    height: int
    near_m: float  # along y
    far_m: float
    travel_m: float = 0.0  # how far a travelling camera goes ahead, along y, during the clip

    def half_width_m(self, depth_m: float) -> float:
        """From the middle of the picture to its side, on the floor at a depth."""
        return depth_m * self.width / (2 * float(self.K[0, 0]))


@dataclass(frozen=True)
class FrameCameras:
    """The camera over T frames."""

    K: Floats  # (T, 3, 3) px
    T_world_camera: Floats  # (T, 4, 4)

    @property
    def still(self) -> bool:
        """Whether neither camera nor lens ever moves."""
        return bool(np.all(self.K[0] == self.K) and np.all(self.T_world_camera == self.T_world_camera[0]))


def sample_setup(
    rng: np.random.Generator,
    width: int,
    height: int,
    fov_deg: float | None,
    far_m: float,
    travel_m: float = 0.0,
) -> CameraSetup:
    """A camera on a tripod, a balcony or a lamp post, tilted so that people stand on the picture's floor.

    The floor that people use begins where a picture this wide shows enough of it and ends ``far_m`` behind;
    a long lens therefore stands farther away. Any field of view from 10 to 120 degrees will do.
    """
    fov = float(rng.uniform(35, 85)) if fov_deg is None else fov_deg
    K = intrinsics(width, height, fov_deg=fov)
    eye = float(rng.uniform(1.5, 2.8))
    half_high = float(np.arctan(height / 2 / K[1, 1]))
    focal = 2 * float(K[0, 0]) / width  # in half widths of the picture
    near = max(float(rng.uniform(3.2, 3.9)) * min(1.0, focal / 1.3) ** 0.5, HALF_WIDTH_M * focal)

    def top() -> float:
        """How far down the farthest heads are."""
        return float(np.arctan((eye - HEADROOM_M) / (near + far_m)))

    while np.arctan(eye / near) - top() > 2 * half_high:  # feet and heads do not fit into the picture
        near *= 1.03
    pitch = max(float(np.arctan(eye / near)) - half_high, min(0.0, half_high + top()))
    c, s = np.cos(pitch), np.sin(pitch)
    T = np.eye(4)
    T[:3, :3] = np.array([[1, 0, 0], [0, -s, c], [0, -c, -s]])  # columns: right, down, forward
    T[2, 3] = eye
    return CameraSetup(K, T, width, height, near + 0.3, near + far_m, travel_m)


def sample_cameras(rng: np.random.Generator, setup: CameraSetup, times_s: Floats, move: str) -> FrameCameras:
    """A camera that films a scene at times (T,), moving as one of ``MOVES`` says.

    ``pan`` turns a tripod about the vertical; ``dolly`` rides on a short rail; ``handheld`` sways, looks about
    and shakes; ``zoom`` changes the focal length of a camera that stands still; ``travel`` goes ``travel_m``
    ahead at a steady pace, carried by somebody who walks; ``swing`` is a pan to and fro at ``SWING_DEG_S``, and
    ``shake`` a hand that cannot keep still.
    """
    moving = _Moving(rng, setup, times_s)
    if move != "static":
        getattr(moving, move)()
    return FrameCameras(moving.K, moving.T)


class _Moving:
    """K (T, 3, 3) and T_world_camera (T, 4, 4) of a camera, which its moves change; a method for each of ``MOVES``."""

    def __init__(self, rng: np.random.Generator, setup: CameraSetup, times_s: Floats) -> None:
        self.rng, self.setup, self.times_s = rng, setup, times_s
        self.T = np.tile(setup.T_world_camera, (len(times_s), 1, 1))
        self.K = np.tile(setup.K, (len(times_s), 1, 1))
        self.half_fov = float(np.arctan(setup.width / 2 / setup.K[0, 0]))

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def sway(self, size: float, period_s: float) -> Floats:  # (T,)
        """A slow wander to and fro, of about that size."""
        a, b = self.rng.uniform(0, 2 * np.pi, 2)
        t = 2 * np.pi * self.times_s / period_s
        return size * (0.7 * np.sin(t + a) + 0.3 * np.sin(1.7 * t + b))

    def turn(self, up_rad: Floats | float, left_rad: Floats | float, roll_rad: Floats | float) -> None:
        """Turn about the world's vertical, then nod and roll in the camera's own axes."""
        still = np.zeros_like(self.times_s)
        self.T[:, :3, :3] = (
            rotvec_to_rotmat(np.stack([still, still, still + left_rad], axis=-1))
            @ self.T[:, :3, :3]
            @ rotvec_to_rotmat(np.stack([still + up_rad, still, still + roll_rad], axis=-1))
        )

    def tremble(self, size_rad: float) -> None:
        """Hands: slow wander, and a faster tremble of a fifth of it."""
        nod, look, roll = (self.sway(size_rad, p) + self.sway(0.2 * size_rad, p / 5) for p in (1.7, 1.3, 2.3))
        self.turn(nod, look, 0.6 * roll)
        self.T[:, :3, 3] += np.stack([self.sway(2 * size_rad, p) for p in (2.9, 3.7, 2.1)], axis=-1)

    def pan(self) -> None:
        self.turn(0.0, self.sway(self.uniform(0.25, 0.6) * self.half_fov, self.uniform(7, 14)), 0.0)

    def swing(self) -> None:
        reach = self.uniform(0.35, 0.6) * self.half_fov
        phase = np.deg2rad(SWING_DEG_S) / reach * self.times_s + self.rng.uniform(0, 2 * np.pi)
        self.turn(0.0, reach * np.sin(phase), 0.0)

    def shake(self) -> None:
        self.tremble(self.uniform(0.04, 0.08) * self.half_fov)

    def dolly(self) -> None:
        period = self.uniform(7, 12)
        self.T[:, 0, 3] += self.sway(self.uniform(0.3, 1.0), period)
        self.T[:, 1, 3] += self.sway(self.uniform(0.1, 0.5), period)
        self.turn(0.0, self.sway(self.uniform(0.0, 0.1) * self.half_fov, period), 0.0)

    def handheld(self) -> None:
        self.turn(0.0, self.sway(self.uniform(0.04, 0.3) * self.half_fov, 6.0), 0.0)
        self.T[:, 0, 3] += self.sway(self.uniform(0.0, 0.6), 8.0)
        self.tremble(self.uniform(0.004, 0.018) * self.half_fov)

    def zoom(self) -> None:
        nearest = self.uniform(1.25, 1.8)
        share = 0.5 - 0.5 * np.cos(2 * np.pi * (self.times_s / self.rng.uniform(6, 12) + self.rng.uniform()))
        self.K[:, [0, 1], [0, 1]] *= nearest ** share[:, None]

    def travel(self) -> None:
        times_s = self.times_s
        self.T[:, 1, 3] += self.setup.travel_m * times_s / max(float(times_s[-1]), 1e-9)
        self.turn(0.0, self.sway(self.uniform(0.05, 0.3) * self.half_fov, self.uniform(7, 12)), 0.0)
        stride = 2 * np.pi * (times_s * self.rng.uniform(0.8, 1.0) + self.rng.uniform())
        self.T[:, 0, 3] += 0.015 * np.sin(stride) + self.sway(self.uniform(0.0, 0.25), 9.0)
        self.T[:, 2, 3] += 0.012 * np.sin(2 * stride)
        nod, look, roll = (self.sway(self.uniform(0.003, 0.01), p) for p in (1.1, 1.6, 2.2))
        self.turn(nod, look, 0.5 * roll)
