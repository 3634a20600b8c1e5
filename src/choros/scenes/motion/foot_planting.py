"""Feet on the floor for any motion: whoever made it, feet that stand are planted and legs reach for them.

First the pelvis is carried by the feet that stand, then each stance is pinned to one place on the floor by the
ball of its foot, and the swings between are bent to lead from one to the next. Two-bone inverse kinematics keeps
the knees in the plane they had.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter1d, label, minimum_filter1d

from choros.body.kinematics import forward_kinematics
from choros.body.leg_reach import bend_leg
from choros.rotation import rotmat_about, rotmat_slerp
from choros.scenes.motion.gait import HEEL_BEHIND_ANKLE_M, LEG_STRETCH
from choros.scenes.motion.rest_skeleton import JOINT, SIDES, Floats, RestSkeleton, facing
from choros.scenes.motion.routes import smoothstep

TOES_M = 0.07  # from the ball of the foot to the tip of the toes
SHORTEST_STANCE_S = 0.1
SWING_LIFT_M = 0.04  # at least, halfway of a step of 0.4 m and more
RAISED = 0.09  # leg lengths: a foot so much higher than the other does not stand, whatever is said of it
BRIDGE_S = 0.2
NEAR_M = 0.07
EASE_S = 0.1  # a foot settles into its stance, and leaves it, over about that time


def plant(
    R_local: Floats,  # (T, 24, 3, 3), the first is the pelvis in the world, z up
    pelvis: Floats,  # (T, 3) metres
    stands: NDArray[np.bool_],  # (T, 2) whether the left and right foot stand
    skeleton: RestSkeleton,
    times_s: Floats,  # (T,) evenly spaced
) -> tuple[Floats, Floats]:
    """The motion with its feet planted: new ``R_local`` and ``pelvis``.

    Soles of standing feet lie on the floor at 0 and do not slide; no foot is below it, toes bend instead.
    """
    dt_s = float(times_s[1] - times_s[0]) if len(times_s) > 1 else 1.0
    R_local, rest = R_local.copy(), skeleton.joints_rest
    balls = [JOINT[f"{side}_foot"] for side, _ in SIDES]
    height = rest[balls, 1] - skeleton.sole_m

    turns, places = _joints(R_local, pelvis, rest)
    raised = places[:, balls, 2] - places[:, balls, 2].min(axis=1, keepdims=True)
    stands = _bridged(stands & (raised < RAISED * skeleton.leg_m), places[:, balls, 2] - height, dt_s)
    stands = np.stack([_lasting(foot, SHORTEST_STANCE_S / dt_s) for foot in stands.T], axis=1)
    pelvis = pelvis + _carried(places[:, balls], height, stands, dt_s)
    places = places + (pelvis - places[:, 0])[:, None]
    ankles, feet = [], []
    for i, (side, _) in enumerate(SIDES):
        ankle, R_foot = _planted(
            places[:, balls[i]], turns[:, JOINT[f"{side}_ankle"]], stands[:, i], skeleton, side, dt_s
        )
        ankles.append(ankle)
        feet.append(R_foot)

    pelvis = _within_reach(pelvis, R_local[:, 0], ankles, skeleton, dt_s)
    for (side, _), ankle, R_foot in zip(SIDES, ankles, feet, strict=True):
        knee_to = turns[:, JOINT[f"{side}_hip"], :, 2]  # where the thigh faced
        bend_leg(R_local, pelvis, rest, side, ankle, R_foot, knee_to)
        toes_j = JOINT[f"{side}_foot"]
        ball = ankle + R_foot @ (rest[toes_j] - rest[JOINT[f"{side}_ankle"]])
        tip = ball + R_foot @ R_local[:, toes_j] @ [0.0, skeleton.sole_m - rest[toes_j, 1], TOES_M]
        sunk = np.clip(-tip[:, 2] / TOES_M, 0, 0.9)
        R_local[:, toes_j] = R_local[:, toes_j] @ rotmat_about("x", -np.arcsin(sunk))
    return R_local, pelvis


def _bridged(stands: NDArray[np.bool_], above: Floats, dt_s: float) -> NDArray[np.bool_]:
    """Stances drawn out over moments in which no foot is said to stand but one is near the floor: no walker flies.

    ``above`` (T, 2) metres from the floor.
    """
    known = stands.any(axis=1)
    if not known.any():
        return stands
    frames, (nearest,) = distance_transform_edt(~known, return_indices=True)
    near = (frames * dt_s < BRIDGE_S) & (above.min(axis=1) < NEAR_M)
    return np.where(near[:, None], stands[nearest], stands)


def _lasting(stands: NDArray[np.bool_], frames: float) -> NDArray[np.bool_]:
    """Without gaps, and then without stances, shorter than some frames."""
    for value in (False, True):
        spells, n = label(stands == value)
        for k in range(1, n + 1):
            inside = spells == k
            if inside.sum() < frames and not (inside[0] or inside[-1]):
                stands = stands ^ inside
    return stands


def _joints(R_local: Floats, pelvis: Floats, rest: Floats) -> tuple[Floats, Floats]:
    """Global rotations (T, 24, 3, 3) and places (T, 24, 3)."""
    turns, shifts = forward_kinematics(
        torch.from_numpy(R_local), torch.from_numpy(rest).expand(len(pelvis), 24, 3)
    )
    return turns.numpy(), rest - rest[0] + shifts.numpy() + pelvis[:, None]


def _carried(balls: Floats, height: Floats, stands: NDArray[np.bool_], dt_s: float) -> Floats:  # (T, 3)
    """How the whole body must shift so that the balls (T, 2, 3) of standing feet rest, and rest on the floor."""
    T = len(balls)
    if T < 2 or not stands.any():
        return np.zeros((T, 3))
    weight = (stands[1:] & stands[:-1]).astype(np.float64)
    slide = (np.diff(balls[..., :2], axis=0) * weight[..., None]).sum(1) / np.maximum(weight.sum(1), 1)[
        :, None
    ]
    along = -np.concatenate([np.zeros((1, 2)), np.cumsum(slide, axis=0)])
    miss = (height - balls[..., 2]) * stands
    known = stands.any(axis=1)
    lift = np.interp(np.arange(T), np.flatnonzero(known), (miss.sum(1) / np.maximum(stands.sum(1), 1))[known])
    return gaussian_filter1d(np.concatenate([along, lift[:, None]], axis=1), 0.06 / dt_s, axis=0)


def _planted(
    ball: Floats, R_foot: Floats, stands: NDArray[np.bool_], skeleton: RestSkeleton, side: str, dt_s: float
) -> tuple[Floats, Floats]:
    """Ankle (T, 3) and R_world_foot (T, 3, 3) of a foot whose ball is pinned wherever it stands."""
    rest = skeleton.joints_rest
    to_ball = rest[JOINT[f"{side}_foot"]] - rest[JOINT[f"{side}_ankle"]]
    ball_height = rest[JOINT[f"{side}_foot"], 1] - skeleton.sole_m
    forward = R_foot[..., 2]
    yaw, heel_up = (
        np.unwrap(np.arctan2(forward[:, 1], forward[:, 0])),
        -np.arcsin(np.clip(forward[:, 2], -1, 1)),
    )

    # Where each stance is, and how far that is from where the foot was: swings go from one to the next.
    shift, yaw_stance, clear = np.zeros_like(ball), yaw.copy(), np.zeros(len(ball))
    spells, n = label(stands)
    if n:
        for k in range(1, n + 1):
            inside = spells == k
            spot = np.array([*ball[inside, :2].mean(axis=0), ball_height])
            shift[inside] = spot - ball[inside]
            yaw_stance[inside] = yaw[inside].mean()
        known = np.flatnonzero(stands)
        every = np.arange(len(ball))
        shift = np.stack([np.interp(every, known, column) for column in shift[known].T], axis=1)
        turn = np.interp(every, known, (yaw_stance - yaw)[known])
        eased = gaussian_filter1d(shift, 0.4 * EASE_S / dt_s, axis=0)
        shift = np.where(stands[:, None], shift, eased)
        flat = facing(yaw + turn) @ rotmat_about("x", np.maximum(heel_up, 0))
        weight = np.maximum(stands, gaussian_filter1d(stands.astype(np.float64), EASE_S / dt_s))
        free = facing(turn) @ facing(np.zeros(1)).swapaxes(-1, -2) @ R_foot
        R_foot = rotmat_slerp(free, flat, weight)
        clear = _clearance(ball + shift, stands)

    ankle = ball + shift - R_foot @ to_ball
    heel = np.array(
        [0.0, skeleton.sole_m - rest[JOINT[f"{side}_ankle"], 1], -HEEL_BEHIND_ANKLE_M * to_ball[2] / 0.13]
    )
    lowest = np.minimum(ankle + R_foot @ heel, ankle + R_foot @ to_ball - [0, 0, ball_height])[:, 2]
    ankle[:, 2] += np.maximum(0, clear - lowest)
    return ankle, R_foot


def _clearance(ball: Floats, stands: NDArray[np.bool_]) -> Floats:  # (T,) metres
    """How high a foot must be at least on its way from one stance to the next, so that it does not scuff."""
    clear = np.zeros(len(ball))
    swings, n = label(~stands)
    for k in range(1, n + 1):
        inside = np.flatnonzero(swings == k)
        before, after = inside[0] - 1, inside[-1] + 1
        if before >= 0 and after < len(ball):
            u = np.arange(1, len(inside) + 1) / (len(inside) + 1)
            reach = float(np.linalg.norm((ball[after] - ball[before])[:2]))
            clear[inside] = SWING_LIFT_M * smoothstep(reach / 0.4) * 16 * u**2 * (1 - u) ** 2
    return clear


def _within_reach(
    pelvis: Floats, R_pelvis: Floats, ankles: list[Floats], skeleton: RestSkeleton, dt_s: float
) -> Floats:  # (T, 3)
    """The pelvis lowered where a leg would have to be longer than it is."""
    rest = skeleton.joints_rest
    stretch = LEG_STRETCH * (skeleton.bone_m("left_knee") + skeleton.bone_m("left_ankle"))
    drop = np.zeros(len(pelvis))
    for (side, _), ankle in zip(SIDES, ankles, strict=True):
        hip = pelvis + R_pelvis @ (rest[JOINT[f"{side}_hip"]] - rest[0])
        away = np.sum((hip - ankle)[:, :2] ** 2, axis=1)
        highest = ankle[:, 2] + np.sqrt(np.maximum(stretch**2 - away, 0.25 * stretch**2))
        drop = np.minimum(drop, highest - hip[:, 2])
    blur = 0.05 / dt_s
    drop = gaussian_filter1d(minimum_filter1d(drop, int(2 * blur) | 1), blur)
    return pelvis + drop[:, None] * [0, 0, 1]
