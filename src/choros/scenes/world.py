"""The place: floor, walls, houses, poles and furniture under a sun, seen through a camera.

Everything that does not move is a box or a cylinder with a procedural texture, and is traced analytically, one
ray a pixel: depth, what the sun gives and what the sky gives. World axes: z up, floor at 0, metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.scenes.textures import Colour
from choros.view.raster import compiled

Floats = NDArray[np.float64]

BOX, CYLINDER, BALL = 0, 1, 2
FAR_M = 400.0


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


@dataclass(frozen=True)
class World:
    """All that stands still. Texture 0 is the floor's."""

    solids: tuple[Solid, ...]
    textures: NDArray[np.uint8]  # (n, LEVELS, S, S, 3) sRGB
    floor_period_m: float
    light: Light
    occluders: tuple[Solid, ...] = ()  # those of the solids that people walk behind

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


#: Display value to light, with the gamma of 2 that ``render.develop`` undoes.
LINEAR = ((np.arange(256) / 255.0) ** 2).astype(np.float32)


def see(world: World, K: Floats, T_world_camera: Floats, width: int, height: int, finer: int = 1) -> Backdrop:
    """Trace the world; colours are averaged over ``finer`` x ``finer`` rays a pixel, depth is its centre's."""
    light = world.light
    arguments = (
        np.linalg.inv(K), T_world_camera, world.table(), world.textures, LINEAR, world.floor_period_m,
        np.asarray(light.to_sun), np.asarray(light.sun), np.asarray(light.sky), np.asarray(light.zenith),
        np.asarray(light.horizon),
    )  # fmt: skip
    depth, sun, sky = _trace(height, width, finer, float(K[0, 0]), *arguments)
    return Backdrop(depth, sun, sky)


@compiled
def hit(table, ox, oy, oz, dx, dy, dz, nearest):  # type: ignore[no-untyped-def]
    """First solid along a ray: distance (``nearest`` if none is nearer), its row (-1) and the side's axis."""
    best, row, side = nearest, -1, 0
    for s in range(table.shape[0]):
        c, n = table[s, 7], table[s, 8]
        px, py, pz = ox - table[s, 1], oy - table[s, 2], oz - table[s, 3]
        ax, ay = c * px + n * py, -n * px + c * py
        bx, by = c * dx + n * dy, -n * dx + c * dy
        hz = table[s, 6]
        enter, leave, axis = -np.inf, np.inf, 2
        # The slab between bottom and top, for both kinds.
        if abs(dz) > 1e-9:
            t0, t1 = (-hz - pz) / dz, (hz - pz) / dz
            enter, leave = min(t0, t1), max(t0, t1)
        elif abs(pz) > hz:
            continue
        if table[s, 0] == BOX:
            missed = False
            for k in range(2):
                p, d, h = (ax, bx, table[s, 4]) if k == 0 else (ay, by, table[s, 5])
                if abs(d) < 1e-9:
                    missed = missed or abs(p) > h
                    continue
                t0, t1 = (-h - p) / d, (h - p) / d
                if min(t0, t1) > enter:
                    enter, axis = min(t0, t1), k
                leave = min(leave, max(t0, t1))
            if missed:
                continue
        elif table[s, 0] == BALL:
            r = table[s, 4]
            a, b, q = (
                dx * dx + dy * dy + dz * dz,
                dx * px + dy * py + dz * pz,
                px * px + py * py + pz * pz - r * r,
            )
            root = b * b - a * q
            if root <= 0:
                continue
            root = np.sqrt(root)
            enter, leave, axis = (-b - root) / a, (-b + root) / a, 4
        else:
            r = table[s, 4]
            a, b, q = bx * bx + by * by, ax * bx + ay * by, ax * ax + ay * ay - r * r
            root = b * b - a * q
            if root <= 0 or a < 1e-12:
                continue
            root = np.sqrt(root)
            if (-b - root) / a > enter:
                enter, axis = (-b - root) / a, 3
            leave = min(leave, (-b + root) / a)
        if enter < leave and enter > 1e-4 and enter < best:
            best, row, side = enter, s, axis
    return best, row, side


@compiled
def texel(stack, u, v, footprint, linear, out):  # type: ignore[no-untyped-def]
    """Sample a texture (L, S, S, 3) at (u, v) repeats, over ``footprint`` repeats, into ``out`` (3), linear RGB."""
    size = stack.shape[1]
    level = np.log2(max(footprint * size, 1.0))
    level = min(level, stack.shape[0] - 1.0)
    coarse = int(np.ceil(level))
    blend = level - np.floor(level)
    x, y = u * size - 0.5, v * size - 0.5
    i, j = int(np.floor(x)), int(np.floor(y))
    a, b = x - i, y - j
    i0, i1, j0, j1 = i % size, (i + 1) % size, j % size, (j + 1) % size
    for c in range(3):
        fine = stack[int(np.floor(level))]
        value = (1 - b) * ((1 - a) * linear[fine[j0, i0, c]] + a * linear[fine[j0, i1, c]]) + b * (
            (1 - a) * linear[fine[j1, i0, c]] + a * linear[fine[j1, i1, c]]
        )
        if blend > 0:
            # A blurred copy changes slowly: its nearest texel does.
            value = (1 - blend) * value + blend * linear[stack[coarse, j0, i0, c]]
        out[c] = value


@compiled
def _trace(  # type: ignore[no-untyped-def]
    height, width, finer, focal_px, K_inverse, T, table, stacks, linear, floor_period, to_sun, sun, sky, zenith,
    horizon,
):  # fmt: skip
    depth = np.empty((height, width), np.float32)
    sunny = np.zeros((height, width, 3), np.float32)
    shady = np.zeros((height, width, 3), np.float32)
    colour = np.empty(3, np.float32)
    ox, oy, oz = T[0, 3], T[1, 3], T[2, 3]
    for row in range(height):
        for column in range(width):
            for sample in range(finer * finer + 1):
                # The last ray goes through the centre, for the depth.
                x, y = column + 0.5, row + 0.5
                if sample < finer * finer:
                    x = column + (sample % finer + 0.5) / finer
                    y = row + (sample // finer + 0.5) / finer
                cx = K_inverse[0, 0] * x + K_inverse[0, 1] * y + K_inverse[0, 2]
                cy = K_inverse[1, 1] * y + K_inverse[1, 2]
                dx = T[0, 0] * cx + T[0, 1] * cy + T[0, 2]
                dy = T[1, 0] * cx + T[1, 1] * cy + T[1, 2]
                dz = T[2, 0] * cx + T[2, 1] * cy + T[2, 2]
                t = FAR_M if dz > -1e-6 else min(-oz / dz, FAR_M)
                t, solid, side = hit(table, ox, oy, oz, dx, dy, dz, t)
                if sample == finer * finer:
                    depth[row, column] = t  # the ray's z in camera axes is 1
                    continue
                share = 1.0 / (finer * finer)
                if t >= FAR_M:
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
                texel(stacks[number], u / period, v / period, footprint, linear, colour)
                lit = nx * to_sun[0] + ny * to_sun[1] + nz * to_sun[2]
                if lit > 0:
                    e = 1e-3
                    _, blocker, _ = hit(
                        table, px + e * nx, py + e * ny, pz + e * nz, to_sun[0], to_sun[1], to_sun[2], np.inf
                    )
                    if blocker >= 0:
                        lit = 0.0
                haze = 1 - np.exp(-t * length / 260.0)
                for c in range(3):
                    clear = share * (1 - haze) * colour[c]
                    sunny[row, column, c] += clear * max(lit, 0.0) * sun[c]
                    shady[row, column, c] += clear * open_sky * sky[c] + share * haze * horizon[c]
    return depth, sunny, shady
