"""Dual-quaternion skinning, and pose correctives that make linear skinning look like it.

Section 7 of `build_body.py`: linear blend skinning loses volume where a joint bends or twists; SMPL mends that
with vertex offsets linear in the rotation matrices of the pose, and so do we, fitted against dual-quaternion
blending (Kavan et al. 2007, "Skinning with Dual Quaternions").
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation


def quaternion_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product of (..., 4) quaternions wxyz."""
    aw, av, bw, bv = a[..., :1], a[..., 1:], b[..., :1], b[..., 1:]
    real = aw * bw - (av * bv).sum(-1, keepdims=True)
    return np.concatenate([real, aw * bv + bw * av + np.cross(av, bv)], -1)


def blend_dual_quaternions(
    vertices: np.ndarray, weights: np.ndarray, rotations: np.ndarray, shifts: np.ndarray,
    parents: tuple[int, ...] | None = None,
) -> np.ndarray:  # fmt: skip
    """Skin vertices (V, 3) with weights (V, B) and bone motions x -> rotations (B, 3, 3) x + shifts (B, 3).

    A quaternion and its negative are one rotation; `parents` chooses each bone's sign to agree with its parent,
    without it all bones are taken in the half with positive real part.
    """
    real = Rotation.from_matrix(rotations).as_quat()[:, [3, 0, 1, 2]]
    real *= np.where(real[:, :1] < 0, -1.0, 1.0)
    for j, parent in enumerate(parents or ()):
        if parent >= 0 and real[j] @ real[parent] < 0:
            real[j] *= -1
    dual = 0.5 * quaternion_product(np.concatenate([np.zeros((len(shifts), 1)), shifts], 1), real)
    q, d = weights @ real, weights @ dual
    norm = np.linalg.norm(q, axis=1, keepdims=True)
    q, d = q / norm, d / norm
    w, axis = q[:, :1], q[:, 1:]
    turned = vertices + 2 * np.cross(axis, np.cross(axis, vertices) + w * vertices)
    moved = 2 * (w * d[:, 1:] - d[:, :1] * axis + np.cross(axis, d[:, 1:]))
    return turned + moved


def fit_pose_dirs(
    template: np.ndarray,
    joints: np.ndarray,
    weights: np.ndarray,
    mirror: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """(V, 3, 207) offsets of SMPL's form; none yet."""
    return np.zeros((len(template), 3, 207))
