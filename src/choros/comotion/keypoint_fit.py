"""Evidence at each person: who is detected is put on the keypoints that the crop network finds of them.

The update reads features of the whole picture, which differ between rendered and filmed people; keypoints hardly do.
So the network says how a body is turned in depth and where it is when nothing is seen of it, and least squares move it
onto what one look at the person by itself shows. That is ours, for weights that learned from rendered people, and
nothing of the paper's, whose update stands alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel, BodyParams
from choros.body.before import Before
from choros.body.fit import KeypointFitConfig, fit_to_keypoints, sizes_off
from choros.body.gauss_newton import FitConfig, PosePrior
from choros.body.kinematics import rotation_matrices
from choros.comotion.person_states import NEAR_M, PersonStates

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class KeypointFitRules:
    """All ours, chosen on pictures and made-up scenes that may be tuned on, as ``benchmarks/keypoint_fit.py`` says."""

    min_keypoints: int = 5  # confident ones, without which somebody stays as the network says; the lifter's
    confident: float = 0.3
    # Sizes of the person by which keypoints lie beside the network's body (median): up to the first its pose is trusted
    # to ``agreeing_std_rad``, from the second on to the fit's ``pose_std_rad``.
    agree: tuple[float, float] = (0.02, 0.04)
    agreeing_std_rad: float = 0.1
    # Of the speed by which they are expected somewhere; the lifter's.
    velocity_memory_s: float = 0.4
    depth_velocity_share: float = 0.4  # of what is learned of the speed along the ray: it is mostly noise
    max_speed_m_s: float = 4.0
    nearest_m: float = 0.5  # whom the network puts nearer, or behind the camera, begins there
    fit: KeypointFitConfig = field(
        default_factory=lambda: KeypointFitConfig(
            pose_std_rad=1.3,
            depth_std=0.3,
            side_std=0.3,
            # The past holds people less than in the lifter: the network's body is further from its keypoints.
            fit=FitConfig(
                steps=8, prior_weight=0.1, turn_std_rad_s=5.0, depth_std_m_s2=60.0, side_std_m_s2=200.0
            ),
        )
    )


def put_on_keypoints(
    body: BodyModel,
    prior: PosePrior,
    people: PersonStates,
    keypoints_px: Floats,
    K: NDArray[np.float64],
    rules: KeypointFitRules,
    before: Before | None = None,
) -> PersonStates:
    """``people`` (1, n) of one frame on their ``keypoints_px`` (n, 17, 3), in the picture of ``K`` (3, 3).

    ``before`` is how they were, from which they go on smoothly; its ``transl`` is where their pelvis is expected.
    Shapes and hidden states are left alone, and so is who shows too few keypoints.
    """
    plain = (keypoints_px[..., 2] >= rules.confident).sum(-1) >= rules.min_keypoints
    which = torch.from_numpy(plain)[None].to(people.present.device)
    if not plain.any():
        return people
    some = people.chosen(which[0])
    orient, pose, betas, transl = (part[0].cpu() for part in some.params(body)[:4])
    said = BodyParams(orient, pose, betas, transl)
    depth_m = said.transl[:, 2:].clamp_min(rules.nearest_m)
    begun = said._replace(transl=torch.cat([said.transl[:, :2], depth_m], -1))
    seen_px = keypoints_px[plain].astype(np.float64)
    trust = np.interp(
        sizes_off(body, begun, seen_px, K, rules.confident, NEAR_M),
        rules.agree,
        (rules.agreeing_std_rad, rules.fit.pose_std_rad),
    )
    if before is not None:
        pelvis_rest = (some.pelvis_cam[0].cpu() - said.transl).double().numpy()
        before = before.of(plain)
        before = before._replace(transl=before.transl - pelvis_rest)
    fitted = fit_to_keypoints(body, begun, seen_px, K, prior, rules.fit, trust, before).params
    turns = torch.cat([fitted.global_orient, fitted.body_pose], -1)
    rotations, pelvis_cam = people.rotations.clone(), people.pelvis_cam.clone()
    rotations[which] = rotation_matrices(turns.double()).to(rotations)
    pelvis_cam[which] = some.pelvis_cam[0] + (fitted.transl - said.transl).to(pelvis_cam)
    return people._replace(rotations=rotations, pelvis_cam=pelvis_cam)
