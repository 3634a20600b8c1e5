"""Colour for what lies in a ``Canvas``: smooth bodies under two lights, blended over an image.

A soft key light from the upper left, a fill from the right, a rim where the surface turns away, and a dark
line where depth jumps within a pixel, so that an arm reads against the trunk behind it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.view.raster import Canvas, compiled, vertex_normals

# Okabe and Ito's colours that people with any colour vision tell apart (jfly.uni-koeln.de/color), without
# black, then softer ones between them; neighbours in the list are far apart in hue and in lightness.
PALETTE = np.array(
    [
        (86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66), (0, 114, 178),
        (213, 94, 0), (153, 222, 196), (170, 68, 153), (221, 204, 190), (102, 102, 204), (153, 153, 51),
    ],
    np.uint8,
)  # fmt: skip

KEY_LIGHT = (-0.45, -0.70, -0.55)  # towards the light, camera axes, unit length
FILL_LIGHT = (0.86, -0.10, -0.50)
CREASE_M = 0.06  # depth that jumps by more than this within a pixel is drawn as a line


def colour_of(person: int) -> tuple[int, int, int]:
    """RGB 0..255 of an identity; the same in every frame, panel and video."""
    r, g, b = PALETTE[(person - 1) % len(PALETTE)].tolist()
    return r, g, b


def paint(
    image: NDArray[np.uint8],  # (H, W, 3) RGB, written in place
    canvas: Canvas,  # a whole number of times the size of the image: that many samples a pixel each way
    vertices_cam: NDArray[np.float32],  # (n, V, 3) metres, OpenCV camera axes
    faces: NDArray[np.int32],  # (F, 3) of a closed body, counter-clockwise from outside
    colours: NDArray[np.uint8],  # (n, 3) RGB
    K: NDArray[np.float64],  # (3, 3) of the image, px
    opacity: float,
) -> list[tuple[int, int, int, int]]:
    """Draw n bodies, nearer ones over farther ones, and blend them over the image.

    The canvas is cleared first and left with body i as mesh i. Returns the rectangle of the canvas that each
    body may have touched, x0, y0, x1, y1.
    """
    canvas.clear()
    samples = canvas.depth.shape[0] // image.shape[0]
    K_canvas = np.diag([samples, samples, 1.0]) @ K
    touched = [
        canvas.draw(i, vertices, faces, K_canvas, cull_back=True) for i, vertices in enumerate(vertices_cam)
    ]
    shown = [r for r in touched if r[0] < r[2] and r[1] < r[3]]
    if shown:
        normals = np.stack([vertex_normals(vertices, faces) for vertices in vertices_cam])
        low, high = np.min(shown, axis=0)[:2] // samples, -(-np.max(shown, axis=0)[2:] // samples)
        _shade(
            image, low, high, samples, canvas.depth, canvas.mesh, canvas.face, canvas.barycentric, faces,
            normals, colours.astype(np.float32), np.float32(opacity), np.float32(1 / K[0, 0]),
            np.float32(K[0, 2]), np.float32(1 / K[1, 1]), np.float32(K[1, 2]),
        )  # fmt: skip
    return touched


@compiled
def _light(x, y, z, ray_x, ray_y) -> Any:  # type: ignore[no-untyped-def]
    """Diffuse factor and added white (both about 0..1) of a unit normal seen along (ray_x, ray_y, 1)."""
    key = x * KEY_LIGHT[0] + y * KEY_LIGHT[1] + z * KEY_LIGHT[2]
    fill = x * FILL_LIGHT[0] + y * FILL_LIGHT[1] + z * FILL_LIGHT[2]
    # Light wraps around by a third, or the edge of the shadow would cut limbs in two.
    key = max(key * np.float32(0.72) + np.float32(0.28), np.float32(0))
    facing = -(x * ray_x + y * ray_y + z) / np.sqrt(ray_x * ray_x + ray_y * ray_y + np.float32(1))
    turned = np.float32(1) - min(max(facing, np.float32(0)), np.float32(1))
    rim = turned * turned * turned
    diffuse = np.float32(0.30) + np.float32(0.74) * key + np.float32(0.20) * max(fill, np.float32(0))
    return diffuse * (np.float32(1) - np.float32(0.25) * turned), np.float32(0.36) * rim


@compiled
def _shade(  # type: ignore[no-untyped-def]
    image, low, high, samples, depth, mesh, face, barycentric, faces, normals, colours, opacity,
    per_focal_x, centre_x, per_focal_y, centre_y,
):  # fmt: skip
    count = samples * samples
    for row in range(low[1], high[1]):
        ray_y = (np.float32(row + 0.5) - centre_y) * per_focal_y
        for column in range(low[0], high[0]):
            # What the samples of this pixel show: how many show anything, and whether it is all one body.
            top, left = row * samples, column * samples
            first, covered, same = mesh[top, left], 0, True
            for v in range(top, top + samples):
                for u in range(left, left + samples):
                    covered += mesh[v, u] >= 0
                    same &= mesh[v, u] == first
            if covered == 0:
                continue
            # Depth is compared with one more row and column, or lines between two pixels would be missed.
            nearest, farthest = np.float32(np.inf), np.float32(0)
            for v in range(top, min(top + samples + 1, mesh.shape[0])):
                for u in range(left, min(left + samples + 1, mesh.shape[1])):
                    if mesh[v, u] >= 0:
                        nearest, farthest = min(nearest, depth[v, u]), max(farthest, depth[v, u])
            # A slanted surface also changes depth within a pixel, in proportion to the pixel's size.
            crease = farthest - nearest > np.float32(CREASE_M) + np.float32(8) * nearest * per_focal_x
            red, green, blue = np.float32(0), np.float32(0), np.float32(0)
            ray_x = (np.float32(column + 0.5) - centre_x) * per_focal_x
            shaded = 0
            for v in range(top, top + samples):
                for u in range(left, left + samples):
                    m = mesh[v, u]
                    if m < 0 or (same and shaded > 0):
                        continue  # one sample speaks for all of the same body
                    a, b, c = faces[face[v, u]]
                    wa, wb, wc = barycentric[v, u]
                    x = wa * normals[m, a, 0] + wb * normals[m, b, 0] + wc * normals[m, c, 0]
                    y = wa * normals[m, a, 1] + wb * normals[m, b, 1] + wc * normals[m, c, 1]
                    z = wa * normals[m, a, 2] + wb * normals[m, b, 2] + wc * normals[m, c, 2]
                    scale = np.float32(1) / np.sqrt(x * x + y * y + z * z + np.float32(1e-12))
                    diffuse, white = _light(x * scale, y * scale, z * scale, ray_x, ray_y)
                    white *= np.float32(255)
                    red += min(colours[m, 0] * diffuse + white, np.float32(255))
                    green += min(colours[m, 1] * diffuse + white, np.float32(255))
                    blue += min(colours[m, 2] * diffuse + white, np.float32(255))
                    shaded += 1
            amount = opacity * np.float32(covered) / np.float32(count)
            share = amount / np.float32(shaded)
            if crease:
                share *= np.float32(0.55)
            keep = np.float32(1) - amount
            image[row, column, 0] = np.uint8(image[row, column, 0] * keep + red * share + np.float32(0.5))
            image[row, column, 1] = np.uint8(image[row, column, 1] * keep + green * share + np.float32(0.5))
            image[row, column, 2] = np.uint8(image[row, column, 2] * keep + blue * share + np.float32(0.5))
