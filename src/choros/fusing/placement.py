"""Where one still camera's axes lie in another's: first from how people stand in both, then from their keypoints.

Somebody's pelvis is turned and placed in both views, which tells the turn well and the place as well as depths are
known. Keypoints of the same moment then lie on each other's epipolar lines (Sampson's distance; Hartley and Zisserman,
section 11.4.3), which tells the turn and the direction of the way far better. The way's length is the one with which
limbs between triangulated keypoints are as long as those of the bodies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from choros.fusing.views import LIMBS, Samples
from choros.rotation import cross_matrix, rotmat_geodesic_distance, rotvec_to_rotmat, special_procrustes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PlacementRules:
    """Chosen on scenes filmed from two sides."""

    tries: int = 100  # evaluations of all residuals
    moments: int = 100  # of people that are looked at, spread over all there are
    doubt_turn_rad: float = 0.15  # turns closer than that to the mean count alike
    doubt_place_m: float = 0.3
    place_std_m: float = 0.5  # of where the camera is by what people's depths say
    turn_std_rad: float = 0.05  # and of its turn by theirs
    independent: float = (
        100.0  # keypoints that say something of their own; those of one person err alike for long
    )
    robust: float = 1.5  # standard deviations of keypoints from which they are doubted
    length_std: float = 0.12  # of a triangulated limb, as a share of the body's
    least_rays_deg: float = 8.0  # between the rays to a triangulated keypoint, to tell lengths
    lengths: int = 30  # limbs that must be triangulated, to tell lengths


class Placement(NamedTuple):
    """T_first_second, and how well keypoints bear it out."""

    T: Floats  # (4, 4) from the second view's axes to the first's
    misfit: float  # median distance of keypoints from epipolar lines, in their standard deviations
    scale_told: bool  # whether the way's length is that of limbs


def stacked(samples: list[Samples]) -> Samples:
    """Those of several people as one."""
    return Samples._make(np.concatenate(parts) for parts in zip(*samples, strict=True))


def thinned(one: Samples, other: Samples, count: int) -> tuple[Samples, Samples]:
    """Up to ``count`` moments that are in both."""
    both = np.flatnonzero(one.there & other.there)
    some = (
        both[np.linspace(0, len(both) - 1, min(count, len(both))).round().astype(int)] if len(both) else both
    )
    return Samples._make(part[some] for part in one), Samples._make(part[some] for part in other)


def placed_by_bodies(one: Samples, other: Samples, rules: PlacementRules) -> Floats:
    """T_first_second (4, 4) by the pelvis of the same people in both views, most of whom agree."""
    turns = one.rotations[:, 0] @ other.rotations[:, 0].swapaxes(-1, -2)
    weight = np.sqrt(one.weight * other.weight)
    R = special_procrustes((weight[:, None, None] * turns).sum(0))
    for _ in range(20):
        away = rotmat_geodesic_distance(np.broadcast_to(R, turns.shape), turns)
        R = special_procrustes(
            ((weight / np.maximum(away, rules.doubt_turn_rad))[:, None, None] * turns).sum(0)
        )
    ways = one.pelvis - other.pelvis @ R.T
    t = np.median(ways, axis=0)
    for _ in range(20):
        pull = weight / np.maximum(np.linalg.norm(ways - t, axis=1), rules.doubt_place_m)
        t = (pull[:, None] * ways).sum(0) / pull.sum()
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, t
    return T


def epipolar_residuals(one: Samples, other: Samples, T: Floats) -> Floats:  # (m,)
    """Sampson's distance of every keypoint that both views have, in standard deviations of the two."""
    relative = one.T_camera_space @ T @ np.linalg.inv(other.T_camera_space)  # second camera -> first camera
    way = relative[:, :3, 3]
    E = cross_matrix(way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)) @ relative[:, :3, :3]
    both = np.isfinite(one.std) & np.isfinite(other.std)
    moment, _ = np.nonzero(both)
    x, y = (np.concatenate([view.plane[both], np.ones((len(moment), 1))], 1) for view in (one, other))
    line_in_first = (E[moment] @ y[..., None])[..., 0]
    line_in_second = (E[moment].swapaxes(-1, -2) @ x[..., None])[..., 0]
    spread = np.sqrt(
        (line_in_first[:, :2] ** 2).sum(1) * one.std[both] ** 2
        + (line_in_second[:, :2] ** 2).sum(1) * other.std[both] ** 2
    )
    return np.asarray((x * line_in_first).sum(1) / np.maximum(spread, 1e-9))


def placed_by_keypoints(
    one: Samples, other: Samples, T: Floats, rules: PlacementRules, free_scale: bool
) -> Placement:
    """The placement near ``T`` that keypoints bear out best; ``free_scale`` where both cameras stand still."""

    def moved(step: Floats) -> Floats:
        new = T.copy()
        new[:3, :3] = rotvec_to_rotmat(step[:3] * rules.turn_std_rad) @ T[:3, :3]
        new[:3, 3] += step[3:] * rules.place_std_m
        return new

    def stretched(step: Floats) -> Floats:
        logs = limb_logs(one, other, moved(step), rules)
        return np.nan_to_num(logs / rules.length_std)

    def residuals(step: Floats) -> Floats:
        away = np.concatenate([epipolar_residuals(one, other, moved(step)), stretched(step)])
        doubted = rules.robust * np.sqrt(np.log1p((away / rules.robust) ** 2))  # Cauchy
        return np.concatenate([doubted * np.sqrt(min(rules.independent / max(len(away), 1), 1.0)), step])

    step = np.asarray(least_squares(residuals, np.zeros(6), method="lm", max_nfev=rules.tries).x)
    T = moved(step)
    told = False
    if free_scale:
        ratio = limb_ratio(one, other, T, rules)
        told = ratio is not None
        if ratio is not None:
            T[:3, 3] *= ratio
    away = np.abs(epipolar_residuals(one, other, T))
    return Placement(T, float(np.median(away)) if len(away) else np.inf, told)


def triangulated(one: Samples, other: Samples, T: Floats) -> tuple[Floats, Floats]:
    """Keypoints (n, 17, 3) in the first view's axes, midway between both rays, and the angle of these (n, 17), rad."""
    eyes, rays = [], []
    for view, T_first_view in ((one, np.eye(4)), (other, T)):
        T_first_camera = T_first_view @ np.linalg.inv(view.T_camera_space)
        ray = np.concatenate([view.plane, np.ones((*view.plane.shape[:2], 1))], -1)
        ray = ray @ T_first_camera[:, :3, :3].swapaxes(-1, -2)
        rays.append(ray / np.linalg.norm(ray, axis=-1, keepdims=True))
        eyes.append(T_first_camera[:, None, :3, 3])
    cosine = (rays[0] * rays[1]).sum(-1)
    apart = eyes[1] - eyes[0]
    along = [(apart * ray).sum(-1) for ray in rays]
    lever = np.maximum(1 - cosine**2, 1e-6)
    far = (along[0] - cosine * along[1]) / lever, (cosine * along[0] - along[1]) / lever
    ends = [eye + length[..., None] * ray for eye, length, ray in zip(eyes, far, rays, strict=True)]
    both = np.isfinite(one.std) & np.isfinite(other.std) & (far[0] > 0) & (far[1] > 0)
    middle = np.where(both[..., None], (ends[0] + ends[1]) / 2, np.nan)
    return middle, np.arccos(np.clip(np.abs(cosine), 0, 1))


def limb_logs(one: Samples, other: Samples, T: Floats, rules: PlacementRules) -> Floats:
    """Logarithms of how much longer the bodies' limbs are than triangulated ones; NaN where that cannot be told."""
    points, angle = triangulated(one, other, T)
    points = np.where((np.degrees(angle) >= rules.least_rays_deg)[..., None], points, np.nan)
    a, b = np.transpose(LIMBS)
    length = np.maximum(np.linalg.norm(points[:, a] - points[:, b], axis=-1), 1e-3)
    return np.log((one.limbs_m + other.limbs_m) / 2 / length).ravel()


def limb_ratio(one: Samples, other: Samples, T: Floats, rules: PlacementRules) -> float | None:
    """How much longer the bodies' limbs are than triangulated ones; None where too few can be told."""
    logs = limb_logs(one, other, T, rules)
    logs = logs[np.isfinite(logs)]
    return float(np.exp(np.median(logs))) if len(logs) >= rules.lengths else None
