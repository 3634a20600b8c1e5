"""People put on their keypoints, which were read from the same look that found them.

The maps say how a body is turned in depth; where its limbs are in the picture, heatmaps say more exactly. That is ours,
for weights that learned for less than an hour, and nothing of the paper's.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel, BodyParams
from choros.body.before import Before
from choros.body.gauss_newton import PosePrior
from choros.body.kinematics import rotation_matrices
from choros.body.onto_keypoints import KeypointFitRules, onto_keypoints, shown_enough
from choros.rotation import rotmat_to_rotvec_unchecked

Floats = NDArray[np.floating]


def put_on_keypoints(
    body: BodyModel,
    prior: PosePrior,
    rotations: Floats,  # (n, 24, 3, 3)
    betas: Floats,  # (n, 10)
    pelvis: Floats,  # (n, 3) metres
    keypoints_px: Floats,  # (n, 17, 3)
    K: NDArray[np.float64],
    rules: KeypointFitRules,
    before: Before | None = None,  # whose ``transl`` is where the pelvis is expected
) -> tuple[Floats, Floats]:
    """Rotations (n, 24, 3, 3) and pelves (n, 3) on the keypoints; of who shows too few, as they were."""
    plain = shown_enough(keypoints_px, rules)
    rotations, pelvis = rotations.copy(), pelvis.copy()
    if not plain.any():
        return rotations, pelvis
    shapes = torch.from_numpy(betas[plain]).to(body.dtype)
    at_rest = body.rest_joints(shapes)[:, 0].double().numpy(force=True)
    turns = torch.from_numpy(rotmat_to_rotvec_unchecked(rotations[plain].astype(np.float64))).to(body.dtype)
    transl = torch.from_numpy(pelvis[plain] - at_rest).to(body.dtype)
    said = BodyParams(turns[:, 0], turns[:, 1:].flatten(1), shapes, transl)
    if before is not None:
        before = before.of(plain)
        before = before._replace(transl=before.transl - at_rest)
    fitted = onto_keypoints(body, prior, said, keypoints_px[plain], K, rules, before)
    every = torch.cat([fitted.global_orient, fitted.body_pose], -1)
    rotations[plain] = rotation_matrices(every.double()).numpy(force=True)
    pelvis[plain] = fitted.transl.double().numpy(force=True) + at_rest
    return rotations, pelvis
