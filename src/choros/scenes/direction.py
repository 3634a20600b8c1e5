"""Directing a scene: who walks where and when, what they do, and what is in the way.

Each kind of scene is a way of drawing plans for people one after another; a plan is taken when its route keeps
clear of everybody cast so far. The camera stands above the origin and looks along y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.scenes.cameras import View
from choros.scenes.gait import Manner
from choros.scenes.gestures import Gesture
from choros.scenes.paths import Leg, Route, nearest_m, walk

Floats = NDArray[np.float64]

CLEAR_OF_PEOPLE_M = 0.75  # between the places of two people; shoulders are half a metre wide
CLEAR_OF_THINGS_M = 0.5
TRIES = 30  # of a part, before everybody is cast again


@dataclass(frozen=True)
class Obstacle:
    """Something to walk behind: a pole, or a wall across the view."""

    x: float
    y: float
    radius_m: float  # of a pole; of other things half their depth
    half_width_m: float = 0.0  # along x; 0 for what is round
    height_m: float | None = None  # None leaves it to the place
    seat: bool = False  # made to sit on: a bench, a step, a stool

    def distance_m(self, places: Floats) -> Floats:
        """From places (T, 2) on the floor, (T,)."""
        beside = np.maximum(np.abs(places[:, 0] - self.x) - self.half_width_m, 0)
        return np.hypot(beside, places[:, 1] - self.y) - self.radius_m


@dataclass(frozen=True)
class Plan:
    """One person's part."""

    route: Route
    gestures: tuple[Gesture, ...]
    manner: Manner


def sample_manner(rng: np.random.Generator) -> Manner:
    return Manner(
        tempo=float(rng.normal(1, 0.05)),
        phase=float(rng.uniform()),
        step_width_m=float(rng.uniform(0.12, 0.2)),
        toe_out_rad=float(rng.uniform(0.0, 0.2)),
        arm_swing_rad=float(rng.uniform(0.2, 0.55)),
        elbow_rad=float(rng.uniform(0.15, 0.5)),
        arms_out_rad=float(rng.uniform(0.06, 0.2)),
        slouch_rad=float(rng.uniform(0.0, 0.2)),
        pelvis_turn_rad=float(rng.uniform(0.05, 0.13)),
        restless_rad=float(rng.uniform(0.03, 0.1)),
    )


def _turned(angle_rad: float, length_m: float) -> Floats:
    return length_m * np.array([np.cos(angle_rad), np.sin(angle_rad)])


def _point(place: Floats) -> tuple[float, float]:
    return float(place[0]), float(place[1])


def passing(rng: np.random.Generator, view: View, seconds: float, number: int, count: int) -> Plan:
    """Across the picture, mostly from side to side, through its middle somewhere around half time."""
    depth = view.near_m + (view.far_m - view.near_m) * (number + rng.uniform(0.1, 0.9)) / count
    centre = np.array([rng.uniform(-0.3, 0.3) * view.half_width_m(depth), depth])
    speed, when = float(rng.uniform(0.8, 1.6)), float(seconds * rng.uniform(0.3, 0.7))
    toward = float(rng.normal(0, 0.25) + (np.pi if number % 2 else 0.0))
    gestures: tuple[Gesture, ...] = ()
    if rng.uniform() < 0.3:
        pause = float(rng.uniform(1.4, 2.8))
        kind = str(rng.choice(["wave", "look", "look", "hips", "text"]))
        away = toward + float(rng.choice([-1, 1]) * rng.uniform(0.4, 3.1))
        before, after = centre - _turned(toward, 3.0), centre + _turned(away, 4.0)
        legs = (Leg((_point(before), _point(centre)), pause), Leg((_point(centre), _point(after))))
        gestures = (Gesture(kind, when - 0.2, when + pause + 0.3),)
        return Plan(walk(legs, speed, seconds, (0, 1.0, when)), gestures, sample_manner(rng))
    bend = _turned(toward + np.pi / 2, float(rng.normal(0, 0.35)))
    points = tuple(_point(centre + _turned(toward, s) + bend * abs(s) / 3) for s in (-3.0, 0.0, 3.0))
    if rng.uniform() < 0.3:
        kind = str(rng.choice(["phone", "text", "pockets", "look"]))
        gestures = (Gesture(kind, when - rng.uniform(1, 4), when + rng.uniform(1, 4)),)
    return Plan(walk((Leg(points),), speed, seconds, (0, 0.5, when)), gestures, sample_manner(rng))


def strolling(rng: np.random.Generator, view: View, seconds: float, number: int, count: int) -> Plan:
    """Each in a strip of the picture of their own: up and down, or standing about."""
    depth = float(rng.uniform(view.near_m + 0.5, 0.6 * view.far_m + 0.4 * view.near_m))
    strip = (number + 0.5) / count * 2 - 1
    centre = np.array([0.8 * strip * view.half_width_m(depth), depth])
    speed, when = float(rng.uniform(0.8, 1.4)), float(seconds * rng.uniform(0.2, 0.6))
    toward = float(rng.choice([-1, 1]) * np.pi / 2 + rng.normal(0, 0.25))
    pause = float(rng.uniform(1.2, 3.5))
    kind = str(rng.choice(["wave", "look", "hips", "text", "phone", "pockets"]))
    before, after = centre - _turned(toward, 1.6), centre + _turned(toward + float(rng.normal(0, 1.2)), 1.5)
    legs = (Leg((_point(before), _point(centre)), pause), Leg((_point(centre), _point(after)), 30.0))
    gestures = (Gesture(kind, when - 0.2, when + pause),)
    return Plan(walk(legs, speed, seconds, (0, 1.0, when)), gestures, sample_manner(rng))


@dataclass(frozen=True)
class Kind:
    """How a kind of scene is cast."""

    people: tuple[int, int]  # at least, at most
    plan: Callable[[np.random.Generator, View, float, int, int], Plan]
    depth_m: float  # of the floor that people use
    poles: int = 0
    walls: int = 0  # behind which people are gone for seconds
    apart: bool = False  # nobody hides anybody, as far as that can be had
    camera: tuple[str, ...] = ("static",)  # of cameras.MOVES; one is drawn


KINDS: dict[str, Kind] = {
    "easy": Kind((2, 4), strolling, 4.5, apart=True),
    "crossing": Kind((5, 5), passing, 5.5, poles=1),
    "crowd": Kind((12, 12), passing, 10.0, poles=1),
    "longgone": Kind((3, 5), passing, 6.5, walls=1),
    "moving": Kind((3, 5), passing, 6.0, poles=1, camera=("pan", "dolly", "handheld", "zoom")),
}


def direct(
    rng: np.random.Generator, kind: Kind, view: View, seconds: float, people: int
) -> tuple[list[Plan], tuple[Obstacle, ...]]:
    """Plans for everybody, and what stands in the way.

    Raises ``ChorosError`` if so many people find no room.
    """
    times = np.arange(-0.5, seconds + 0.5, 0.04)
    for _ in range(12):
        obstacles = []
        for number in range(kind.poles + kind.walls):
            depth = view.near_m + float(rng.uniform(0.1, 0.6)) * (view.far_m - view.near_m)
            across = float(rng.uniform(-0.45, 0.45)) * view.half_width_m(depth)
            if number < kind.poles:
                obstacles.append(Obstacle(across, depth, float(rng.uniform(0.08, 0.45))))
            else:
                obstacles.append(Obstacle(across, depth, 0.08, float(rng.uniform(0.6, 1.3))))
        plans: list[Plan] = []
        for number in rng.permutation(people):
            for _ in range(TRIES):
                plan = kind.plan(rng, view, seconds, int(number), people)
                if _fits(plan.route, plans, obstacles, view, times, kind.apart):
                    plans.append(plan)
                    break
            else:
                break  # start over: those cast so far leave no room
        if len(plans) == people:
            return plans, tuple(obstacles)
    raise ChorosError(f"{people} people find no room in this scene; ask for fewer, or for another seed.")


def _fits(
    route: Route,
    others: list[Plan],
    obstacles: list[Obstacle],
    view: View,
    times_s: Floats,
    apart: bool,
) -> bool:
    place = route.place(times_s)
    in_picture = np.abs(place[:, 0]) < view.half_width_m(1.0) * place[:, 1]
    if np.any(place[in_picture, 1] < view.near_m) or np.any(place[:, 1] > view.far_m + 0.8):
        return False
    if np.any(place[:, 1] < 1.0) or in_picture.mean() < 0.35:
        return False
    if any(thing.distance_m(place).min() < CLEAR_OF_THINGS_M for thing in obstacles):
        return False
    for other in others:
        if nearest_m(route, other.route, times_s) < CLEAR_OF_PEOPLE_M:
            return False
        if apart:
            rival = other.route.place(times_s)
            sideways = np.abs(place[:, 0] / place[:, 1] - rival[:, 0] / rival[:, 1])
            if np.mean(sideways * np.minimum(place[:, 1], rival[:, 1]) < 0.55) > 0.1:
                return False
    return True
