"""Small turns and headings: the calculus of rotations behind the energies.

A rotation R is varied in the world, R -> Exp(w) R, w in rad. World axes: z up.
"""

from __future__ import annotations

import numpy as np
import roma
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.glamr.ego import about_z, heading_rad

Floats = NDArray[np.float64]

UP = np.array([0.0, 0.0, 1.0])


def exp(turn_rad: Floats) -> Floats:
    """Axis-angle (..., 3) -> rotations (..., 3, 3)."""
    return Rotation.from_rotvec(turn_rad.reshape(-1, 3)).as_matrix().reshape(*turn_rad.shape, 3)


def log(rotation: Floats) -> Floats:
    """Rotations (..., 3, 3) -> axis-angle (..., 3) rad."""
    return Rotation.from_matrix(rotation.reshape(-1, 3, 3)).as_rotvec().reshape(rotation.shape[:-1])


def cross_matrix(v: Floats) -> Floats:
    """(..., 3) -> (..., 3, 3), the matrix [v]x with [v]x u = v x u."""
    matrix = np.zeros((*v.shape, 3))
    matrix[..., 2, 1], matrix[..., 0, 2], matrix[..., 1, 0] = np.moveaxis(v, -1, 0)
    return matrix - np.swapaxes(matrix, -1, -2)


def log_jacobian(turn_rad: Floats) -> Floats:
    """J (..., 3, 3) with log(Exp(w) Exp(e)) = e + J w to first order; its transpose is that of Exp(e) Exp(w)."""
    angle = np.linalg.norm(turn_rad, axis=-1)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    # 1 / a² - cot(a / 2) / (2 a), which is 1/12 at zero
    square = np.where(small, 1 / 12, 1 / safe**2 - 1 / (2 * safe * np.tan(safe / 2)))
    K = cross_matrix(turn_rad)
    return np.eye(3) - K / 2 + square[..., None, None] * (K @ K)


def from_heading(rotation: Floats) -> Floats:
    """Roots (..., 3, 3) in the world -> (..., 3, 3), the turn about z from their heading's axes to the world's."""
    return about_z(heading_rad(torch.from_numpy(rotation))).numpy()


def heading_gradient(rotation: Floats) -> Floats:
    """How the heading of (..., 3, 3) grows with a small turn in the world, (..., 3)."""
    # Rolling an axis without spinning it leaves the heading; what remains is the turn about the half-way axis.
    up = rotation[..., :, 1]
    return (UP + up) / np.maximum(
        1 + up[..., 2:], 0.05
    )  # bounded near head down, where headings mean nothing


def nearest_rotation(matrix: Floats) -> Floats:
    """The rotations nearest to matrices (..., 3, 3): the projection of equation 15."""
    return roma.special_procrustes(torch.from_numpy(matrix)).numpy()
