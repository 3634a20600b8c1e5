"""Things that pass through a scene and hide people: cars, vans, carts of luggage, delivery robots.

They are made of a few convex blocks with hard edges, drive straight at a steady speed where nobody is, and are no
person: masks and truth know them only as something in the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.scenes.place import textures
from choros.scenes.place.solids import CYLINDER, Solid
from choros.scenes.place.textures import Colour

Floats = NDArray[np.float64]

TILE_M = 0.3  # of the textures, as on clothes
CLEAR_M = 0.35  # beside people, things and the camera
HIDING_S = (0.4, 0.85)  # how long one place may be hidden by something that passes


@dataclass(frozen=True)
class Prop:
    """A rigid thing. Its own axes: x ahead, y left, z up, the floor at 0, metres."""

    points: NDArray[np.float32]  # (M, 3)
    faces: NDArray[np.int32]  # (F, 3)
    uv: NDArray[np.float32]  # (M, 2) repeats of the texture
    texture: NDArray[np.int32]  # (F,) into textures
    textures: NDArray[np.uint8]  # (n, LEVELS, S, S, 3)

    @property
    def size_m(self) -> Floats:  # (3,)
        """Length, width and height."""
        return np.asarray(np.ptp(self.points, axis=0), np.float64)


@dataclass(frozen=True)
class Mover:
    """A prop on its way across the floor."""

    prop: Prop
    place: tuple[float, float]  # x, y in the world at ``when_s``
    when_s: float
    heading_rad: float  # from the world's x
    speed_m_s: float

    def at(self, time_s: float | Floats) -> Floats:  # (..., 2)
        """Its middle on the floor."""
        ahead = np.array([np.cos(self.heading_rad), np.sin(self.heading_rad)])
        return self.place + (np.asarray(time_s)[..., None] - self.when_s) * self.speed_m_s * ahead

    def posed(self, time_s: float) -> NDArray[np.float32]:  # (M, 3) world
        """Its points at a time, metres."""
        c, s = np.cos(self.heading_rad), np.sin(self.heading_rad)
        R = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        return np.asarray(self.prop.points @ R.T + [*self.at(time_s), 0], np.float32)

    def underside(self, time_s: float, step_m: float = 0.28) -> Floats:  # (n, 3) world
        """Points under it, near the floor, which they darken."""
        half = self.prop.size_m / 2 - 0.1
        x, y = (np.linspace(-h, h, max(round(2 * h / step_m), 2)) for h in half[:2])
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        c, s = np.cos(self.heading_rad), np.sin(self.heading_rad)
        return np.column_stack(
            [grid @ np.array([[c, s], [-s, c]]) + self.at(time_s), np.full(len(grid), 0.1)]
        )

    def clear_m(self, places: Floats, times_s: Floats) -> float:
        """How near points (T, n, 2) on the floor come to it at times (T,); negative if it runs them over."""
        c, s = np.cos(self.heading_rad), np.sin(self.heading_rad)
        away = places - self.at(times_s)[:, None]
        own = np.abs(away @ np.array([[c, -s], [s, c]])) - self.prop.size_m[:2] / 2
        return float(np.max(own, axis=-1).min())


def sample_movers(
    rng: np.random.Generator,
    most: int,
    indoors: bool,
    depth_m: tuple[float, float],
    people: Floats,  # (T, n, 2) on the floor
    things: Floats,  # (m, 2) points on the floor
    camera: Floats,  # (T, 2) on the floor
    times_s: Floats,  # (T,)
) -> tuple[Mover, ...]:
    """Up to ``most`` things that cross the view, each with a chance of one in three, where nothing is in their way.

    ``depth_m`` is where from and how far along y people are; lanes in front of them are as likely as among them.
    """
    movers: list[Mover] = []
    for _ in range(most):
        if rng.uniform() > 1 / 3:
            continue
        makers = (cart, robot) if indoors else (car, car, van, cart, robot)
        prop = makers[int(rng.integers(len(makers)))](rng)
        length, width, _ = prop.size_m
        for _ in range(40):
            mover = Mover(
                prop,
                (0.0, float(rng.uniform(width / 2 + 0.7, depth_m[1] + 0.5 * width))),
                float(rng.uniform(0.1, 0.9) * times_s[-1]),
                float(rng.choice([0.0, np.pi]) + rng.normal(0, 0.06)),
                float((length + 0.5) / rng.uniform(*HIDING_S)),
            )
            still = np.broadcast_to(things, (len(times_s), *things.shape))
            everything = np.concatenate([people, still, camera[:, None]], axis=1)
            if mover.clear_m(everything, times_s) > CLEAR_M and all(
                np.linalg.norm(mover.at(times_s) - other.at(times_s), axis=-1).min() > 5 for other in movers
            ):
                movers.append(mover)
                break
    return tuple(movers)


def footprints(solids: Sequence[Solid], step_m: float = 0.25) -> Floats:  # (m, 2)
    """Points on the floor under things that stand."""
    points = [np.zeros((0, 2))]
    for solid in solids:
        half_x, half_y = solid.half[0], solid.half[0 if solid.kind == CYLINDER else 1]
        x, y = (np.linspace(-h, h, max(round(2 * h / step_m), 2)) for h in (half_x, half_y))
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        c, s = np.cos(solid.yaw_rad), np.sin(solid.yaw_rad)
        points.append(grid @ np.array([[c, s], [-s, c]]) + solid.centre[:2])
    return np.concatenate(points)


# --- what there is --------------------------------------------------------------------------------


def car(rng: np.random.Generator) -> Prop:
    """A small car or an estate."""
    b = _Builder(rng)
    paint, glass, black = b.paint(_lacquer(rng)), b.paint((0.2, 0.23, 0.26)), b.paint((0.07, 0.07, 0.075))
    long, high, wide = rng.uniform(1.85, 2.2), rng.uniform(1.38, 1.55), rng.uniform(0.82, 0.9)
    back = rng.uniform(-1.0, -0.75) * long  # where the roof ends
    belt = 0.6 * high
    body = [(-long, 0.32), (long, 0.3), (long, 0.58), (0.93 * long, 0.52 * high), (0.42 * long, belt),
            (-0.97 * long, belt), (-long, 0.5 * high)]  # fmt: skip
    b.prism(body, wide, paint)
    cabin = [(back, belt), (0.45 * long, belt), (0.12 * long, high - 0.04), (0.92 * back, high - 0.04)]
    b.prism(cabin, 0.88 * wide, glass)
    low, top = high - 0.06, high
    b.prism(
        [(0.97 * back, low), (0.14 * long, low), (0.1 * long, top), (0.9 * back, top)], 0.87 * wide, paint
    )
    for x in (0.1 * long, 0.45 * back):  # pillars
        b.box((x, 0, (belt + high) / 2), (0.05, 0.885 * wide, (high - belt) / 2 - 0.03), paint)
    b.wheels((-0.62 * long, 0.62 * long), wide, 0.31, black)
    for x, colour in ((long, (0.9, 0.88, 0.8)), (-long, (0.55, 0.06, 0.05))):
        lamp = b.paint(colour)
        for side in (-1, 1):
            b.box((0.985 * x, side * 0.74 * wide, 0.47 * high), (0.04, 0.2 * wide, 0.06), lamp)
    b.box((0, 0, 0.36), (1.005 * long, 0.95 * wide, 0.08), black)
    return b.finish()


def van(rng: np.random.Generator) -> Prop:
    """A delivery van."""
    b = _Builder(rng)
    paint, glass, black = b.paint(_lacquer(rng)), b.paint((0.2, 0.23, 0.26)), b.paint((0.07, 0.07, 0.075))
    long, high, wide = rng.uniform(2.3, 2.7), rng.uniform(1.95, 2.4), rng.uniform(0.92, 1.0)
    nose, belt = 0.62 * long, 1.05
    b.prism(
        [(-long, 0.35), (long, 0.33), (long, 0.75), (0.95 * long, 0.9), (nose, belt), (-long, belt)],
        wide,
        paint,
    )
    b.prism([(-long, belt), (nose, belt), (0.35 * long, high), (-long, high)], 0.96 * wide, paint)
    b.prism([(0.62 * nose, belt + 0.1), (nose + 0.02, belt + 0.1), (0.45 * long, high - 0.25),
             (0.62 * nose, high - 0.25)], 0.965 * wide, glass)  # fmt: skip
    if rng.uniform() < 0.6:
        stripe = b.paint(_lacquer(rng))
        b.box((-0.45 * long, 0, 0.62 * high), (0.5 * long, 0.966 * wide, rng.uniform(0.06, 0.25)), stripe)
    b.wheels((-0.6 * long, 0.62 * long), wide, 0.34, black)
    b.box((0, 0, 0.38), (1.004 * long, 0.96 * wide, 0.08), black)
    return b.finish()


def cart(rng: np.random.Generator) -> Prop:
    """A motor cart with luggage."""
    b = _Builder(rng)
    frame, black = b.paint(_lacquer(rng)), b.paint((0.08, 0.08, 0.085))
    long, wide = rng.uniform(0.75, 1.1), rng.uniform(0.36, 0.48)
    b.box((0, 0, 0.34), (long, wide, 0.05), frame)
    b.box((long - 0.12, 0, 0.6), (0.12, 0.9 * wide, 0.3), frame)
    x, top = -long + 0.05, 0.39
    while x < long - 0.5:
        half = rng.uniform(0.13, 0.22)
        z = top
        for _ in range(int(rng.integers(1, 5))):
            high = rng.uniform(0.1, 0.22)
            case = b.paint(tuple(rng.uniform(0.08, 0.55, 3)))
            b.box(
                (x + half, rng.normal() * 0.02, z + high),
                (half - 0.01, wide * rng.uniform(0.75, 0.98), high),
                case,
            )
            z += 2 * high
        x += 2 * half
    b.wheels((-0.7 * long, 0.7 * long), 0.9 * wide, 0.16, black)
    return b.finish()


def robot(rng: np.random.Generator) -> Prop:
    """A delivery robot with a little flag."""
    b = _Builder(rng)
    shell, black = b.paint(_lacquer(rng)), b.paint((0.08, 0.08, 0.085))
    long, wide, high = rng.uniform(0.4, 0.6), rng.uniform(0.26, 0.36), rng.uniform(0.55, 1.1)
    b.prism(
        [(-long, 0.2), (long, 0.2), (1.04 * long, 0.4), (0.9 * long, high), (-0.95 * long, high)], wide, shell
    )
    b.box((0.98 * long, 0, 0.75 * high), (0.06, 0.8 * wide, 0.08), black)
    b.box((-0.8 * long, 0.8 * wide, high + 0.3), (0.008, 0.008, 0.3), black)
    b.box((-0.8 * long - 0.09, 0.8 * wide, high + 0.54), (0.08, 0.005, 0.05), b.paint((0.85, 0.25, 0.1)))
    b.wheels((-0.72 * long, 0.0, 0.72 * long), wide, 0.14, black)
    return b.finish()


def _lacquer(rng: np.random.Generator) -> Colour:
    """White, black and grey more often than colours, as on streets."""
    if rng.uniform() < 0.65:
        shade = float(rng.choice([0.12, 0.3, 0.55, 0.75, 0.9]))
        return (shade, shade, shade * 1.02)
    colours = [(0.5, 0.07, 0.07), (0.1, 0.18, 0.42), (0.1, 0.3, 0.2), (0.75, 0.55, 0.1), (0.35, 0.5, 0.65)]
    r, g, b = colours[int(rng.integers(len(colours)))]
    return (r, g, b)


class _Builder:
    """Convex blocks pile up; every face has its own vertices, so that edges are hard."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.points: list[Floats] = []
        self.corners: list[NDArray[np.int64]] = []
        self.uv: list[Floats] = []
        self.texture: list[int] = []
        self.paintings: list[Floats] = []

    def paint(self, colour: Colour | tuple[float, ...]) -> int:
        r, g, b = colour
        self.paintings.append(textures.plain(self.rng, (r, g, b), 128, 0.015))
        return len(self.paintings) - 1

    def polygon(self, points: Floats, outward: Floats, texture: int) -> None:
        """A flat convex polygon (n, 3) that is seen from where ``outward`` (3,) points."""
        normal = np.cross(points[1] - points[0], points[2] - points[0])
        if normal @ outward < 0:
            points = points[::-1]
        start = sum(len(p) for p in self.points)
        fan = [(start, start + i, start + i + 1) for i in range(1, len(points) - 1)]
        along = (points[1] - points[0]) / np.linalg.norm(points[1] - points[0])
        up = np.cross(normal / np.linalg.norm(normal), along)
        self.points.append(points)
        self.corners += [np.array(corner) for corner in fan]
        self.texture += [texture] * len(fan)
        self.uv.append(points @ np.stack([along, up], axis=1) / TILE_M)

    def prism(self, outline: list[tuple[float, float]], half_width: float, texture: int) -> None:
        """A convex outline in x and z, as wide as that to both sides."""
        rim = np.array([(x, 0.0, z) for x, z in outline])
        middle, side = rim.mean(axis=0), np.array([0.0, half_width, 0.0])
        for sign in (-1, 1):
            self.polygon(rim + sign * side, sign * side, texture)
        for a, b in zip(rim, np.roll(rim, -1, axis=0), strict=True):
            self.polygon(np.array([a - side, b - side, b + side, a + side]), (a + b) / 2 - middle, texture)

    def box(self, centre: tuple[float, float, float], half: tuple[float, float, float], texture: int) -> None:
        x, y, z = centre
        start = len(self.points)
        self.prism([(x - half[0], z - half[2]), (x + half[0], z - half[2]), (x + half[0], z + half[2]),
                    (x - half[0], z + half[2])], half[1], texture)  # fmt: skip
        self.points[start:] = [p + np.array([0.0, y, 0.0]) for p in self.points[start:]]

    def wheels(self, along: tuple[float, ...], half_width: float, radius: float, texture: int) -> None:
        """A pair of wheels at each place along x."""
        turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        hub = self.paint((0.5, 0.5, 0.52))
        for x in along:
            for y in (-half_width + 0.04, half_width - 0.04):
                for size, thick, colour in ((radius, 0.08, texture), (0.55 * radius, 0.085, hub)):
                    outline = [(x + size * float(np.cos(a)), radius + size * float(np.sin(a))) for a in turn]
                    start = len(self.points)
                    self.prism(outline, thick, colour)
                    self.points[start:] = [p + np.array([0.0, y, 0.0]) for p in self.points[start:]]

    def finish(self) -> Prop:
        return Prop(
            np.concatenate(self.points).astype(np.float32),
            np.stack(self.corners).astype(np.int32),
            np.concatenate(self.uv).astype(np.float32),
            np.array(self.texture, np.int32),
            np.stack([textures.stack(painting) for painting in self.paintings]),
        )
