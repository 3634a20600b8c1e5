"""People put on their keypoints, which were read from the same look that found them.

The maps say how a body is turned in depth; where its limbs are in the picture, heatmaps say more exactly. That is ours,
for weights that learned for less than an hour, and nothing of the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel, BodyParams
from choros.body.fit import KeypointFitConfig, fit_to_keypoints, sizes_off
from choros.body.gauss_newton import FitConfig, PosePrior
from choros.body.kinematics import rotation_matrices
from choros.rotation import rotmat_to_rotvec_unchecked

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class TraceFitRules:
    """All ours; as CoMotion has them, for whose network they were chosen on pictures that may be tuned on."""

    min_keypoints: int = 5  # confident ones, without which somebody stays as the maps say
    confident: float = 0.3
    nearest_m: float = 0.5
    # Sizes of the person by which keypoints lie beside the body (median): up to the first its pose is trusted to
    # ``agreeing_std_rad``, from the second on to the fit's ``pose_std_rad``.
    agree: tuple[float, float] = (0.02, 0.04)
    agreeing_std_rad: float = 0.1
    fit: KeypointFitConfig = field(
        default_factory=lambda: KeypointFitConfig(
            pose_std_rad=1.3, depth_std=0.3, side_std=0.3, fit=FitConfig(steps=8, prior_weight=0.1)
        )
    )


def put_on_keypoints(
    body: BodyModel,
    prior: PosePrior,
    rotations: Floats,  # (n, 24, 3, 3)
    betas: Floats,  # (n, 10)
    pelvis: Floats,  # (n, 3) metres
    keypoints_px: Floats,  # (n, 17, 3)
    K: NDArray[np.float64],
    rules: TraceFitRules,
) -> tuple[Floats, Floats]:
    """Rotations (n, 24, 3, 3) and pelves (n, 3) on the keypoints; of who shows too few, as they were."""
    plain = (keypoints_px[..., 2] >= rules.confident).sum(-1) >= rules.min_keypoints
    rotations, pelvis = rotations.copy(), pelvis.copy()
    if not plain.any():
        return rotations, pelvis
    shapes = torch.from_numpy(betas[plain]).to(body.dtype)
    at_rest = body.rest_joints(shapes)[:, 0].double().numpy(force=True)
    begun = pelvis[plain].copy()
    nearer = np.maximum(begun[:, 2:], rules.nearest_m) / np.maximum(begun[:, 2:], 1e-3)
    begun = np.where(begun[:, 2:] >= rules.nearest_m, begun, begun * nearer)
    begun[:, 2] = np.maximum(begun[:, 2], rules.nearest_m)
    turns = torch.from_numpy(rotmat_to_rotvec_unchecked(rotations[plain])).to(body.dtype)
    transl = torch.from_numpy(begun - at_rest).to(body.dtype)
    start = BodyParams(turns[:, 0], turns[:, 1:].flatten(1), shapes, transl)
    seen_px = keypoints_px[plain]
    trust = np.interp(
        sizes_off(body, start, seen_px, K, rules.confident, 0.1),
        rules.agree,
        (rules.agreeing_std_rad, rules.fit.pose_std_rad),
    )
    fitted = fit_to_keypoints(body, start, seen_px, K, prior, rules.fit, trust).params
    every = torch.cat([fitted.global_orient, fitted.body_pose], -1)
    rotations[plain] = rotation_matrices(every.double()).numpy(force=True)
    pelvis[plain] = fitted.transl.double().numpy(force=True) + at_rest
    return rotations, pelvis
