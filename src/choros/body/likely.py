"""Of several likely bodies the one that agrees best with keypoints, past and network together, on the keypoints.

A network proposes `Hypotheses`; the likeliest of them are put on the keypoints by the fit of ``gauss_newton.py``, and
the one that keeps least against all is taken. Without a past it is one picture's answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.body.before import Before
from choros.body.fit import fit_doubting, misfit, of_some
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
from choros.body.hypotheses import Hypotheses
from choros.body.kinematics import posed_joints
from choros.body.knees import stand_on_likely_knees
from choros.keypoints import keypoint_std

#: Of the world's up, in camera axes, and its standard deviation, rad: nothing is known.
UNKNOWN_UP: tuple[Floats, float] = (np.array([0.0, -1.0, 0.0]), np.inf)


@dataclass(frozen=True)
class LiftConfig:
    """``refine`` off leaves the network's likeliest estimate as it is."""

    refine: bool = True
    tried: int = 3  # likeliest hypotheses that are put on the keypoints before one is chosen
    chance_weight: float = 4.0  # of a hypothesis' log chance against squared errors in standard deviations
    keypoint_share: float = 0.7  # of the errors that keypoints are known to have
    from_afar: float = 3.0  # times those errors for the first steps, so that limbs far off are drawn in too
    network_robust: float = 1.5  # standard deviations at which keypoints make the network's word doubtful
    straight_rad: float = 0.12  # bend of a knee that begins to be unlikely; see ``knees.py``
    fit: FitConfig = field(default_factory=lambda: FitConfig(steps=3))


class Chosen(NamedTuple):
    """n people in camera axes."""

    rotations: Floats  # (n, 24, 3, 3) global_orient, body_pose
    transl: Floats  # (n, 3) metres
    error: Floats  # (n,) rms reprojection error, in standard deviations of the keypoints
    which: NDArray[np.intp]  # (n,) of the hypotheses


@dataclass(frozen=True)
class Sight:
    """What a picture shows of n people."""

    keypoints: NDArray[Any]  # (n, 17, 3) x_px, y_px, confidence
    K: Floats  # (3, 3) px
    spread: Floats  # (n,) of the keypoints on the plane z = 1, as of `PersonView`
    before: Before
    up: tuple[Floats, float] = UNKNOWN_UP


def likeliest(
    points: Points, prior: PosePrior, sight: Sight, found: Hypotheses, betas: Floats, config: LiftConfig
) -> Chosen:
    """The hypothesis of each person that agrees best with everything; ``betas`` (n, 10), or (n, 11), are held."""
    n = len(sight.keypoints)
    # Everybody's likeliest hypotheses, side by side: row i belongs to person who[i].
    chances = float64(found.log_chance)
    tried = np.argsort(-chances, axis=-1)[:, : config.tried if config.refine else 1]
    who, which = np.repeat(np.arange(n), tried.shape[1]), tried.ravel()
    std_rad = float64(found.std_rad)[who, which]
    rotations = stand_on_likely_knees(float64(found.rotations)[who, which], std_rad, config.straight_rad)
    pelvis_rest = points.shaped(betas)[0][:, 0]
    transl = float64(found.pelvis_cam)[who, which] - pelvis_rest[who]
    if not (config.refine and n):
        return Chosen(rotations, transl, np.zeros(n), which)
    target = _target(sight, found, who, which, rotations, transl, config)
    fitted, target = fit_doubting(
        points, prior, betas[who], rotations, transl, target, config.fit,
        from_afar=config.from_afar, doubt_from=config.network_robust,
    )  # fmt: skip
    cost = misfit(fitted, target) - config.chance_weight * chances[who, which]
    best = np.arange(n) * tried.shape[1] + cost.reshape(n, -1).argmin(-1)
    fitted = fit(
        points, prior, betas, fitted.rotations[best], fitted.transl[best], of_some(target, best), config.fit
    )
    return Chosen(fitted.rotations, fitted.transl, fitted.error, which[best])


def joint_doubt(points: Points, found: Hypotheses, betas: Floats, chosen: NDArray[np.intp]) -> Floats:
    """The error of each joint (n, 24), metres, to be expected of the ``chosen`` hypotheses, over what may be true.

    If it is this one, the network says how far off it is; if it is another, it is off by what lies between.
    """
    people = np.arange(len(betas))
    chance, std_m = np.exp(float64(found.log_chance)), float64(found.std_m)
    hypotheses = chance.shape[1]
    rest = np.repeat(points.shaped(betas)[0], hypotheses, 0)
    turned = float64(found.rotations).reshape(-1, 24, 3, 3)
    places = posed_joints(turned, rest)[1].reshape(len(betas), hypotheses, 24, 3)
    places = places - places[:, :, :1]
    between = np.linalg.norm(places - places[people, chosen][:, None], axis=-1)
    return np.asarray((chance[..., None] * np.hypot(std_m, between)).sum(1), np.float64)


def _target(
    sight: Sight,
    found: Hypotheses,
    who: NDArray[np.intp],  # (m,) the person of each hypothesis that is fitted
    which: NDArray[np.intp],  # (m,) which of theirs it is
    rotations: Floats,  # (m, 24, 3, 3) theirs
    transl: Floats,  # (m, 3)
    whole: LiftConfig,
) -> Target:
    config, (keypoints, K, before) = whole.fit, (sight.keypoints, sight.K, sight.before)
    plane = (keypoints[..., :2] - K[:2, 2]) / [K[0, 0], K[1, 1]]
    confidence = np.clip(keypoints[..., 2].astype(np.float64), 1e-3, 1)
    size = 3.5 * sight.spread[:, None]  # of a person standing, from the spread of the keypoints
    std = whole.keypoint_share * size * keypoint_std(confidence)
    std[confidence < config.min_confidence] = np.inf

    before = before.of(who)
    depth = transl[:, 2] * float64(found.std_log_depth)[who, which]
    expected, information = before.placed(transl, place_information(transl, depth, 0.5 * depth), config)
    previous, previous_std = before.turned(rotations, config)
    std_rad = float64(found.std_rad)[who, which]
    if np.isfinite(sight.up[1]):  # something else knows the camera's pitch, which the network can only guess
        std_rad[:, 0] *= config.root_doubt
    return Target(
        plane[who],
        std[who],
        rotations,
        std_rad,
        previous,
        previous_std,
        expected,
        information,
        *sight.up,
    )
