"""Rotations as networks say them: six numbers, two columns of the matrix (Zhou et al. 2019, section 4.2).

The map is continuous, which axis-angle is not: people upright in a camera's axes are half a turn from zero.
"""

from __future__ import annotations

import roma
import torch
from torch import Tensor


def rotations_from_columns(columns: Tensor) -> Tensor:
    """(..., 6): first and second column, of any length and angle -> rotation matrices (..., 3, 3).

    Exactly the rotation whose columns they are; else Gram and Schmidt's, which keeps the first's direction.
    """
    return roma.special_gramschmidt(columns.unflatten(-1, (2, 3)).mT)


def columns_of_rotations(rotations: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) -> their first two columns (..., 6)."""
    return torch.cat([rotations[..., 0], rotations[..., 1]], -1)
