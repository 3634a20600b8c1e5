"""The egocentric trajectory (GLAMR, section 3.2 and appendix D): where a person goes, said from where they were.

A path in the world becomes changes from frame to frame, seen along the person's own heading, and back; both
ways are exact, differentiable and batched over leading dimensions. The world has z up; root rotations carry
SMPL's axes (x left, y up, z forward) into it.

The eleven numbers of a frame t:

    STEP    0:2   metres from the root's place at t - 1 to that at t, in the heading's axes of t - 1:
                  to the person's right, forward. At t = 0: the place x, y in the world.
    HEIGHT  2     of the root above z = 0, metres
    TURN    3:5   cos and sin of the heading's change from t - 1 to t. At t = 0: of the heading in the world.
    TILT    5:11  the root's rotation with the heading taken off, as its first two columns: where the
                  person's left and up point in the heading's axes

The paper counts ten, with the change of heading as an angle; its published code and we say it without a jump.
"""

from __future__ import annotations

import torch
from torch import Tensor

from choros.rotation import columns_to_rotmat, heading_rad, rotmat_about, rotmat_to_columns

STEP, HEIGHT, TURN, TILT = slice(0, 2), slice(2, 3), slice(3, 5), slice(5, 11)
N_EGO = 11


def global_to_ego(transl: Tensor, global_orient: Tensor) -> Tensor:
    """The root's path in the world, T >= 1 frames, as an egocentric trajectory (equations 5 to 7).

    ``transl`` (..., T, 3) metres: the places of the pelvis itself; ``global_orient`` (..., T, 3, 3).
    Returns (..., T, 11).
    """
    heading = heading_rad(global_orient)
    before = torch.cat([torch.zeros_like(heading[..., :1]), heading[..., :-1]], -1)
    came_from = torch.cat([torch.zeros_like(transl[..., :1, :2]), transl[..., :-1, :2]], -2)
    step = _turned(transl[..., :2] - came_from, -before)
    turn = heading - before
    tilt = rotmat_about("z", -heading) @ global_orient
    turned = torch.stack([turn.cos(), turn.sin()], -1)
    return torch.cat([step, transl[..., 2:], turned, rotmat_to_columns(tilt)], -1)


def ego_to_global(ego: Tensor, start: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """An egocentric trajectory (..., T, 11) as a path: places (..., T, 3) metres, rotations (..., T, 3, 3).

    ``start`` (..., 3) is x and y in metres and the heading in rad at the first frame; what ``ego`` says of
    that frame if not given. TURN and TILT may have any length, as networks and solvers leave them. Exactly
    what `global_to_ego` was given; and it gives exactly ``ego`` again wherever a tilt has no heading of its own.
    """
    turn = torch.atan2(ego[..., 4], ego[..., 3])
    step = ego[..., STEP]
    if start is not None:
        turn = torch.cat([start[..., None, 2].expand_as(turn[..., :1]), turn[..., 1:]], -1)
        step = torch.cat([start[..., None, :2].expand_as(step[..., :1, :]), step[..., 1:, :]], -2)
    heading = turn.cumsum(-1)
    before = torch.cat([torch.zeros_like(heading[..., :1]), heading[..., :-1]], -1)
    place = _turned(step, before).cumsum(-2)
    rotations = rotmat_about("z", heading) @ columns_to_rotmat(ego[..., TILT])
    return torch.cat([place, ego[..., HEIGHT]], -1), rotations


def _turned(flat: Tensor, angle_rad: Tensor) -> Tensor:
    """(..., 2) turned counter-clockwise by (...)."""
    x, y = flat.unbind(-1)
    cos, sin = angle_rad.cos(), angle_rad.sin()
    return torch.stack([cos * x - sin * y, sin * x + cos * y], -1)
