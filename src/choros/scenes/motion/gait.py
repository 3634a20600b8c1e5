"""How people move: walking, jogging, standing and gesturing as SMPL poses that follow a route on the floor.

Procedural and our own: footsteps are planted first, where the route will be when a foot carries the body, and
the legs then reach for them by inverse kinematics, so that a foot that stands cannot slide. Trunk, arms and
head swing with the phase of the steps. Routes come from ``routes``; nothing here knows clothes or cameras.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

from choros.body.leg_reach import bend_leg
from choros.rotation import rotmat_about, rotmat_to_rotvec
from choros.scenes.motion.gestures import Gesture, blend_gesture
from choros.scenes.motion.rest_skeleton import (
    JOINT,
    SIDES,
    Floats,
    Poses,
    RestSkeleton,
    facing,
)
from choros.scenes.motion.routes import STEP_S, Route, smoothstep
from choros.scenes.motion.sitting import Sitting, sit

HEEL_BEHIND_ANKLE_M = 0.05  # where the sole touches down, for a foot 0.13 m from ankle to ball
LEG_M = 0.88  # of most people
LEG_STRETCH = 0.994  # of thigh + shin at most: a knee that never locks bends smoothly


@dataclass(frozen=True)
class Manner:
    """One person's way of moving; angles in rad, lengths in metres."""

    tempo: float = 1.0  # steps a second, relative to most people of that leg at that speed
    phase: float = 0.0  # of the first step, cycles
    jog: bool = False
    step_width_m: float = 0.17  # of legs of ``LEG_M``
    toe_out_rad: float = 0.1
    arm_swing_rad: float = 0.42
    elbow_rad: float = 0.3
    arms_out_rad: float = 0.12
    slouch_rad: float = 0.08
    pelvis_turn_rad: float = 0.09
    restless_rad: float = 0.06  # of head and trunk while standing


def animate(
    route: Route,
    skeleton: RestSkeleton,
    manner: Manner,
    times_s: Floats,  # (T,) within the route
    gestures: tuple[Gesture, ...] = (),
    sittings: tuple[Sitting, ...] = (),
) -> Poses:
    """Poses of somebody on a route. Between double supports exactly one foot is planted and does not move.

    Who sits must stand still meanwhile, with their back to the seat.
    """
    steps = _Steps(route, skeleton, manner)
    height = steps.pelvis_height()
    pelvis, R_pelvis = steps.pelvis(times_s, np.interp(times_s, route.time_s, height))

    R_local = np.tile(np.eye(3), (len(times_s), 24, 1, 1))
    R_local[:, 0] = R_pelvis
    _pose_trunk_and_arms(R_local, steps, times_s)
    for sitting in sittings:
        sit(R_local, pelvis, skeleton, sitting, route.heading(times_s), times_s)
    for gesture in gestures:
        blend_gesture(R_local, gesture, times_s)
    for side, sign in SIDES:
        ankle, yaw, pitch, toes = steps.foot(times_s, side, sign)
        knee_to = R_local[:, 0, :, 2] + facing(yaw)[..., 2]  # where pelvis and foot point, each for its half
        bend_leg(
            R_local,
            pelvis,
            skeleton.joints_rest,
            side,
            ankle,
            facing(yaw) @ rotmat_about("x", pitch),
            knee_to,
        )
        R_local[:, JOINT[f"{side}_foot"]] = rotmat_about("x", -toes)

    rotvec = rotmat_to_rotvec(R_local).reshape(-1, 72)
    return Poses(rotvec[:, :3], rotvec[:, 3:], pelvis - skeleton.joints_rest[0])


class _Steps:
    """Phase of the steps along a route, and where that puts feet and pelvis.

    Phase 0 is the strike of the left heel, 0.5 that of the right. While somebody stands, the phase runs on
    with steps of no length and no height: standing needs no case of its own.
    """

    def __init__(self, route: Route, skeleton: RestSkeleton, manner: Manner) -> None:
        self.route, self.skeleton, self.manner = route, skeleton, manner
        self.duty = 0.36 if manner.jog else 0.58  # share of a cycle that a foot stands
        # Step length over cadence is nearly constant in walking (the "walk ratio"), and scales with the leg.
        # Who turns on the spot takes quick small steps.
        turning = np.abs(np.gradient(route.heading_rad, STEP_S))
        hurry = np.maximum(np.maximum(route.speed, 0.35), 0.5 * np.minimum(turning, 3.0))
        steps_per_s = manner.tempo * np.sqrt(hurry / (0.45 * skeleton.leg_m))
        self.phases = manner.phase + np.cumsum(steps_per_s) / 2 * STEP_S
        self.effort = smoothstep(gaussian_filter1d(route.speed, 0.15 / STEP_S) / (2.2 if manner.jog else 1.0))
        rest = skeleton.joints_rest
        self.ankle_height_m = float(rest[JOINT["left_ankle"], 1]) - skeleton.sole_m
        ball = rest[JOINT["left_foot"]] - rest[JOINT["left_ankle"]]
        scale = float(ball[2]) / 0.13
        self.ball_offset = np.array([0.0, ball[1], ball[2]])  # the joint itself: the toes bend back about it
        self.heel_offset = np.array([0.0, -self.ankle_height_m, -HEEL_BEHIND_ANKLE_M * scale])
        self._plan()

    def _plan(self) -> None:
        """Plant every footstep: ankle (n, 2) on the floor and yaw (n,), for each side."""
        # The body passes over a foot a little before the middle of its stance.
        over = 0.38 * self.duty
        self.first = int(np.floor(self.phases[0])) - 1
        cycle = np.arange(self.first, int(np.ceil(self.phases[-1])) + 2)
        self.plants: dict[str, tuple[Floats, Floats]] = {}
        for side, sign in SIDES:
            when = np.interp(cycle + over + _lag(side), self.phases, self.route.time_s)
            place, heading = self.route.place(when), self.route.heading(when)
            left = np.stack([-np.sin(heading), np.cos(heading)], -1)
            ankle = place + left * sign * self.manner.step_width_m * self.skeleton.leg_m / LEG_M / 2
            self.plants[side] = ankle, heading + sign * self.manner.toe_out_rad

    def at(self, times_s: Floats) -> tuple[Floats, Floats]:
        """Phase and effort (0 standing to 1 at a good pace), each (T,)."""
        time_s = self.route.time_s
        return np.interp(times_s, time_s, self.phases), np.interp(times_s, time_s, self.effort)

    def foot(self, times_s: Floats, side: str, sign: float) -> tuple[Floats, Floats, Floats, Floats]:
        """Ankle (T, 3) world, and the foot's yaw, pitch (heel up is positive) and toe bend, (T,) rad."""
        phase, effort = self.at(times_s)
        since = phase - _lag(side)
        number = np.floor(since).astype(int)
        part = since - number
        places, yaws = self.plants[side]
        k = np.clip(number - self.first, 0, len(places) - 2)

        stands = part < self.duty
        u = np.clip((part - self.duty) / (1 - self.duty), 0, 1)
        pitch, toes = self._pitch(part, u, effort)
        standing = self._ankle_on(places[k], yaws[k], pitch)

        # A swing leaves and lands with the speed that rolling over ball and heel gives the ankle.
        def ankle(k: NDArray[np.int_], part: float) -> Floats:
            at = np.full(len(k), part)
            return self._ankle_on(places[k], yaws[k], self._pitch(at, np.zeros(len(k)), effort)[0])

        small, swing = 1e-3, 1 - self.duty
        start, end = ankle(k, self.duty), ankle(k + 1, 0.0)
        leaving = (start - ankle(k, self.duty - small)) / small * swing
        landing = (ankle(k + 1, small) - end) / small * swing
        u_ = u[:, None]
        swinging = start + (end - start) * (u_**3 * (10 - 15 * u_ + 6 * u_**2))
        swinging += leaving * (u_ - 6 * u_**3 + 8 * u_**4 - 3 * u_**5)
        swinging += landing * (-4 * u_**3 + 7 * u_**4 - 3 * u_**5)
        reach = np.linalg.norm((end - start)[:, :2], axis=1)
        turn = np.abs(yaws[k + 1] - yaws[k])
        lift = (0.12 if self.manner.jog else 0.045) * smoothstep(reach / 0.4 + turn / 1.0)
        swinging[:, 2] += lift * 16 * u**2 * (1 - u) ** 2

        yaw = np.where(stands, yaws[k], yaws[k] + (yaws[k + 1] - yaws[k]) * smoothstep(u))
        return np.where(stands[:, None], standing, swinging), yaw, pitch, toes

    def _pitch(self, part: Floats, u: Floats, effort: Floats) -> tuple[Floats, Floats]:
        """Pitch of the foot and bend of the toes at a part of the cycle (u of the swing), (T,) rad."""
        strike, push = (0.05, 0.95) if self.manner.jog else (0.32, 1.15)
        stance = np.clip(part / self.duty, 0, 1)
        heel_up = push * smoothstep((stance - 0.5) / 0.7) / smoothstep(0.5 / 0.7)
        in_stance = heel_up - strike * (1 - smoothstep(stance / 0.22))
        in_swing = push * (1 - smoothstep(u / 0.75)) - strike * smoothstep((u - 0.45) / 0.55)
        stands = part <= self.duty
        toes = np.where(stands, heel_up, push * (1 - smoothstep(u / 0.4)))
        return np.where(stands, in_stance, in_swing) * effort, toes * effort

    def _ankle_on(self, place: Floats, yaw: Floats, pitch: Floats) -> Floats:
        """Ankle (T, 3) of a foot planted at (T, 2), rolled over its heel (pitch < 0) or ball (pitch > 0)."""
        flat = np.concatenate([place, np.full((len(place), 1), self.ankle_height_m)], axis=1)
        pivot = np.where(pitch[:, None] > 0, self.ball_offset, self.heel_offset)
        rolled = pivot - np.einsum("tij,tj->ti", rotmat_about("x", pitch), pivot)
        return flat + np.einsum("tij,tj->ti", facing(yaw), rolled)

    def pelvis(self, times_s: Floats, height_m: Floats) -> tuple[Floats, Floats]:
        """Pelvis (T, 3) world at given heights, and R_world_pelvis (T, 3, 3)."""
        phase, effort = self.at(times_s)
        heading = self.route.heading(times_s)
        place = self.route.place(times_s)
        stance = np.cos(2 * np.pi * (phase - self.duty / 2))  # 1 over the left foot, -1 over the right
        rest = (1 - effort) * drift(times_s, 5.5, self.manner.phase)
        sway = 0.022 * stance * effort + 0.03 * rest
        place = place + sway[:, None] * np.stack([-np.sin(heading), np.cos(heading)], -1)
        turn = -self.manner.pelvis_turn_rad * np.cos(2 * np.pi * phase) * effort
        tilt = (0.05 + (0.1 if self.manner.jog else 0.0)) * effort
        R = (
            facing(heading)
            @ rotmat_about("y", turn)
            @ rotmat_about("z", 0.045 * stance * effort - 0.05 * rest)
        )
        return np.concatenate([place, height_m[:, None]], axis=1), R @ rotmat_about("x", tilt)

    def pelvis_height(self) -> Floats:  # (n,) metres, at the route's own times
        """As high as both legs reach, smoothed: the rise and fall of an inverted pendulum comes by itself."""
        time_s = self.route.time_s
        phase, effort = self.at(time_s)
        level, R = self.pelvis(time_s, np.zeros(len(time_s)))
        rest = self.skeleton.joints_rest
        stretch = LEG_STRETCH * (self.skeleton.bone_m("left_knee") + self.skeleton.bone_m("left_ankle"))
        hip_drop = float(rest[0, 1] - rest[JOINT["left_hip"], 1])
        bounce = np.cos(4 * np.pi * (phase - self.duty / 2)) * effort
        dip = 0.035 * effort + 0.035 * bounce if self.manner.jog else 0.012 * effort
        highest = self.ankle_height_m + stretch + hip_drop - dip
        for side, sign in SIDES:
            ankle, _, _, _ = self.foot(time_s, side, sign)
            hip = level + R @ (rest[JOINT[f"{side}_hip"]] - rest[0])
            away = np.sum((hip - ankle)[:, :2] ** 2, axis=1)
            allowed = ankle[:, 2] + np.sqrt(np.maximum(stretch**2 - away, 0.25 * stretch**2)) - hip[:, 2]
            highest = np.minimum(highest, allowed)
        blur = 0.03 / STEP_S
        return gaussian_filter1d(minimum_filter1d(highest, int(2 * blur) | 1), blur)


def _lag(side: str) -> float:
    """Phase of a foot's strike."""
    return 0.0 if side == "left" else 0.5


def drift(times_s: Floats, period_s: float, seed: float) -> Floats:
    """A slow wander within about -1..1 that never repeats soon."""
    t = 2 * np.pi * (times_s / period_s + seed)
    return 0.6 * np.sin(t) + 0.3 * np.sin(2.3 * t + 1 + seed) + 0.1 * np.sin(4.1 * t + 2)


def _pose_trunk_and_arms(R_local: Floats, steps: _Steps, times_s: Floats) -> None:
    """Chest and arms against the legs, head steady and a little ahead of the turns."""
    manner, (phase, effort) = steps.manner, steps.at(times_s)
    swing = np.cos(2 * np.pi * phase) * effort
    stance = np.cos(2 * np.pi * (phase - steps.duty / 2)) * effort
    restless = manner.restless_rad * (1 - 0.6 * effort)
    turn = 2.1 * manner.pelvis_turn_rad * swing + 0.5 * restless * drift(times_s, 6.1, manner.phase + 0.2)
    for joint, share in (("spine1", 0.3), ("spine2", 0.3), ("spine3", 0.4)):
        bend = share * manner.slouch_rad
        R_local[:, JOINT[joint]] = (
            rotmat_about("y", share * turn)
            @ rotmat_about("z", -share * 0.055 * stance)
            @ rotmat_about("x", np.full(len(times_s), bend))
        )

    heading = steps.route.heading
    gaze = np.clip(0.8 * (heading(times_s + 0.4) - heading(times_s)), -0.7, 0.7)
    gaze += 3 * restless * drift(times_s, 4.3, manner.phase + 0.5)
    nod = -0.6 * manner.slouch_rad - 0.04 * effort + restless * drift(times_s, 3.7, manner.phase + 0.8)
    for joint, share in (("neck", 0.5), ("head", 0.5)):
        R_local[:, JOINT[joint]] = rotmat_about("y", share * (gaze - turn * 0.6)) @ rotmat_about(
            "x", share * nod
        )

    for side, sign in SIDES:
        forward = -sign * manner.arm_swing_rad * swing + 0.05
        forward += 0.04 * (1 - effort) * drift(times_s, 4.9, manner.phase + 0.1 * sign)
        flex = manner.elbow_rad + 0.5 * np.clip(forward, 0, None)
        if manner.jog:
            flex = flex + 1.25 * effort
        down = np.pi / 2 - 0.12 - manner.arms_out_rad
        R_local[:, JOINT[f"{side}_collar"]] = rotmat_about("z", np.full(len(times_s), -sign * 0.12))
        R_local[:, JOINT[f"{side}_shoulder"]] = rotmat_about("x", -forward) @ rotmat_about("z", -sign * down)
        R_local[:, JOINT[f"{side}_elbow"]] = rotmat_about("y", -sign * flex)
        R_local[:, JOINT[f"{side}_wrist"]] = rotmat_about("y", np.full(len(times_s), -sign * 0.12))
        R_local[:, JOINT[f"{side}_hand"]] = rotmat_about("z", np.full(len(times_s), -sign * 0.45))  # at ease
