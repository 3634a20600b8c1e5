"""The energies of the global optimisation (GLAMR, section 3.3) as squares of residuals with known slopes.

The paper's egocentric variables let plain gradient descent carry a correction on to all later frames. A
Newton step does that for any variables, so ours are the poses of people and camera in the world, in which every
energy ties together three neighbouring frames at most and the normal equations are banded (``solve``); the
energies are the paper's, egocentric where it has them so. Beyond the paper: feet that stand, a common floor, and
a camera seen in its background.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from choros.camera import project, projection_jacobian
from choros.camera_motion.camera_path import UP
from choros.camera_motion.evidence import CameraEvidence, GroundEvidence
from choros.glamr.observations import Observations
from choros.glamr.options import Sigmas
from choros.glamr.posed_skeleton import BALL_RADII_M
from choros.glamr.residuals import (
    Floats,
    Ints,
    Step,
    Term,
    frame_weight,
    lever,
    padded,
    robust,
    same_rotation,
    squares,
    steady,
)
from choros.glamr.variables import WorldVariables
from choros.rotation import (
    cross_matrix,
    heading_gradient,
    heading_rotmat,
    left_jacobian_inverse,
    rotmat_to_rotvec,
)

GRAVITY_M_S2 = 9.81
MIN_DEPTH_M = 0.2  # what is nearer to the camera's plane has no image to compare


def energies(
    world: WorldVariables,
    observations: Observations,
    sigmas: Sigmas,
    evidence: CameraEvidence | None = None,
    path: WorldVariables | None = None,
) -> Iterator[Term]:
    """All energies where people and camera are as in ``world``.

    With ``path`` people are held to where they are in it, instead of to predicted steps and turns.
    """
    yield reprojection(world, observations, sigmas)
    yield from trajectory_in_camera(world, observations, sigmas)
    if path is None:
        yield from predicted_changes(world, observations, sigmas)
    else:
        yield from predicted_places(world, observations, sigmas, path)
    yield from predicted_stance(world, observations, sigmas)
    yield from camera(world, observations, sigmas, evidence)
    yield from standing(world, observations, sigmas)
    yield penetration(world, observations, sigmas)


def reprojection(world: WorldVariables, observations: Observations, sigmas: Sigmas) -> Term:
    """Equations 10 and 11: the skeleton's keypoints where they were seen in the picture, in shares of its size."""
    t, s = np.nonzero(observations.seen)
    R_wc, R_wp = world.R_world_camera[t], world.R_world_root[t, s]
    arm = observations.keypoints[t, s] @ np.swapaxes(R_wp, -1, -2)  # (k, 17, 3) from the pelvis, world axes
    from_camera = arm + (world.root_m[t, s] - world.camera_m[t])[:, None]
    points_cam = from_camera @ R_wc
    in_front = points_cam[..., 2] > MIN_DEPTH_M
    points_cam = np.where(in_front[..., None], points_cam, [0, 0, 1])
    K = observations.K[t]
    sigma_px = (sigmas.keypoint_share * observations.size_px[t, s])[:, None, None]
    weight = (
        np.sqrt(frame_weight(observations, sigmas)[t])[:, None] * observations.confidence[t, s] * in_front
    )
    error = (project(points_cam, K[:, None]) - observations.keypoints_px[t, s]) / sigma_px
    cost, trust = robust((error**2).sum(-1), sigmas.keypoint_outlier)
    scale = (weight * trust)[..., None]

    slope = projection_jacobian(points_cam, K[:, None]) @ np.swapaxes(R_wc, -1, -2)[:, None]
    slope = slope * (scale / sigma_px)[..., None]  # by a shift in the world
    by_person = np.concatenate([np.cross(arm[:, :, None], slope), slope], -1)
    by_camera = np.concatenate([np.cross(slope, from_camera[:, :, None]), -slope], -1)
    k = len(t)
    return Term(
        "2D",
        float((weight**2 * cost).sum()),
        (error * scale).reshape(k, 34),
        ((t, 1 + s, by_person.reshape(k, 34, 6)), (t, 0 * t, by_camera.reshape(k, 34, 6))),
    )


def trajectory_in_camera(world: WorldVariables, observations: Observations, sigmas: Sigmas) -> Iterator[Term]:
    """Equation 12: root rotation and, with a wide sigma, depth as the system saw them.

    The paper leaves the place out altogether; where keypoints say little it is the only sign of depth.
    """
    t, s = np.nonzero(observations.seen)
    weight = np.sqrt(frame_weight(observations, sigmas)[t])
    R_wc = world.R_world_camera[t]
    yield same_rotation(
        "trajectory, turn",
        R_wc @ observations.R_camera_root[t, s] @ np.swapaxes(world.R_world_root[t, s], -1, -2),
        (t, 0 * t),
        (t, 1 + s),
        weight / sigmas.root_turn_rad,
        sigmas.root_outlier,
    )
    ahead = R_wc[:, :, 2]
    depth = np.einsum("ki,ki->k", ahead, world.root_m[t, s] - world.camera_m[t])
    known = depth > MIN_DEPTH_M
    t, s, ahead, depth, weight = t[known], s[known], ahead[known], depth[known], weight[known]
    error = np.log(depth / observations.depth_m[t, s]) / sigmas.depth_share
    cost, trust = robust(error**2, sigmas.root_outlier)
    slope = (weight * trust / sigmas.depth_share / depth)[:, None] * ahead
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


def predicted_changes(world: WorldVariables, observations: Observations, sigmas: Sigmas) -> Iterator[Term]:
    """Equation 13, what changes over time: steps and turns as the trajectory predictor has them."""
    t, s = np.nonzero(observations.linked)
    root_dt = np.sqrt(observations.dt_s[t])
    now, then = world.R_world_root[t, s], world.R_world_root[t + 1, s]
    yield same_rotation(
        "prediction, turn",
        now @ observations.turn[t, s] @ np.swapaxes(then, -1, -2),
        (t, 1 + s),
        (t + 1, 1 + s),
        1 / (sigmas.turn_rad * root_dt),
    )
    step = (heading_rotmat(now) @ observations.step[t, s][..., None])[..., 0]
    by_turn = -np.cross(UP, step)[..., None] * heading_gradient(now)[:, None]
    shift = np.broadcast_to(np.eye(3), by_turn.shape)
    strays = Step(
        world.root_m[t + 1, s] - world.root_m[t, s] - step,
        np.concatenate([by_turn, -shift], -1),
        padded(shift, 3),
    )
    air = observations.flight
    scale = (~(air[t, s] | air[t + 1, s]).astype(bool) / (sigmas.step_m * root_dt))[:, None]
    yield squares(
        "prediction, step",
        strays.length * scale,
        (t, 1 + s, strays.by_now * scale[..., None]),
        (t + 1, 1 + s, strays.by_then * scale[..., None]),
    )
    link = np.zeros(observations.linked.shape, int)
    link[t, s] = np.arange(len(t))
    t, s = np.nonzero(observations.linked[:-1] & observations.linked[1:])
    first, second = strays.of(link[t, s]), strays.of(link[t + 1, s])
    three = np.stack([air[t + after, s] for after in range(3)])
    falls, guess = (three == 2).all(0), (three == 0).all(0) | (three == 2).all(0)
    dt = (observations.dt_s[t] + observations.dt_s[t + 1]) / 2
    change = -GRAVITY_M_S2 * (falls * dt)[:, None] * UP
    yield steady(
        "prediction, pace", observations, sigmas.pace_m_s, (t, 1 + s), first, second, change, guess * 1.0
    )


def predicted_places(
    world: WorldVariables, observations: Observations, sigmas: Sigmas, path: WorldVariables
) -> Iterator[Term]:
    """Without the egocentric form (the ablation of table 5): root poses as on a predicted path in the world."""
    t, s = np.nonzero(observations.there)
    weight = np.sqrt(frame_weight(observations, sigmas)[t])
    error = rotmat_to_rotvec(world.R_world_root[t, s] @ np.swapaxes(path.R_world_root[t, s], -1, -2))
    scale = (weight / sigmas.turn_rad)[:, None]
    slope = np.swapaxes(left_jacobian_inverse(-error), -1, -2) * scale[..., None]
    yield squares("prediction, turn", error * scale, (t, 1 + s, padded(slope, 0)))
    scale = (weight / sigmas.step_m)[:, None]
    shift = np.eye(3) * scale[..., None]
    error = (world.root_m[t, s] - path.root_m[t, s]) * scale
    yield squares("prediction, step", error, (t, 1 + s, padded(shift, 3)))


def predicted_stance(world: WorldVariables, observations: Observations, sigmas: Sigmas) -> Iterator[Term]:
    """Equation 13, what every frame has by itself: how the root leans and how high it is."""
    t, s = np.nonzero(observations.there)
    R = np.swapaxes(world.R_world_root[t, s], -1, -2)
    weight = np.sqrt(frame_weight(observations, sigmas)[t])[:, None]
    error = (R @ UP - observations.up_root[t, s]) * weight / sigmas.tilt_rad
    by_turn = R @ cross_matrix(UP) * (weight / sigmas.tilt_rad)[..., None]
    yield squares("prediction, tilt", error, (t, 1 + s, padded(by_turn, 0)))
    weight = weight * np.sqrt(observations.grounded[t, s])[:, None]
    error = (world.root_m[t, s, 2] - observations.height_m[t, s])[:, None] * weight / sigmas.height_m
    slope = UP * (weight / sigmas.height_m)[..., None]
    yield squares("prediction, height", error, (t, 1 + s, padded(slope, 3)))


def camera(
    world: WorldVariables, observations: Observations, sigmas: Sigmas, evidence: CameraEvidence | None
) -> Iterator[Term]:
    """Equation 14: a smooth path and an upright picture; and the turns and the ground seen in the background.

    The paper's <C^y, Y> pulls the picture's down to the world's. That is half of |C^y + Y|², split here into a
    roll, which cameras seldom have, and a pitch, which they often have.
    """
    R, place = world.R_world_camera, world.camera_m
    t = np.arange(len(R) - 1)
    none = np.zeros_like(t)
    root_dt = np.sqrt(observations.dt_s)
    change = R[:-1] @ np.swapaxes(R[1:], -1, -2)
    yield same_rotation(
        "camera, turn", change, (t, none), (t + 1, none), 1 / (sigmas.camera_turn_rad * root_dt)
    )
    scale = (1 / (sigmas.camera_step_m * root_dt))[:, None]
    shift = np.eye(3) * scale[..., None]
    yield squares(
        "camera, step",
        np.diff(place, axis=0) * scale,
        (t, none, padded(-shift, 3)),
        (t + 1, none, padded(shift, 3)),
    )
    shift = np.broadcast_to(np.eye(3), (len(R) - 1, 3, 3))
    way = Step(np.diff(place, axis=0), padded(-shift, 3), padded(shift, 3))
    first, second = way.of(slice(None, -1)), way.of(slice(1, None))
    yield steady("camera, pace", observations, sigmas.camera_pace_m_s, (t[:-1], none[:-1]), first, second)
    if evidence is not None:
        yield same_rotation(
            "camera, background",
            R[:-1] @ evidence.turn @ np.swapaxes(R[1:], -1, -2),
            (t, none),
            (t + 1, none),
            evidence.weight / sigmas.evidence_rad,
            sigmas.evidence_outlier,
        )
        if evidence.ground is not None:
            yield from ground_below(world, observations, sigmas, evidence.ground)
    t = np.arange(len(R))
    weight = np.sqrt(frame_weight(observations, sigmas))
    for name, axis, sigma in (
        ("camera, roll", R[:, :, 0], sigmas.camera_roll_rad),
        ("camera, pitch", R[:, :, 2], sigmas.camera_pitch_rad),
    ):
        scale = (weight / sigma)[:, None]
        slope = np.cross(axis, UP) * scale
        yield squares(name, axis[:, 2:] * scale, (t, 0 * t, padded(slope[:, None], 0)))


def ground_below(
    world: WorldVariables, observations: Observations, sigmas: Sigmas, ground: GroundEvidence
) -> Iterator[Term]:
    """The camera goes as the ground passes below it, and that is level, as people stand on it.

    Errors of the way are shares of the camera's height: none is mended by a lower camera.
    """
    t = np.flatnonzero(ground.weight)
    R, height = world.R_world_camera[t], np.maximum(world.camera_m[t, 2, None], MIN_DEPTH_M)
    passed = (R @ ground.step[t, :, None])[..., 0]
    step = (world.camera_m[t + 1] - world.camera_m[t]) / height
    error = (step - passed) / sigmas.ground_step
    cost, trust = robust((error**2).sum(-1), sigmas.ground_outlier)
    weight = ground.weight[t]
    scale = (weight * trust / sigmas.ground_step)[:, None, None]
    onward = np.eye(3) / height[..., None]
    by_shift = -onward - step[..., None] * UP / height[..., None]
    yield Term(
        "camera, ground passes",
        float((weight**2 * cost).sum()),
        error * (weight * trust)[:, None],
        (
            (t, 0 * t, np.concatenate([cross_matrix(passed), by_shift], -1) * scale),
            (t + 1, 0 * t, padded(onward * scale, 3)),
        ),
    )
    scale = (weight * np.sqrt(frame_weight(observations, sigmas)[t]) / sigmas.ground_tilt_rad)[:, None]
    up = (R @ ground.up[t, :, None])[..., 0]
    by_turn = -cross_matrix(up) * scale[..., None]
    yield squares("camera, ground level", (up - UP) * scale, (t, 0 * t, padded(by_turn, 0)))


def standing(world: WorldVariables, observations: Observations, sigmas: Sigmas) -> Iterator[Term]:
    """Soles that may stand neither slide nor leave the floor at z = 0; both robust, for steps and jumps."""
    arm = np.einsum("tsij,tskj->tski", world.R_world_root, observations.soles)
    sole_m = arm + world.root_m[:, :, None]
    t, s, sole = np.nonzero(
        observations.linked[..., None] & (observations.low[:-1] * observations.low[1:] > 0.01)
    )
    weight = np.sqrt(observations.low[t, s, sole] * observations.low[t + 1, s, sole])
    error = (sole_m[t + 1, s, sole] - sole_m[t, s, sole]) / sigmas.contact_m
    outlier = sigmas.contact_outlier_m_s * observations.dt_s[t] / sigmas.contact_m
    cost, trust = robust((error**2).sum(-1), outlier)
    scale = (weight * trust / sigmas.contact_m)[:, None, None]
    yield Term(
        "contact",
        float((weight**2 * cost).sum()),
        error * (weight * trust)[:, None],
        (
            (t, 1 + s, -lever(arm[t, s, sole]) * scale),
            (t + 1, 1 + s, lever(arm[t + 1, s, sole]) * scale),
        ),
    )
    standing = observations.low * observations.grounded[..., None]
    t, s, sole = np.nonzero(observations.there[..., None] & (standing > 0.01))
    weight = np.sqrt(standing[t, s, sole] * frame_weight(observations, sigmas)[t])
    height = sole_m[t, s, sole, 2] / sigmas.floor_m
    cost, trust = robust(height**2, sigmas.floor_outlier)
    scale = weight * trust
    slope = lever(arm[t, s, sole])[:, 2:] * (scale / sigmas.floor_m)[:, None, None]
    yield Term("floor", float((weight**2 * cost).sum()), (height * scale)[:, None], ((t, 1 + s, slope),))


def penetration(world: WorldVariables, observations: Observations, sigmas: Sigmas) -> Term:
    """No two people in one place: a proxy of the paper's E_pen on spheres in the bodies instead of their skin."""
    near = _pairs_that_may_touch(world, observations)
    frame, a, b = near
    arm_a, arm_b = (
        observations.balls[frame, s] @ np.swapaxes(world.R_world_root[frame, s], -1, -2) for s in (a, b)
    )  # (k, 14, 3)
    apart = (arm_a + world.root_m[frame, a][:, None])[:, :, None] - (arm_b + world.root_m[frame, b][:, None])[
        :, None
    ]
    distance = np.linalg.norm(apart, axis=-1)  # (k, 14, 14)
    inside = BALL_RADII_M[:, None] + BALL_RADII_M - distance
    pair, i, j = np.nonzero(inside > 0)
    scale = np.sqrt(frame_weight(observations, sigmas)[frame[pair]]) / sigmas.overlap_m
    error = inside[pair, i, j] * scale
    outward = apart[pair, i, j] / np.maximum(distance[pair, i, j], 1e-6)[:, None] * scale[:, None]

    def slope(arm: Floats) -> Floats:
        return np.concatenate([np.cross(arm, outward), outward], -1)[:, None]

    t = frame[pair]
    return squares(
        "penetration",
        error[:, None],
        (t, 1 + a[pair], -slope(arm_a[pair, i])),
        (t, 1 + b[pair], slope(arm_b[pair, j])),
    )


def _pairs_that_may_touch(world: WorldVariables, observations: Observations) -> tuple[Ints, Ints, Ints]:
    """Frames and places (k,) each of two people whose pelvises are less than two metres apart."""
    away = np.linalg.norm(world.root_m[:, :, None] - world.root_m[:, None], axis=-1)
    both = observations.there[:, :, None] & observations.there[:, None]
    frame, a, b = np.nonzero(both & (away < 2))
    once = a < b
    return frame[once], a[once], b[once]
