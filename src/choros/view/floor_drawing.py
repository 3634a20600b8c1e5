"""The floor of a drawn world: a grid of metres that fades into the distance.

People cast shadows on it, and the part of it that the filming camera sees is a little brighter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.compiled import compiled
from choros.view.viewpoint import Viewpoint

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

SKY, HORIZON = (214, 219, 226), (238, 240, 243)  # RGB at the top of the picture, and where the floor ends
FLOOR, SEEN, LINE = (214, 217, 222), (240, 241, 239), (176, 181, 190)
SHADOW = (74, 80, 96)
CELL_M = 0.04  # of the map of shadows
LEAN = (0.22, 0.16)  # metres that a shadow falls aside, in x and y, per metre of height
LINE_M = 0.012  # half the width of the grid's lines; every fifth is twice as wide


@dataclass(frozen=True)
class Shadows:
    """How dark the floor is, from 0 to 1, on a map; it is light beyond."""

    dark: Singles  # (rows along y, columns along x)
    corner_m: tuple[float, float]  # x, y of the map's corner


def shadows(vertices_world: NDArray[np.floating[Any]]) -> Shadows:  # (n, V, 3) metres
    """The shadows of bodies: soft ones, and darker ones where they touch the floor."""
    points = vertices_world.reshape(-1, 3)
    points = points[np.isfinite(points).all(1) & (points[:, 2] < 3)]
    if not len(points):
        return Shadows(np.zeros((1, 1), np.float32), (0.0, 0.0))
    fallen = points[:, :2] + np.maximum(points[:, 2:], 0) * LEAN
    low = np.minimum(fallen, points[:, :2]).min(axis=0) - 1.0
    columns, rows = np.ceil((fallen.max(axis=0) + 1.0 - low) / CELL_M).astype(int).clip(1, 2000)

    def covered(places: NDArray[np.floating[Any]]) -> Singles:
        x, y = ((places - low) / CELL_M).astype(int).T
        inside = (x < columns) & (y < rows)
        hit = np.zeros((rows, columns), np.float32)
        hit[y[inside], x[inside]] = 1
        return np.asarray(cv2.dilate(hit, np.ones((3, 3))), np.float32)

    soft = cv2.GaussianBlur(covered(fallen), (0, 0), 0.09 / CELL_M)
    touch = cv2.GaussianBlur(covered(points[points[:, 2] < 0.12, :2]), (0, 0), 0.06 / CELL_M)
    return Shadows(
        np.minimum(0.30 * soft + 0.55 * touch, 1).astype(np.float32), (float(low[0]), float(low[1]))
    )


def lay_floor(
    view: Viewpoint,
    shade: Shadows,
    middle_m: tuple[float, float],  # x, y about which the floor is drawn
    reach_m: float,  # it fades beyond that
    step_m: float,  # of the grid; 0 for none
    lens: tuple[Floats, Floats, int, int] | None = None,  # K, T_world_camera, width, height of what films
) -> NDArray[np.uint8]:  # (H, W, 3) RGB
    """A picture of the floor z = 0 and nothing on it."""
    image = np.empty((view.height, view.width, 3), np.uint8)
    P, size = np.zeros((3, 4)), (0, 0)
    if lens is not None:
        K, T_world_camera, *size_px = lens
        P, size = K @ np.linalg.inv(T_world_camera)[:3], (size_px[0], size_px[1])
    colours = np.array([SKY, HORIZON, FLOOR, SEEN, LINE, SHADOW], np.float32)
    R, eye = view.T_world_eye[:3, :3], view.T_world_eye[:3, 3]
    _lay(
        image, R @ np.linalg.inv(view.K), eye, colours, shade.dark, shade.corner_m, CELL_M,
        middle_m, reach_m, step_m, LINE_M, P, size,
    )  # fmt: skip
    return image


@compiled
def _lay(  # type: ignore[no-untyped-def]
    image, rays, eye, colours, dark, corner, cell, middle, reach, step, line, P, size
):
    height, width = image.shape[:2]
    for row in range(height):
        for column in range(width):
            u, v = column + 0.5, row + 0.5
            dz = rays[2, 0] * u + rays[2, 1] * v + rays[2, 2]
            sky = row / height
            r = colours[0, 0] + (colours[1, 0] - colours[0, 0]) * sky
            g = colours[0, 1] + (colours[1, 1] - colours[0, 1]) * sky
            b = colours[0, 2] + (colours[1, 2] - colours[0, 2]) * sky
            if dz < -1e-6 and eye[2] > 0:
                far = -eye[2] / dz
                x = eye[0] + far * (rays[0, 0] * u + rays[0, 1] * v + rays[0, 2])
                y = eye[1] + far * (rays[1, 0] * u + rays[1, 1] * v + rays[1, 2])
                apart = np.sqrt((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / reach
                floor = min(max((2.0 - apart) / 1.0, 0.0), 1.0)
                floor = floor * floor * (3 - 2 * floor)
                if floor > 0:
                    fr, fg, fb = colours[2, 0], colours[2, 1], colours[2, 2]
                    # What the filming camera sees, with a soft border.
                    z = P[2, 0] * x + P[2, 1] * y + P[2, 3]
                    if z > 0.05:
                        pu = (P[0, 0] * x + P[0, 1] * y + P[0, 3]) / z
                        pv = (P[1, 0] * x + P[1, 1] * y + P[1, 3]) / z
                        edge = min(min(pu, size[0] - pu), min(pv, size[1] - pv)) / (0.02 * size[0] + 1e-9)
                        seen = min(max(0.5 + edge, 0.0), 1.0)
                        fr += seen * (colours[3, 0] - fr)
                        fg += seen * (colours[3, 1] - fg)
                        fb += seen * (colours[3, 2] - fb)
                    # Lines: how much of the pixel's patch of floor they cover.
                    ink = 0.0
                    if step > 0:
                        wide_x = far * (
                            abs(rays[0, 0] - rays[2, 0] * (x - eye[0]) / (far * dz))
                            + abs(rays[0, 1] - rays[2, 1] * (x - eye[0]) / (far * dz))
                        )
                        wide_y = far * (
                            abs(rays[1, 0] - rays[2, 0] * (y - eye[1]) / (far * dz))
                            + abs(rays[1, 1] - rays[2, 1] * (y - eye[1]) / (far * dz))
                        )
                        for at, wide in ((x / step, wide_x / step), (y / step, wide_y / step)):
                            nearest = np.floor(at + 0.5)
                            half = line / step * (2.0 if int(nearest) % 5 == 0 else 1.0)
                            covers = min(max((half + 0.5 * wide - abs(at - nearest)) / wide, 0.0), 1.0)
                            covers = min(covers, 2 * half / wide)
                            ink = max(ink, min(covers * (1.0 if int(nearest) % 5 == 0 else 0.75), 1.0))
                    fr += ink * (colours[4, 0] - fr)
                    fg += ink * (colours[4, 1] - fg)
                    fb += ink * (colours[4, 2] - fb)
                    # Shadows, between the map's cells.
                    mx, my = (x - corner[0]) / cell - 0.5, (y - corner[1]) / cell - 0.5
                    if mx >= 0 and my >= 0 and mx < dark.shape[1] - 1 and my < dark.shape[0] - 1:
                        i, j = int(mx), int(my)
                        a, c = mx - i, my - j
                        shade = (1 - c) * ((1 - a) * dark[j, i] + a * dark[j, i + 1]) + c * (
                            (1 - a) * dark[j + 1, i] + a * dark[j + 1, i + 1]
                        )
                        fr += shade * (colours[5, 0] - fr)
                        fg += shade * (colours[5, 1] - fg)
                        fb += shade * (colours[5, 2] - fb)
                    r += floor * (fr - r)
                    g += floor * (fg - g)
                    b += floor * (fb - b)
            image[row, column, 0] = np.uint8(r + 0.5)
            image[row, column, 1] = np.uint8(g + 0.5)
            image[row, column, 2] = np.uint8(b + 0.5)
