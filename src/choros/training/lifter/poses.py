"""Poses for the lifter: half an hour of motion capture, made into more than anybody captured.

Limbs are mixed across clips, legs are straightened, joints turned within their reach, legs and arms put anywhere,
people seated, laid down and stood on their heads. Nothing here knows a camera. All clips of a batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.datasets.mocap import MocapClip
from choros.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from choros.skeleton import JOINT_NAMES, MIRROR_JOINTS
from choros.training.lifter.keypoint_noise import log_uniform

Floats = NDArray[np.floating]


def _joints(*names: str) -> list[int]:
    return [JOINT_NAMES.index(name) for name in names]


LEGS = {
    side: _joints(*(f"{side}_{part}" for part in ("hip", "knee", "ankle", "foot")))
    for side in ("left", "right")
}
ARMS = {
    side: _joints(*(f"{side}_{part}" for part in ("collar", "shoulder", "elbow", "wrist", "hand")))
    for side in ("left", "right")
}
TRUNK = _joints("spine1", "spine2", "spine3", "neck", "head")

#: How far joints are turned at random, rad: of the constant turn of a clip, at a scale of 1.
REACH_RAD = np.full(24, 0.06)
REACH_RAD[_joints("left_hip", "right_hip", "neck", "head")] = 0.12
REACH_RAD[_joints("left_knee", "right_knee")] = 0.03
REACH_RAD[_joints("left_shoulder", "right_shoulder", "left_wrist", "right_wrist")] = 0.2
REACH_RAD[_joints("left_elbow", "right_elbow", "left_ankle", "right_ankle")] = 0.12

#: Mirroring x: M R M with M = diag(-1, 1, 1).
_MIRROR = np.outer([-1, 1, 1], [-1, 1, 1]).astype(np.float32)


class PoseClip(NamedTuple):
    """Motion at 30 frames/s in a world with y up."""

    rotations: NDArray[np.float32]  # (T, 24, 3, 3)
    transl: NDArray[np.float32]  # (T, 3) metres

    @classmethod
    def of(cls, motion: MocapClip) -> PoseClip:
        """A motion-capture clip with its rotations as matrices."""
        pose = np.concatenate([motion.global_orient, motion.body_pose], -1)
        return cls(_matrices(pose.reshape(-1, 24, 3)), motion.transl)


@dataclass(frozen=True)
class PoseVariety:
    """Shares of the clips of a batch to which each is done; all are drawn independently."""

    #: A clip is drawn in proportion to its length to this power: rare motions count more.
    length_power: float = 0.6
    other_legs: float = 0.2  # both legs of another clip
    other_leg: float = 0.06  # each leg by itself
    other_arms: float = 0.2
    other_arm: float = 0.08
    other_trunk: float = 0.15
    straightened: float = 0.8  # knees that are bent a little stand straight, feet staying below the hips
    #: Half of it becomes 0, one and a half times it stays.
    straightened_rad: tuple[float, float] = (0.45, 0.95)
    still: float = 0.12  # a single pose
    turned: tuple[float, float] = (0.3, 2.0)  # scale of REACH_RAD, log-uniform
    any_legs: float = 0.08  # anywhere a hip and a knee go, each leg for itself
    seated: float = 0.08
    any_arms: float = 0.08
    any_root: float = 0.10  # turned any way at all
    lying: float = 0.07
    head_down: float = 0.03
    leaning: float = 0.15
    lean_rad: float = 0.35


NOTHING_MIXED = PoseVariety(
    1, 0, 0, 0, 0, 0, 0, (0, 0), 0, (1e-6, 1e-6), 0, 0, 0, 0, 0, 0, 0
)  # the clips as they were captured, for measuring


def poses(
    rng: np.random.Generator,
    clips: Sequence[PoseClip],
    batch: int,
    frames: int,
    strides: NDArray[np.integer],  # (B,) of 30 frames/s
    variety: PoseVariety,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Local rotations (B, T, 24, 3, 3) and pelvis paths (B, T, 3) metres, in a world with y up."""
    rotations, transl = _cut(rng, clips, batch, frames, strides, variety)
    others, _ = _cut(rng, clips, batch, frames, strides, variety)
    rotations, still = varied(rng, rotations, others, variety)
    transl[still] = transl[still, :1]
    _turn_roots(rng, rotations, transl, variety)
    return rotations, transl


def varied(
    rng: np.random.Generator,
    rotations: NDArray[np.float32],  # (B, T, 24, 3, 3), local; changed
    others: NDArray[np.float32],  # (n, T, 24, 3, 3), local, whose limbs may be taken
    variety: PoseVariety,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """All that is done to bodies in place: their rotations, and which of them stand still now, (B,)."""
    batch, frames = rotations.shape[:2]
    for share, joints in (
        (variety.other_legs, LEGS["left"] + LEGS["right"]),
        (variety.other_leg, LEGS["left"]),
        (variety.other_leg, LEGS["right"]),
        (variety.other_arms, ARMS["left"] + ARMS["right"]),
        (variety.other_arm, ARMS["left"]),
        (variety.other_arm, ARMS["right"]),
        (variety.other_trunk, TRUNK),
    ):
        taken = np.flatnonzero(rng.random(batch) < share)[:, None, None]
        whose = rng.integers(len(others), size=taken.shape)  # limbs need not come from one clip
        time, which = np.arange(frames)[:, None], np.array(joints)
        rotations[taken, time, which] = others[whose, time, which]

    still = np.asarray(rng.random(batch) < variety.still)
    rotations[still] = rotations[still, :1]
    _straighten(rng, rotations, variety)
    _place_limbs(rng, rotations, variety)
    scale = log_uniform(rng, variety.turned, (batch, 1, 1))
    turns = rng.normal(size=(batch, 24, 3)) * REACH_RAD[:, None] * scale
    turns[:, _joints("left_knee", "right_knee"), 0] = np.abs(turns[:, _joints("left_knee", "right_knee"), 0])
    turned: NDArray[np.float32] = rotations @ _matrices(turns)[:, None]
    return turned, still


def _cut(
    rng: np.random.Generator,
    clips: Sequence[PoseClip],
    batch: int,
    frames: int,
    strides: NDArray[np.integer],
    variety: PoseVariety,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Stretches of random clips, mirrored half of the time; one that is too short stands still at its end."""
    lengths = np.array([len(clip.rotations) for clip in clips], np.float64)
    share = lengths**variety.length_power
    chosen = rng.choice(len(clips), batch, p=share / share.sum())
    rotations = np.empty((batch, frames, 24, 3, 3), np.float32)
    transl = np.empty((batch, frames, 3), np.float32)
    for b, (number, stride) in enumerate(zip(chosen, strides, strict=True)):
        clip = clips[number]
        start = rng.integers(0, max(1, len(clip.rotations) - (frames - 1) * stride))
        at = np.minimum(start + stride * np.arange(frames), len(clip.rotations) - 1)
        rotations[b], transl[b] = clip.rotations[at], clip.transl[at]
    flipped = rng.random(batch) < 0.5
    rotations[flipped] = rotations[flipped][:, :, list(MIRROR_JOINTS)] * _MIRROR
    transl[flipped] *= np.array([-1, 1, 1], np.float32)
    return rotations, transl


def _straighten(rng: np.random.Generator, rotations: Floats, variety: PoseVariety) -> None:
    """Unbend knees in place, the foot staying on the line from the hip and as level as it was.

    The captured people of CMU stand with knees bent by 15 to 25 degrees on their fitted skeletons, and walk so; people
    who stand and walk in pictures do not. Knees that are plainly bent, of a leg that swings, stay as they are.
    """
    which = np.flatnonzero(rng.random(len(rotations)) < variety.straightened)
    if not len(which):
        return
    middle = rng.uniform(*variety.straightened_rad, (len(which), 1, 1))
    for hip, knee, ankle, _ in LEGS.values():
        bend = rotmat_to_rotvec(rotations[which, :, knee].astype(np.float64))
        angle = np.linalg.norm(bend, axis=-1, keepdims=True)
        share = np.clip(angle / middle - 0.5, 0, 1)
        lost = (1 - share) * bend
        rotations[which, :, knee] = _matrices(share * bend)
        half = np.zeros_like(lost)
        half[..., 0] = 0.5 * lost[..., 0]
        rotations[which, :, hip] = rotations[which, :, hip] @ _matrices(half)
        rotations[which, :, ankle] = rotations[which, :, ankle] @ _matrices(half)


def _place_limbs(rng: np.random.Generator, rotations: Floats, variety: PoseVariety) -> None:
    """Legs and arms anywhere within reach, and people seated on things of all heights, in place, fixed over a clip."""
    n = len(rotations)
    seated = rng.random(n) < variety.seated
    free = (rng.random(n) < variety.any_legs) & ~seated
    alike = rng.random(n) < 0.4  # both legs do the same
    sit_hip, sit_knee = rng.normal(1.4, 0.3, n), rng.normal(1.4, 0.5, n)
    both = rng.uniform(-0.5, 2.1, n), rng.uniform(0, 2.4, n), rng.uniform(-0.2, 0.9, n)
    for (hip, knee, *_), sign in zip(LEGS.values(), (1, -1), strict=True):
        own = rng.uniform(-0.5, 2.1, n), rng.uniform(0, 2.4, n), rng.uniform(-0.2, 0.9, n)
        flexion, bend, spread = (np.where(alike, a, b) for a, b in zip(both, own, strict=True))
        flexion = np.where(seated, sit_hip + rng.normal(0, 0.12, n), flexion)
        bend = np.where(seated, sit_knee + rng.normal(0, 0.25, n), bend)
        spread = np.where(seated, rng.uniform(-0.1, 0.6, n), spread)
        hip_turn = np.stack([-flexion, sign * rng.normal(0, 0.25, n), sign * spread], -1)
        knee_turn = np.stack([np.maximum(bend, 0), rng.normal(0, 0.05, n), rng.normal(0, 0.05, n)], -1)
        which = seated | free
        rotations[which, :, hip] = _matrices(hip_turn)[which, None]
        rotations[which, :, knee] = _matrices(knee_turn)[which, None]
    for (_, shoulder, elbow, *_), sign in zip(ARMS.values(), (1, -1), strict=True):
        which = rng.random(n) < variety.any_arms
        # From the T-pose: forward and back, down and up, about its own axis; the elbow bends forward.
        forward, up, twist = rng.uniform(-1.7, 0.7, n), rng.uniform(-1.5, 1.4, n), rng.normal(0, 0.6, n)
        arm = Rotation.from_euler("YZX", np.stack([sign * forward, sign * up, twist], -1)).as_matrix()
        elbow_turn = np.stack(
            [rng.normal(0, 0.2, n), -sign * rng.uniform(0, 2.4, n), rng.normal(0, 0.1, n)], -1
        )
        rotations[which, :, shoulder] = arm[which, None]
        rotations[which, :, elbow] = _matrices(elbow_turn)[which, None]


def _turn_roots(rng: np.random.Generator, rotations: Floats, transl: Floats, variety: PoseVariety) -> None:
    """Turn whole people in the world, in place: any way, onto the ground, onto their heads, or a little."""
    n = len(rotations)
    lean = rng.normal(0, variety.lean_rad, (n, 3)) * [1, 0, 1]
    turn = np.where((rng.random(n) < variety.leaning)[:, None], lean, 0)
    lying = rng.random(n) < variety.lying
    about = rng.uniform(0, 2 * np.pi, n)
    tip = np.where(rng.random(n) < variety.head_down, np.pi, 0) + rng.normal(0, 0.3, n)
    down = lying | (np.abs(tip) > 1.5)
    tip = np.where(lying, np.pi / 2 + rng.normal(0, 0.15, n), tip)
    axis = np.stack([np.cos(about), np.zeros(n), np.sin(about)], -1)
    turn = np.where(down[:, None], axis * tip[:, None], turn)
    matrix = _matrices(turn)
    anyhow = rng.random(n) < variety.any_root
    matrix[anyhow] = Rotation.random(int(anyhow.sum()), rng=rng).as_matrix() if anyhow.any() else 0
    rotations[:, :, 0] = matrix[:, None] @ rotations[:, :, 0]
    overturned = down | anyhow
    transl[overturned] = transl[overturned].mean(1, keepdims=True)  # who lies does not walk


def _matrices(rotvec: Floats) -> NDArray[np.float32]:
    """Rotation matrices (..., 3, 3) of axis-angle vectors (..., 3), rad."""
    return rotvec_to_rotmat(np.asarray(rotvec, np.float64)).astype(np.float32)
