"""A skeleton as animation sees it: its rest pose, SMPL's axes, and poses over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.body.kinematics import posed_joints
from choros.rotation import rotvec_to_rotmat
from choros.skeleton import JOINT_NAMES, PARENTS

Floats = NDArray[np.float64]
JOINT = {name: j for j, name in enumerate(JOINT_NAMES)}
SIDES = (("left", 1.0), ("right", -1.0))  # and the sign of x on that side


@dataclass(frozen=True)
class RestSkeleton:
    """What the gait must know of a body: where its joints rest and how deep its soles are."""

    joints_rest: Floats  # (24, 3) metres, SMPL axes, T-pose
    sole_m: float  # y of the soles (shoes too) in the T-pose, metres, below the ankles

    def bone_m(self, child: str) -> float:
        """Length of the bone that ends in a joint, metres."""
        j = JOINT[child]
        return float(np.linalg.norm(self.joints_rest[j] - self.joints_rest[PARENTS[j]]))

    @property
    def leg_m(self) -> float:
        """Hip to sole of a straight leg, metres."""
        ankle = self.joints_rest[JOINT["left_ankle"], 1] - self.sole_m
        return self.bone_m("left_knee") + self.bone_m("left_ankle") + float(ankle)


@dataclass(frozen=True)
class Poses:
    """SMPL parameters over time in the world: z up, floor at 0."""

    global_orient: Floats  # (T, 3) axis-angle, rad
    body_pose: Floats  # (T, 69) axis-angle, rad
    transl: Floats  # (T, 3) metres


def joint_motion(joints_rest: Floats, poses: Poses) -> tuple[Floats, Floats]:
    """World rotations (T, 24, 3, 3) and places (T, 24, 3) of the joints of a body with joints (24, 3) at rest."""
    rotvec = np.concatenate([poses.global_orient, poses.body_pose], axis=1).reshape(-1, 24, 3)
    return posed_joints(rotvec_to_rotmat(rotvec), joints_rest, joints_rest[0] + poses.transl)


def turned_toward(R: Floats, target: Floats, weight: Floats) -> None:
    """Turn rotations (T, 3, 3) the shorter way toward others by a weight (T,) of 0 to 1, in place."""
    # As `rotation.rotmat_slerp`, but from quaternion to quaternion: other roundings would make other scenes.
    now = Rotation.from_matrix(R)
    step = (now.inv() * Rotation.from_matrix(target)).as_rotvec()
    R[:] = (now * Rotation.from_rotvec(weight[:, None] * step)).as_matrix()


def facing(heading_rad: Floats) -> Floats:  # (..., 3, 3)
    """R_world_body of somebody upright who faces along (cos, sin) of the heading on the floor.

    On a scene's floor headings count from x as routes do, in `choros.rotation` from y.
    """
    c, s = np.cos(heading_rad), np.sin(heading_rad)
    o, i = np.zeros_like(c), np.ones_like(c)
    return np.stack(
        [np.stack([-s, c, o], -1), np.stack([o, o, i], -1), np.stack([c, s, o], -1)], axis=-1
    )  # columns: left, up, forward
