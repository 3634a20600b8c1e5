"""What a public set tells of a person, as HMR 2.0 learns from it: 44 keypoints, pose, shape, filtered as published."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.datasets.hmr_npz import HMR44
from choros.datasets.sample import Floats, PersonLabel, Sample
from choros.rotation import rotvec_to_rotmat
from choros.training.fourdhumans.keypoints44 import to_44
from choros.training.fourdhumans.plausibility import PosePlausibility
from choros.training.fourdhumans.recipe import Filters

#: OpenPose's limbs: annotators' points in space are no joints of SMPL, and teach in their own half alone (release).
OPENPOSE_LIMBS = slice(1, 15)

#: A box around keypoints over their extent, where a set gives no box (release).
ROOM = 1.2


@dataclass(frozen=True, eq=False)
class Label:
    """One person in one picture."""

    box_px: Floats  # (4,) xyxy
    keypoints: Floats  # (44, 3) x_px, y_px, confidence
    joints: Floats  # (44, 4) metres, camera axes, confidence
    rotations: Floats  # (24, 3, 3)
    betas: Floats  # (10,)
    posed: bool  # whether the rotations are known


def label_of(
    sample: Sample,
    person: PersonLabel,
    filters: Filters,
    plausible: PosePlausibility | None = None,
    smpl_shapes: bool = True,
) -> Label | None:
    """What may teach of a person; None if it is too little.

    Pose and shape count together or not at all: both as people's are, in the camera's axes, and of SMPL. The betas are
    zeros where they do not count, and with a body that is not SMPL's (not ``smpl_shapes``).
    """
    keypoints = np.zeros((len(HMR44), 3))
    if person.keypoints_px is not None:
        keypoints = to_44(person.keypoint_names, person.keypoints_px[:, :2], person.keypoints_px[:, 2])
        keypoints[keypoints[:, 2] < filters.confidence, 2] = 0
    if (keypoints[:, 2] > 0).sum() < filters.keypoints:
        return None
    joints = np.zeros((len(HMR44), 4))
    if person.joints_m is not None and sample.space == "camera":
        known = np.isfinite(person.joints_m).all(-1)
        joints = to_44(person.joint_names, np.nan_to_num(person.joints_m), np.asarray(known, np.float64))
        joints[OPENPOSE_LIMBS, 3] = 0
    smpl = person.smpl if sample.space == "camera" else None
    pose, betas, posed = np.zeros(72), np.zeros(10), False
    if smpl is not None and smpl.model == "smpl":
        natural = smpl.betas is None or bool((np.abs(smpl.betas) <= filters.betas).all())
        posed = natural and (plausible is None or bool(plausible(smpl.body_pose[None])[0]))
        if posed:
            pose = np.concatenate([smpl.global_orient, smpl.body_pose])
            betas = betas if smpl.betas is None or not smpl_shapes else smpl.betas[:10]
    box = bounds(keypoints) if person.box_px is None else np.asarray(person.box_px, np.float64)
    return Label(box, keypoints, joints, rotvec_to_rotmat(pose.reshape(24, 3)), betas, posed)


def bounds(keypoints: NDArray[np.floating], room: float = ROOM) -> Floats:  # (K, 3) -> (4,) xyxy
    """The box of the known keypoints with some room around; at least one is known."""
    known = keypoints[keypoints[:, 2] > 0, :2]
    low, high = known.min(0), known.max(0)
    middle, half = (low + high) / 2, (high - low) / 2 * room
    return np.concatenate([middle - half, middle + half])
