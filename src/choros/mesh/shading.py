"""Colour for what lies in a ``Canvas``: smooth bodies under two lights, blended over an image.

A soft key light from the upper left, a fill from the right, a rim where the surface turns away, and a dark
line where depth jumps within a pixel, so that an arm reads against the trunk behind it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.compiled import compiled
from choros.mesh.normals import vertex_normals
from choros.mesh.rasteriser import Canvas

KEY_LIGHT = (-0.45, -0.70, -0.55)  # towards the light, camera axes, unit length
FILL_LIGHT = (0.86, -0.10, -0.50)
CREASE_M = 0.06  # depth that jumps by more than this within a pixel is drawn as a line


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
        low, high = np.min(shown, axis=0)[:2] // samples, -(-np.max(shown, axis=0)[2:] // samples)
        lit = _light(vertices_cam, faces, colours)
        _blend_over(
            image, low, high, samples, canvas.depth, canvas.mesh, canvas.face, canvas.barycentric, faces, lit,
            np.float32(opacity), np.float32(1 / K[0, 0]),
        )  # fmt: skip
    return touched


def _light(
    vertices_cam: NDArray[np.float32],  # (n, V, 3)
    faces: NDArray[np.int32],  # (F, 3)
    colours: NDArray[np.uint8],  # (n, 3) RGB
) -> NDArray[np.float32]:  # (n, V, 3) RGB 0..255
    """Colours of the vertices under the lights; a body is smooth enough to light no more than those."""
    normals = np.stack([vertex_normals(vertices, faces) for vertices in vertices_cam])
    # Light wraps around, or the edge of the shadow would cut limbs in two.
    key = np.maximum(0.72 * (normals @ np.array(KEY_LIGHT, np.float32)) + 0.28, 0)
    fill = np.maximum(normals @ np.array(FILL_LIGHT, np.float32), 0)
    distance = np.sqrt((vertices_cam**2).sum(-1)) + np.float32(1e-6)
    turned = 1 - np.clip(-(normals * vertices_cam).sum(-1) / distance, 0, 1)  # 0 facing us .. 1 at the rim
    diffuse = (0.30 + 0.74 * key + 0.20 * fill) * (1 - 0.25 * turned)
    lit = diffuse[..., None] * colours[:, None].astype(np.float32) + (0.36 * 255 * turned**3)[..., None]
    return np.minimum(lit, 255).astype(np.float32)


@compiled
def _blend_over(  # type: ignore[no-untyped-def]
    image, low, high, samples, depth, mesh, face, barycentric, faces, lit, opacity, per_focal
):
    count = samples * samples
    for row in range(low[1], high[1]):
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
            for v in (top, min(top + samples, mesh.shape[0] - 1)):
                for u in (left, min(left + samples, mesh.shape[1] - 1)):
                    if mesh[v, u] >= 0:
                        nearest, farthest = min(nearest, depth[v, u]), max(farthest, depth[v, u])
            # A slanted surface also changes depth within a pixel, in proportion to the pixel's size.
            crease = farthest - nearest > np.float32(CREASE_M) + np.float32(8) * nearest * per_focal
            red, green, blue = np.float32(0), np.float32(0), np.float32(0)
            shaded = 0
            for v in range(top, top + samples):
                for u in range(left, left + samples):
                    m = mesh[v, u]
                    if m < 0 or (same and shaded > 0):
                        continue  # one sample speaks for all of the same body
                    f = face[v, u]
                    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
                    wa, wb, wc = barycentric[v, u, 0], barycentric[v, u, 1], barycentric[v, u, 2]
                    red += wa * lit[m, a, 0] + wb * lit[m, b, 0] + wc * lit[m, c, 0]
                    green += wa * lit[m, a, 1] + wb * lit[m, b, 1] + wc * lit[m, c, 1]
                    blue += wa * lit[m, a, 2] + wb * lit[m, b, 2] + wc * lit[m, c, 2]
                    shaded += 1
            amount = opacity * np.float32(covered) / np.float32(count)
            share = amount / np.float32(shaded)
            if crease:
                share *= np.float32(0.55)
            keep = np.float32(1) - amount
            image[row, column, 0] = np.uint8(image[row, column, 0] * keep + red * share + np.float32(0.5))
            image[row, column, 1] = np.uint8(image[row, column, 1] * keep + green * share + np.float32(0.5))
            image[row, column, 2] = np.uint8(image[row, column, 2] * keep + blue * share + np.float32(0.5))
