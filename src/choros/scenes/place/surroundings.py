"""All that stands still around the people of a scene: floor, walls, houses, poles and furniture, and their light.

Everything is a box, a cylinder or a ball with a procedural texture (``solids``); ``render.tracing`` shows it through
a camera. The floor's own light is baked into a map once. World axes: z up, floor at 0, metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.compiled import compiled
from choros.scenes.place.solids import BOX, Solid, corners, hit, solid_table
from choros.scenes.place.textures import Colour

Floats = NDArray[np.float64]

FLOOR_TEXEL_M = 0.07


@dataclass(frozen=True)
class Light:
    """Sun and sky. Colours are linear RGB; their sum on a white floor is about 1."""

    to_sun: tuple[float, float, float]  # unit, world
    sun: Colour
    sky: Colour
    zenith: Colour
    horizon: Colour
    softness: float = 0.02  # of shadows: the sun's or the lamps' radius over their distance

    def arrays(self) -> LightArrays:
        """The same for compiled code."""
        colours = (self.to_sun, self.sun, self.sky, self.zenith, self.horizon)
        return LightArrays(*(np.asarray(values) for values in colours))


class LightArrays(NamedTuple):
    """Sun and sky as compiled loops take them, (3,) each."""

    to_sun: Floats
    sun: Floats
    sky: Floats
    zenith: Floats
    horizon: Floats


@dataclass(frozen=True)
class FloorLight:
    """How much sun and sky the floor gets, from 0 to 1, as a map; all of both beyond it."""

    open_: NDArray[np.float32]  # (rows along y, columns along x, 2): sun, sky
    corner: tuple[float, float]  # x, y of the map's corner, metres
    texel_m: float = FLOOR_TEXEL_M


@dataclass(frozen=True)
class Surroundings:
    """All that stands still. Texture 0 is the floor's."""

    solids: tuple[Solid, ...]
    textures: NDArray[np.uint8]  # (n, LEVELS, S, S, 3) sRGB
    floor_period_m: float
    light: Light
    occluders: tuple[Solid, ...] = ()  # those of the solids that people walk behind
    indoors: bool = False
    floor_m: tuple[float, float, float, float] = (-16.0, -4.0, 16.0, 24.0)  # where people are: x, y to x, y

    @cached_property
    def shades(self) -> NDArray[np.bool_]:
        """Whether solid q (columns) can stand between solid s (rows) and the sun, (n, n)."""
        to_sun = np.asarray(self.light.to_sun)
        across = np.cross(to_sun, [0.0, 0.0, 1.0])
        across /= np.linalg.norm(across)
        seen = corners(self.table()) @ np.stack([across, np.cross(across, to_sun), to_sun], axis=1)
        low, high = seen.min(axis=1), seen.max(axis=1)
        beside = (low[:, None, :2] > high[None, :, :2]) | (low[None, :, :2] > high[:, None, :2])
        behind = high[None, :, 2] < low[:, None, 2]
        return np.asarray(~beside.any(axis=2) & ~behind)

    @cached_property
    def floor_light(self) -> FloorLight:
        """The floor in the shade of all that stands on it; shadows are softer the higher what casts them."""
        x0, y0, x1, y1 = self.floor_m
        shape = (round((y1 - y0) / FLOOR_TEXEL_M), round((x1 - x0) / FLOOR_TEXEL_M))
        sun, reach, near = _bake(*shape, x0, y0, FLOOR_TEXEL_M, self.table(), np.asarray(self.light.to_sun))
        # Two blurs for the shadows of what is low and of what is high, mixed by how far the shadow was cast.
        wide = self.light.softness / FLOOR_TEXEL_M
        low, high = (cv2.GaussianBlur(sun, (0, 0), 0.6 + metres * wide) for metres in (0.5, 3.0))
        far = cv2.GaussianBlur(reach, (0, 0), 1.0 + 2.0 * wide)
        weight = np.clip(
            (far / np.maximum(1 - cv2.GaussianBlur(sun, (0, 0), 1.0 + 2.0 * wide), 1e-3) - 0.5) / 2.5, 0, 1
        )
        sky = 1 - 0.5 * np.exp(-near / 0.22) - 0.18 * np.exp(-near / 0.9)
        return FloorLight(np.stack([low + (high - low) * weight, sky], axis=-1).astype(np.float32), (x0, y0))

    def table(self) -> NDArray[np.void]:  # (n,) SOLID
        """The solids as numbers, for compiled code."""
        return solid_table(self.solids)


@compiled
def _bake(rows, columns, corner_x, corner_y, texel_m, table, to_sun):  # type: ignore[no-untyped-def]
    """Of each texel of the floor: is it in the sun, how far off is what shades it, how near stands something."""
    sun = np.ones((rows, columns), np.float32)
    reach = np.zeros((rows, columns), np.float32)
    near = np.full((rows, columns), 9.0, np.float32)
    for i in range(rows):
        for j in range(columns):
            x, y = corner_x + (j + 0.5) * texel_m, corner_y + (i + 0.5) * texel_m
            t, blocker, _ = hit(table, (x, y, 1e-3), (to_sun[0], to_sun[1], to_sun[2]), np.inf)
            if blocker >= 0:
                sun[i, j], reach[i, j] = 0.0, t
            for s in range(table.shape[0]):
                solid = table[s]
                if solid.z - solid.half_z > 0.3:
                    continue  # in the air
                px, py = x - solid.x, y - solid.y
                away = np.hypot(px, py) - solid.half_x
                if solid.kind == BOX:
                    ax, ay = solid.cos * px + solid.sin * py, -solid.sin * px + solid.cos * py
                    away = np.hypot(max(abs(ax) - solid.half_x, 0.0), max(abs(ay) - solid.half_y, 0.0))
                # What is low hides little of the sky.
                near[i, j] = min(near[i, j], max(away, 0.0) + 0.25 / max(solid.z + solid.half_z, 0.1) - 0.12)
    return sun, reach, np.maximum(near, np.float32(0))
