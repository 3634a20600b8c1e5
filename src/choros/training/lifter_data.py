"""Endless clips for the lifter: motion capture, seen by random cameras, reported by a noisy network.

Each batch is a function of the seed and the step alone, so training resumes exactly where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.body.gauss_newton import Points, forward, place_points
from choros.body.skeleton import MIRROR_JOINTS
from choros.datasets.mocap import MocapClip
from choros.training.keypoint_noise import KeypointNoise, corrupt, log_uniform

Floats = NDArray[np.float64]

LEG_JOINTS = (1, 2, 4, 5, 7, 8, 10, 11)
ARM_JOINTS = (13, 14, 16, 17, 18, 19, 20, 21)


class Clip(NamedTuple):
    """Motion at 30 frames/s in a world with y up."""

    rotations: NDArray[np.float32]  # (T, 24, 3, 3)
    transl: NDArray[np.float32]  # (T, 3) metres

    @classmethod
    def of(cls, motion: MocapClip) -> Clip:
        pose = np.concatenate([motion.global_orient, motion.body_pose], -1).reshape(-1, 3)
        rotations = Rotation.from_rotvec(pose).as_matrix().reshape(-1, 24, 3, 3)
        return cls(rotations.astype(np.float32), motion.transl)


class Batch(NamedTuple):
    """B clips of T frames; camera axes, metres, keypoints on the plane z = 1 (K is the identity)."""

    keypoints: Floats  # (B, T, 17, 3) as reported
    dt_s: Floats  # (B, T), 0 on the first frame
    rotations: Floats  # (B, T, 24, 3, 3)
    betas: Floats  # (B, 10)
    joints_cam: Floats  # (B, T, 24, 3)
    true_keypoints: Floats  # (B, T, 17, 2)


@dataclass(frozen=True)
class ClipConfig:
    """Ranges of the cameras and bodies."""

    batch: int = 48
    frames: int = 12
    strides: tuple[int, ...] = (1, 1, 2, 3, 4)  # of 30 frames/s
    other_limbs_rate: float = 0.25  # clips with the legs of another clip, and as many with other arms
    still_rate: float = 0.1  # clips of a single pose
    bend_rad: float = 0.1  # constant turn of each joint, so that no pose is exactly the actor's
    focal: tuple[float, float] = (0.5, 2.5)  # of the longer side of the image
    height_share: tuple[float, float] = (0.08, 1.3)  # of the person in the image
    pitch_rad: float = 0.22
    high_camera_rate: float = 0.25  # cameras that look down from above, up to a right angle and a half
    roll_rad: float = 0.06
    noise: KeypointNoise = field(default_factory=KeypointNoise)


def sample(clips: Sequence[Clip], points: Points, config: ClipConfig, seed: int, step: int) -> Batch:
    """The batch of ``step``."""
    rng = np.random.default_rng([seed, step])
    B, T = config.batch, config.frames
    lengths = np.array([len(clip.rotations) for clip in clips], np.float64)
    rotations, transl = np.zeros((B, T, 24, 3, 3)), np.zeros((B, T, 3))
    dt_s = np.zeros(B)
    for b in range(B):
        stride = int(rng.choice(config.strides))
        rotations[b], transl[b] = _cut(rng, clips, lengths, stride, T)
        for limbs in (LEG_JOINTS, ARM_JOINTS):
            if rng.random() < config.other_limbs_rate:
                other, _ = _cut(rng, clips, lengths, stride, T)
                rotations[b, :, limbs] = other[:, limbs].swapaxes(0, 1)
        if rng.random() < config.still_rate:
            rotations[b], transl[b] = rotations[b, :1], transl[b, :1]
        dt_s[b] = stride / 30 * rng.uniform(0.8, 1.25)
    bend = Rotation.from_rotvec(rng.normal(0, config.bend_rad, (B * 24, 3))).as_matrix()
    rotations = rotations @ bend.reshape(B, 1, 24, 3, 3)

    betas = np.clip(rng.normal(size=(B, 10)), -2.5, 2.5)
    R_camera_world, focal, aspect = _cameras(rng, config)
    rotations[:, :, 0] = R_camera_world[:, None] @ rotations[:, :, 0]
    rest, offsets = points.shaped(betas)
    rest, offsets = np.repeat(rest, T, 0), np.repeat(offsets, T, 0)
    turned, places = forward(rest, rotations.reshape(B * T, 24, 3, 3))
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
    reported = corrupt(rng, plane, depth, np.concatenate([-half, half], -1), dt_s, config.noise)
    steps = np.where(np.arange(T) > 0, dt_s[:, None], 0)
    return Batch(reported, steps, rotations, betas, joints, plane)


def _cut(
    rng: np.random.Generator, clips: Sequence[Clip], lengths: Floats, stride: int, T: int
) -> tuple[Floats, Floats]:
    """T frames of a random clip, mirrored half of the time; one that is too short stands still at its end."""
    clip = clips[int(rng.choice(len(clips), p=lengths / lengths.sum()))]
    start = rng.integers(0, max(1, len(clip.rotations) - (T - 1) * stride))
    frames = np.minimum(start + stride * np.arange(T), len(clip.rotations) - 1)
    rotations, transl = clip.rotations[frames].astype(np.float64), clip.transl[frames].astype(np.float64)
    if rng.random() < 0.5:
        rotations = rotations[:, list(MIRROR_JOINTS)] * _MIRROR
        transl = transl * [-1, 1, 1]
    return rotations, transl


#: Mirroring x: M R M with M = diag(-1, 1, 1).
_MIRROR = np.outer([-1, 1, 1], [-1, 1, 1])


def _cameras(rng: np.random.Generator, config: ClipConfig) -> tuple[Floats, Floats, Floats]:
    """R_camera_world (B, 3, 3) from y up to OpenCV's axes, focal lengths and widths over heights (B,)."""
    B = config.batch
    pitch = rng.normal(0, config.pitch_rad, B)
    pitch = np.where(rng.random(B) < config.high_camera_rate, rng.uniform(0.1, 1.0, B), pitch)
    yaw, roll = rng.uniform(-np.pi, np.pi, B), rng.normal(0, config.roll_rad, B)
    turn = Rotation.from_euler("ZXY", np.stack([roll, pitch, yaw], -1)).as_matrix()
    focal = log_uniform(rng, config.focal, B)
    aspect = log_uniform(rng, (0.56, 1.8), B)
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
