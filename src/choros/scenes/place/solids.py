"""Boxes, upright cylinders and balls, which all that stands still is made of, and where rays meet them.

World axes: z up, floor at 0, metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.compiled import inner

Floats = NDArray[np.float64]

BOX, CYLINDER, BALL = 0, 1, 2
FLOOR, SKY = -1, -2  # in place of a solid's number
FAR_M = 400.0  # where rays that meet nothing end

#: A solid as compiled code and shaders take it: eleven numbers.
SOLID = np.dtype(
    [(name, np.float32) for name in
     ("kind", "x", "y", "z", "half_x", "half_y", "half_z", "cos", "sin", "texture", "period_m")],
    align=True,
)  # fmt: skip


@dataclass(frozen=True)
class Solid:
    """A box, an upright cylinder or a ball somewhere."""

    kind: int  # BOX, CYLINDER or BALL
    centre: tuple[float, float, float]
    half: tuple[float, float, float]  # half extents; the radius of a cylinder or ball is the first
    yaw_rad: float
    texture: int
    period_m: float


def solid_table(solids: Sequence[Solid]) -> NDArray[np.void]:  # (n,) SOLID
    """Solids as numbers, for compiled code."""
    rows = [
        (s.kind, *s.centre, *s.half, np.cos(s.yaw_rad), np.sin(s.yaw_rad), s.texture, s.period_m)
        for s in solids
    ]
    return np.array(rows, SOLID)


def corners(table: NDArray[np.void]) -> Floats:  # (n, 8, 3) world
    """Corners of a box around each solid of a table (n,)."""
    signs = np.array([(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)], np.float64)
    half = np.stack([table["half_x"], table["half_y"], table["half_z"]], axis=-1)
    centre = np.stack([table["x"], table["y"], table["z"]], axis=-1)
    local = signs * half[:, None]
    c, s = table["cos"][:, None], table["sin"][:, None]
    x, y = c * local[..., 0] - s * local[..., 1], s * local[..., 0] + c * local[..., 1]
    return np.asarray(np.stack([x, y, local[..., 2]], axis=-1) + centre[:, None], np.float64)


@inner
def meet(solid, origin, ray):  # type: ignore[no-untyped-def]
    """Where a ray (three numbers) from an origin enters a solid: distance, inf if it does not, and the side's axis.

    The axis is 0 to 2 for the sides of a box and the ends of a cylinder, 3 for a cylinder's wall and 4 for a ball.
    """
    dx, dy, dz = ray
    c, n = solid.cos, solid.sin
    px, py, pz = origin[0] - solid.x, origin[1] - solid.y, origin[2] - solid.z
    ax, ay = c * px + n * py, -n * px + c * py
    bx, by = c * dx + n * dy, -n * dx + c * dy
    hz = solid.half_z
    enter, leave, axis = -np.inf, np.inf, 2
    # The slab between bottom and top, for both kinds.
    if abs(dz) > 1e-9:
        t0, t1 = (-hz - pz) / dz, (hz - pz) / dz
        enter, leave = min(t0, t1), max(t0, t1)
    elif abs(pz) > hz:
        return np.inf, axis
    if solid.kind == BOX:
        for k in range(2):
            p, d, h = (ax, bx, solid.half_x) if k == 0 else (ay, by, solid.half_y)
            if abs(d) < 1e-9:
                if abs(p) > h:
                    return np.inf, axis
                continue
            t0, t1 = (-h - p) / d, (h - p) / d
            if min(t0, t1) > enter:
                enter, axis = min(t0, t1), k
            leave = min(leave, max(t0, t1))
    elif solid.kind == BALL:
        r = solid.half_x
        a, b = dx * dx + dy * dy + dz * dz, dx * px + dy * py + dz * pz
        root = b * b - a * (px * px + py * py + pz * pz - r * r)
        if root <= 0:
            return np.inf, axis
        root = np.sqrt(root)
        enter, leave, axis = (-b - root) / a, (-b + root) / a, 4
    else:
        r = solid.half_x
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


@inner
def hit(table, origin, ray, nearest):  # type: ignore[no-untyped-def]
    """First solid along a ray: distance (``nearest`` if none is nearer), its row (-1) and the side's axis."""
    best, row, side = nearest, -1, 0
    for s in range(table.shape[0]):
        t, axis = meet(table[s], origin, ray)
        if t < best:
            best, row, side = t, s, axis
    return best, row, side


@inner
def blocked(table, origin, ray):  # type: ignore[no-untyped-def]
    """Whether any solid is on a ray."""
    return hit(table, origin, ray, np.inf)[1] >= 0
