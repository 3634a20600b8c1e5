"""What people do in scenes: each act draws a proposal, parts for one or a few people that belong together.

An act knows the stage only to aim (places that the picture shows, whom it has already); whether a proposal fits
is the stage's to say, and drawing again the director's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from choros.scenes.figure import Figure
from choros.scenes.gait import LEG_M, Manner
from choros.scenes.gestures import Gesture
from choros.scenes.paths import Leg, stand, walk
from choros.scenes.sight import TALL_M, Obstacle
from choros.scenes.sitting import DOWN_S, Sitting, back_m
from choros.scenes.stage import Part, Proposal, Stage

Floats = NDArray[np.float64]
Act = Callable[[np.random.Generator, Stage, Sequence[Figure]], Proposal]

LONG_AGO_S = -30.0  # somebody who arrived then has been there all the time
STANDING = ("look", "text", "phone", "pockets", "hips", "wave")
WALKING = ("phone", "text", "pockets", "look")


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


def _line(*places: Floats) -> tuple[tuple[float, float], ...]:
    return tuple(_point(place) for place in places)


def _pace(rng: np.random.Generator, figure: Figure, low: float, high: float) -> float:
    """A walking speed, m/s: at the same effort it goes with the root of the leg (Froude)."""
    return float(rng.uniform(low, high)) * float(np.sqrt(figure.leg_m / LEG_M))


def _midway(rng: np.random.Generator, stage: Stage) -> float:
    return float(stage.seconds * rng.uniform(0.2, 0.8))


def passing(rng: np.random.Generator, stage: Stage, figures: Sequence[Figure]) -> Proposal:
    """One: across the picture, mostly from side to side; some stop in the middle and go on elsewhere."""
    when = _midway(rng, stage)
    centre = stage.spot(rng, when, 0.3)
    speed = _pace(rng, figures[0], 0.8, 1.6)
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
    return Proposal((Part(walk(legs, speed, stage.seconds, through), sample_manner(rng), gestures),))


def strolling(rng: np.random.Generator, stage: Stage, figures: Sequence[Figure]) -> Proposal:
    """One: comes or goes, up and down the picture more than across, and stays for a while or for good."""
    when = float(stage.seconds * rng.uniform(0.2, 0.6))
    centre = stage.spot(rng, when)
    toward = float(rng.choice([-1, 1]) * np.pi / 2 + rng.normal(0, 0.25))
    pause = float(rng.uniform(1.2, 3.5))
    before = centre - _turned(toward, 1.6)
    after = centre + _turned(toward + float(rng.normal(0, 1.2)), 1.5)
    legs = (Leg(_line(before, centre), pause), Leg(_line(centre, after), 30.0))
    gestures = (Gesture(str(rng.choice(STANDING)), when - 0.2, when + pause),)
    route = walk(legs, _pace(rng, figures[0], 0.8, 1.4), stage.seconds, (0, 1.0, when))
    return Proposal((Part(route, sample_manner(rng), gestures),))


def standing(rng: np.random.Generator, stage: Stage, figures: Sequence[Figure]) -> Proposal:
    """One: stands about, where there is most room of some places."""
    spots = np.stack([stage.spot(rng, rng.uniform(0, stage.seconds), 0.9) for _ in range(50)])
    still = np.repeat(spots[:, None], len(stage.times_s), axis=1)
    during = (stage.times_s >= 0) & (stage.times_s <= stage.seconds)
    room = np.where(stage.in_picture(still)[:, during].mean(axis=1) < 0.36, -1.0, 3.0)
    for place in stage.places:
        room = np.minimum(room, np.linalg.norm(still - place, axis=-1).min(axis=1))
    for thing in stage.things:
        room = np.minimum(room, thing.distance_m(spots) + 0.2)
    face = float(rng.uniform(-np.pi, np.pi))
    route = stand(spots[int(np.argmax(np.minimum(room, 1.2)))], face, stage.seconds)
    return Proposal((Part(route, sample_manner(rng), _pastimes(rng, stage.seconds)),))


def _pastimes(rng: np.random.Generator, seconds: float) -> tuple[Gesture, ...]:
    """Gestures of somebody who waits, one after another with breaks."""
    gestures, start = [], float(rng.uniform(-4, 2))
    while start < seconds:
        end = start + float(rng.uniform(2, 5))
        gestures.append(Gesture(str(rng.choice(STANDING)), start, end))
        start = end + float(rng.uniform(0.3, 3))
    return tuple(gestures)


def together(rng: np.random.Generator, stage: Stage, figures: Sequence[Figure]) -> Proposal:
    """Two or more who walk one way: side by side, or one behind another at 0.9 to 1.5 m."""
    when = _midway(rng, stage)
    centre = stage.spot(rng, when, 0.3)
    speed = min(_pace(rng, figure, 0.9, 1.4) for figure in figures)
    toward = float(rng.normal(0, 0.35) + rng.choice([0.0, np.pi]))
    bend = _turned(toward + np.pi / 2, float(rng.normal(0, 0.3)))
    points = [centre + _turned(toward, s) + bend * abs(s) / 3 for s in (-3.0, 0.0, 3.0)]
    abreast = bool(rng.uniform() < 0.5)
    pause = float(rng.uniform(1.5, 3.0)) if abreast and rng.uniform() < 0.3 else 0.0
    parts, back_m, side = [], 0.0, float(rng.choice([-1, 1]))
    for number in range(len(figures)):
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
            start = float(rng.uniform(-1, stage.seconds))
            gestures = (Gesture("talk", start, start + float(rng.uniform(1.5, 4))),)
        # In step as often as friends are: each keeps a tempo of their own.
        parts.append(Part(walk(legs, speed, stage.seconds, through), sample_manner(rng), gestures))
    return Proposal(tuple(parts))


def circle(rng: np.random.Generator, stage: Stage, figures: Sequence[Figure]) -> Proposal:
    """Two to five who stand about a centre and talk; some come to it during the clip, some leave."""
    count = len(figures)
    centre = stage.spot(rng, rng.uniform(0.2, 0.8) * stage.seconds, 0.6)
    radius = max(0.5, 0.47 / np.sin(np.pi / count)) * float(rng.uniform(1.0, 1.25))
    first = float(rng.uniform(0, 2 * np.pi))
    parts = []
    for number, figure in enumerate(figures):
        outward = first + 2 * np.pi * (number + float(rng.uniform(-0.08, 0.08))) / count
        spot = centre + _turned(outward, radius)
        inward = outward + np.pi
        chance = rng.uniform() if number else 1.0  # one at least is there all the time
        away = spot + _turned(outward + float(rng.normal(0, 0.3)), 3.0)
        speed = _pace(rng, figure, 0.9, 1.4)
        since, until = -2.0, stage.seconds + 2.0
        if chance < 0.25:
            since = float(rng.uniform(0.15, 0.6)) * stage.seconds
            route = walk((Leg(_line(away, spot), 60.0, inward),), speed, stage.seconds, (0, 1.0, since))
        elif chance < 0.5:
            until = float(rng.uniform(0.35, 0.8)) * stage.seconds
            leave = float(np.arctan2(*(away - spot)[::-1]))
            pause = until - LONG_AGO_S + 1.0
            legs = (Leg(_line(spot - _turned(leave, 1.0), spot), pause, inward), Leg(_line(spot, away)))
            route = walk(legs, speed, stage.seconds, (0, 1.0, LONG_AGO_S))
        else:
            route = stand(spot, inward, stage.seconds)
        parts.append(Part(route, sample_manner(rng), _talk(rng, since, until)))
    return Proposal(tuple(parts))


def _talk(rng: np.random.Generator, since_s: float, until_s: float) -> tuple[Gesture, ...]:
    """Talking and listening by turns."""
    gestures, start = [], since_s + float(rng.uniform(0.2, 1.5))
    while start < until_s - 1.5:
        end = min(start + float(rng.uniform(1.5, 4)), until_s - 0.2)
        kind = str(rng.choice(["talk", "talk", "nod", "nod", "hips", "pockets"]))
        gestures.append(Gesture(kind, start, end))
        start = end + float(rng.uniform(0.1, 1.5))
    return tuple(gestures)


def sitting(rng: np.random.Generator, stage: Stage, figures: Sequence[Figure]) -> Proposal:
    """One: on a bench, a step or a stool of the stage, or one brought along; comes to it, or gets up and goes."""
    figure = figures[0]
    seats = [thing for thing in stage.things if thing.seat and thing.half_width_m > 0.6]
    brought = not seats or rng.uniform() < 0.5
    seat = _seat(rng, stage, figure) if brought else seats[int(rng.integers(len(seats)))]
    if seat.half_width_m:
        face = float(rng.choice([-np.pi / 2, -np.pi / 2, np.pi / 2]))
        room = max(seat.half_width_m - 0.35, 0.0)
        along = np.array([float(rng.uniform(-room, room)), 0.0])
    else:
        face, along = float(rng.uniform(-np.pi, np.pi)), np.zeros(2)
    # Buttocks a little before the middle of the seat, feet before them.
    spot = np.array([seat.x, seat.y]) + along + _turned(face, back_m(figure) + 0.02)
    comes, goes = rng.uniform(size=2)
    away = spot + _turned(face + float(rng.normal(0, 0.5)), 3.0)
    speed = _pace(rng, figure, 0.8, 1.3)
    arrive = float(rng.uniform(0.05, 0.35)) * stage.seconds if comes < 0.45 else LONG_AGO_S
    down = arrive + 1.7 if comes < 0.45 else LONG_AGO_S
    up = float(rng.uniform(0.6, 0.9)) * stage.seconds if goes < 0.45 else stage.seconds + 60
    up = max(up, down + 2 * DOWN_S + 1.0)
    before = away if comes < 0.45 else spot - _turned(face, 1.0)
    legs: tuple[Leg, ...] = (Leg(_line(before, spot), up - arrive + 0.2, face),)
    if goes < 0.45:
        legs += (Leg(_line(spot, spot + _turned(face + float(rng.normal(0, 0.4)), 3.0))),)
    route = walk(legs, speed, stage.seconds, (0, 1.0, arrive))
    gestures = []
    if rng.uniform() < 0.6:
        start = max(down, -1.0) + DOWN_S + float(rng.uniform(0, 2))
        kind = str(rng.choice(["text", "phone", "look", "talk"]))
        gestures.append(Gesture(kind, start, min(start + float(rng.uniform(2, 6)), up - DOWN_S)))
    part = Part(
        route, sample_manner(rng), tuple(gestures), (Sitting(down, up, float(seat.height_m or 0.45)),)
    )
    return Proposal((replace(part, seat=seat),), (seat,) if brought else ())


def _seat(rng: np.random.Generator, stage: Stage, figure: Figure) -> Obstacle:
    """A bench, a wide step or a stool somewhere in the picture, no higher than suits the legs."""
    x, y = stage.spot(rng, rng.uniform(0.2, 0.8) * stage.seconds, 0.7)
    height = float(rng.uniform(0.42, 0.5)) * min(1.0, figure.leg_m / LEG_M)
    kind = rng.choice(["bench", "step", "stool"])
    if kind == "stool":
        return Obstacle(float(x), float(y), float(rng.uniform(0.17, 0.22)), 0.0, height, True)
    half = float(rng.uniform(0.7, 1.0) if kind == "bench" else rng.uniform(1.0, 1.6))
    return Obstacle(float(x), float(y), 0.22 if kind == "bench" else 0.3, half, height, True)


def hiding(rng: np.random.Generator, stage: Stage, figures: Sequence[Figure]) -> Proposal:
    """One: goes behind a wall or a pillar, which comes along, and out again a second or more later."""
    figure, view = figures[0], stage.view
    near, far = stage.depth_m
    gone = float(rng.uniform(0.1, 0.28)) * min(stage.seconds, 10.0)
    behind = float(rng.uniform(0.65, 0.95))  # depth of the wall, of that of the path
    depth = float(rng.uniform(0.35, 0.9)) * (far - near) + near
    across = float(rng.uniform(-0.4, 0.4)) * view.half_width_m(depth)
    waits = bool(rng.uniform() < 0.5)
    speed = _pace(rng, figure, 0.8, 1.4)
    walked = speed * (0.45 * gone if waits else gone) + 0.55  # from hidden to seen again: a body more
    when = float(rng.uniform(0.3, 0.6)) * stage.seconds
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
    high = max(TALL_M, stage.eye_m - (stage.eye_m - 2.0) * share)
    wall = Obstacle(across * share, wall_y, 0.08, walked / 2 * share, float(high))
    if walked * share < 1.1 and rng.uniform() < 0.5:
        wall = replace(wall, radius_m=walked / 2 * share, half_width_m=0.0)
    route = walk(legs, speed, stage.seconds, through)
    return Proposal((Part(route, sample_manner(rng)),), (wall,))


def along(rng: np.random.Generator, stage: Stage, figures: Sequence[Figure]) -> Proposal:
    """One or two, side by side: the way the camera goes, a few metres ahead of it."""
    near, far = stage.depth_m
    speed = max(stage.view.travel_m / stage.seconds, 0.7) * float(rng.uniform(0.94, 1.06))
    depth = float(rng.uniform(near + 0.8, min(near + 5.0, far)))
    across = float(rng.uniform(-0.6, 0.6)) * stage.view.half_width_m(depth)
    length = speed * stage.seconds
    bend = float(rng.normal(0, 0.3))
    parts = []
    for number in range(len(figures)):
        x = across + 0.72 * number * (-1 if across > 0 else 1)
        back = float(rng.uniform(0, 0.2))
        shares = (0.0, 0.5, 1.0)
        points = [np.array([x + bend * np.sin(np.pi * s), depth - back + s * length]) for s in shares]
        start = float(rng.uniform(0, stage.seconds))
        kind = "talk" if len(figures) > 1 else str(rng.choice(WALKING))
        gestures = (Gesture(kind, start, start + float(rng.uniform(2, 4))),) if rng.uniform() < 0.5 else ()
        route = walk((Leg(_line(*points)),), speed, stage.seconds, (0, 0.0, 0.0))
        parts.append(Part(route, sample_manner(rng), gestures))
    return Proposal(tuple(parts))


def towards(rng: np.random.Generator, stage: Stage, figures: Sequence[Figure]) -> Proposal:
    """One: comes towards the camera and passes it."""
    when = float(rng.uniform(0.25, 1.0)) * stage.seconds
    near, far = stage.depth_m
    depth = float(rng.uniform(near, 0.5 * (near + far)))
    half = stage.view.half_width_m(depth)
    x = float(rng.choice([-1, 1]) * rng.uniform(min(1.2, 0.5 * half), min(2.5, 0.8 * half)))
    centre = np.array([x, float(stage.ahead_m(when)) + depth])
    toward = -np.pi / 2 + float(rng.normal(0, 0.05))
    speed = _pace(rng, figures[0], 0.9, 1.5)
    bend = np.array([float(rng.normal(0, 0.2)), 0.0])
    points = [centre + _turned(toward, s) + bend * abs(s) / 4 for s in (-4.0, 0.0, 4.0)]
    route = walk((Leg(_line(*points)),), speed, stage.seconds, (0, 0.5, when))
    gestures: tuple[Gesture, ...] = ()
    if rng.uniform() < 0.35:
        gestures = (Gesture(str(rng.choice(WALKING)), when - 3, when + 2),)
    return Proposal((Part(route, sample_manner(rng), gestures),))
