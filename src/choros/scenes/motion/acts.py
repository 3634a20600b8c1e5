"""What people do in scenes: each act draws a proposal, roles for one or a few people that belong together.

An act knows the floor plan only to aim (places that the picture shows, whom it has already); whether a proposal fits
is the floor plan's to say, and drawing again the director's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from choros.scenes.motion.floor_plan import FloorPlan
from choros.scenes.motion.gait import LEG_M, Manner
from choros.scenes.motion.gestures import Gesture
from choros.scenes.motion.rest_skeleton import RestSkeleton
from choros.scenes.motion.roles import Proposal, Role
from choros.scenes.motion.routes import Leg, stand, walk
from choros.scenes.motion.sitting import DOWN_S, Sitting, back_m
from choros.scenes.motion.visibility import TALL_M
from choros.scenes.place.obstacles import Obstacle

Floats = NDArray[np.float64]
Act = Callable[[np.random.Generator, FloorPlan, Sequence[RestSkeleton]], Proposal]

LONG_AGO_S = -30.0  # somebody who arrived then has been there all the time
STANDING = ("look", "text", "phone", "pockets", "hips", "wave")
WALKING = ("phone", "text", "pockets", "look")


def sample_manner(rng: np.random.Generator) -> Manner:
    """One person's way of moving, drawn at random."""
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


def _line(*places: Floats) -> tuple[tuple[float, float], ...]:
    return tuple(_point(place) for place in places)


def _pace(rng: np.random.Generator, skeleton: RestSkeleton, low: float, high: float) -> float:
    """A walking speed, m/s: at the same effort it goes with the root of the leg (Froude)."""
    return float(rng.uniform(low, high)) * float(np.sqrt(skeleton.leg_m / LEG_M))


def _midway(rng: np.random.Generator, plan: FloorPlan) -> float:
    return float(plan.seconds * rng.uniform(0.2, 0.8))


def passing(rng: np.random.Generator, plan: FloorPlan, skeletons: Sequence[RestSkeleton]) -> Proposal:
    """One: across the picture, mostly from side to side; some stop in the middle and go on elsewhere."""
    when = _midway(rng, plan)
    centre = plan.spot(rng, when, 0.3)
    speed = _pace(rng, skeletons[0], 0.8, 1.6)
    toward = float(rng.normal(0, 0.25) + rng.choice([0.0, np.pi]))
    gestures: tuple[Gesture, ...] = ()
    if rng.uniform() < 0.3:
        pause = float(rng.uniform(1.4, 2.8))
        away = toward + float(rng.choice([-1, 1]) * rng.uniform(0.4, 3.1))
        before, after = centre - _turned(toward, 3.0), centre + _turned(away, 4.0)
        legs: tuple[Leg, ...] = (Leg(_line(before, centre), pause), Leg(_line(centre, after)))
        gestures = (Gesture(str(rng.choice(STANDING)), when - 0.2, when + pause + 0.3),)
        through = (0, 1.0, when)
    else:
        bend = _turned(toward + np.pi / 2, float(rng.normal(0, 0.35)))
        legs = (Leg(_line(*(centre + _turned(toward, s) + bend * abs(s) / 3 for s in (-3.0, 0.0, 3.0)))),)
        if rng.uniform() < 0.3:
            kind = str(rng.choice(WALKING))
            gestures = (Gesture(kind, when - rng.uniform(1, 4), when + rng.uniform(1, 4)),)
        through = (0, 0.5, when)
    return Proposal((Role(walk(legs, speed, plan.seconds, through), sample_manner(rng), gestures),))


def strolling(rng: np.random.Generator, plan: FloorPlan, skeletons: Sequence[RestSkeleton]) -> Proposal:
    """One: comes or goes, up and down the picture more than across, and stays for a while or for good."""
    when = float(plan.seconds * rng.uniform(0.2, 0.6))
    centre = plan.spot(rng, when)
    toward = float(rng.choice([-1, 1]) * np.pi / 2 + rng.normal(0, 0.25))
    pause = float(rng.uniform(1.2, 3.5))
    before = centre - _turned(toward, 1.6)
    after = centre + _turned(toward + float(rng.normal(0, 1.2)), 1.5)
    legs = (Leg(_line(before, centre), pause), Leg(_line(centre, after), 30.0))
    gestures = (Gesture(str(rng.choice(STANDING)), when - 0.2, when + pause),)
    route = walk(legs, _pace(rng, skeletons[0], 0.8, 1.4), plan.seconds, (0, 1.0, when))
    return Proposal((Role(route, sample_manner(rng), gestures),))


def standing(rng: np.random.Generator, plan: FloorPlan, skeletons: Sequence[RestSkeleton]) -> Proposal:
    """One: stands about, where there is most room of some places."""
    spots = np.stack([plan.spot(rng, rng.uniform(0, plan.seconds), 0.9) for _ in range(50)])
    still = np.repeat(spots[:, None], len(plan.times_s), axis=1)
    during = (plan.times_s >= 0) & (plan.times_s <= plan.seconds)
    room = np.where(plan.in_picture(still)[:, during].mean(axis=1) < 0.36, -1.0, 3.0)
    for place in plan.places:
        room = np.minimum(room, np.linalg.norm(still - place, axis=-1).min(axis=1))
    for thing in plan.things:
        room = np.minimum(room, thing.distance_m(spots) + 0.2)
    face = float(rng.uniform(-np.pi, np.pi))
    route = stand(spots[int(np.argmax(np.minimum(room, 1.2)))], face, plan.seconds)
    return Proposal((Role(route, sample_manner(rng), _pastimes(rng, plan.seconds)),))


def _pastimes(rng: np.random.Generator, seconds: float) -> tuple[Gesture, ...]:
    """Gestures of somebody who waits, one after another with breaks."""
    gestures, start = [], float(rng.uniform(-4, 2))
    while start < seconds:
        end = start + float(rng.uniform(2, 5))
        gestures.append(Gesture(str(rng.choice(STANDING)), start, end))
        start = end + float(rng.uniform(0.3, 3))
    return tuple(gestures)


def together(rng: np.random.Generator, plan: FloorPlan, skeletons: Sequence[RestSkeleton]) -> Proposal:
    """Two or more who walk one way: side by side, or one behind another at 0.9 to 1.5 m."""
    when = _midway(rng, plan)
    centre = plan.spot(rng, when, 0.3)
    speed = min(_pace(rng, skeleton, 0.9, 1.4) for skeleton in skeletons)
    toward = float(rng.normal(0, 0.35) + rng.choice([0.0, np.pi]))
    bend = _turned(toward + np.pi / 2, float(rng.normal(0, 0.3)))
    points = [centre + _turned(toward, s) + bend * abs(s) / 3 for s in (-3.0, 0.0, 3.0)]
    abreast = bool(rng.uniform() < 0.5)
    pause = float(rng.uniform(1.5, 3.0)) if abreast and rng.uniform() < 0.3 else 0.0
    roles, back_m, side = [], 0.0, float(rng.choice([-1, 1]))
    for number in range(len(skeletons)):
        if abreast:  # the same path, moved as a whole: they keep their distance through bends and stops
            shift = side * _turned(toward + np.pi / 2, 0.72 * number) - _turned(toward, rng.uniform(0, 0.2))
            legs: tuple[Leg, ...] = (Leg(_line(*(p + shift for p in points))),)
            if pause:
                legs = (
                    Leg(_line(*(p + shift for p in points[:2])), pause),
                    Leg(_line(*(p + shift for p in points[1:]))),
                )
            through = (0, 1.0 if pause else 0.5, when)
        else:
            back_m += float(rng.uniform(0.9, 1.5)) if number else 0.0
            legs, through = (Leg(_line(*points)),), (0, 0.5, when + back_m / speed)
        gestures: tuple[Gesture, ...] = ()
        if abreast and rng.uniform() < 0.5:
            start = float(rng.uniform(-1, plan.seconds))
            gestures = (Gesture("talk", start, start + float(rng.uniform(1.5, 4))),)
        # In step as often as friends are: each keeps a tempo of their own.
        roles.append(Role(walk(legs, speed, plan.seconds, through), sample_manner(rng), gestures))
    return Proposal(tuple(roles))


def circle(rng: np.random.Generator, plan: FloorPlan, skeletons: Sequence[RestSkeleton]) -> Proposal:
    """Two to five who stand about a centre and talk; some come to it during the clip, some leave."""
    count = len(skeletons)
    centre = plan.spot(rng, rng.uniform(0.2, 0.8) * plan.seconds, 0.6)
    radius = max(0.5, 0.47 / np.sin(np.pi / count)) * float(rng.uniform(1.0, 1.25))
    first = float(rng.uniform(0, 2 * np.pi))
    roles = []
    for number, skeleton in enumerate(skeletons):
        outward = first + 2 * np.pi * (number + float(rng.uniform(-0.08, 0.08))) / count
        spot = centre + _turned(outward, radius)
        inward = outward + np.pi
        chance = rng.uniform() if number else 1.0  # one at least is there all the time
        away = spot + _turned(outward + float(rng.normal(0, 0.3)), 3.0)
        speed = _pace(rng, skeleton, 0.9, 1.4)
        since, until = -2.0, plan.seconds + 2.0
        if chance < 0.25:
            since = float(rng.uniform(0.15, 0.6)) * plan.seconds
            route = walk((Leg(_line(away, spot), 60.0, inward),), speed, plan.seconds, (0, 1.0, since))
        elif chance < 0.5:
            until = float(rng.uniform(0.35, 0.8)) * plan.seconds
            leave = float(np.arctan2(*(away - spot)[::-1]))
            pause = until - LONG_AGO_S + 1.0
            legs = (Leg(_line(spot - _turned(leave, 1.0), spot), pause, inward), Leg(_line(spot, away)))
            route = walk(legs, speed, plan.seconds, (0, 1.0, LONG_AGO_S))
        else:
            route = stand(spot, inward, plan.seconds)
        roles.append(Role(route, sample_manner(rng), _talk(rng, since, until)))
    return Proposal(tuple(roles))


def _talk(rng: np.random.Generator, since_s: float, until_s: float) -> tuple[Gesture, ...]:
    """Talking and listening by turns."""
    gestures, start = [], since_s + float(rng.uniform(0.2, 1.5))
    while start < until_s - 1.5:
        end = min(start + float(rng.uniform(1.5, 4)), until_s - 0.2)
        kind = str(rng.choice(["talk", "talk", "nod", "nod", "hips", "pockets"]))
        gestures.append(Gesture(kind, start, end))
        start = end + float(rng.uniform(0.1, 1.5))
    return tuple(gestures)


def sitting(rng: np.random.Generator, plan: FloorPlan, skeletons: Sequence[RestSkeleton]) -> Proposal:
    """One: on a bench, a step or a stool that is there, or one brought along; comes to it, or gets up and goes."""
    skeleton = skeletons[0]
    seats = [thing for thing in plan.things if thing.seat and thing.half_width_m > 0.6]
    brought = not seats or rng.uniform() < 0.5
    seat = _seat(rng, plan, skeleton) if brought else seats[int(rng.integers(len(seats)))]
    if seat.half_width_m:
        face = float(rng.choice([-np.pi / 2, -np.pi / 2, np.pi / 2]))
        room = max(seat.half_width_m - 0.35, 0.0)
        along = np.array([float(rng.uniform(-room, room)), 0.0])
    else:
        face, along = float(rng.uniform(-np.pi, np.pi)), np.zeros(2)
    # Buttocks a little before the middle of the seat, feet before them.
    spot = np.array([seat.x, seat.y]) + along + _turned(face, back_m(skeleton) + 0.02)
    comes, goes = rng.uniform(size=2)
    away = spot + _turned(face + float(rng.normal(0, 0.5)), 3.0)
    speed = _pace(rng, skeleton, 0.8, 1.3)
    arrive = float(rng.uniform(0.05, 0.35)) * plan.seconds if comes < 0.45 else LONG_AGO_S
    down = arrive + 1.7 if comes < 0.45 else LONG_AGO_S
    up = float(rng.uniform(0.6, 0.9)) * plan.seconds if goes < 0.45 else plan.seconds + 60
    up = max(up, down + 2 * DOWN_S + 1.0)
    before = away if comes < 0.45 else spot - _turned(face, 1.0)
    legs: tuple[Leg, ...] = (Leg(_line(before, spot), up - arrive + 0.2, face),)
    if goes < 0.45:
        legs += (Leg(_line(spot, spot + _turned(face + float(rng.normal(0, 0.4)), 3.0))),)
    route = walk(legs, speed, plan.seconds, (0, 1.0, arrive))
    gestures = []
    if rng.uniform() < 0.6:
        start = max(down, -1.0) + DOWN_S + float(rng.uniform(0, 2))
        kind = str(rng.choice(["text", "phone", "look", "talk"]))
        gestures.append(Gesture(kind, start, min(start + float(rng.uniform(2, 6)), up - DOWN_S)))
    role = Role(
        route, sample_manner(rng), tuple(gestures), (Sitting(down, up, float(seat.height_m or 0.45)),)
    )
    return Proposal((replace(role, seat=seat),), (seat,) if brought else ())


def _seat(rng: np.random.Generator, plan: FloorPlan, skeleton: RestSkeleton) -> Obstacle:
    """A bench, a wide step or a stool somewhere in the picture, no higher than suits the legs."""
    x, y = plan.spot(rng, rng.uniform(0.2, 0.8) * plan.seconds, 0.7)
    height = float(rng.uniform(0.42, 0.5)) * min(1.0, skeleton.leg_m / LEG_M)
    kind = rng.choice(["bench", "step", "stool"])
    if kind == "stool":
        return Obstacle(float(x), float(y), float(rng.uniform(0.17, 0.22)), 0.0, height, True)
    half = float(rng.uniform(0.7, 1.0) if kind == "bench" else rng.uniform(1.0, 1.6))
    return Obstacle(float(x), float(y), 0.22 if kind == "bench" else 0.3, half, height, True)


def hiding(rng: np.random.Generator, plan: FloorPlan, skeletons: Sequence[RestSkeleton]) -> Proposal:
    """One: goes behind a wall or a pillar, which comes along, and out again a second or more later."""
    skeleton, setup = skeletons[0], plan.camera_setup
    near, far = plan.depth_m
    gone = float(rng.uniform(0.1, 0.28)) * min(plan.seconds, 10.0)
    behind = float(rng.uniform(0.65, 0.95))  # depth of the wall, of that of the path
    depth = float(rng.uniform(0.35, 0.9)) * (far - near) + near
    across = float(rng.uniform(-0.4, 0.4)) * setup.half_width_m(depth)
    waits = bool(rng.uniform() < 0.5)
    speed = _pace(rng, skeleton, 0.8, 1.4)
    walked = speed * (0.45 * gone if waits else gone) + 0.55  # from hidden to seen again: a body more
    when = float(rng.uniform(0.3, 0.6)) * plan.seconds
    centre = np.array([across, depth])
    toward = float(rng.normal(0, 0.12) + rng.choice([0.0, np.pi]))
    if waits:
        pause = 0.55 * gone
        turns = rng.uniform() < 0.3  # and comes back where they went in
        away = toward + (np.pi if turns else 0.0) + float(rng.normal(0, 0.1))
        legs: tuple[Leg, ...] = (
            Leg(_line(centre - _turned(toward, 3.0), centre), pause),
            Leg(_line(centre, centre + _turned(away, 3.0))),
        )
        through = (0, 1.0, when - pause / 2)
    else:
        legs = (Leg(_line(centre - _turned(toward, 3.0), centre + _turned(toward, 3.0))),)
        through = (0, 0.5, when)
    wall_y = max(depth * behind, near * 0.85)
    share = wall_y / depth
    high = max(TALL_M, plan.eye_m - (plan.eye_m - 2.0) * share)
    wall = Obstacle(across * share, wall_y, 0.08, walked / 2 * share, float(high))
    if walked * share < 1.1 and rng.uniform() < 0.5:
        wall = replace(wall, radius_m=walked / 2 * share, half_width_m=0.0)
    route = walk(legs, speed, plan.seconds, through)
    return Proposal((Role(route, sample_manner(rng)),), (wall,))


def along(rng: np.random.Generator, plan: FloorPlan, skeletons: Sequence[RestSkeleton]) -> Proposal:
    """One or two, side by side: the way the camera goes, a few metres ahead of it."""
    near, far = plan.depth_m
    speed = max(plan.camera_setup.travel_m / plan.seconds, 0.7) * float(rng.uniform(0.94, 1.06))
    depth = float(rng.uniform(near + 0.8, min(near + 5.0, far)))
    across = float(rng.uniform(-0.6, 0.6)) * plan.camera_setup.half_width_m(depth)
    length = speed * plan.seconds
    bend = float(rng.normal(0, 0.3))
    roles = []
    for number in range(len(skeletons)):
        x = across + 0.72 * number * (-1 if across > 0 else 1)
        back = float(rng.uniform(0, 0.2))
        shares = (0.0, 0.5, 1.0)
        points = [np.array([x + bend * np.sin(np.pi * s), depth - back + s * length]) for s in shares]
        start = float(rng.uniform(0, plan.seconds))
        kind = "talk" if len(skeletons) > 1 else str(rng.choice(WALKING))
        gestures = (Gesture(kind, start, start + float(rng.uniform(2, 4))),) if rng.uniform() < 0.5 else ()
        route = walk((Leg(_line(*points)),), speed, plan.seconds, (0, 0.0, 0.0))
        roles.append(Role(route, sample_manner(rng), gestures))
    return Proposal(tuple(roles))


def towards(rng: np.random.Generator, plan: FloorPlan, skeletons: Sequence[RestSkeleton]) -> Proposal:
    """One: comes towards the camera and passes it."""
    when = float(rng.uniform(0.25, 1.0)) * plan.seconds
    near, far = plan.depth_m
    depth = float(rng.uniform(near, 0.5 * (near + far)))
    half = plan.camera_setup.half_width_m(depth)
    x = float(rng.choice([-1, 1]) * rng.uniform(min(1.2, 0.5 * half), min(2.5, 0.8 * half)))
    centre = np.array([x, float(plan.ahead_m(when)) + depth])
    toward = -np.pi / 2 + float(rng.normal(0, 0.05))
    speed = _pace(rng, skeletons[0], 0.9, 1.5)
    bend = np.array([float(rng.normal(0, 0.2)), 0.0])
    points = [centre + _turned(toward, s) + bend * abs(s) / 4 for s in (-4.0, 0.0, 4.0)]
    route = walk((Leg(_line(*points)),), speed, plan.seconds, (0, 0.5, when))
    gestures: tuple[Gesture, ...] = ()
    if rng.uniform() < 0.35:
        gestures = (Gesture(str(rng.choice(WALKING)), when - 3, when + 2),)
    return Proposal((Role(route, sample_manner(rng), gestures),))
