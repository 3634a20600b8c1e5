"""Two-bone legs: how far they reach, and how hip, knee and ankle turn for a foot to be where it should (IK)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.rotation import columns_to_rotmat
from choros.skeleton import JOINT_NAMES

Floats = NDArray[np.float64]

_LEGS = [
    [JOINT_NAMES.index(f"{side}_{name}") for name in ("hip", "knee", "ankle")] for side in ("left", "right")
]


def reach_of_legs(joints: Floats) -> Floats:
    """The way from hip to ankle of the left and the right leg, (..., 2, 3), in leg lengths: 1 long of a straight leg.

    Of joints (..., 24, 3) in any axes and unit.
    """
    hip, knee, ankle = np.moveaxis(joints[..., _LEGS, :], -2, 0)
    length = np.linalg.norm(knee - hip, axis=-1) + np.linalg.norm(ankle - knee, axis=-1)
    return np.asarray((ankle - hip) / np.maximum(length, 1e-9)[..., None])


def bend_leg(
    R_local: Floats,
    pelvis: Floats,
    joints_rest: Floats,
    side: str,
    ankle: Floats,
    R_foot: Floats,
    knee_to: Floats,
    give: float = 0.0,
) -> None:
    """Turn hip, knee and ankle in place so that the foot is at ``ankle`` (T, 3), turned by ``R_foot`` (T, 3, 3).

    ``R_local`` (T, 24, 3, 3) holds the pelvis in the world first; ``pelvis`` (T, 3) is its place, metres, and
    ``joints_rest`` (24, 3) the body in SMPL's T-pose. The two bones from hip to ankle reach as far as they can,
    softly over the last share ``give`` of their length; the knee bends towards ``knee_to`` (T, 3), world.
    """
    rest = joints_rest
    hip_j, knee_j, ankle_j = (JOINT_NAMES.index(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
    hip = pelvis + R_local[:, 0] @ (rest[hip_j] - rest[0])
    thigh_m = float(np.linalg.norm(rest[knee_j] - rest[hip_j]))
    shin_m = float(np.linalg.norm(rest[ankle_j] - rest[knee_j]))
    reach = ankle - hip
    length = np.linalg.norm(reach, axis=1, keepdims=True)
    along = reach / length
    length = np.clip(
        within_reach(length, thigh_m + shin_m, give),
        abs(thigh_m - shin_m) + 1e-3,
        (thigh_m + shin_m) * 0.9995,
    )
    cosine = (thigh_m**2 + length**2 - shin_m**2) / (2 * thigh_m * length)
    pole = knee_to - np.sum(knee_to * along, axis=1, keepdims=True) * along
    pole /= np.linalg.norm(pole, axis=1, keepdims=True)
    thigh = cosine * along + np.sqrt(1 - cosine**2) * pole
    shin = (length * along - thigh_m * thigh) / shin_m
    hinge = np.cross(pole, along)

    R_thigh = _aligned(rest[knee_j] - rest[hip_j], thigh, hinge)
    R_shin = _aligned(rest[ankle_j] - rest[knee_j], shin, hinge)
    R_local[:, hip_j] = R_local[:, 0].swapaxes(-1, -2) @ R_thigh
    R_local[:, knee_j] = R_thigh.swapaxes(-1, -2) @ R_shin
    R_local[:, ankle_j] = R_shin.swapaxes(-1, -2) @ R_foot


def within_reach(length: Floats, whole: float, give: float) -> Floats:
    """How far a leg as long as ``whole`` goes to reach over ``length``, any unit.

    As far as it is asked, and over the last share ``give`` ever less: the knee of a leg that is nearly straight turns
    by 16 degrees over the last hundredth of its length, and snaps.
    """
    beyond = np.maximum(length - (1 - give) * whole, 0)
    soft = max(give * whole, 1e-9)
    return np.asarray(length - beyond + soft * -np.expm1(-beyond / soft))


def _aligned(bone_rest: Floats, bone: Floats, hinge: Floats) -> Floats:  # (T, 3, 3)
    """Rotation that carries a bone (3,) along (T, 3), its left axis towards the hinge (T, 3)."""
    to_world = columns_to_rotmat(np.concatenate([bone, hinge], axis=-1))
    return to_world @ columns_to_rotmat(np.array([*bone_rest, 1.0, 0.0, 0.0])).T
