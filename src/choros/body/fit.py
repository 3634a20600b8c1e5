"""Bodies put on keypoints that somebody found in a picture, whatever network proposed the bodies.

`fit_to_keypoints` is all that most callers need. Systems that know more than a pose to begin with (how sure their
network is, the frame before, which way is up) write a `Target` of ``gauss_newton.py`` themselves and give it to
`fit_doubting`. The solver, its unknowns and what it holds are described there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body.before import Before
from choros.body.gauss_newton import (
    Fit,
    FitConfig,
    Floats,
    Points,
    PosePrior,
    Target,
    fit,
    float64,
    place_information,
)
from choros.body.kinematics import rotation_matrices
from choros.body.model import BodyModel, BodyParams
from choros.camera import project_in_front, unproject
from choros.errors import ChorosError, NotNumbers
from choros.keypoints import keypoint_std
from choros.rotation import rotmat_to_rotvec_unchecked

#: How tall someone in a picture is taken to be where the error of keypoints is told in sizes of the person, metres.
HEIGHT_M = 1.7


@dataclass(frozen=True)
class KeypointFitConfig:
    """How much the poses that a fit begins with are trusted beside the keypoints. Errors are standard deviations."""

    pose_std_rad: float = 0.3  # of each joint's turn
    depth_std: float = 0.15  # of the place along the ray to it, as a share of the distance
    side_std: float = 0.1  # and across
    from_afar: float = (
        3.0  # times the keypoints' errors for the first steps, so that limbs far off are drawn in too
    )
    doubt_from: float = 1.5  # errors of a joint's turn from which what the fit began with counts less
    fit: FitConfig = field(default_factory=lambda: FitConfig(steps=5))


class FittedBodies(NamedTuple):
    """n people on their keypoints."""

    params: BodyParams  # of the betas that the fit began with
    error: Floats  # (n,) rms reprojection error in standard deviations of the keypoints; 0 without keypoints


def fit_to_keypoints(
    body: BodyModel,
    start: BodyParams,
    keypoints_px: NDArray[np.floating[Any]],
    K: Floats,
    prior: PosePrior | None = None,
    config: KeypointFitConfig | None = None,
    pose_std_rad: Floats | None = None,
    before: Before | None = None,
) -> FittedBodies:
    """The poses and places of n people that put their bodies on their keypoints; shapes are held.

    Args:
        body: whose COCO-17 keypoints are compared.
        start: n people in camera axes (OpenCV's, metres), in front of the camera, as some network proposes them.
        keypoints_px: (n, 17, 3) COCO-17 x_px, y_px, confidence 0..1.
        K: (3, 3) of the picture that they were found in.
        prior: over body poses; none holds any pose for as good as another.
        config: how much ``start`` is trusted.
        pose_std_rad: (n,) in place of the config's, where some are trusted more than others.
        before: how people were in an earlier frame and where they are expected, from which they go on smoothly; none
            fits this picture by itself.

    Raises:
        ChorosError: somebody begins at or behind the camera, or numbers of people differ.
    """
    config = config or KeypointFitConfig()
    points = Points.of(body)
    betas, transl = _shapes(start), float64(start.transl)
    if len(betas) != len(keypoints_px):
        raise ChorosError(f"{len(betas)} people and keypoints of {len(keypoints_px)}; give one row for each.")
    if not np.isfinite(transl).all():
        raise NotNumbers("a fit begins with places of people, not with what is no number.")
    if not (transl[:, 2] > 0).all():
        raise ChorosError("a fit begins with people in front of the camera; give transl with positive z.")
    axis_angle = torch.cat([torch.as_tensor(start.global_orient), torch.as_tensor(start.body_pose)], -1)
    rotations = float64(rotation_matrices(axis_angle.double()))
    trust = np.full(len(betas), config.pose_std_rad) if pose_std_rad is None else float64(pose_std_rad)
    before = Before.none(len(betas)) if before is None else before
    target = _target(rotations, transl, keypoints_px, K, config, trust, before)
    fitted, _ = fit_doubting(
        points, prior or PosePrior.none(), betas, rotations, transl, target, config.fit,
        from_afar=config.from_afar, doubt_from=config.doubt_from,
    )  # fmt: skip
    turns = torch.from_numpy(rotmat_to_rotvec_unchecked(fitted.rotations)).to(start.body_pose)
    params = start._replace(
        global_orient=turns[:, 0],
        body_pose=turns[:, 1:].flatten(1),
        transl=torch.from_numpy(fitted.transl).to(start.transl),
    )
    return FittedBodies(params, fitted.error)


def sizes_off(
    body: BodyModel,
    said: BodyParams,
    keypoints_px: NDArray[np.floating[Any]],
    K: Floats,
    confident: float,
    near_m: float,
) -> Floats:  # (n,)
    """How far the confident keypoints (n, 17, 3) are from those of the bodies, in sizes of the person: the median.

    What is nearer than ``near_m`` to the camera is infinitely far off.
    """
    points_px, _ = project_in_front(body.keypoints(said).double().numpy(force=True), K, near_m)
    away_px = np.linalg.norm(points_px - keypoints_px[..., :2], axis=-1)
    size_px = HEIGHT_M * K[0, 0] / said.transl[:, 2].double().numpy(force=True)
    away_px = np.where(np.isnan(away_px), np.inf, away_px)  # behind the camera
    seen = keypoints_px[..., 2] >= confident
    return np.asarray(np.nanmedian(np.where(seen, away_px, np.nan), -1) / size_px)


def _target(
    rotations: Floats,  # (n, 24, 3, 3) where to start
    transl: Floats,  # (n, 3) where to start
    keypoints_px: NDArray[np.floating[Any]],
    K: Floats,
    config: KeypointFitConfig,
    trust: Floats,  # (n,) rad, of ``rotations``
    before: Before,
) -> Target:
    """What the fit of bodies that some network proposed is to agree with."""
    places_px, confidence = np.split(np.asarray(keypoints_px, np.float64), [2], -1)
    confidence, depth = confidence[..., 0], transl[:, 2]
    std = (HEIGHT_M / depth)[:, None] * keypoint_std(confidence)
    previous, previous_std = before.turned(rotations, config.fit)
    information = place_information(transl, config.depth_std * depth, config.side_std * depth)
    expected, information = before.placed(transl, information, config.fit)
    return Target(
        keypoints_plane=unproject(places_px, np.ones(confidence.shape), K)[..., :2],
        keypoint_std=np.where(confidence >= config.fit.min_confidence, std, np.inf),
        rotations=rotations,
        rotation_std=np.tile(trust[:, None], 24),
        previous=previous,
        previous_std=previous_std,
        transl=expected,
        transl_information=information,
        up_cam=np.array([0.0, -1.0, 0.0]),
        up_std=np.inf,
    )


def _shapes(people: BodyParams) -> Floats:
    """Betas (n, 10), or with kid (n, 11)."""
    betas = float64(people.betas)
    return betas if people.kid is None else np.concatenate([betas, float64(people.kid)[:, None]], -1)


def fit_doubting(
    points: Points,
    prior: PosePrior,
    betas: Floats,  # (n, 10), or (n, 11) with kid
    rotations: Floats,  # (n, 24, 3, 3) where to start
    transl: Floats,  # (n, 3) where to start
    target: Target,
    config: FitConfig,
    *,
    from_afar: float,
    doubt_from: float,
) -> tuple[Fit, Target]:
    """``fit`` twice: with keypoints that draw from afar, then with the network's word in `doubted` where they disagree.

    Gives the fit, and the target that it was made for.
    """
    afar = target._replace(keypoint_std=from_afar * target.keypoint_std)
    fitted = fit(points, prior, betas, rotations, transl, afar, config)
    target = doubted(target, fitted.rotations, doubt_from)
    return fit(points, prior, betas, fitted.rotations, fitted.transl, target, config), target


def of_some(target: Target, which: NDArray[np.intp] | Sequence[int]) -> Target:
    """What is said of some of the people."""
    return target._replace(**{name: getattr(target, name)[which] for name in Target._fields[:8]})


def doubted(target: Target, rotations: Floats, robust: float) -> Target:
    """The network's rotations counting less where keypoints, at a first try, pulled joints far from them (Cauchy)."""
    away = np.linalg.norm(rotmat_to_rotvec_unchecked(target.rotations.swapaxes(-1, -2) @ rotations), axis=-1)
    return target._replace(
        rotation_std=target.rotation_std * np.sqrt(1 + (away / (robust * target.rotation_std)) ** 2)
    )


def misfit(fitted: Fit, target: Target) -> Floats:  # (n,)
    """What the fit could not bring together, squared, in standard deviations: keypoints, network and past."""
    shown = np.isfinite(target.keypoint_std).sum(-1)
    keypoints = 2 * shown * np.minimum(fitted.error, 4) ** 2

    def turned(reference: Floats, std_rad: Floats) -> Floats:
        between = rotmat_to_rotvec_unchecked(reference.swapaxes(-1, -2) @ fitted.rotations)
        angle = np.linalg.norm(between, axis=-1)[:, :22]
        return (np.minimum(angle / std_rad, 3) ** 2).sum(-1)

    return (
        keypoints
        + turned(target.rotations, target.rotation_std[:, :22])
        + turned(target.previous, target.previous_std[:, None])
    )
