"""Places for scenes, drawn at random: a plaza, a street, a park, a hall; and the weather over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.scenes import textures
from choros.scenes.sight import Obstacle
from choros.scenes.textures import Colour
from choros.scenes.world import BALL, BOX, CYLINDER, Light, Solid, World

Floats = NDArray[np.float64]


def sample_light(rng: np.random.Generator, indoors: bool) -> Light:
    """From a bright afternoon to an overcast day; indoors lamps from above."""
    around, up = (
        rng.uniform(0, 2 * np.pi),
        np.deg2rad(rng.uniform(65, 85) if indoors else rng.uniform(28, 65)),
    )
    to_sun = (np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up))
    strength = rng.uniform(0.25, 0.45) if indoors else rng.uniform(0.3, 1.0)
    warm = np.array([1.0, 0.95, 0.86])
    cool = np.array([1.0, 0.97, 0.93]) if indoors else np.array([0.86, 0.94, 1.05])
    sun = warm * strength * 0.95 / to_sun[2] ** 0.5
    sky = cool * (0.78 - 0.45 * strength)
    blue = np.array([0.24, 0.42, 0.72]) * strength + np.array([0.62, 0.64, 0.66]) * (1 - strength)
    pale = np.array([0.72, 0.79, 0.86]) if not indoors else np.array([0.7, 0.68, 0.64])
    if indoors:
        blue = pale
    return Light(_triple(to_sun), _triple(sun), _triple(sky), _triple(blue), _triple(pale))


def _triple(values: object) -> tuple[float, float, float]:
    a, b, c = np.asarray(values, np.float64)
    return float(a), float(b), float(c)


def sample_world(rng: np.random.Generator, depth_m: float, obstacles: tuple[Obstacle, ...] = ()) -> World:
    """A place whose free floor reaches ``depth_m`` in front of a camera above the origin that looks along y.

    Obstacles of no width become poles, pillars or trunks, the others walls a little higher than people.
    """
    place = str(rng.choice(["plaza", "street", "park", "hall"], p=[0.35, 0.25, 0.2, 0.2]))
    paintings: list[Floats] = []
    solids: list[Solid] = []

    def paint(painting: Floats) -> int:
        paintings.append(painting)
        return len(paintings) - 1

    def tone(low: float, high: float, spread: float = 0.02) -> Colour:
        """A colour that is built with: greys, warm more often than cold."""
        warm = np.array([1.0, 0.3, -0.9]) * rng.uniform(-0.02, 0.06)
        return _triple(np.clip(rng.uniform(low, high) + warm + rng.normal(size=3) * spread, 0.05, 0.95))

    def box(
        x: float, y: float, z: float, hx: float, hy: float, hz: float, texture: int, period: float
    ) -> None:
        yaw = float(rng.normal() * 0.04)
        solids.append(Solid(BOX, (x, y, z), (hx, hy, hz), yaw, texture, period))

    back = depth_m + 1.5
    if place == "park":
        paint(textures.grass(rng, (0.33, 0.42, 0.2)))
        leaves = paint(textures.hedge(rng, (0.2, 0.3, 0.13)))
        bark = paint(textures.plaster(rng, (0.36, 0.29, 0.22)))
        box(0.0, back + 6, 1.6, 60.0, 0.8, 1.6, leaves, 3.0)
        for _ in range(int(rng.integers(4, 9))):
            x, y, thick = (
                float(rng.uniform(-14, 14)),
                back + float(rng.uniform(0.5, 5)),
                float(rng.uniform(0.12, 0.25)),
            )
            solids.append(Solid(CYLINDER, (x, y, 1.8), (thick, thick, 1.8), 0.0, bark, 1.0))
            for _ in range(5):
                dx, dy, dz = rng.normal(size=3) * (0.9, 0.9, 0.5)
                r = float(rng.uniform(0.7, 1.5))
                solids.append(Solid(BALL, (x + dx, y + dy, 4.4 + dz), (r, r, r), 0.0, leaves, 3.0))
        for _ in range(int(rng.integers(2, 6))):
            x, y, r = (
                float(rng.uniform(-9, 9)),
                back + float(rng.uniform(0.2, 3)),
                float(rng.uniform(0.4, 0.9)),
            )
            solids.append(Solid(BALL, (x, y, 0.4 * r), (r, r, r), 0.0, leaves, 2.0))
        floor_period = 4.0
    elif place == "hall":
        floor = rng.choice(["boards", "tiles"])
        paint(
            textures.boards(rng, (0.62, 0.45, 0.29))
            if floor == "boards"
            else textures.tiles(rng, tone(0.5, 0.8), 6)
        )
        wall = paint(textures.plaster(rng, tone(0.55, 0.85)))
        accent = paint(textures.plaster(rng, tone(0.2, 0.6, 0.15)))
        box(0.0, back + 0.5, 2.0, 12.0, 0.5, 2.0, wall, 4.0)
        box(0.0, back - 0.02, 0.06, 12.0, 0.03, 0.06, accent, 2.0)
        for x in (-7.5, 7.5):
            box(x, back / 2 + 2, 2.0, 0.3, back, 2.0, wall, 4.0)
        for _ in range(int(rng.integers(2, 5))):
            x, high = float(rng.uniform(-5, 5)), float(rng.uniform(0.4, 1.0))
            box(x, back - 0.45, high, float(rng.uniform(0.3, 0.9)), 0.3, high, accent, 1.5)
        for _ in range(int(rng.integers(1, 4))):
            x = float(rng.uniform(-5, 5))
            picture = paint(textures.blotches(rng, tone(0.2, 0.8, 0.2), tone(0.2, 0.8, 0.2), 512))
            box(
                x,
                back - 0.02,
                1.7,
                float(rng.uniform(0.3, 0.7)),
                0.03,
                float(rng.uniform(0.25, 0.5)),
                picture,
                2.0,
            )
        floor_period = 4.0
    else:
        if place == "plaza":
            paint(textures.tiles(rng, tone(0.45, 0.75), int(rng.choice([4, 8]))))
        else:
            paint(textures.asphalt(rng, tone(0.28, 0.45, 0.015)))
        fronts = [paint(textures.facade(rng, tone(0.4, 0.85, 0.04))) for _ in range(4)]
        x = -22.0
        while x < 22:
            wide, high = float(rng.uniform(3, 7)), float(rng.uniform(4, 9))
            front = fronts[int(x) % len(fronts)]
            solids.append(
                Solid(
                    BOX,
                    (x + wide / 2, back + 4 + float(rng.uniform(0, 1)), high / 2),
                    (wide / 2, 3.0, high / 2),
                    0.0,
                    front,
                    6.0,
                )
            )
            x += wide
        kerb = paint(textures.plain(rng, tone(0.5, 0.7), 512))
        box(0.0, back + 0.6, 0.06, 30.0, 0.5, 0.06, kerb, 2.0)
        for _ in range(int(rng.integers(1, 4))):
            x = float(rng.uniform(-7, 7))
            box(x, back + 0.3, 0.45, float(rng.uniform(0.4, 1.0)), 0.3, 0.45, kerb, 2.0)
        floor_period = 4.0

    metal = paint(textures.plain(rng, tone(0.15, 0.5, 0.03), 512))
    occluders = []
    for thing in obstacles:
        if thing.half_width_m > 0:
            wide, high = thing.half_width_m, (thing.height_m or 2.1) / 2
            occluders.append(
                Solid(
                    BOX,
                    (thing.x, thing.y, high),
                    (wide, thing.radius_m, high),
                    0.0,
                    int(rng.integers(1, metal)),
                    4.0,
                )
            )
        else:
            radius, high = thing.radius_m, float(rng.uniform(1.4, 2.2))
            high = thing.height_m / 2 if thing.height_m else high
            occluders.append(
                Solid(CYLINDER, (thing.x, thing.y, high), (radius, radius, high), 0.0, metal, 1.0)
            )
    stacks = np.stack([textures.stack(painting) for painting in paintings])
    return World(
        (*solids, *occluders), stacks, floor_period, sample_light(rng, place == "hall"), tuple(occluders)
    )
