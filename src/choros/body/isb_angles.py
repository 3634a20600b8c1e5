"""Angles of hips, knees, ankles, shoulders and elbows as the International Society of Biomechanics has them.

After Wu et al. 2002 (J. Biomechanics 35, 543: hip, ankle), Wu et al. 2005 (38, 981: shoulder against the thorax, elbow)
and Grood and Suntay 1983 (J. Biomech. Eng. 105, 136: knee). Segments are SMPL's, whose axes at rest are taken for the
anatomical ones (x forward, y up, z right), so that 0 is where SMPL's T-pose has the joint: legs straight, feet at a
right angle. Arms lie along z there and hang in the definitions, which is a quarter turn; forearms are pronated by
another. Left sides are mirrored, so that one word means the same on both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.rotation import rotmat_about, rotvec_to_rotmat
from choros.skeleton import JOINT_NAMES

Floats = NDArray[np.float64]

#: What is told of each joint, degrees; the documentation says which way is positive.
ANGLES = {
    "hip": ("flexion", "adduction", "internal_rotation"),
    "knee": ("flexion", "adduction", "internal_rotation"),
    "ankle": ("dorsiflexion", "inversion", "internal_rotation"),
    "shoulder": ("plane_of_elevation", "elevation", "internal_rotation"),
    "elbow": ("flexion", "carrying", "pronation"),
}
SIDES = ("right", "left")

#: Every column: ``right_hip_flexion`` and on, joint by joint, right before left.
NAMES = tuple(
    f"{side}_{joint}_{angle}" for joint, angles in ANGLES.items() for side in SIDES for angle in angles
)

#: Degrees of an arm's elevation from hanging or from straight up within which plane and rotation are not told apart.
POLE_DEG = 5.0

#: From SMPL's axes at rest (x left, y up, z forward) to ISB's (x forward, y up, z right).
_ISB = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
_MIRROR = np.diag([1.0, 1, -1])
#: A right upper arm along z, as in the T-pose, from one that hangs; and its forearm, the palm down.
_RAISED = rotmat_about("x", -np.pi / 2)
_PRONATED = rotmat_about("y", np.pi / 2)


def isb_angles(rotvec: NDArray[np.floating]) -> Floats:
    """Angles (n, 30) degrees, in order of ``NAMES``, of turns of SMPL's joints (n, 24, 3) axis-angle, rad.

    NaN where an arm is within ``POLE_DEG`` of hanging or of straight up, for its plane and its rotation: only their
    sum, or their difference, is told there. The pelvis's own turn does not matter.
    """
    turns = rotvec_to_rotmat(np.asarray(rotvec, np.float64))

    def turn(name: str, side: str) -> Floats:
        R: Floats = _ISB @ turns[:, JOINT_NAMES.index(f"{side}_{name}")] @ _ISB.T
        return _MIRROR @ R @ _MIRROR if side == "left" else R

    columns = []
    for joint in ANGLES:
        for side in SIDES:
            if joint == "shoulder":
                columns.append(_arm(turn("collar", side) @ turn("shoulder", side) @ _RAISED))
            elif joint == "elbow":
                flexion, inwards, pronation = _zxy(_RAISED.T @ turn("elbow", side) @ _RAISED @ _PRONATED)
                columns.append(np.stack([flexion, -inwards, pronation], -1))
            else:
                forward, inwards, rotation = _zxy(turn(joint, side))
                bent = -forward if joint == "knee" else forward
                columns.append(np.stack([bent, inwards, rotation], -1))
    return np.degrees(np.concatenate(columns, -1))


def _zxy(R: Floats) -> tuple[Floats, Floats, Floats]:
    """(n, 3, 3) as turns about z, then the moved x, then y, rad: ISB's joint coordinate system."""
    about_x = np.arcsin(np.clip(R[:, 2, 1], -1, 1))
    return np.arctan2(-R[:, 0, 1], R[:, 1, 1]), about_x, np.arctan2(-R[:, 2, 0], R[:, 2, 2])


def _arm(R: Floats) -> Floats:
    """The upper arm against the thorax (n, 3, 3) as plane, elevation and rotation (n, 3), rad: turns about y, x, y.

    Elevation is positive here and negative in Wu et al. 2005, 2.4.7, which turns about the same axis.
    """
    elevation = np.arccos(np.clip(R[:, 1, 1], -1, 1))
    plane, rotation = np.arctan2(-R[:, 0, 1], -R[:, 2, 1]), np.arctan2(-R[:, 1, 0], R[:, 1, 2])
    pole = np.sin(elevation) < np.sin(np.radians(POLE_DEG))
    return np.stack([np.where(pole, np.nan, plane), elevation, np.where(pole, np.nan, rotation)], -1)
