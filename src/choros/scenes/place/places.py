"""Places for scenes, drawn at random: a plaza, a street, a park, a hall, or before a photograph; and their light.

The floor that people use is kept free but for what was directed; beyond it stands the place, and where nobody ever
comes, furniture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.scenes.place import textures
from choros.scenes.place.obstacles import Obstacle
from choros.scenes.place.photo_album import Album
from choros.scenes.place.solids import BALL, BOX, CYLINDER, Solid
from choros.scenes.place.surroundings import Light, Surroundings
from choros.scenes.place.textures import Colour

Floats = NDArray[np.float64]

PERIOD_M = 4.0  # of floors and walls
CLEAR_M = 0.45  # between furniture and wherever anybody's middle comes
PANEL_M = 7.0  # of a photograph behind a scene: its height, and the width of each of its parts
PANEL_PX = 512
#: What fronts of houses are painted in: plaster in cream, sand, grey, white, rose, and muted blue and green.
FRONTS = (
    (0.86, 0.8, 0.68), (0.74, 0.66, 0.52), (0.62, 0.61, 0.59), (0.88, 0.87, 0.84), (0.8, 0.66, 0.58),
    (0.6, 0.66, 0.7), (0.63, 0.67, 0.57), (0.7, 0.52, 0.42), (0.5, 0.48, 0.46),
)  # fmt: skip


def sample_light(rng: np.random.Generator, indoors: bool) -> Light:
    """From a bright afternoon to an overcast day; indoors lamps from above, whose shadows are soft."""
    around = rng.uniform(0, 2 * np.pi)
    up = np.deg2rad(rng.uniform(70, 86) if indoors else rng.uniform(28, 65))
    to_sun = (np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up))
    strength = rng.uniform(0.35, 0.55) if indoors else rng.uniform(0.3, 1.0)
    warm = np.array([1.0, 0.95, 0.86])
    cool = np.array([1.0, 0.97, 0.93]) if indoors else np.array([0.86, 0.94, 1.05])
    sun = warm * strength * 0.95 / to_sun[2] ** 0.5
    sky = cool * (0.78 - 0.45 * strength)
    blue = np.array([0.24, 0.42, 0.72]) * strength + np.array([0.62, 0.64, 0.66]) * (1 - strength)
    pale = np.array([0.5, 0.49, 0.47]) if indoors else np.array([0.72, 0.79, 0.86])
    softness = float(rng.uniform(0.05, 0.12)) if indoors else 0.01 + 0.05 * (1 - float(strength)) ** 2
    return Light(
        _triple(to_sun),
        _triple(sun),
        _triple(sky),
        _triple(pale if indoors else blue),
        _triple(pale),
        softness,
    )


def _triple(values: object) -> tuple[float, float, float]:
    a, b, c = np.asarray(values, np.float64)
    return float(a), float(b), float(c)


def sample_surroundings(
    rng: np.random.Generator,
    depth_m: float,
    obstacles: Sequence[Obstacle] = (),
    *,
    half_width_m: float = 9.0,
    furniture: int = 0,
    people: Floats | None = None,
    album: Album | None = None,
) -> Surroundings:
    """A place whose free floor reaches ``depth_m`` in front of a camera above the origin that looks along y.

    ``half_width_m`` is what the camera sees of the far end. Obstacles of no width become poles, pillars or trunks,
    the others walls a little higher than people, or things to sit on. Up to ``furniture`` more things stand where
    none of the places (n, 2) of ``people`` is near. With an ``album``, two scenes of three have a photograph behind
    them.
    """
    outdoors = ["plaza", "street", "park"]
    kind = str(rng.choice([*outdoors, "hall"], p=[0.35, 0.25, 0.2, 0.2]))
    place = _Place(rng, depth_m + 1.5, max(1.25 * half_width_m, 7.5), album)
    light = sample_light(rng, kind == "hall")
    if album is None or rng.uniform() > 2 / 3 or not place.before_photograph(album, kind, light):
        getattr(place, kind)()
    place.stand(obstacles)
    if people is not None:
        place.furnish(furniture, people, obstacles)
    side = min(1.1 * half_width_m + 4, 22.0)
    return Surroundings(
        (*place.solids, *place.occluders),
        np.stack([textures.stack(painting) for painting in place.paintings]),
        PERIOD_M,
        light,
        tuple(place.occluders),
        kind == "hall",
        (-side, -5.0, side, depth_m + 6.0),
    )


class _Place:
    """A place while it is built: solids and the paintings on them, the floor's painting first."""

    def __init__(self, rng: np.random.Generator, back_m: float, side_m: float, album: Album | None) -> None:
        self.rng, self.back, self.side, self.album = rng, back_m, side_m, album
        self.paintings: list[Floats] = []
        self.solids: list[Solid] = []
        self.occluders: list[Solid] = []  # near people, and therefore in their light too

    # --- what places are made of --------------------------------------------------------------

    def paint(self, painting: Floats) -> int:
        self.paintings.append(painting)
        return len(self.paintings) - 1

    def tone(self, low: float, high: float, spread: float = 0.02) -> Colour:
        """A colour that is built with: greys, warm more often than cold."""
        warm = np.array([1.0, 0.3, -0.9]) * self.rng.uniform(-0.02, 0.06)
        shade = self.rng.uniform(low, high) + warm + self.rng.normal(size=3) * spread
        return _triple(np.clip(shade, 0.05, 0.95))

    def front(self) -> Colour:
        """A colour for a house."""
        colour = FRONTS[int(self.rng.integers(len(FRONTS)))]
        return _triple(np.clip(np.array(colour) * self.rng.uniform(0.8, 1.08), 0.05, 0.95))

    def box(
        self,
        centre: tuple[float, float, float],
        half: tuple[float, float, float],
        texture: int,
        period_m: float = PERIOD_M,
        yaw_rad: float = 0.0,
    ) -> Solid:
        return Solid(BOX, centre, half, yaw_rad, texture, period_m)

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def trees(self, count: int, first_m: float, last_m: float, leaves: int, bark: int) -> None:
        """Trunks with crowns of balls, between two distances behind the free floor."""
        for _ in range(count):
            x, y = self.uniform(-1.3, 1.3) * self.side, self.back + self.uniform(first_m, last_m)
            thick, high = self.uniform(0.12, 0.25), self.uniform(1.6, 2.4)
            self.solids.append(Solid(CYLINDER, (x, y, high), (thick, thick, high), 0.0, bark, 1.0))
            for _ in range(5):
                dx, dy, dz = self.rng.normal(size=3) * (0.9, 0.9, 0.5)
                r = self.uniform(0.7, 1.5)
                self.solids.append(
                    Solid(BALL, (x + dx, y + dy, 2 * high + 0.8 + dz), (r, r, r), 0.0, leaves, 3.0)
                )

    def houses(self, distance_m: float) -> None:
        """A row of fronts, that far behind the free floor."""
        fronts = [self.paint(textures.facade(self.rng, self.front())) for _ in range(4)]
        x, number = -1.5 * self.side - 6, 0
        while x < 1.5 * self.side + 6:
            wide, high = (
                self.uniform(4, 9),
                float(self.rng.choice([6.0, 9.0, 9.0, 12.0])) + self.uniform(-0.6, 0.6),
            )
            y = self.back + distance_m + 3 + self.uniform(0, 0.6)
            number += int(self.rng.integers(1, 4))
            self.solids.append(
                self.box((x + wide / 2, y, high / 2), (wide / 2, 3.0, high / 2), fronts[number % 4], 6.0)
            )
            x += wide

    # --- places ---------------------------------------------------------------------------------

    def plaza(self) -> None:
        """Paved, with houses around and planters before them."""
        self.paint(textures.tiles(self.rng, self.tone(0.45, 0.75), int(self.rng.choice([4, 8]))))
        self.houses(1.5)
        stone = self.paint(textures.plain(self.rng, self.tone(0.45, 0.65), 512))
        leaves = self.paint(textures.hedge(self.rng, (0.2, 0.3, 0.13)))
        self.solids.append(self.box((0.0, self.back + 1.2, 0.06), (1.5 * self.side, 0.5, 0.06), stone, 2.0))
        for _ in range(int(self.rng.integers(1, 5))):
            x, half = self.uniform(-0.9, 0.9) * self.side, self.uniform(0.3, 0.9)
            self.solids.append(self.box((x, self.back + 0.4, 0.3), (half, 0.3, 0.3), stone, 2.0))
            for at in np.arange(-half + 0.3, half - 0.2, 0.45):
                r = self.uniform(0.28, 0.4)
                self.solids.append(Solid(BALL, (x + at, self.back + 0.4, 0.7), (r, r, r), 0.0, leaves, 2.0))

    def street(self) -> None:
        """A roadway that people use, and pavement with lamps before the houses."""
        self.paint(textures.asphalt(self.rng, self.tone(0.3, 0.45, 0.01)))
        self.houses(4.0)
        slabs = self.paint(textures.tiles(self.rng, self.tone(0.45, 0.65), 8))
        metal = self.paint(textures.plain(self.rng, self.tone(0.12, 0.3), 512))
        self.solids.append(self.box((0.0, self.back + 3.0, 0.07), (2 * self.side, 1.8, 0.07), slabs))
        for x in np.arange(self.uniform(-1.2, -0.8) * self.side, 1.2 * self.side, self.uniform(6, 11)):
            y = self.back + 1.7
            self.solids.append(Solid(CYLINDER, (x, y, 2.4), (0.06, 0.06, 2.4), 0.0, metal, 1.0))
            self.solids.append(self.box((x, y - 0.25, 4.8), (0.09, 0.35, 0.05), metal))
        if self.rng.uniform() < 0.5:
            leaves = self.paint(textures.hedge(self.rng, (0.22, 0.33, 0.13)))
            bark = self.paint(textures.plaster(self.rng, (0.36, 0.29, 0.22)))
            self.trees(int(self.rng.integers(1, 4)), 2.2, 3.4, leaves, bark)

    def park(self) -> None:
        """Grass or sand, a hedge, trees and bushes."""
        if self.rng.uniform() < 0.7:
            self.paint(textures.grass(self.rng, (0.33, 0.42, 0.2)))
        else:
            self.paint(textures.asphalt(self.rng, (0.62, 0.54, 0.42)))
        leaves = self.paint(textures.hedge(self.rng, (0.2, 0.3, 0.13)))
        bark = self.paint(textures.plaster(self.rng, (0.36, 0.29, 0.22)))
        self.solids.append(self.box((0.0, self.back + 6, 1.6), (60.0, 0.8, 1.6), leaves, 3.0))
        self.trees(int(self.rng.integers(4, 9)), 0.5, 5.0, leaves, bark)
        for _ in range(int(self.rng.integers(2, 6))):
            x, y, r = (
                self.uniform(-1, 1) * self.side,
                self.back + self.uniform(0.2, 3),
                self.uniform(0.4, 0.9),
            )
            self.solids.append(Solid(BALL, (x, y, 0.4 * r), (r, r, r), 0.0, leaves, 2.0))

    def hall(self) -> None:
        """A high room with cupboards and pictures along its far wall."""
        if self.rng.uniform() < 0.5:
            self.paint(
                textures.boards(self.rng, _triple(np.array((0.62, 0.45, 0.29)) * self.uniform(0.7, 1.2)))
            )
        else:
            self.paint(textures.tiles(self.rng, self.tone(0.5, 0.8), int(self.rng.choice([4, 6]))))
        wall = self.paint(textures.plaster(self.rng, self.tone(0.55, 0.85)))
        accent = self.paint(textures.plaster(self.rng, self.tone(0.2, 0.6, 0.06)))
        wood = self.paint(
            textures.boards(self.rng, _triple(np.array((0.5, 0.36, 0.24)) * self.uniform(0.6, 1.4)))
        )
        self.solids.append(self.box((0.0, self.back + 0.5, 3.0), (self.side + 1, 0.5, 3.0), wall))
        self.solids.append(self.box((0.0, self.back - 0.02, 0.06), (self.side + 1, 0.03, 0.06), accent, 2.0))
        for x in (-self.side, self.side):
            self.solids.append(self.box((x, self.back / 2 + 2, 3.0), (0.3, self.back, 3.0), wall))
        for _ in range(int(self.rng.integers(2, 6))):
            x, high, wide = (
                self.uniform(-0.8, 0.8) * self.side,
                self.uniform(0.35, 1.05),
                self.uniform(0.3, 0.9),
            )
            material = wood if self.rng.uniform() < 0.6 else accent
            self.solids.append(self.box((x, self.back - 0.35, high), (wide, 0.3, high), material, 1.5))
        for _ in range(int(self.rng.integers(1, 4))):
            x, half = self.uniform(-0.8, 0.8) * self.side, (self.uniform(0.35, 0.7), self.uniform(0.3, 0.55))
            self.picture((x, self.back, 1.75), half, accent)

    def picture(self, centre: tuple[float, float, float], half: tuple[float, float], frame: int) -> None:
        """A framed picture on a wall whose front is at y: a photograph if there are any."""
        x, y, z = centre
        size = 2 * max(half)
        if self.album is None:
            colours = self.tone(0.2, 0.8, 0.2), self.tone(0.2, 0.8, 0.2)
            painting = textures.blotches(self.rng, *colours, 512)
        else:
            painting = np.flipud(self.album.cut(self.rng, 512, 512)) / 255.0
        # Texture begins at the middle of a solid sideways and at the floor upwards.
        across, up = round(512 * half[0] / size), round(512 * (z - half[1]) / size)
        texture = self.paint(np.roll(painting, (up, -across), axis=(0, 1)))
        self.solids.append(self.box((x, y - 0.01, z), (half[0] + 0.04, 0.02, half[1] + 0.04), frame, 1.0))
        self.solids.append(self.box((x, y - 0.02, z), (half[0], 0.03, half[1]), texture, size))

    def before_photograph(self, album: Album, kind: str, light: Light) -> bool:
        """A floor that runs up to a photograph as wide as the view. Whether one without people was found."""
        count = 2 * math.ceil((1.5 * self.side + 4) / PANEL_M / 2) + 1
        photo = album.empty_cut(self.rng, 3 * PANEL_PX, PANEL_PX)
        if photo is None:
            return False
        # Out of focus, and as bright as it was, whatever light falls on it here.
        focus = cv2.GaussianBlur(photo, (0, 0), self.uniform(0.8, 2.2))
        facing = 0.75 * np.asarray(light.sky) + max(-light.to_sun[1], 0.0) * np.asarray(light.sun)
        shown = np.clip(np.flipud(focus) / 255.0 * self.uniform(0.75, 0.95) / np.sqrt(facing), 0, 1)
        near = np.clip(shown[: PANEL_PX // 8].mean(axis=(0, 1)) * np.sqrt(facing), 0.15, 0.8)
        ground = _triple(near)
        if kind == "park":
            self.paint(textures.grass(self.rng, ground))
        elif kind == "street":
            self.paint(textures.asphalt(self.rng, ground))
        elif kind == "plaza":
            self.paint(textures.tiles(self.rng, ground, int(self.rng.choice([4, 8]))))
        else:
            self.paint(textures.boards(self.rng, ground))
        # Mirrored from part to part, it goes on without a seam.
        parts = [shown[:, PANEL_PX * k : PANEL_PX * (k + 1)] for k in range(3)]
        parts += [part[:, ::-1] for part in reversed(parts)]
        panels = [self.paint(np.roll(part, PANEL_PX // 2, axis=1)) for part in parts]
        for number in range(count):
            x = (number - count // 2) * PANEL_M
            where = (x, self.back + 1.5, PANEL_M / 2)
            half = (PANEL_M / 2, 0.05, PANEL_M / 2)
            self.solids.append(self.box(where, half, panels[(number - count // 2 + 1) % 6], PANEL_M))
        return True

    # --- what is in the way -----------------------------------------------------------------------

    def stand(self, obstacles: Sequence[Obstacle]) -> None:
        """Directed things: poles, walls, and seats as slabs on supports."""
        if not obstacles:
            return
        metal = self.paint(textures.plain(self.rng, self.tone(0.15, 0.5, 0.03), 512))
        wall = textures.bricks if self.rng.uniform() < 0.4 else textures.plaster
        masonry = self.paint(wall(self.rng, self.front()))
        wood = self.paint(textures.boards(self.rng, (0.48, 0.36, 0.25)))
        for thing in obstacles:
            wide, deep = thing.half_width_m, thing.radius_m
            if thing.seat and wide > 0:
                top = thing.height_m or 0.45
                self.occluders.append(self.box((thing.x, thing.y, top - 0.04), (wide, deep, 0.04), wood, 2.0))
                for side in (-0.8, 0.8):
                    leg = (thing.x + side * wide, thing.y, top / 2 - 0.04)
                    self.occluders.append(self.box(leg, (0.06, 0.85 * deep, top / 2 - 0.04), metal))
            elif wide > 0:
                high = (thing.height_m or 2.1) / 2
                self.occluders.append(self.box((thing.x, thing.y, high), (wide, deep, high), masonry))
                cap = (thing.x, thing.y, 2 * high - 0.03)
                self.occluders.append(self.box(cap, (wide + 0.02, deep + 0.02, 0.03), metal))
            else:
                high = thing.height_m / 2 if thing.height_m else self.uniform(1.4, 2.2)
                self.occluders.append(
                    Solid(CYLINDER, (thing.x, thing.y, high), (deep, deep, high), 0.0, metal, 1.0)
                )

    def furnish(self, most: int, people: Floats, obstacles: Sequence[Obstacle]) -> None:
        """Low or thin things where nobody comes, near the camera too."""
        taken = [people, *(np.array([[o.x, o.y]]) for o in obstacles)]
        pieces = (self._planter, self._table, self._lamp, self._bin, self._bollard, self._sign)
        for _ in range(int(self.rng.integers(0, most + 1)) if most else 0):
            piece = pieces[int(self.rng.integers(len(pieces)))]
            for _ in range(30):
                y = self.uniform(2.4, self.back - 0.8)
                x = self.uniform(-0.85, 0.85) * self.side * y / self.back
                if np.linalg.norm(np.concatenate(taken) - (x, y), axis=1).min() > 0.75 + CLEAR_M:
                    piece(x, y)
                    taken.append(np.array([[x, y]]))
                    break

    def _planter(self, x: float, y: float) -> None:
        stone = self.paint(textures.plain(self.rng, self.tone(0.3, 0.7), 512))
        leaves = self.paint(textures.hedge(self.rng, (0.2, 0.32, 0.13)))
        half, high = self.uniform(0.25, 0.4), self.uniform(0.2, 0.35)
        self.occluders.append(self.box((x, y, high), (half, half, high), stone))
        for _ in range(3):
            dx, dy = self.rng.normal(size=2) * 0.4 * half
            r = self.uniform(0.6, 0.95) * half
            self.occluders.append(
                Solid(BALL, (x + dx, y + dy, 2 * high + 0.6 * r), (r, r, r), 0.0, leaves, 1.5)
            )

    def _table(self, x: float, y: float) -> None:
        wood = self.paint(
            textures.boards(self.rng, _triple(np.array((0.5, 0.37, 0.25)) * self.uniform(0.7, 1.3)))
        )
        yaw, half = self.uniform(-0.5, 0.5), self.uniform(0.3, 0.42)
        self.occluders.append(self.box((x, y, 0.73), (half, half, 0.02), wood, 1.5, yaw))
        self.occluders.append(Solid(CYLINDER, (x, y, 0.36), (0.04, 0.04, 0.36), 0.0, wood, 1.0))
        self.occluders.append(Solid(CYLINDER, (x, y, 0.015), (0.22, 0.22, 0.015), 0.0, wood, 1.0))
        c, s = math.cos(yaw), math.sin(yaw)
        for away in (-0.6, 0.6):  # chairs
            a, b = x + c * away, y + s * away
            self.occluders.append(self.box((a, b, 0.44), (0.19, 0.19, 0.02), wood, 1.5, yaw))
            self.occluders.append(self.box((a, b, 0.22), (0.03, 0.16, 0.21), wood, 1.5, yaw))
            back = (a + 0.3 * c * away, b + 0.3 * s * away, 0.66)
            self.occluders.append(self.box(back, (0.015, 0.18, 0.22), wood, 1.5, yaw))

    def _lamp(self, x: float, y: float) -> None:
        metal = self.paint(textures.plain(self.rng, self.tone(0.1, 0.3), 512))
        self.occluders.append(Solid(CYLINDER, (x, y, 1.9), (0.05, 0.05, 1.9), 0.0, metal, 1.0))
        self.occluders.append(Solid(CYLINDER, (x, y, 0.15), (0.09, 0.09, 0.15), 0.0, metal, 1.0))
        self.occluders.append(Solid(BALL, (x, y, 3.9), (0.2, 0.2, 0.2), 0.0, metal, 1.0))

    def _bin(self, x: float, y: float) -> None:
        metal = self.paint(textures.plain(self.rng, self.tone(0.15, 0.5, 0.06), 512))
        self.occluders.append(Solid(CYLINDER, (x, y, 0.42), (0.24, 0.24, 0.42), 0.0, metal, 1.0))
        self.occluders.append(Solid(CYLINDER, (x, y, 0.87), (0.26, 0.26, 0.03), 0.0, metal, 1.0))

    def _bollard(self, x: float, y: float) -> None:
        metal = self.paint(textures.plain(self.rng, self.tone(0.1, 0.6), 512))
        for k in (-1, 0, 1):
            self.occluders.append(
                Solid(CYLINDER, (x + 0.55 * k, y, 0.45), (0.06, 0.06, 0.45), 0.0, metal, 1.0)
            )

    def _sign(self, x: float, y: float) -> None:
        """A board to lean on its own legs, with a photograph if there are any."""
        metal = self.paint(textures.plain(self.rng, self.tone(0.1, 0.4), 512))
        self.occluders.append(self.box((x, y, 0.55), (0.32, 0.03, 0.5), metal))
        self.occluders.append(self.box((x, y, 0.04), (0.3, 0.2, 0.03), metal))
        first = len(self.solids)
        self.picture((x, y - 0.03, 0.58), (0.27, 0.4), metal)
        self.occluders += self.solids[first:]
        del self.solids[first:]
