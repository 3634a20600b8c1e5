"""The surroundings through a camera, traced one ray a pixel: depth, what the sun gives and what the sky gives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.compiled import compiled, inner
from choros.scenes.place.solids import FAR_M, FLOOR, SKY, corners, meet
from choros.scenes.place.surroundings import Surroundings
from choros.scenes.render.kernel_arrays import LINEAR, TextureStacks, pinhole, texel

Floats = NDArray[np.float64]


class Backdrop(NamedTuple):
    """The surroundings through a camera: (H, W) depth in metres, and linear light (H, W, 3) from sun and sky."""

    depth: NDArray[np.float32]
    from_sun: NDArray[np.float32]
    from_sky: NDArray[np.float32]
    solid: NDArray[np.int16]  # (H, W) which of the solids, or FLOOR or SKY


class SolidArrays(NamedTuple):
    """The solids of a picture for compiled loops."""

    table: NDArray[np.void]  # (n,) SOLID
    bounds_px: NDArray[np.float32]  # (n, 4) where each can be in the picture
    shades: NDArray[np.bool_]  # (n, n) whether the second can stand between the first and the sun


class FloorArrays(NamedTuple):
    """The floor's texture and baked light for compiled loops; see ``FloorLight``."""

    period_m: float
    open_: NDArray[np.float32]
    corner_x: float
    corner_y: float
    texel_m: float


def trace_backdrop(
    surroundings: Surroundings, K: Floats, T_world_camera: Floats, width: int, height: int, finer: int = 1
) -> Backdrop:
    """Trace the surroundings.

    Colours are averaged over ``finer`` x ``finer`` rays a pixel (an odd number), depth is its centre's.
    """
    floor, table = surroundings.floor_light, surroundings.table()
    depth, sun, sky, solid = _trace(
        (height, width), finer, pinhole(K, T_world_camera),
        SolidArrays(table, _bounds(table, K, T_world_camera, width, height), surroundings.shades),
        TextureStacks(surroundings.textures, LINEAR),
        FloorArrays(surroundings.floor_period_m, floor.open_, *floor.corner, floor.texel_m),
        surroundings.light.arrays(),
    )  # fmt: skip
    return Backdrop(depth, sun, sky, solid)


def trace_depth(
    surroundings: Surroundings, K: Floats, T_world_camera: Floats, width: int, height: int
) -> NDArray[np.float32]:  # (H, W) metres along z
    """Depth of the surroundings alone: that of ``trace_backdrop``, without its colours, in a fraction of the time."""
    depth = np.full((height, width), FAR_M, np.float32)
    hide_behind(surroundings, K, T_world_camera, depth)
    return depth


def hide_behind(
    surroundings: Surroundings, K: Floats, T_world_camera: Floats, depth: NDArray[np.float32]
) -> None:
    """Bring finite depths (H, W), metres along z, forward to whatever of the surroundings is before them, in place.

    Far cheaper than ``trace_depth`` where most depths are infinite.
    """
    table = surroundings.table()
    bounds = _bounds(table, K, T_world_camera, depth.shape[1], depth.shape[0])
    _trace_before(depth, pinhole(K, T_world_camera), table, bounds)


def _bounds(
    table: NDArray[np.void], K: Floats, T_world_camera: Floats, width: int, height: int
) -> NDArray[np.float32]:  # (n, 4) px
    """Where each solid can be in the picture, from the corners of a box around it: x0, y0, x1, y1."""
    cam = (corners(table) - T_world_camera[:3, 3]) @ T_world_camera[:3, :3]
    z = np.maximum(cam[..., 2], 1e-9)
    points = np.stack([K[0, 0] * cam[..., 0] / z + K[0, 2], K[1, 1] * cam[..., 1] / z + K[1, 2]], axis=-1)
    bounds = np.concatenate([points.min(axis=1) - 1, points.max(axis=1) + 1], axis=1)
    front = cam[..., 2] > 0.05
    bounds[~front.all(axis=1)] = 0, 0, width, height  # reaches beside or behind the camera
    bounds[~front.any(axis=1)] = 0, 0, -1, -1
    return bounds.astype(np.float32)


@inner
def _first(table, bounds, pixel, origin, ray):  # type: ignore[no-untyped-def]
    """What a pixel's (column, row) ray meets first: distance, solid (or FLOOR or SKY) and the side's axis."""
    column, row = pixel
    best = FAR_M if ray[2] > -1e-6 else min(-origin[2] / ray[2], FAR_M)
    solid, side = SKY if best >= FAR_M else FLOOR, 0
    for s in range(table.shape[0]):
        if column < bounds[s, 0] or column > bounds[s, 2] or row < bounds[s, 1] or row > bounds[s, 3]:
            continue
        t, axis = meet(table[s], origin, ray)
        if t < best:
            best, solid, side = t, s, axis
    return best, solid, side


@inner
def _ray(K_inverse, T, x, y):  # type: ignore[no-untyped-def]
    """Direction in the world of the ray through a pixel, 1 along the camera's axis."""
    cx = K_inverse[0, 0] * x + K_inverse[0, 1] * y + K_inverse[0, 2]
    cy = K_inverse[1, 1] * y + K_inverse[1, 2]
    dx = T[0, 0] * cx + T[0, 1] * cy + T[0, 2]
    dy = T[1, 0] * cx + T[1, 1] * cy + T[1, 2]
    dz = T[2, 0] * cx + T[2, 1] * cy + T[2, 2]
    return dx, dy, dz


@compiled
def _trace_before(depth, camera, table, bounds):  # type: ignore[no-untyped-def]
    """Bring finite depths forward to the solids and the floor, in place; ``camera`` is a ``Pinhole``."""
    K_inverse, _, T = camera
    origin = T[0, 3], T[1, 3], T[2, 3]
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            if depth[row, column] == np.inf:
                continue
            ray = _ray(K_inverse, T, column + 0.5, row + 0.5)
            t = _first(table, bounds, (column, row), origin, ray)[0]
            depth[row, column] = min(depth[row, column], t)


@inner
def _between(map_, x, y, channel):  # type: ignore[no-untyped-def]
    """A map (rows, columns, channels) at a place between its texels' centres."""
    i, j = int(x), int(y)
    a, b = x - i, y - j
    return (1 - b) * ((1 - a) * map_[j, i, channel] + a * map_[j, i + 1, channel]) + b * (
        (1 - a) * map_[j + 1, i, channel] + a * map_[j + 1, i + 1, channel]
    )


@inner
def _surface(s, side, point, ray):  # type: ignore[no-untyped-def]
    """A solid where a ray meets one of its sides: normal, texture's u and v in metres, how open it is to the sky."""
    px, py, pz = point
    dx, dy, dz = ray
    c_, s_ = s.cos, s.sin
    lx, ly = c_ * (px - s.x) + s_ * (py - s.y), -s_ * (px - s.x) + c_ * (py - s.y)
    bx, by = c_ * dx + s_ * dy, -s_ * dx + c_ * dy
    nx, ny, nz = 0.0, 0.0, 1.0
    u, v, open_sky = lx, pz, 1.0
    if side == 0:
        k = -1.0 if bx > 0 else 1.0
        nx, ny, nz, u = c_ * k, s_ * k, 0.0, ly
    elif side == 1:
        k = -1.0 if by > 0 else 1.0
        nx, ny, nz = -s_ * k, c_ * k, 0.0
    elif side == 3:
        nx, ny, nz = (c_ * lx - s_ * ly) / s.half_x, (s_ * lx + c_ * ly) / s.half_x, 0.0
        u = np.arctan2(ly, lx) * s.half_x
    elif side == 4:
        nx, ny, nz = (px - s.x) / s.half_x, (py - s.y) / s.half_x, (pz - s.z) / s.half_x
        u = np.arctan2(ly, lx) * s.half_x
        open_sky = 0.55 + 0.35 * nz
    else:
        nz = -1.0 if dz > 0 else 1.0
        v = ly
    if nz == 0.0:
        open_sky = 0.62 + 0.2 * min(pz / 3.0, 1.0)
    return (nx, ny, nz), u, v, open_sky


@inner
def _shaded(solids, solid, start, to_sun):  # type: ignore[no-untyped-def]
    """Whether another solid stands between a place on one and the sun."""
    for q in range(solids.table.shape[0]):
        if solids.shades[solid, q] and meet(solids.table[q], start, to_sun)[0] != np.inf:
            return True
    return False


@compiled
def _trace(size, finer, camera, solids, textures, floor, light):  # type: ignore[no-untyped-def]
    """Depth, light from sun and sky, and number of the solid of every pixel of a picture (height, width)."""
    height, width = size
    K_inverse, focal_px, T = camera
    depth = np.empty((height, width), np.float32)
    sunny = np.zeros((height, width, 3), np.float32)
    shady = np.zeros((height, width, 3), np.float32)
    owner = np.empty((height, width), np.int16)
    colour = np.empty(3, np.float32)
    origin = T[0, 3], T[1, 3], T[2, 3]
    to_sun = light.to_sun[0], light.to_sun[1], light.to_sun[2]
    share = 1.0 / (finer * finer)
    for row in range(height):
        for column in range(width):
            for sample in range(finer * finer):
                x = column + (sample % finer + 0.5) / finer
                y = row + (sample // finer + 0.5) / finer
                ray = _ray(K_inverse, T, x, y)
                dx, dy, dz = ray
                t, solid, side = _first(solids.table, solids.bounds_px, (column, row), origin, ray)
                if sample == finer * finer // 2:
                    depth[row, column], owner[row, column] = t, solid  # the ray's z in camera axes is 1
                length = np.sqrt(dx * dx + dy * dy + dz * dz)
                if solid == SKY:
                    up = dz / length
                    up = min(max(up, 0.0) * 1.6, 1.0) ** 0.7
                    for c in range(3):
                        shady[row, column, c] += share * (light.zenith[c] * up + light.horizon[c] * (1 - up))
                    continue
                px, py, pz = origin[0] + t * dx, origin[1] + t * dy, origin[2] + t * dz
                normal, number, period = (0.0, 0.0, 1.0), 0, floor.period_m
                u, v, open_sky = px, py, 1.0
                if solid >= 0:
                    number, period = int(solids.table[solid].texture), solids.table[solid].period_m
                    normal, u, v, open_sky = _surface(solids.table[solid], side, (px, py, pz), ray)
                nx, ny, nz = normal
                slant = max(abs(nx * dx + ny * dy + nz * dz) / length, 0.08)
                footprint = t * length / focal_px / np.sqrt(slant) / finer / period
                texel(textures, number, u / period, v / period, footprint, colour)
                lit = nx * to_sun[0] + ny * to_sun[1] + nz * to_sun[2]
                if solid == FLOOR:
                    i, j = (
                        (px - floor.corner_x) / floor.texel_m - 0.5,
                        (py - floor.corner_y) / floor.texel_m - 0.5,
                    )
                    if i >= 0 and j >= 0 and i < floor.open_.shape[1] - 1 and j < floor.open_.shape[0] - 1:
                        lit *= _between(floor.open_, i, j, 0)
                        open_sky = _between(floor.open_, i, j, 1)
                elif lit > 0:
                    e = 1e-3
                    if _shaded(solids, solid, (px + e * nx, py + e * ny, pz + e * nz), to_sun):
                        lit = 0.0
                haze = 1 - np.exp(-t * length / 260.0)
                for c in range(3):
                    clear = share * (1 - haze) * colour[c]
                    sunny[row, column, c] += clear * max(lit, 0.0) * light.sun[c]
                    shady[row, column, c] += clear * open_sky * light.sky[c] + share * haze * light.horizon[c]
    return depth, sunny, shady, owner
