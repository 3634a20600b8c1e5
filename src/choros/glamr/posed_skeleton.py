"""What the global optimisation needs of a posed body, fixed to the pelvis: it moves people as rigid figures.

Body pose and shape stay as they are (GLAMR, section 3.3), so every point is posed once and from then on turns and
moves with the root.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel, BodyParams
from choros.body.kinematics import forward_kinematics
from choros.rotation import rotmat_to_rotvec
from choros.skeleton import FEET, JOINT_NAMES

Floats = NDArray[np.float64]

#: Spheres in place of the skin where people must not be inside each other: joint, radius in metres. A proxy for the
#: signed distance field of GLAMR's penetration loss; radii are those of a grown person's trunk, head and limbs.
BALLS = (
    ("pelvis", 0.14), ("spine2", 0.14), ("spine3", 0.15), ("head", 0.11), ("left_knee", 0.07), ("right_knee", 0.07),
    ("left_ankle", 0.06), ("right_ankle", 0.06), ("left_shoulder", 0.08), ("right_shoulder", 0.08),
    ("left_elbow", 0.05), ("right_elbow", 0.05), ("left_wrist", 0.05), ("right_wrist", 0.05),
)  # fmt: skip
BALL_JOINTS = [JOINT_NAMES.index(name) for name, _ in BALLS]
BALL_RADII_M = np.array([radius for _, radius in BALLS])


@dataclass(frozen=True, eq=False)
class PosedSkeleton:
    """Points of one person over n frames, metres from the pelvis in the axes of the root."""

    joints: Floats  # (n, 24, 3)
    keypoints: Floats  # (n, 17, 3) COCO-17
    soles: Floats  # (n, 4, 3) below ankle and ball of the left, then the right foot
    joints_rest: Floats  # (24, 3) of the T-pose: place of the pelvis in space = joints_rest[0] + transl
    sole_m: float  # y of the lowest skin in the T-pose

    @property
    def pelvis_rest(self) -> Floats:
        """(3,) where the pelvis is before it is moved."""
        return self.joints_rest[0]


def pose_skeleton(body: BodyModel, rotations: Floats, betas: Floats, kid: float) -> PosedSkeleton:
    """The skeleton of body rotations (n, 23, 3, 3) and one shape, betas (10,) and kid."""
    local = torch.eye(3, dtype=torch.float64).expand(len(rotations), 24, 3, 3).clone()
    local[:, 1:] = torch.from_numpy(rotations)
    axis_angle = torch.from_numpy(rotmat_to_rotvec(rotations).reshape(len(rotations), -1)).to(body.dtype)
    shape = torch.from_numpy(betas).to(body.dtype)
    child = torch.tensor(kid, dtype=body.dtype)
    with torch.inference_mode():
        rest = body.rest_joints(shape, child)
        params = BodyParams(torch.zeros(3, dtype=body.dtype), axis_angle, shape, -rest[0], child)
        turns, shifts = forward_kinematics(local.to(body.dtype), rest)
        joints = rest - rest[0] + shifts
        below = torch.zeros(len(FEET), 3, dtype=body.dtype)
        sole = _sole_height(body, shape, child)
        below[:, 1] = sole - rest[FEET, 1]
        soles = joints[:, FEET] + (turns[:, FEET] @ below[..., None])[..., 0]
        keypoints = body.keypoints(params)
    arrays = [part.double().numpy() for part in (joints, keypoints, soles, rest)]
    return PosedSkeleton(arrays[0], arrays[1], arrays[2], arrays[3], float(sole))


def _sole_height(body: BodyModel, betas: torch.Tensor, kid: torch.Tensor) -> torch.Tensor:
    """y of the lowest skin of a shape in its rest pose, metres: a number ()."""
    return body.vertices(body.neutral()._replace(betas=betas, kid=kid))[:, 1].min()
