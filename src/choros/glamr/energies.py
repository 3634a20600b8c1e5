"""The energies of the global optimisation (GLAMR, section 3.3) as squares of residuals with known slopes.

The paper's egocentric variables let plain gradient descent carry a correction on to all later frames. A
Newton step does that for any variables, so ours are the poses of people and camera in the world, in which every
energy ties together three neighbouring frames at most and the normal equations are banded (``solve``); the
energies are the paper's, egocentric where it has them so. Beyond the paper: feet that stand, a common floor, and
a camera seen in its background.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.camera import project
from choros.glamr.cameras import CameraEvidence, GroundEvidence
from choros.glamr.figure import BALL_RADII_M
from choros.glamr.rigid import UP, cross_matrix, from_heading, heading_gradient, log, log_jacobian
from choros.glamr.sights import Sights, Spreads, World

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

MIN_DEPTH_M = 0.2  # what is nearer to the camera's plane has no image to compare


@dataclass(frozen=True, eq=False)
class Term:
    """One energy: half the sum of ``cost``, and near where we stand half the sum of squares of residual + J step.

    ``parts``: the variables that k residuals of m numbers hang on: frames (k,), units (k,) (0 is the camera,
    1 + s the person in place s) and slopes (k, m, 6) by a small turn, rad, and shift, metres, in the world.
    """

    name: str
    cost: float
    residual: Floats  # (k, m)
    parts: tuple[tuple[Ints, Ints, Floats], ...]


def energies(
    world: World,
    sights: Sights,
    spreads: Spreads,
    evidence: CameraEvidence | None = None,
    path: World | None = None,
) -> Iterator[Term]:
    """All energies where people and camera are as in ``world``.

    With ``path`` people are held to where they are in it, instead of to predicted steps and turns.
    """
    yield reprojection(world, sights, spreads)
    yield from trajectory_in_camera(world, sights, spreads)
    if path is None:
        yield from predicted_changes(world, sights, spreads)
    else:
        yield from predicted_places(world, sights, spreads, path)
    yield from predicted_stance(world, sights, spreads)
    yield from camera(world, sights, spreads, evidence)
    yield from standing(world, sights, spreads)
    yield penetration(world, sights, spreads)


def reprojection(world: World, sights: Sights, spreads: Spreads) -> Term:
    """Equations 10 and 11: the figure's keypoints where they were seen in the picture, in shares of its size."""
    t, s = np.nonzero(sights.seen)
    R_wc, R_wp = world.R_world_camera[t], world.R_world_root[t, s]
    arm = sights.keypoints[t, s] @ np.swapaxes(R_wp, -1, -2)  # (k, 17, 3) from the pelvis, world axes
    from_camera = arm + (world.root_m[t, s] - world.camera_m[t])[:, None]
    points_cam = from_camera @ R_wc
    in_front = points_cam[..., 2] > MIN_DEPTH_M
    points_cam = np.where(in_front[..., None], points_cam, [0, 0, 1])
    K = sights.K[t]
    spread_px = (spreads.keypoint_share * sights.size_px[t, s])[:, None, None]
    weight = np.sqrt(_looks(sights, spreads)[t])[:, None] * sights.confidence[t, s] * in_front
    error = (project(points_cam, K[:, None]) - sights.keypoints_px[t, s]) / spread_px
    cost, trust = _robust((error**2).sum(-1), spreads.keypoint_outlier)
    scale = (weight * trust)[..., None]

    z = points_cam[..., 2, None, None]
    slope = K[:, None, :2, :] / z  # by points_cam, but for the part by depth, which follows
    slope[..., 2] = -(K[:, None, :2, :2] @ points_cam[..., :2, None])[..., 0] / z[..., 0] ** 2
    slope = (
        slope @ np.swapaxes(R_wc, -1, -2)[:, None] * (scale / spread_px)[..., None]
    )  # by a shift in the world
    by_person = np.concatenate([np.cross(arm[:, :, None], slope), slope], -1)
    by_camera = np.concatenate([np.cross(slope, from_camera[:, :, None]), -slope], -1)
    k = len(t)
    return Term(
        "2D",
        float((weight**2 * cost).sum()),
        (error * scale).reshape(k, 34),
        ((t, 1 + s, by_person.reshape(k, 34, 6)), (t, 0 * t, by_camera.reshape(k, 34, 6))),
    )


def trajectory_in_camera(world: World, sights: Sights, spreads: Spreads) -> Iterator[Term]:
    """Equation 12: root rotation and, with a wide spread, depth as the system saw them.

    The paper leaves the place out altogether; where keypoints say little it is the only sign of depth.
    """
    t, s = np.nonzero(sights.seen)
    weight = np.sqrt(_looks(sights, spreads)[t])
    R_wc = world.R_world_camera[t]
    yield _alike(
        "trajectory, turn",
        R_wc @ sights.R_camera_root[t, s] @ np.swapaxes(world.R_world_root[t, s], -1, -2),
        (t, 0 * t),
        (t, 1 + s),
        weight / spreads.root_turn_rad,
        spreads.root_outlier,
    )
    ahead = R_wc[:, :, 2]
    depth = np.einsum("ki,ki->k", ahead, world.root_m[t, s] - world.camera_m[t])
    known = depth > MIN_DEPTH_M
    t, s, ahead, depth, weight = t[known], s[known], ahead[known], depth[known], weight[known]
    error = np.log(depth / sights.depth_m[t, s]) / spreads.depth_share
    cost, trust = _robust(error**2, spreads.root_outlier)
    slope = (weight * trust / spreads.depth_share / depth)[:, None] * ahead
    arm = world.root_m[t, s] - world.camera_m[t]
    zero = np.zeros_like(slope)
    by_person = np.concatenate([zero, slope], -1)
    by_camera = np.concatenate([np.cross(slope, arm), -slope], -1)
    yield Term(
        "trajectory, depth",
        float((weight**2 * cost).sum()),
        (weight * trust * error)[:, None],
        ((t, 1 + s, by_person[:, None]), (t, 0 * t, by_camera[:, None])),
    )


def predicted_changes(world: World, sights: Sights, spreads: Spreads) -> Iterator[Term]:
    """Equation 13, what changes over time: steps and turns as the trajectory predictor has them."""
    t, s = np.nonzero(sights.linked)
    root_dt = np.sqrt(sights.dt_s[t])
    now, then = world.R_world_root[t, s], world.R_world_root[t + 1, s]
    yield _alike(
        "prediction, turn",
        now @ sights.turn[t, s] @ np.swapaxes(then, -1, -2),
        (t, 1 + s),
        (t + 1, 1 + s),
        1 / (spreads.turn_rad * root_dt),
    )
    step = (from_heading(now) @ sights.step[t, s][..., None])[..., 0]
    by_turn = -np.cross(UP, step)[..., None] * heading_gradient(now)[:, None]
    shift = np.broadcast_to(np.eye(3), by_turn.shape)
    strays = _Way(
        world.root_m[t + 1, s] - world.root_m[t, s] - step,
        np.concatenate([by_turn, -shift], -1),
        _padded(shift, 3),
    )
    scale = 1 / (spreads.step_m * root_dt)[:, None]
    yield _squares(
        "prediction, step",
        strays.length * scale,
        (t, 1 + s, strays.by_now * scale[..., None]),
        (t + 1, 1 + s, strays.by_then * scale[..., None]),
    )
    link = np.zeros(sights.linked.shape, int)
    link[t, s] = np.arange(len(t))
    t, s = np.nonzero(sights.linked[:-1] & sights.linked[1:])
    first, second = strays.of(link[t, s]), strays.of(link[t + 1, s])
    yield _steady("prediction, pace", sights, spreads.pace_m_s, (t, 1 + s), first, second)


def predicted_places(world: World, sights: Sights, spreads: Spreads, path: World) -> Iterator[Term]:
    """Without the egocentric form (the ablation of table 5): root poses as on a predicted path in the world."""
    t, s = np.nonzero(sights.there)
    looks = np.sqrt(_looks(sights, spreads)[t])
    error = log(world.R_world_root[t, s] @ np.swapaxes(path.R_world_root[t, s], -1, -2))
    scale = (looks / spreads.turn_rad)[:, None]
    slope = np.swapaxes(log_jacobian(-error), -1, -2) * scale[..., None]
    yield _squares("prediction, turn", error * scale, (t, 1 + s, _padded(slope, 0)))
    scale = (looks / spreads.step_m)[:, None]
    shift = np.eye(3) * scale[..., None]
    error = (world.root_m[t, s] - path.root_m[t, s]) * scale
    yield _squares("prediction, step", error, (t, 1 + s, _padded(shift, 3)))


def predicted_stance(world: World, sights: Sights, spreads: Spreads) -> Iterator[Term]:
    """Equation 13, what every frame has by itself: how the root leans and how high it is."""
    t, s = np.nonzero(sights.there)
    R = np.swapaxes(world.R_world_root[t, s], -1, -2)
    looks = np.sqrt(_looks(sights, spreads)[t])[:, None]
    error = (R @ UP - sights.up_root[t, s]) * looks / spreads.tilt_rad
    by_turn = R @ cross_matrix(UP) * (looks / spreads.tilt_rad)[..., None]
    yield _squares("prediction, tilt", error, (t, 1 + s, _padded(by_turn, 0)))
    error = (world.root_m[t, s, 2] - sights.height_m[t, s])[:, None] * looks / spreads.height_m
    slope = UP * (looks / spreads.height_m)[..., None]
    yield _squares("prediction, height", error, (t, 1 + s, _padded(slope, 3)))


def camera(world: World, sights: Sights, spreads: Spreads, evidence: CameraEvidence | None) -> Iterator[Term]:
    """Equation 14: a smooth path and an upright picture; and the turns and the ground seen in the background.

    The paper's <C^y, Y> pulls the picture's down to the world's. That is half of |C^y + Y|², split here into a
    roll, which cameras seldom have, and a pitch, which they often have.
    """
    R, place = world.R_world_camera, world.camera_m
    t = np.arange(len(R) - 1)
    none = np.zeros_like(t)
    root_dt = np.sqrt(sights.dt_s)
    change = R[:-1] @ np.swapaxes(R[1:], -1, -2)
    yield _alike("camera, turn", change, (t, none), (t + 1, none), 1 / (spreads.camera_turn_rad * root_dt))
    scale = (1 / (spreads.camera_step_m * root_dt))[:, None]
    shift = np.eye(3) * scale[..., None]
    yield _squares(
        "camera, step",
        np.diff(place, axis=0) * scale,
        (t, none, _padded(-shift, 3)),
        (t + 1, none, _padded(shift, 3)),
    )
    shift = np.broadcast_to(np.eye(3), (len(R) - 1, 3, 3))
    way = _Way(np.diff(place, axis=0), _padded(-shift, 3), _padded(shift, 3))
    first, second = way.of(slice(None, -1)), way.of(slice(1, None))
    yield _steady("camera, pace", sights, spreads.camera_pace_m_s, (t[:-1], none[:-1]), first, second)
    if evidence is not None:
        yield _alike(
            "camera, background",
            R[:-1] @ evidence.turn @ np.swapaxes(R[1:], -1, -2),
            (t, none),
            (t + 1, none),
            evidence.weight / spreads.evidence_rad,
            spreads.evidence_outlier,
        )
        if evidence.ground is not None:
            yield from ground_below(world, sights, spreads, evidence.ground)
    t = np.arange(len(R))
    looks = np.sqrt(_looks(sights, spreads))
    for name, axis, spread in (
        ("camera, roll", R[:, :, 0], spreads.camera_roll_rad),
        ("camera, pitch", R[:, :, 2], spreads.camera_pitch_rad),
    ):
        scale = (looks / spread)[:, None]
        slope = np.cross(axis, UP) * scale
        yield _squares(name, axis[:, 2:] * scale, (t, 0 * t, _padded(slope[:, None], 0)))


def ground_below(world: World, sights: Sights, spreads: Spreads, ground: GroundEvidence) -> Iterator[Term]:
    """The camera goes as the ground passes below it, and that is level, as people stand on it.

    Errors of the way are shares of the camera's height: none is mended by a lower camera.
    """
    t = np.flatnonzero(ground.weight)
    R, height = world.R_world_camera[t], np.maximum(world.camera_m[t, 2, None], MIN_DEPTH_M)
    passed = (R @ ground.step[t, :, None])[..., 0]
    step = (world.camera_m[t + 1] - world.camera_m[t]) / height
    error = (step - passed) / spreads.ground_step
    cost, trust = _robust((error**2).sum(-1), spreads.ground_outlier)
    weight = ground.weight[t]
    scale = (weight * trust / spreads.ground_step)[:, None, None]
    onward = np.eye(3) / height[..., None]
    by_shift = -onward - step[..., None] * UP / height[..., None]
    yield Term(
        "camera, ground passes",
        float((weight**2 * cost).sum()),
        error * (weight * trust)[:, None],
        (
            (t, 0 * t, np.concatenate([cross_matrix(passed), by_shift], -1) * scale),
            (t + 1, 0 * t, _padded(onward * scale, 3)),
        ),
    )
    scale = (weight * np.sqrt(_looks(sights, spreads)[t]) / spreads.ground_tilt_rad)[:, None]
    up = (R @ ground.up[t, :, None])[..., 0]
    by_turn = -cross_matrix(up) * scale[..., None]
    yield _squares("camera, ground level", (up - UP) * scale, (t, 0 * t, _padded(by_turn, 0)))


def standing(world: World, sights: Sights, spreads: Spreads) -> Iterator[Term]:
    """Soles that may stand neither slide nor leave the floor at z = 0; both robust, for steps and jumps."""
    arm = np.einsum("tsij,tskj->tski", world.R_world_root, sights.soles)
    sole_m = arm + world.root_m[:, :, None]
    t, s, sole = np.nonzero(sights.linked[..., None] & (sights.low[:-1] * sights.low[1:] > 0.01))
    weight = np.sqrt(sights.low[t, s, sole] * sights.low[t + 1, s, sole])
    error = (sole_m[t + 1, s, sole] - sole_m[t, s, sole]) / spreads.contact_m
    outlier = spreads.contact_outlier_m_s * sights.dt_s[t] / spreads.contact_m
    cost, trust = _robust((error**2).sum(-1), outlier)
    scale = (weight * trust / spreads.contact_m)[:, None, None]
    yield Term(
        "contact",
        float((weight**2 * cost).sum()),
        error * (weight * trust)[:, None],
        (
            (t, 1 + s, -_arms(arm[t, s, sole]) * scale),
            (t + 1, 1 + s, _arms(arm[t + 1, s, sole]) * scale),
        ),
    )
    t, s, sole = np.nonzero(sights.there[..., None] & (sights.low > 0.01))
    weight = np.sqrt(sights.low[t, s, sole] * _looks(sights, spreads)[t])
    height = sole_m[t, s, sole, 2] / spreads.floor_m
    cost, trust = _robust(height**2, spreads.floor_outlier)
    scale = weight * trust
    slope = _arms(arm[t, s, sole])[:, 2:] * (scale / spreads.floor_m)[:, None, None]
    yield Term("floor", float((weight**2 * cost).sum()), (height * scale)[:, None], ((t, 1 + s, slope),))


def penetration(world: World, sights: Sights, spreads: Spreads) -> Term:
    """No two people in one place: a proxy of the paper's E_pen on spheres in the bodies instead of their skin."""
    near = _pairs_that_may_touch(world, sights)
    frame, a, b = near
    arm_a, arm_b = (
        sights.balls[frame, s] @ np.swapaxes(world.R_world_root[frame, s], -1, -2) for s in (a, b)
    )  # (k, 14, 3)
    apart = (arm_a + world.root_m[frame, a][:, None])[:, :, None] - (arm_b + world.root_m[frame, b][:, None])[
        :, None
    ]
    distance = np.linalg.norm(apart, axis=-1)  # (k, 14, 14)
    inside = BALL_RADII_M[:, None] + BALL_RADII_M - distance
    pair, i, j = np.nonzero(inside > 0)
    scale = np.sqrt(_looks(sights, spreads)[frame[pair]]) / spreads.overlap_m
    error = inside[pair, i, j] * scale
    outward = apart[pair, i, j] / np.maximum(distance[pair, i, j], 1e-6)[:, None] * scale[:, None]

    def slope(arm: Floats) -> Floats:
        return np.concatenate([np.cross(arm, outward), outward], -1)[:, None]

    t = frame[pair]
    return _squares(
        "penetration",
        error[:, None],
        (t, 1 + a[pair], -slope(arm_a[pair, i])),
        (t, 1 + b[pair], slope(arm_b[pair, j])),
    )


# --- small parts ----------------------------------------------------------------------------------


def _looks(sights: Sights, spreads: Spreads) -> Floats:
    """(T,) what one frame counts where neighbouring frames err alike: at most 1."""
    return (
        np.minimum(spreads.looks_per_s * np.gradient(sights.times_s), 1)
        if len(sights.times_s) > 1
        else np.ones(1)
    )


def _robust(squared: Floats, outlier: Floats | float) -> tuple[Floats, Floats]:
    """Geman and McClure: the cost of whitened squared residuals, and what to scale the residuals by."""
    limit = np.maximum(np.square(outlier), np.finfo(float).tiny)
    share = 1 / (1 + squared / limit)
    return share * squared, share


def _squares(name: str, residual: Floats, *parts: tuple[Ints, Ints, Floats]) -> Term:
    return Term(name, float((residual**2).sum()), residual, parts)


def _alike(
    name: str,
    difference: Floats,  # (k, 3, 3) a M b^T, the identity where b = a M
    a: tuple[Ints, Ints],
    b: tuple[Ints, Ints],
    weight: Floats,  # (k,)
    outlier: float = np.inf,
) -> Term:
    """The angle between the rotation of b and that of a M."""
    error = log(difference)
    slope = log_jacobian(error)
    cost, trust = _robust((error**2).sum(-1) * weight**2, outlier)
    scale = (weight * trust)[:, None]
    by_a, by_b = slope * scale[..., None], -np.swapaxes(slope, -1, -2) * scale[..., None]
    return Term(name, float(cost.sum()), error * scale, ((*a, _padded(by_a, 0)), (*b, _padded(by_b, 0))))


class _Way(NamedTuple):
    """From one frame to the next."""

    length: Floats  # (k, 3) metres
    by_now: Floats  # (k, 3, 6) its slope by the pose at its beginning
    by_then: Floats  # (k, 3, 6) and at its end

    def of(self, which: Ints | slice) -> _Way:
        return _Way(self.length[which], self.by_now[which], self.by_then[which])


def _steady(
    name: str,
    sights: Sights,
    spread_m_s: float,  # per root of a second
    where: tuple[Ints, Ints],  # (k,) frame and unit of the first of three frames
    first: _Way,  # to the second frame
    second: _Way,  # on to the third
) -> Term:
    """Speeds that change little."""
    t, unit = where
    dt = sights.dt_s
    scale = 1 / (spread_m_s * np.sqrt((dt[t] + dt[t + 1]) / 2))[:, None]
    of_first, of_second = scale / dt[t, None], scale / dt[t + 1, None]
    return _squares(
        name,
        second.length * of_second - first.length * of_first,
        (t, unit, -first.by_now * of_first[..., None]),
        (t + 1, unit, second.by_now * of_second[..., None] - first.by_then * of_first[..., None]),
        (t + 2, unit, second.by_then * of_second[..., None]),
    )


def _padded(slope: Floats, start: int) -> Floats:
    """Slopes (..., 3) by turn (start 0) or shift (start 3), zero by the other: (..., 6)."""
    out = np.zeros((*slope.shape[:-1], 6))
    out[..., start : start + 3] = slope
    return out


def _arms(arm: Floats) -> Floats:
    """How points (k, 3) from the pelvis move in the world: (k, 3, 6)."""
    return np.concatenate([-cross_matrix(arm), np.broadcast_to(np.eye(3), (*arm.shape, 3))], -1)


def _pairs_that_may_touch(world: World, sights: Sights) -> tuple[Ints, Ints, Ints]:
    """Frames and places (k,) each of two people whose pelvises are less than two metres apart."""
    away = np.linalg.norm(world.root_m[:, :, None] - world.root_m[:, None], axis=-1)
    both = sights.there[:, :, None] & sights.there[:, None]
    frame, a, b = np.nonzero(both & (away < 2))
    once = a < b
    return frame[once], a[once], b[once]
