"""A prior for knees: straight, unless the evidence says that they are bent.

A knee that bends towards the camera looks like a slightly shorter leg. Of a straight leg seen from the front the
network therefore predicts a bend of about its own uncertainty: the mean of what is possible, and nobody's stance.
People in pictures mostly stand on straight legs, and bend them plainly or not at all. The prior has its peak at
straight and wide tails (Cauchy); with the network's prediction and its uncertainty it gives the most likely bend.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.rotation import rotmat_to_rotvec_unchecked, rotvec_to_rotmat
from choros.skeleton import JOINT_NAMES

Floats = NDArray[np.float64]

#: Hip, knee and ankle of each leg.
LEGS = [
    [JOINT_NAMES.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")] for side in ("left", "right")
]

_SHARES = np.linspace(0, 1, 41)


def likeliest_bend(said_rad: Floats, std_rad: Floats, scale_rad: float) -> Floats:
    """The bend between 0 and ``said_rad`` that is likeliest; all (...) rad.

    Least of (bend - said)² / 2 std² + log(1 + bend² / scale²), by trying.
    """
    bend = said_rad[..., None] * _SHARES
    cost = 0.5 * ((bend - said_rad[..., None]) / std_rad[..., None]) ** 2 + np.log1p((bend / scale_rad) ** 2)
    return np.take_along_axis(bend, cost.argmin(-1)[..., None], -1)[..., 0]


def stand_on_likely_knees(rotations: Floats, std_rad: Floats, scale_rad: float) -> Floats:
    """Local rotations (n, 24, 3, 3) with the knees' likeliest bends; ``std_rad`` (n, 24) is the network's doubt.

    SMPL's knee bends about x. What the knee loses, hip and ankle give up by half each, so that the foot stays on the
    line from the hip and as level as it was.
    """
    rotations = rotations.copy()
    for hip, knee, ankle in LEGS:
        turn = rotmat_to_rotvec_unchecked(rotations[:, knee])
        said = np.maximum(turn[:, 0], 0)
        lost = said - likeliest_bend(said, std_rad[:, knee], scale_rad)
        about_x = np.stack([lost, np.zeros_like(lost), np.zeros_like(lost)], -1)
        rotations[:, knee] = rotvec_to_rotmat(turn - about_x)
        half = rotvec_to_rotmat(0.5 * about_x)
        rotations[:, hip] = rotations[:, hip] @ half
        rotations[:, ankle] = rotations[:, ankle] @ half
    return rotations
