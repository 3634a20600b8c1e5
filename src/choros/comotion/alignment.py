"""Bodies fitted to the peaks of the keypoint heatmaps after the network's update.

The network gives poses to about the width of a limb; the distances of its joints from the heatmaps' peaks can be
measured, and least squares reduce them. That is ours, for the small size, whose
heatmaps are better than its update. Each peak counts for those who are nearest to it, so nobody is drawn onto
somebody else's body; who shows nothing stays as the network says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from choros.body.gauss_newton import (
    FitConfig,
    Floats,
    Points,
    PosePrior,
    Target,
    fit,
    float64,
    place_information,
)
from choros.camera import unproject
from choros.comotion.encoder import ImageTokens
from choros.comotion.heatmap_sampling import CERTAIN, read
from choros.comotion.person_states import NEAR_M, PersonStates, project_safely
from choros.keypoints import RELATIVE_SIGMAS


@dataclass(frozen=True)
class AlignmentConfig:
    """Weights of the fit. Errors are standard deviations, those of keypoints in sizes of the person."""

    spreads: tuple[float, ...] = (0.15, 0.06)  # of the windows, one for each step: from afar, then close
    keypoint_std: float = 0.03  # where the heatmap is certain
    least_logit: float = -2.0  # heights below are nothing
    turn_std_rad: float = 0.2  # of a joint, about what the network says
    depth_std: float = 0.02  # share of the distance, about what the network says
    side_std_m: float = 0.15
    fit: FitConfig = field(default_factory=lambda: FitConfig(steps=1))


def align(
    points: Points,
    image: ImageTokens,
    people: PersonStates,
    K: Tensor,
    height_m: float,
    config: AlignmentConfig,
) -> PersonStates:
    """``people`` of B frames, seen through ``K`` (B, 3, 3), with their bodies on the heatmaps of ``image``.

    ``points`` are of their body, and ``height_m`` is what people measure themselves by. Shapes, hidden states and the
    padding are left alone, and so is who is beside or behind the camera.
    """
    which = people.present & (people.pelvis_cam[..., 2] > NEAR_M)
    if not which.any():
        return people
    rotations, betas, pelvis_cam = (
        float64(part[which]) for part in (people.rotations, people.betas, people.pelvis_cam)
    )
    pelvis_at_rest = points.shaped(betas)[0][:, 0]
    transl = pelvis_cam - pelvis_at_rest
    K_of = float64(K[:, None].expand(*which.shape, 3, 3)[which])[:, None]  # (n, 1, 3, 3)
    focal_px = K_of[:, 0, 0, 0]

    size_px = height_m * focal_px / pelvis_cam[:, 2]
    along_m = config.depth_std * pelvis_cam[:, 2]
    said = Target(
        keypoints_plane=np.zeros((len(betas), 17, 2)),
        keypoint_std=np.full((len(betas), 17), np.inf),
        rotations=rotations,
        rotation_std=np.full((len(betas), 24), config.turn_std_rad),
        previous=rotations,
        previous_std=np.full(len(betas), np.inf),
        transl=transl,
        transl_information=place_information(transl, along_m, np.full_like(along_m, config.side_std_m)),
        up_cam=np.array([0.0, -1.0, 0.0]),
        up_std=np.inf,
    )
    for spread in config.spreads:
        at_cam = points.keypoints(betas, rotations, transl)
        in_front = at_cam[..., 2] > NEAR_M
        at_px = project_safely(torch.from_numpy(at_cam), torch.from_numpy(K_of)).numpy()
        shown_px, logits = _shown(image, which, at_px, size_px, spread)
        certainty = 1 / (1 + np.exp(-(logits + 1)))
        std = config.keypoint_std * (size_px / focal_px)[:, None] * RELATIVE_SIGMAS / certainty
        target = said._replace(
            keypoints_plane=unproject(shown_px, np.ones(logits.shape), K_of)[..., :2],
            keypoint_std=np.where(in_front & (logits > config.least_logit), std, np.inf),
        )
        fitted = fit(points, PosePrior.none(), betas, rotations, transl, target, config.fit)
        rotations, transl = fitted.rotations, fitted.transl

    aligned_rotations, aligned_pelvis = people.rotations.clone(), people.pelvis_cam.clone()
    aligned_rotations[which] = torch.from_numpy(rotations).to(aligned_rotations)
    aligned_pelvis[which] = torch.from_numpy(transl + pelvis_at_rest).to(aligned_pelvis)
    return people._replace(rotations=aligned_rotations, pelvis_cam=aligned_pelvis)


def _shown(
    image: ImageTokens, which: Tensor, at_px: Floats, size_px: Floats, spread: float
) -> tuple[Floats, Floats]:
    """Where the heatmaps show keypoints near ``at_px`` (n, 17, 2) px, and their logits (n, 17).

    They are those of the n slots of ``which`` (B, N) bool, in its order.
    """
    at = torch.zeros(*which.shape, 17, 2, device=which.device)
    at[which] = torch.as_tensor(at_px).to(at)
    size = torch.ones(which.shape, device=which.device)
    size[which] = torch.as_tensor(size_px).to(size)
    told = read(image, at, size, (spread,), which)[which]
    shown = float64(told[:, :, 0])  # (n, 17, 4)
    return at_px + shown[..., :2] * size_px[:, None, None], CERTAIN * shown[..., 3]
