"""Forward kinematics of SMPL's tree: the hot path of lifting, tracking and training.

Joints of equal depth move together, so a pose costs eight small matrix products whatever the batch.
"""

from __future__ import annotations

from itertools import pairwise

import roma
import torch
from torch import Tensor

from choros.body.skeleton import PARENTS


def _levels() -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """For each depth below the root: its joints, and where their parents stand in the level above."""
    depth = [0] * len(PARENTS)
    for j in range(1, len(PARENTS)):
        depth[j] = depth[PARENTS[j]] + 1
    ranks = [[j for j in range(len(PARENTS)) if depth[j] == d] for d in range(max(depth) + 1)]
    return tuple(
        (tuple(rank), tuple(above.index(PARENTS[j]) for j in rank)) for above, rank in pairwise(ranks)
    )


_LEVELS = _levels()
_ORDER = [0] + [j for joints, _ in _LEVELS for j in joints]
_UNORDER = [_ORDER.index(j) for j in range(len(PARENTS))]


def rotation_matrices(axis_angle: Tensor) -> Tensor:
    """(..., 3 J) axis-angle in radians -> (..., J, 3, 3); gradients are finite at zero too."""
    return roma.rotvec_to_rotmat(axis_angle.unflatten(-1, (-1, 3)))


def forward_kinematics(rotations: Tensor, joints_rest: Tensor) -> tuple[Tensor, Tensor]:
    """Turn every joint by its local rotation.

    Takes local rotations (..., 24, 3, 3) and rest joints (..., 24, 3) in metres; gives global rotations
    (..., 24, 3, 3) and each joint's displacement from its rest place (..., 24, 3). SMPL, equation 4; in
    displacements, so that a pose of zeros leaves every joint exactly where it rests.
    """
    turn, shift = rotations[..., :1, :, :], torch.zeros_like(joints_rest[..., :1, :])
    shift = shift.expand(*turn.shape[:-2], 3)
    turns, shifts = [turn], [shift]
    for joints, parents in _LEVELS:
        bone = joints_rest[..., joints, :] - joints_rest[..., [PARENTS[j] for j in joints], :]
        turn, shift = turn[..., parents, :, :], shift[..., parents, :]
        shift = shift + (turn @ bone[..., None])[..., 0] - bone
        turn = turn @ rotations[..., joints, :, :]
        turns.append(turn)
        shifts.append(shift)
    return torch.cat(turns, -3)[..., _UNORDER, :, :], torch.cat(shifts, -2)[..., _UNORDER, :]
