"""The place: floor, walls, houses, poles and furniture under a sun, seen through a camera.

Everything that does not move is a box, a cylinder or a ball with a procedural texture, and is traced analytically,
one ray a pixel: depth, what the sun gives and what the sky gives. The floor's own light is baked into a map once.
World axes: z up, floor at 0, metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.compiled import compiled
from choros.scenes.textures import Colour

Floats = NDArray[np.float64]

BOX, CYLINDER, BALL = 0, 1, 2
FAR_M = 400.0
FLOOR, SKY = -1, -2  # in place of a solid's number
FLOOR_TEXEL_M = 0.07


@dataclass(frozen=True)
class Solid:
    """A box, an upright cylinder or a ball somewhere."""

    kind: int  # BOX, CYLINDER or BALL
    centre: tuple[float, float, float]
    half: tuple[float, float, float]  # half extents; the radius of a cylinder or ball is the first
    yaw_rad: float
    texture: int
    period_m: float


@dataclass(frozen=True)
class Light:
    """Sun and sky. Colours are linear RGB; their sum on a white floor is about 1."""

    to_sun: tuple[float, float, float]  # unit, world
    sun: Colour
    sky: Colour
    zenith: Colour
    horizon: Colour
    softness: float = 0.02  # of shadows: the sun's or the lamps' radius over their distance


@dataclass(frozen=True)
class FloorLight:
    """How much sun and sky the floor gets, from 0 to 1, as a map; all of both beyond it."""

    open_: NDArray[np.float32]  # (rows along y, columns along x, 2): sun, sky
    corner: tuple[float, float]  # x, y of the map's corner, metres
    texel_m: float = FLOOR_TEXEL_M


@dataclass(frozen=True)
class World:
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
        seen = _corners(self.table()) @ np.stack([across, np.cross(across, to_sun), to_sun], axis=1)
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

    def table(self) -> NDArray[np.float32]:
        """The solids as numbers, for compiled code: (n, 11)."""
        rows = [
            [s.kind, *s.centre, *s.half, np.cos(s.yaw_rad), np.sin(s.yaw_rad), s.texture, s.period_m]
            for s in self.solids
        ]
        return np.array(rows, np.float32).reshape(-1, 11)


@dataclass(frozen=True)
class Backdrop:
    """The world through a camera: (H, W) depth in metres, and linear light (H, W, 3) from sun and sky."""

    depth: NDArray[np.float32]
    from_sun: NDArray[np.float32]
    from_sky: NDArray[np.float32]
    solid: NDArray[np.int16]  # (H, W) which of the world's solids, or FLOOR or SKY


#: Display value to light, with the gamma of 2 that ``render.develop`` undoes.
LINEAR = ((np.arange(256) / 255.0) ** 2).astype(np.float32)


def see(world: World, K: Floats, T_world_camera: Floats, width: int, height: int, finer: int = 1) -> Backdrop:
    """Trace the world; colours are averaged over ``finer`` x ``finer`` rays a pixel (an odd number), depth is
    its centre's."""
    light, floor, table = world.light, world.floor_light, world.table()
    depth, sun, sky, solid = _trace(
        height, width, finer, float(K[0, 0]), np.linalg.inv(K), T_world_camera, table,
        _bounds(table, K, T_world_camera, width, height), world.shades, world.textures, LINEAR, world.floor_period_m,
        np.asarray(light.to_sun), np.asarray(light.sun), np.asarray(light.sky), np.asarray(light.zenith),
        np.asarray(light.horizon), floor.open_, *floor.corner, floor.texel_m,
    )  # fmt: skip
    return Backdrop(depth, sun, sky, solid)


def depth_of(
    world: World, K: Floats, T_world_camera: Floats, width: int, height: int
) -> NDArray[np.float32]:  # (H, W) metres along z
    """Depth of the world alone: that of ``see``, without its colours, in a fraction of the time."""
    depth = np.full((height, width), FAR_M, np.float32)
    hide_behind(world, K, T_world_camera, depth)
    return depth


def hide_behind(world: World, K: Floats, T_world_camera: Floats, depth: NDArray[np.float32]) -> None:
    """Bring finite depths (H, W), metres along z, forward to whatever of the world is before them, in place.

    Far cheaper than ``depth_of`` where most depths are infinite.
    """
    table = world.table()
    bounds = _bounds(table, K, T_world_camera, depth.shape[1], depth.shape[0])
    _trace_before(depth, np.linalg.inv(K), T_world_camera, table, bounds)


def _bounds(
    table: NDArray[np.float32], K: Floats, T_world_camera: Floats, width: int, height: int
) -> NDArray[np.float32]:  # (n, 4) px
    """Where each solid can be in the picture, from the corners of a box around it: x0, y0, x1, y1."""
    cam = (_corners(table) - T_world_camera[:3, 3]) @ T_world_camera[:3, :3]
    z = np.maximum(cam[..., 2], 1e-9)
    points = np.stack([K[0, 0] * cam[..., 0] / z + K[0, 2], K[1, 1] * cam[..., 1] / z + K[1, 2]], axis=-1)
    bounds = np.concatenate([points.min(axis=1) - 1, points.max(axis=1) + 1], axis=1)
    front = cam[..., 2] > 0.05
    bounds[~front.all(axis=1)] = 0, 0, width, height  # reaches beside or behind the camera
    bounds[~front.any(axis=1)] = 0, 0, -1, -1
    return bounds.astype(np.float32)


def _corners(table: NDArray[np.float32]) -> Floats:  # (n, 8, 3) world
    """Corners of a box around each solid."""
    signs = np.array([(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)], np.float64)
    local = signs * table[:, None, 4:7]
    c, s = table[:, 7, None], table[:, 8, None]
    x, y = c * local[..., 0] - s * local[..., 1], s * local[..., 0] + c * local[..., 1]
    return np.asarray(np.stack([x, y, local[..., 2]], axis=-1) + table[:, None, 1:4], np.float64)


@compiled
def _meet(solid, ox, oy, oz, dx, dy, dz):  # type: ignore[no-untyped-def]
    """Where a ray enters a solid: distance, inf if it does not, and the side's axis."""
    c, n = solid[7], solid[8]
    px, py, pz = ox - solid[1], oy - solid[2], oz - solid[3]
    ax, ay = c * px + n * py, -n * px + c * py
    bx, by = c * dx + n * dy, -n * dx + c * dy
    hz = solid[6]
    enter, leave, axis = -np.inf, np.inf, 2
    # The slab between bottom and top, for both kinds.
    if abs(dz) > 1e-9:
        t0, t1 = (-hz - pz) / dz, (hz - pz) / dz
        enter, leave = min(t0, t1), max(t0, t1)
    elif abs(pz) > hz:
        return np.inf, axis
    if solid[0] == BOX:
        for k in range(2):
            p, d, h = (ax, bx, solid[4]) if k == 0 else (ay, by, solid[5])
            if abs(d) < 1e-9:
                if abs(p) > h:
                    return np.inf, axis
                continue
            t0, t1 = (-h - p) / d, (h - p) / d
            if min(t0, t1) > enter:
                enter, axis = min(t0, t1), k
            leave = min(leave, max(t0, t1))
    elif solid[0] == BALL:
        r = solid[4]
        a, b = dx * dx + dy * dy + dz * dz, dx * px + dy * py + dz * pz
        root = b * b - a * (px * px + py * py + pz * pz - r * r)
        if root <= 0:
            return np.inf, axis
        root = np.sqrt(root)
        enter, leave, axis = (-b - root) / a, (-b + root) / a, 4
    else:
        r = solid[4]
        a, b, q = bx * bx + by * by, ax * bx + ay * by, ax * ax + ay * ay - r * r
        root = b * b - a * q
        if root <= 0 or a < 1e-12:
            return np.inf, axis
        root = np.sqrt(root)
        if (-b - root) / a > enter:
            enter, axis = (-b - root) / a, 3
        leave = min(leave, (-b + root) / a)
    if enter < leave and enter > 1e-4:
        return enter, axis
    return np.inf, axis


@compiled
def hit(table, ox, oy, oz, dx, dy, dz, nearest):  # type: ignore[no-untyped-def]
    """First solid along a ray: distance (``nearest`` if none is nearer), its row (-1) and the side's axis."""
    best, row, side = nearest, -1, 0
    for s in range(table.shape[0]):
        t, axis = _meet(table[s], ox, oy, oz, dx, dy, dz)
        if t < best:
            best, row, side = t, s, axis
    return best, row, side


@compiled
def blocked(table, ox, oy, oz, dx, dy, dz):  # type: ignore[no-untyped-def]
    """Whether any solid is on a ray."""
    return hit(table, ox, oy, oz, dx, dy, dz, np.inf)[1] >= 0


@compiled
def _bake(rows, columns, corner_x, corner_y, texel_m, table, to_sun):  # type: ignore[no-untyped-def]
    """Of each texel of the floor: is it in the sun, how far off is what shades it, how near stands something."""
    sun = np.ones((rows, columns), np.float32)
    reach = np.zeros((rows, columns), np.float32)
    near = np.full((rows, columns), 9.0, np.float32)
    for i in range(rows):
        for j in range(columns):
            x, y = corner_x + (j + 0.5) * texel_m, corner_y + (i + 0.5) * texel_m
            t, blocker, _ = hit(table, x, y, 1e-3, to_sun[0], to_sun[1], to_sun[2], np.inf)
            if blocker >= 0:
                sun[i, j], reach[i, j] = 0.0, t
            for s in range(table.shape[0]):
                solid = table[s]
                if solid[3] - solid[6] > 0.3:
                    continue  # in the air
                px, py = x - solid[1], y - solid[2]
                away = np.hypot(px, py) - solid[4]
                if solid[0] == BOX:
                    ax, ay = solid[7] * px + solid[8] * py, -solid[8] * px + solid[7] * py
                    away = np.hypot(max(abs(ax) - solid[4], 0.0), max(abs(ay) - solid[5], 0.0))
                # What is low hides little of the sky.
                near[i, j] = min(near[i, j], max(away, 0.0) + 0.25 / max(solid[3] + solid[6], 0.1) - 0.12)
    return sun, reach, np.maximum(near, np.float32(0))


@compiled
def texel(stacks, number, u, v, footprint, linear, out):  # type: ignore[no-untyped-def]
    """Sample texture ``number`` of (n, L, S, S, 3), S a power of 2, at (u, v) repeats into ``out`` (3), linear RGB.

    ``footprint`` is how many repeats the sample covers.
    """
    size = stacks.shape[2]
    level = min(np.log2(max(footprint * size, 1.0)), stacks.shape[1] - 1.0)
    sharp = int(level)
    blend = level - sharp
    x, y = u * size - 0.5, v * size - 0.5
    i, j = int(np.floor(x)), int(np.floor(y))
    a, b = x - i, y - j
    i0, i1, j0, j1 = i & (size - 1), (i + 1) & (size - 1), j & (size - 1), (j + 1) & (size - 1)
    wa, wb, wc, wd = (1 - b) * (1 - a), (1 - b) * a, b * (1 - a), b * a
    for c in range(3):
        value = (
            wa * linear[stacks[number, sharp, j0, i0, c]]
            + wb * linear[stacks[number, sharp, j0, i1, c]]
            + wc * linear[stacks[number, sharp, j1, i0, c]]
            + wd * linear[stacks[number, sharp, j1, i1, c]]
        )
        if blend > 0:
            # A blurred copy changes slowly: its nearest texel does.
            value = (1 - blend) * value + blend * linear[stacks[number, sharp + 1, j0, i0, c]]
        out[c] = value


@compiled
def _first(table, bounds, column, row, ox, oy, oz, dx, dy, dz):  # type: ignore[no-untyped-def]
    """What a pixel's ray meets first: distance, solid (or FLOOR or SKY) and the side's axis."""
    best = FAR_M if dz > -1e-6 else min(-oz / dz, FAR_M)
    solid, side = SKY if best >= FAR_M else FLOOR, 0
    for s in range(table.shape[0]):
        if column < bounds[s, 0] or column > bounds[s, 2] or row < bounds[s, 1] or row > bounds[s, 3]:
            continue
        t, axis = _meet(table[s], ox, oy, oz, dx, dy, dz)
        if t < best:
            best, solid, side = t, s, axis
    return best, solid, side


@compiled
def _ray(K_inverse, T, x, y):  # type: ignore[no-untyped-def]
    """Direction in the world of the ray through a pixel, 1 along the camera's axis."""
    cx = K_inverse[0, 0] * x + K_inverse[0, 1] * y + K_inverse[0, 2]
    cy = K_inverse[1, 1] * y + K_inverse[1, 2]
    dx = T[0, 0] * cx + T[0, 1] * cy + T[0, 2]
    dy = T[1, 0] * cx + T[1, 1] * cy + T[1, 2]
    dz = T[2, 0] * cx + T[2, 1] * cy + T[2, 2]
    return dx, dy, dz


@compiled
def _trace_before(depth, K_inverse, T, table, bounds):  # type: ignore[no-untyped-def]
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            if depth[row, column] == np.inf:
                continue
            dx, dy, dz = _ray(K_inverse, T, column + 0.5, row + 0.5)
            t = _first(table, bounds, column, row, T[0, 3], T[1, 3], T[2, 3], dx, dy, dz)[0]
            depth[row, column] = min(depth[row, column], t)


@compiled
def _between(map_, x, y, channel):  # type: ignore[no-untyped-def]
    """A map (rows, columns, channels) at a place between its texels' centres."""
    i, j = int(x), int(y)
    a, b = x - i, y - j
    return (1 - b) * ((1 - a) * map_[j, i, channel] + a * map_[j, i + 1, channel]) + b * (
        (1 - a) * map_[j + 1, i, channel] + a * map_[j + 1, i + 1, channel]
    )


@compiled
def _trace(  # type: ignore[no-untyped-def]
    height, width, finer, focal_px, K_inverse, T, table, bounds, shades, stacks, linear, floor_period, to_sun, sun, sky,
    zenith, horizon, floor_open, corner_x, corner_y, texel_m,
):  # fmt: skip
    depth = np.empty((height, width), np.float32)
    sunny = np.zeros((height, width, 3), np.float32)
    shady = np.zeros((height, width, 3), np.float32)
    owner = np.empty((height, width), np.int16)
    colour = np.empty(3, np.float32)
    ox, oy, oz = T[0, 3], T[1, 3], T[2, 3]
    for row in range(height):
        for column in range(width):
            for sample in range(finer * finer):
                x = column + (sample % finer + 0.5) / finer
                y = row + (sample // finer + 0.5) / finer
                dx, dy, dz = _ray(K_inverse, T, x, y)
                t, solid, side = _first(table, bounds, column, row, ox, oy, oz, dx, dy, dz)
                if sample == finer * finer // 2:
                    depth[row, column], owner[row, column] = t, solid  # the ray's z in camera axes is 1
                share = 1.0 / (finer * finer)
                if solid == SKY:
                    up = dz / np.sqrt(dx * dx + dy * dy + dz * dz)
                    up = min(max(up, 0.0) * 1.6, 1.0) ** 0.7
                    for c in range(3):
                        shady[row, column, c] += share * (zenith[c] * up + horizon[c] * (1 - up))
                    continue
                px, py, pz = ox + t * dx, oy + t * dy, oz + t * dz
                length = np.sqrt(dx * dx + dy * dy + dz * dz)
                nx, ny, nz = 0.0, 0.0, 1.0
                u, v, period, number = px, py, floor_period, 0
                open_sky = 1.0
                if solid >= 0:
                    s = table[solid]
                    c_, s_ = s[7], s[8]
                    lx, ly = c_ * (px - s[1]) + s_ * (py - s[2]), -s_ * (px - s[1]) + c_ * (py - s[2])
                    bx, by = c_ * dx + s_ * dy, -s_ * dx + c_ * dy
                    number, period = int(s[9]), s[10]
                    u, v = lx, pz
                    if side == 0:
                        k = -1.0 if bx > 0 else 1.0
                        nx, ny, nz, u = c_ * k, s_ * k, 0.0, ly
                    elif side == 1:
                        k = -1.0 if by > 0 else 1.0
                        nx, ny, nz = -s_ * k, c_ * k, 0.0
                    elif side == 3:
                        nx, ny, nz = (c_ * lx - s_ * ly) / s[4], (s_ * lx + c_ * ly) / s[4], 0.0
                        u = np.arctan2(ly, lx) * s[4]
                    elif side == 4:
                        nx, ny, nz = (px - s[1]) / s[4], (py - s[2]) / s[4], (pz - s[3]) / s[4]
                        u = np.arctan2(ly, lx) * s[4]
                        open_sky = 0.55 + 0.35 * nz
                    else:
                        nz = -1.0 if dz > 0 else 1.0
                        v = ly
                    if nz == 0.0:
                        open_sky = 0.62 + 0.2 * min(pz / 3.0, 1.0)
                slant = max(abs(nx * dx + ny * dy + nz * dz) / length, 0.08)
                footprint = t * length / focal_px / np.sqrt(slant) / finer / period
                texel(stacks, number, u / period, v / period, footprint, linear, colour)
                lit = nx * to_sun[0] + ny * to_sun[1] + nz * to_sun[2]
                if solid == FLOOR:
                    i, j = (px - corner_x) / texel_m - 0.5, (py - corner_y) / texel_m - 0.5
                    if i >= 0 and j >= 0 and i < floor_open.shape[1] - 1 and j < floor_open.shape[0] - 1:
                        lit *= _between(floor_open, i, j, 0)
                        open_sky = _between(floor_open, i, j, 1)
                elif lit > 0:
                    e = 1e-3
                    for q in range(table.shape[0]):
                        if shades[solid, q] and lit > 0:
                            away, _ = _meet(
                                table[q],
                                px + e * nx,
                                py + e * ny,
                                pz + e * nz,
                                to_sun[0],
                                to_sun[1],
                                to_sun[2],
                            )
                            lit = lit if away == np.inf else 0.0
                haze = 1 - np.exp(-t * length / 260.0)
                for c in range(3):
                    clear = share * (1 - haze) * colour[c]
                    sunny[row, column, c] += clear * max(lit, 0.0) * sun[c]
                    shady[row, column, c] += clear * open_sky * sky[c] + share * haze * horizon[c]
    return depth, sunny, shady, owner
