"""Feet that stand hold still: the pelvis goes with them, and legs reach for where they stand.

The global optimisation moves people as rigid figures (GLAMR, section 3.3), so that what a pose says wrongly of a leg
becomes a foot that slides. Here, after it, each stance gets one place on the floor, swings lead from one to the next,
and two bones of each leg bend to reach (``body.leg_reach``); trunk, arms and heading stay as they were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, minimum_filter1d

from choros.body.kinematics import posed_joints
from choros.body.leg_reach import bend_leg
from choros.glamr.contacts import spells
from choros.rotation import rotmat_about, rotmat_slerp
from choros.skeleton import JOINT_NAMES

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SIDES = ("left", "right")
_JOINT = {name: number for number, name in enumerate(JOINT_NAMES)}


@dataclass(frozen=True)
class FootRules:
    """How feet are planted; ours."""

    slip_m: float = 0.4  # a foot further from its place has slipped, and stands anew
    step_s: float = 0.24  # so long does it take it to get there, at least
    soft_s: float = 0.04  # ways of swinging feet are averaged over about so long
    lift_s: float = 0.06  # the pelvis goes up and down with its standing feet, averaged over so long
    ease_s: float = 0.08  # a foot turns into its stance, and out of it, over about so long
    stretch: float = 0.98  # of a leg that stands, at most: the pelvis comes down
    lowest_m: float = 0.08  # so far, at most: a leg that would need more lets go of its place
    give: float = 0.03  # of a leg: so much short of straight it reaches ever less far, or knees would snap
    toes_m: float = 0.07  # from the ball of the foot to the tip of the toes
    heel_m: float = 0.05  # from the ankle back to where the sole touches down


def plant_feet(
    R_local: Floats,
    root_m: Floats,
    stands: Bools,
    floor_m: Floats,
    joints_rest: Floats,
    sole_m: float,
    times_s: Floats,
    rules: FootRules | None = None,
) -> tuple[Floats, Floats]:
    """The motion with its feet planted: new ``R_local`` and ``root_m``.

    ``R_local`` (n, 24, 3, 3) holds the pelvis in a world with z up first, ``root_m`` (n, 3) is its place; ``stands``
    (n, 4) tells of ``contacts.POINTS``; ``floor_m`` (n,) is the height of what the person stands on, NaN where that is
    not known: each stance is then as high as the foot is, step by step on stairs. ``joints_rest`` (24, 3) and
    ``sole_m``, the y of the sole, are those of the T-pose. Metres. No foot is below its floor.
    """
    rules = rules or FootRules()
    dt_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0
    R_local, root_m = R_local.copy(), root_m.copy()
    turns, places = _posed(R_local, root_m, joints_rest)
    feet = [
        _Foot(side, joints_rest, sole_m, stands[:, 2 * k : 2 * k + 2], floor_m)
        for k, side in enumerate(SIDES)
    ]
    balls = places[:, [_JOINT[f"{foot.side}_foot"] for foot in feet]]
    shift = [foot.shifts(balls[:, k], rules.slip_m, rules.step_s / dt_s) for k, foot in enumerate(feet)]
    stance = np.stack([foot.stance for foot in feet], 1)
    root_m[:, 2] += _lifted(np.stack(shift, 1)[..., 2], stance, rules.lift_s / dt_s)
    targets = []
    for k, (foot, by) in enumerate(zip(feet, shift, strict=True)):
        ball = balls[:, k] + by
        soft = gaussian_filter1d(ball, rules.soft_s / dt_s, axis=0)
        ball = np.where(foot.stance[:, None], ball, soft)
        targets.append(foot.placed(ball, turns[:, _JOINT[f"{foot.side}_ankle"]], rules, dt_s))
    root_m = _within_reach(root_m, R_local[:, 0], feet, targets, joints_rest, rules, dt_s)
    for foot, (ankle, R_foot) in zip(feet, targets, strict=True):
        knee_to = turns[:, _JOINT[f"{foot.side}_hip"], :, 2]  # where the thigh faced
        bend_leg(R_local, root_m, joints_rest, foot.side, ankle, R_foot, knee_to, rules.give)
        toes = _JOINT[f"{foot.side}_foot"]
        R_local[:, toes] = R_local[:, toes] @ _toes_up(
            ankle + R_foot @ foot.to_ball, R_foot @ R_local[:, toes], foot, rules.toes_m
        )
    return R_local, root_m


class _Foot:
    """One foot: its measures, and when and on what it stands."""

    def __init__(self, side: str, rest: Floats, sole_m: float, stands: Bools, floor_m: Floats) -> None:
        ankle, ball = rest[_JOINT[f"{side}_ankle"]], rest[_JOINT[f"{side}_foot"]]
        self.side, self.floor_m = side, floor_m.copy()
        self.to_ball = ball - ankle
        self.ankle_height_m, self.ball_height_m = float(ankle[1] - sole_m), float(ball[1] - sole_m)
        self.flat: Bools = stands[:, 0].copy()  # on its heel
        self.stance: Bools = np.asarray(stands.any(1))  # on any part

    def shifts(self, ball: Floats, slip_m: float, step: float) -> Floats:
        """How far the ball (n, 3) must move, (n, 3): in each stance to one place, in swings from one to the next.

        A foot that slips further than ``slip_m`` makes a step of as many frames, in which it does not stand.
        """
        shift, half = np.zeros_like(ball), int(np.ceil(0.5 * step))
        for first, end in spells(self.stance):
            while first < end:
                last = _until_slip(ball[first:end, :2], slip_m) + first
                part = slice(first, last if last == end else max(last - half, first + 1))
                spot = np.median(ball[part], axis=0)
                known = self.floor_m[part][np.isfinite(self.floor_m[part])]
                on_m = np.median(known) if 2 * len(known) > part.stop - part.start else None
                self.floor_m[part] = spot[2] - self.ball_height_m if on_m is None else on_m
                spot[2] = self.floor_m[first] + self.ball_height_m
                shift[part] = spot - ball[part]
                first = last if last == end else min(last + half, end)
                self.stance[part.stop : first] = self.flat[part.stop : first] = False
        self.floor_m = _lower_beside(self.floor_m)
        return _between_stances(shift, self.stance)

    def placed(self, ball: Floats, R_foot: Floats, rules: FootRules, dt_s: float) -> tuple[Floats, Floats]:
        """Ankle (n, 3) and rotation (n, 3, 3) of the foot with its ball there: level where it stands on its heel."""
        ahead = R_foot[..., 2]
        yaw = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
        heel_up = -np.arcsin(np.clip(ahead[:, 2], -1, 1))
        turn = np.zeros_like(yaw)
        for first, end in spells(self.stance):
            turn[first:end] = yaw[first:end].mean() - yaw[first:end]
        yaw = yaw + _between_stances(turn[:, None], self.stance)[:, 0]
        width = rules.ease_s / dt_s
        pitch = gaussian_filter1d(np.where(self.flat, 0.0, np.maximum(heel_up, 0)), 0.5 * width)
        level = _facing(yaw) @ rotmat_about("x", pitch)
        near = maximum_filter1d(self.stance.astype(np.float64), 2 * int(np.ceil(2 * width)) + 1)
        R_foot = rotmat_slerp(R_foot, level, gaussian_filter1d(near, width))
        ankle = ball - R_foot @ self.to_ball
        heel = np.array([0.0, -self.ankle_height_m, -rules.heel_m])
        lowest = np.minimum((ankle + R_foot @ heel)[:, 2], ball[:, 2] - self.ball_height_m)
        ankle[:, 2] += np.maximum(self.floor_m - lowest, 0)
        return ankle, R_foot


def _lower_beside(floor_m: Floats) -> Floats:
    """Heights (n,) with those that are not known, NaN, the lower one of those beside; far below where none is."""
    known = np.flatnonzero(np.isfinite(floor_m))
    if not len(known):
        return np.full(len(floor_m), -np.inf)
    after = np.searchsorted(known, np.arange(len(floor_m)))
    before = np.searchsorted(known, np.arange(len(floor_m)), side="right") - 1
    inside = known[np.clip([before, after], 0, len(known) - 1)]
    return np.asarray(floor_m[inside].min(0))


def _between_stances(change: Floats, stance: Bools) -> Floats:
    """A change (n, k) that is known in stances, led straight on from one to the next."""
    known, every = np.flatnonzero(stance), np.arange(len(stance))
    if not len(known):
        return np.zeros_like(change)
    return np.stack([np.interp(every, known, column) for column in change[known].T], 1)


def _until_slip(places: Floats, slip_m: float) -> int:
    """How many of these places (n, 2) are within ``slip_m`` of the middle of those before; at least 1."""
    middle = np.cumsum(places, axis=0) / np.arange(1, len(places) + 1)[:, None]
    far = np.linalg.norm(places[1:] - middle[:-1], axis=-1) > slip_m
    return int(np.argmax(far)) + 1 if far.any() else len(places)


def _posed(R_local: Floats, root_m: Floats, rest: Floats) -> tuple[Floats, Floats]:
    """World rotations (n, 24, 3, 3) and places (n, 24, 3) of the joints."""
    turns, places = posed_joints(R_local, np.broadcast_to(rest, (len(root_m), 24, 3)))
    return turns, places - places[:, :1] + root_m[:, None]


def _lifted(shift: Floats, stance: Bools, width: float) -> Floats:
    """How the body goes up and down with its standing feet, (n,): the mean of their shifts (n, 2), over time."""
    known = np.flatnonzero(stance.any(1))
    if not len(known):
        return np.zeros(len(shift))
    mean = (shift * stance).sum(1) / np.maximum(stance.sum(1), 1)
    return np.asarray(gaussian_filter1d(np.interp(np.arange(len(mean)), known, mean[known]), width))


def _within_reach(
    root_m: Floats,
    R_root: Floats,
    feet: list[_Foot],
    targets: list[tuple[Floats, Floats]],
    rest: Floats,
    rules: FootRules,
    dt_s: float,
) -> Floats:
    """The pelvis (n, 3) lowered where a leg would have to be longer than it is."""
    drop = np.zeros(len(root_m))
    for foot, (ankle, _) in zip(feet, targets, strict=True):
        hip_j, knee_j, ankle_j = (_JOINT[f"{foot.side}_{name}"] for name in ("hip", "knee", "ankle"))
        leg_m = rules.stretch * float(
            np.linalg.norm(rest[knee_j] - rest[hip_j]) + np.linalg.norm(rest[ankle_j] - rest[knee_j])
        )
        hip = root_m + R_root @ (rest[hip_j] - rest[0])
        away = ((hip - ankle)[:, :2] ** 2).sum(1)
        highest = ankle[:, 2] + np.sqrt(np.maximum(leg_m**2 - away, 0.25 * leg_m**2))
        drop = np.minimum(drop, np.where(foot.stance, highest - hip[:, 2], 0.0))
    width = 0.05 / dt_s
    drop = gaussian_filter1d(minimum_filter1d(drop, int(2 * width) | 1), width)
    return np.asarray(root_m + np.maximum(drop, -rules.lowest_m)[:, None] * [0.0, 0.0, 1.0])


def _toes_up(ball: Floats, R_toes: Floats, foot: _Foot, toes_m: float) -> Floats:
    """Turn (n, 3, 3) of the toes that keeps their tip out of the floor."""
    tip = ball + R_toes @ [0.0, -foot.ball_height_m, toes_m]
    sunk = np.clip((foot.floor_m - tip[:, 2]) / toes_m, 0, 0.9)
    return rotmat_about("x", -np.arcsin(sunk))


def _facing(yaw: Floats) -> Floats:
    """Rotation (n, 3, 3) of a foot that lies level and points along (cos, sin) of ``yaw`` on the floor."""
    c, s, o, i = np.cos(yaw), np.sin(yaw), np.zeros_like(yaw), np.ones_like(yaw)
    rows = [np.stack([-s, o, c], -1), np.stack([c, o, s], -1), np.stack([o, i, o], -1)]
    return np.stack(rows, -2)
