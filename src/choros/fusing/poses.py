"""Bodies put on the keypoints of several cameras at once: the fit of ``body.gauss_newton`` with more than one picture.

Whole arrays in NumPy: people are few here beside those of a tracker, and each is fitted once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.body.gauss_newton import FREE, MOVES, FitConfig, Points, PosePrior, place_points
from choros.body.kinematics import posed_joints
from choros.rotation import cross_matrix, rotmat_to_rotvec_unchecked, rotvec_to_rotmat

Floats = NDArray[np.float64]

CHUNK = 128  # rows fitted at once
LONGEST_STEP = 0.5  # rad and metres
NEAREST_M = 0.2


class Sight(NamedTuple):
    """What one camera saw of n people."""

    T_camera_space: Floats  # (n, 4, 4)
    plane: Floats  # (n, 17, 2) on the plane z = 1
    std: Floats  # (n, 17) infinite where there is no keypoint


class Expected(NamedTuple):
    """What n poses are taken to be, but for what is seen."""

    rotations: Floats  # (n, 24, 3, 3)
    rotation_std: Floats  # (n, 24) rad
    transl: Floats  # (n, 3) metres
    transl_information: Floats  # (n, 3, 3)


@dataclass(frozen=True)
class ManyViewsConfig:
    """Weights, beside those of a fit to one picture."""

    steps: int = 8
    fit: FitConfig = field(default_factory=FitConfig)


def fit_to_sights(
    points: Points,
    prior: PosePrior,
    betas: Floats,
    expected: Expected,
    sights: list[Sight],
    config: ManyViewsConfig,
) -> tuple[Floats, Floats]:
    """Rotations (n, 24, 3, 3) and transl (n, 3) that agree best with all sights; shapes ``betas`` (n, 11) are held."""
    rotations, transl = expected.rotations.copy(), expected.transl.copy()
    for start in range(0, len(betas), CHUNK):
        some = slice(start, start + CHUNK)
        rotations[some], transl[some] = _fitted(
            points, prior, betas[some], Expected._make(part[some] for part in expected),
            [Sight._make(part[some] for part in sight) for sight in sights], config,
        )  # fmt: skip
    return rotations, transl


def _fitted(
    points: Points,
    prior: PosePrior,
    betas: Floats,
    expected: Expected,
    sights: list[Sight],
    config: ManyViewsConfig,
) -> tuple[Floats, Floats]:
    n, free = len(betas), len(FREE)
    rest, offsets = points.shaped(betas)
    rotations, transl = expected.rotations.copy(), expected.transl.copy()
    weights = points.weights @ MOVES.T  # (17, 24) how much of a keypoint a joint moves
    body = np.concatenate([np.arange(3) + 3 * (joint - 1) for joint in FREE if joint])
    pull = config.fit.prior_weight * prior.information
    for _ in range(config.steps):
        turned, places = posed_joints(rotations, rest)
        below = np.einsum("aj,nkjc->nkac", MOVES, place_points(points, offsets, turned, places))
        levers = below - weights[..., None] * places[:, None]  # (n, 17, 24, 3)
        J = np.zeros((n, 17, 3, 3 * free + 3))
        turns = -cross_matrix(levers[:, :, FREE]) @ turned[:, None, FREE]  # (n, 17, free, 3, 3)
        J[..., : 3 * free] = turns.transpose(0, 1, 3, 2, 4).reshape(n, 17, 3, 3 * free)
        J[..., 3 * free :] = np.eye(3)
        A, g = np.zeros((n, 3 * free + 3, 3 * free + 3)), np.zeros((n, 3 * free + 3))
        for sight in sights:
            _add_sight(A, g, J, below[:, :, 0] + transl[:, None], sight, config.fit.keypoint_robust)
        precision = expected.rotation_std[:, FREE] ** -2.0
        away = rotmat_to_rotvec_unchecked(expected.rotations[:, FREE].swapaxes(-1, -2) @ rotations[:, FREE])
        diagonal = np.arange(3 * free)
        A[:, diagonal, diagonal] += np.repeat(precision, 3, axis=1)
        g[:, : 3 * free] += (precision[..., None] * away).reshape(n, -1)
        pose = rotmat_to_rotvec_unchecked(rotations[:, 1:22]).reshape(n, 63) - prior.mean
        A[:, 3 : 3 * free, 3 : 3 * free] += pull[np.ix_(body, body)]
        g[:, 3 : 3 * free] += pose @ pull[:, body]
        A[:, 3 * free :, 3 * free :] += expected.transl_information
        g[:, 3 * free :] += (expected.transl_information @ (transl - expected.transl)[..., None])[..., 0]
        every = np.arange(3 * free + 3)
        A[:, every, every] *= 1 + config.fit.damping
        step = -np.linalg.solve(A, g[..., None])[..., 0]
        turn = step[:, : 3 * free].reshape(n, free, 3)
        angle = np.linalg.norm(turn, axis=-1, keepdims=True)
        turn = turn * np.minimum(1, LONGEST_STEP / np.maximum(angle, 1e-9))
        rotations[:, FREE] = rotations[:, FREE] @ rotvec_to_rotmat(turn)
        transl = transl + np.clip(step[:, 3 * free :], -LONGEST_STEP, LONGEST_STEP)
    return rotations, transl


def _add_sight(A: Floats, g: Floats, J: Floats, points_space: Floats, sight: Sight, robust: float) -> None:
    """Adds what a camera saw of keypoints (n, 17, 3) to the normal equations; far ones count less (Geman-McClure)."""
    R, t = sight.T_camera_space[:, None, :3, :3], sight.T_camera_space[:, None, :3, 3]
    at = (R @ points_space[..., None])[..., 0] + t
    depth = np.maximum(at[..., 2:], NEAREST_M)
    seen_px = at[..., :2] / depth
    inverse = np.where(np.isfinite(sight.std), 1 / sight.std, 0.0)[..., None]
    residual = (seen_px - sight.plane) * inverse
    weight = 1 / (1 + (residual**2).sum(-1, keepdims=True) / robust**2)
    projection = (R[..., :2, :] - seen_px[..., None] * R[..., 2:, :]) / depth[..., None]  # (n, 17, 2, 3)
    rows = ((weight * inverse)[..., None] * projection) @ J
    rows = rows.reshape(len(A), -1, A.shape[-1])
    A += rows.swapaxes(-1, -2) @ rows
    g += (rows.swapaxes(-1, -2) @ (weight * residual).reshape(len(A), -1, 1))[..., 0]
