"""People whom a network's maps or tokens showed, put on the keypoints that are found of them.

Features of a whole picture tell how a body is turned in depth, and where it is when nothing else is seen of it;
keypoints say more exactly where its limbs are in the picture. The more a body disagrees with its keypoints, the less
its pose is trusted. Which keypoints are whose, and what a system carries of its people, is the system's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from choros.body.before import Before
from choros.body.fit import KeypointFitConfig, fit_to_keypoints, sizes_off
from choros.body.gauss_newton import FitConfig, PosePrior
from choros.body.model import BodyModel, BodyParams

Floats = NDArray[np.floating]

#: Nearer to the camera than this, a point of a body is no place in the picture, metres.
NEAR_M = 0.1


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


def shown_enough(keypoints_px: Floats, rules: KeypointFitRules) -> NDArray[np.bool_]:
    """Which of n people show enough of their keypoints (n, 17, 3) to be put on them."""
    return np.asarray((keypoints_px[..., 2] >= rules.confident).sum(-1) >= rules.min_keypoints)


def onto_keypoints(
    body: BodyModel,
    prior: PosePrior,
    said: BodyParams,
    keypoints_px: Floats,
    K: NDArray[np.float64],
    rules: KeypointFitRules,
    before: Before | None = None,
) -> BodyParams:
    """n people as a network ``said``, in camera axes, on their ``keypoints_px`` (n, 17, 3) of the picture of ``K``.

    ``before`` is how they were, from which they go on smoothly; its ``transl`` is where they are expected. Shapes are
    left alone.
    """
    ahead = said.transl.clone()
    ahead[:, 2] = ahead[:, 2].clamp_min(rules.nearest_m)
    begun = said._replace(transl=ahead)
    trust = np.interp(
        sizes_off(body, begun, keypoints_px, K, rules.confident, NEAR_M),
        rules.agree,
        (rules.agreeing_std_rad, rules.fit.pose_std_rad),
    )
    return fit_to_keypoints(body, begun, keypoints_px, K, prior, rules.fit, trust, before).params
