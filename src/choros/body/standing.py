"""Somebody who stands upright before the camera and faces it: what is assumed of people before they are looked at."""

from __future__ import annotations

import torch
from torch import Tensor

from choros.rotation import rotmat_about
from choros.skeleton import JOINT_NAMES

#: Arms hang this far below SMPL's T when nothing else is known, rad.
ARMS_DOWN_RAD = 1.1


def standing_rotations() -> Tensor:
    """Someone standing and facing the camera, arms hanging: (24, 3, 3) in an OpenCV camera's axes."""
    rotations = torch.eye(3).repeat(24, 1, 1)
    rotations[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    for name, side in (("left_shoulder", -1), ("right_shoulder", 1)):
        turn = rotmat_about("z", side * ARMS_DOWN_RAD)  # z points forward
        rotations[JOINT_NAMES.index(name)] = torch.from_numpy(turn)
    return rotations
