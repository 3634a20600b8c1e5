"""Endless clips for the lifter: motion capture, seen by random cameras, reported by a noisy network.

Each batch is a function of the seed and the step alone, so training resumes exactly where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.body.gauss_newton import Points, place_points
from choros.body.kinematics import posed_joints
from choros.training.lifter.keypoint_noise import KeypointNoise, corrupt, log_uniform
from choros.training.lifter.poses import NOTHING_MIXED, PoseClip, PoseVariety, poses

Floats = NDArray[np.float64]


class Batch(NamedTuple):
    """B clips of T frames; camera axes, metres, keypoints on the plane z = 1 (K is the identity)."""

    keypoints: Floats  # (B, T, 17, 3) as reported
    dt_s: Floats  # (B, T), 0 on the first frame
    rotations: NDArray[np.float32]  # (B, T, 24, 3, 3)
    betas: Floats  # (B, 10)
    joints_cam: Floats  # (B, T, 24, 3)
    true_keypoints: Floats  # (B, T, 17, 2)


@dataclass(frozen=True)
class ClipConfig:
    """Ranges of the cameras and bodies."""

    batch: int = 64
    frames: int = 12
    strides: tuple[int, ...] = (1, 1, 2, 3, 4)  # of 30 frames/s
    variety: PoseVariety = field(default_factory=PoseVariety)
    field_of_view_deg: tuple[float, float] = (15.0, 110.0)  # across the longer side of the image
    height_share: tuple[float, float] = (0.08, 1.3)  # of the person in the image
    aspects: tuple[float, float] = (0.56, 1.8)  # width over height of the image
    pitch_rad: float = 0.22
    tilted_rate: float = 0.3  # cameras that look down from above, up to a right angle and a half, or up
    tilt_rad: tuple[float, float] = (-0.5, 1.0)  # down is positive
    roll_rad: float = 0.06
    rolled_rate: float = 0.4  # cameras held anyhow, by up to ``rolled_rad``
    rolled_rad: float = 0.8
    cut_off_rate: float = 0.25  # people of whom the picture ends somewhere between head and feet
    noise: KeypointNoise = field(default_factory=KeypointNoise)


def as_captured(config: ClipConfig) -> ClipConfig:
    """The same for clips as they were captured, whole, before cameras held straight: for measuring."""
    return replace(config, variety=NOTHING_MIXED, cut_off_rate=0, rolled_rate=0, tilt_rad=(0.1, 1.0))


def sample(
    clips: Sequence[PoseClip], points: Points, config: ClipConfig, seed: int, step: int, part: int = 0
) -> Batch:
    """Micro-batch ``part`` of ``step``."""
    rng = np.random.default_rng([seed, step, part])
    B, T = config.batch, config.frames
    strides = rng.choice(config.strides, B)
    rotations, transl = poses(rng, clips, B, T, strides, config.variety)
    dt_s = strides / 30 * rng.uniform(0.8, 1.25, B)

    betas = np.clip(rng.normal(size=(B, 10)), -2.5, 2.5)
    R_camera_world, focal, aspect = _cameras(rng, config)
    rotations[:, :, 0] = R_camera_world[:, None] @ rotations[:, :, 0]
    rest, offsets = points.shaped(betas)
    rest, offsets = np.repeat(rest, T, 0), np.repeat(offsets, T, 0)
    turned, places = posed_joints(rotations.reshape(B * T, 24, 3, 3).astype(np.float64), rest)
    joints = places.reshape(B, T, 24, 3)
    keypoints = place_points(points, offsets, turned, places).sum(2).reshape(B, T, 17, 3)

    # Where the pelvis is: the clip's path, turned into the camera's axes, around a random middle.
    path = (R_camera_world[:, None] @ (transl - transl[:, T // 2, None])[..., None])[..., 0]
    middle = _place(rng, config, focal, aspect)
    shift = middle[:, None] + path
    nearest = (joints + shift[:, :, None])[..., 2].min(axis=(1, 2))
    shift[..., 2] += np.maximum(0, 0.5 - nearest)[:, None]
    joints, keypoints = joints + shift[:, :, None], keypoints + shift[:, :, None]
    depth = np.maximum(keypoints[..., 2], 0.3)
    plane = keypoints[..., :2] / depth[..., None]
    half = 0.5 * np.stack([np.minimum(aspect, 1), np.minimum(1 / aspect, 1)], -1) / focal[:, None]
    window = _cut_off(rng, plane, np.concatenate([-half, half], -1), config)
    reported = corrupt(rng, plane, depth, window, dt_s, config.noise)
    steps = np.where(np.arange(T) > 0, dt_s[:, None], 0)
    return Batch(reported, steps, rotations, betas, joints, plane)


def _cut_off(rng: np.random.Generator, plane: Floats, window: Floats, config: ClipConfig) -> Floats:
    """Windows (B, 4) that end within some people: mostly below, seldom above or at a side."""
    low, high = plane.min(axis=(1, 2)), plane.max(axis=(1, 2))
    edge = low + rng.uniform(0.15, 0.95, low.shape) * (high - low)
    side = rng.choice(4, len(plane), p=(0.08, 0.07, 0.08, 0.77))  # left, top, right, bottom
    where = np.flatnonzero(rng.random(len(plane)) < config.cut_off_rate)
    window = window.copy()
    for b in where:
        cut = max if side[b] < 2 else min
        window[b, side[b]] = cut(window[b, side[b]], edge[b, side[b] % 2])
    return window


def _cameras(rng: np.random.Generator, config: ClipConfig) -> tuple[Floats, Floats, Floats]:
    """R_camera_world (B, 3, 3) from y up to OpenCV's axes, focal lengths and widths over heights (B,)."""
    B = config.batch
    pitch = rng.normal(0, config.pitch_rad, B)
    pitch = np.where(rng.random(B) < config.tilted_rate, rng.uniform(*config.tilt_rad, B), pitch)
    yaw, roll = rng.uniform(-np.pi, np.pi, B), rng.normal(0, config.roll_rad, B)
    rolled = rng.uniform(-config.rolled_rad, config.rolled_rad, B)
    roll = np.where(rng.random(B) < config.rolled_rate, rolled, roll)
    turn = Rotation.from_euler("ZXY", np.stack([roll, pitch, yaw], -1)).as_matrix()
    narrow, wide = (0.5 / np.tan(np.deg2rad(fov) / 2) for fov in config.field_of_view_deg)
    focal = log_uniform(rng, (wide, narrow), B)
    aspect = log_uniform(rng, config.aspects, B)
    return np.diag([1.0, -1.0, -1.0]) @ turn, focal, aspect


def _place(rng: np.random.Generator, config: ClipConfig, focal: Floats, aspect: Floats) -> Floats:
    """Middles (B, 3) such that a person of 1.7 m takes a random share of the image, anywhere in it."""
    share = log_uniform(rng, config.height_share, len(focal))
    depth = 1.7 * focal / (share * np.minimum(1 / aspect, 1))
    depth = np.clip(depth, 0.8, 40)
    half = 0.5 * np.stack([np.minimum(aspect, 1), np.minimum(1 / aspect, 1)], -1) / focal[:, None]
    across = rng.uniform(-0.9, 0.9, (len(focal), 2)) * half
    # A person taller than the image is mostly seen with the middle in it.
    across[:, 1] *= np.clip(1.3 - share, 0.1, 1)
    return np.concatenate([across * depth[:, None], depth[:, None]], -1)
