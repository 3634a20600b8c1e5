"""Forward kinematics of SMPL's tree: the hot path of lifting, tracking and training.

SMPL numbers its joints by depth, so that joints of equal depth are neighbours: they move together, and a pose
costs eight small matrix products whatever the batch. In torch as systems and training need it; in NumPy, where torch
need not be loaded, for the fit (``gauss_newton``) and for whoever reads a motion (``posed``). The compiled loops of
``least_squares`` have a third, for one person and without arrays in between; the tests compare all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from choros.rotation import rotvec_to_rotmat
from choros.skeleton import PARENTS

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]

#: For each depth below the root: its joints, and where their parents stand in the level above.
LEVELS: tuple[tuple[slice, slice | list[int]], ...] = (
    (slice(1, 4), slice(0, 1)),  # hips and spine1, all on the pelvis
    (slice(4, 7), slice(0, 3)),
    (slice(7, 10), slice(0, 3)),
    (slice(10, 15), [0, 1, 2, 2, 2]),  # feet; neck and collars on spine3
    (slice(15, 18), slice(2, 5)),
    (slice(18, 20), slice(1, 3)),
    (slice(20, 22), slice(0, 2)),
    (slice(22, 24), slice(0, 2)),
)

#: The same, with the parents as they stand among all joints.
_AMONG_ALL: tuple[tuple[slice, slice | list[int]], ...] = tuple(
    (
        joints,
        slice(above.start + parents.start, above.start + parents.stop)
        if isinstance(parents, slice)
        else [above.start + parent for parent in parents],
    )
    for above, (joints, parents) in zip(
        (slice(0, 1), *(joints for joints, _ in LEVELS)), LEVELS, strict=False
    )
)


def rotation_matrices(axis_angle: Tensor) -> Tensor:
    """(..., 3 J) axis-angle in radians -> (..., J, 3, 3); gradients are finite at zero too."""
    return rotvec_to_rotmat(axis_angle.unflatten(-1, (-1, 3)))


def forward_kinematics(rotations: Tensor, joints_rest: Tensor) -> tuple[Tensor, Tensor]:
    """Turn every joint by its local rotation.

    Takes local rotations (..., 24, 3, 3) and rest joints (..., 24, 3) in metres; gives global rotations
    (..., 24, 3, 3) and each joint's displacement from its rest place (..., 24, 3). SMPL, equation 4; in
    displacements, so that a pose of zeros leaves every joint exactly where it rests.
    """
    import torch

    bones = joints_rest[..., 1:, :] - joints_rest[..., PARENTS[1:], :]
    bones = bones.expand(*rotations.shape[:-3], -1, -1)
    links = torch.cat([rotations[..., 1:, :, :], bones[..., None]], -1)  # (..., 23, 3, 4)
    turn = rotations[..., :1, :, :]
    shift = torch.zeros_like(turn[..., 0])
    turns, shifts = [turn], [shift]
    for joints, parents in LEVELS:
        below = slice(joints.start - 1, joints.stop - 1)
        moved = turn[..., parents, :, :] @ links[..., below, :, :]
        shift = shift[..., parents, :] + (moved[..., 3] - bones[..., below, :])
        turn = moved[..., :3]
        turns.append(turn)
        shifts.append(shift)
    return torch.cat(turns, -3), torch.cat(shifts, -2)


def global_rotations(rotations: Floats) -> Floats:
    """Global rotations (..., 24, 3, 3) from local ones, in NumPy."""
    turned = rotations.copy()
    for joints, parents in _AMONG_ALL:
        np.matmul(turned[..., parents, :, :], rotations[..., joints, :, :], out=turned[..., joints, :, :])
    return turned


def joint_places(turned: Floats, joints_rest: Floats, pelvis: Floats | None = None) -> Floats:
    """Joints (..., 24, 3), from global rotations (..., 24, 3, 3) and rest joints (..., 24, 3).

    The root is at ``pelvis`` (..., 3), in metres as all; before ``transl``, where it rests, if that is not said.
    """
    places = np.empty(np.broadcast_shapes(joints_rest.shape, turned.shape[:-1]))
    places[..., 0, :] = joints_rest[..., 0, :] if pelvis is None else pelvis
    for joints, parents in _AMONG_ALL:
        bones = joints_rest[..., joints, :] - joints_rest[..., parents, :]
        swung = (turned[..., parents, :, :] @ bones[..., None])[..., 0]
        places[..., joints, :] = places[..., parents, :] + swung
    return places


def posed_joints(
    rotations: Floats, joints_rest: Floats, pelvis: Floats | None = None
) -> tuple[Floats, Floats]:
    """``forward_kinematics`` in NumPy, but with the joints' places instead of displacements.

    Takes local rotations (..., 24, 3, 3) and rest joints (..., 24, 3) in metres, and ``pelvis`` as ``joint_places``
    does; gives global rotations and joints of these shapes.
    """
    turned = global_rotations(rotations)
    return turned, joint_places(turned, joints_rest, pelvis)
