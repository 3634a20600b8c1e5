"""Where people go: routes on the floor with stops and turns, timed so that walkers keep clear of each other.

The world has z up and the floor at 0. A route knows place, heading and speed at every moment, from a little
before the clip to a little after it, so that steps at either end of the clip are whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

Floats = NDArray[np.float64]

STEP_S = 0.01  # sampling of a route
MARGIN_S = 3.0  # a route goes on for this long before and after the clip
TURN_S = 1.2  # of somebody who has stopped and turns


def smoothstep(x: Floats | float) -> Floats:
    """0 below 0, 1 above 1, smooth in between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


@dataclass(frozen=True)
class Leg:
    """A walk through points on the floor, then a pause at its end; the next leg goes on from there."""

    points_world: tuple[tuple[float, float], ...]  # x, y metres, two at least
    pause_s: float = 0.0
    face_rad: float | None = None  # turned to during the pause; None turns slowly to where they go next


@dataclass(frozen=True)
class Route:
    """Somebody's place, heading and speed over time, sampled every ``STEP_S``."""

    time_s: Floats  # (n,)
    place_world: Floats  # (n, 2) metres
    heading_rad: Floats  # (n,) of the way they face, counter-clockwise from x, never jumping by a turn
    speed: Floats  # (n,) metres a second

    def place(self, times_s: Floats) -> Floats:  # (T, 2) metres
        """Where they are at some times (T,)."""
        return np.stack([np.interp(times_s, self.time_s, self.place_world[:, i]) for i in (0, 1)], axis=-1)

    def heading(self, times_s: Floats) -> Floats:  # (T,) rad
        """Which way they face at some times (T,)."""
        return np.interp(times_s, self.time_s, self.heading_rad)


def walk(legs: tuple[Leg, ...], speed: float, seconds: float, through: tuple[int, float, float]) -> Route:
    """A route along legs at a pace of ``speed`` m/s.

    ``through`` fixes the clock: (leg, share of its length, time in s) says when somebody is where. Before the
    first leg and after the last they walk straight on (a last pause lasts for ever).
    """
    runup = speed * (seconds + 2 * MARGIN_S) + 5
    curves = [_Curve(leg.points_world) for leg in legs]
    curves[0] = curves[0].longer(before=runup)
    if legs[-1].pause_s == 0:
        curves[-1] = curves[-1].longer(after=runup)

    # Pace over arc length, slow near the ends of legs with a pause; time is the integral of its inverse.
    times, places, headings = [], [], []
    clock, fixed_at = 0.0, 0.0
    for number, (leg, curve) in enumerate(zip(legs, curves, strict=True)):
        from_stop = number > 0 and legs[number - 1].pause_s > 0
        t, s = _pace(curve.length, speed, from_stop, leg.pause_s > 0)
        place, heading = curve(s)
        if number == through[0]:
            start = curve.before
            wanted = start + through[1] * (curve.length - start - curve.after)
            fixed_at = clock + float(np.interp(wanted, s, t))
        times.append(clock + t)
        places.append(place)
        headings.append(heading)
        clock += t[-1]
        if leg.face_rad is not None:
            turn_s = min(TURN_S, leg.pause_s / 3)
            times.append(clock + np.array([turn_s, leg.pause_s - turn_s]))
            places.append(np.tile(place[-1], (2, 1)))
            headings.append(np.full(2, leg.face_rad))
        clock += max(leg.pause_s, 1e-3)
    time = np.concatenate(times) + (through[2] - fixed_at)
    heading = _unwrapped(headings)

    grid = np.arange(-MARGIN_S, seconds + MARGIN_S + STEP_S / 2, STEP_S)
    place = np.concatenate(places)
    sampled = np.stack([np.interp(grid, time, place[:, i]) for i in (0, 1)], axis=-1)
    # Standing people turn over most of the pause; a smooth filter makes the turn begin and end gently.
    turned = gaussian_filter1d(np.interp(grid, time, heading), 0.12 / STEP_S, mode="nearest")
    pace = np.linalg.norm(np.gradient(sampled, STEP_S, axis=0), axis=1)
    return Route(grid, sampled, turned, pace)


def stand(place: Floats, face_rad: float, seconds: float) -> Route:
    """A route of somebody who stands at a place (2,) all the time."""
    here = (float(place[0]), float(place[1]))
    before = (here[0] - float(np.cos(face_rad)), here[1] - float(np.sin(face_rad)))
    leg = Leg((before, here), 10 * seconds + 60)
    return walk((leg,), 1.0, seconds, (0, 1.0, -2 * MARGIN_S - 4))


class _Curve:
    """A smooth curve through points, by arc length."""

    def __init__(self, points: tuple[tuple[float, float], ...], before: float = 0.0, after: float = 0.0):
        self.points, self.before, self.after = points, before, after
        xy = np.asarray(points, np.float64)
        chord = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(xy, axis=0), axis=1))])
        spline = CubicSpline(chord, xy, bc_type="natural")
        fine = np.linspace(0, chord[-1], max(int(chord[-1] / 0.02), 8))
        xy = spline(fine)
        first, last = spline(0.0, 1), spline(chord[-1], 1)
        head = xy[0] - first / np.linalg.norm(first) * np.linspace(before, 0, 50, endpoint=False)[:, None]
        tail = xy[-1] + last / np.linalg.norm(last) * np.linspace(after, 0, 50, endpoint=False)[::-1, None]
        self.xy = np.concatenate([head, xy, tail] if before and after else
                                 [head, xy] if before else [xy, tail] if after else [xy])  # fmt: skip
        self.arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(self.xy, axis=0), axis=1))])
        self.length = float(self.arc[-1])

    def longer(self, before: float = 0.0, after: float = 0.0) -> _Curve:
        return _Curve(self.points, self.before + before, self.after + after)

    def __call__(self, s: Floats) -> tuple[Floats, Floats]:
        """Place (n, 2) and heading (n,) at arc lengths."""
        place = np.stack([np.interp(s, self.arc, self.xy[:, i]) for i in (0, 1)], axis=-1)
        step = np.diff(self.xy, axis=0)
        middle = (self.arc[1:] + self.arc[:-1]) / 2
        return place, np.interp(s, middle, np.unwrap(np.arctan2(step[:, 1], step[:, 0])))


def _pace(length: float, speed: float, from_stop: bool, to_stop: bool) -> tuple[Floats, Floats]:
    """Time and arc length along a leg, speeding up and slowing down over about a second."""
    ramp = min(1.0, 0.8 * length / speed)
    total = length / speed + (ramp / 2) * (from_stop + to_stop)
    t = np.linspace(0, total, max(int(total / STEP_S), 4))
    v = np.full_like(t, speed)
    if from_stop:
        v *= smoothstep(t / ramp)
    if to_stop:
        v *= smoothstep((total - t) / ramp)
    s = np.concatenate([[0], np.cumsum((v[1:] + v[:-1]) / 2 * np.diff(t))])
    return t, s * (length / s[-1])


def _unwrapped(headings: list[Floats]) -> Floats:
    """Headings of consecutive legs as one that always turns the shorter way."""
    joined = [headings[0]]
    for heading in headings[1:]:
        jump = heading[0] - joined[-1][-1]
        joined.append(heading - 2 * np.pi * np.round(jump / (2 * np.pi)))
    return np.concatenate(joined)


def nearest_m(a: Route, b: Route, times_s: Floats) -> float:
    """How near two people come to each other, metres between their places."""
    return float(np.linalg.norm(a.place(times_s) - b.place(times_s), axis=1).min())
