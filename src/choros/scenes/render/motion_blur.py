"""Motion in a picture from one frame to the next, and the blur that an open shutter makes of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.compiled import compiled
from choros.mesh.rasteriser import Canvas
from choros.scenes.render.kernel_arrays import raster_arrays

Floats = NDArray[np.float64]

TILE_PX = 16
MOST_SAMPLES = 32  # along a pixel's path while the shutter is open


class InterFrameMotion(NamedTuple):
    """How what is in a picture moves between two moments: the world as the camera makes it, meshes vertex by vertex."""

    points_px: NDArray[np.float32]  # (M, 2) how far the vertices of all meshes move
    A_px: Floats  # (3, 3) and (3,): what was seen at x, y and at depth z is then seen where A (x, y, 1) z + b is
    b_px: Floats


def inter_frame_motion(
    points_world: tuple[NDArray[np.float32], NDArray[np.float32]],  # (M, 3) of all meshes, before and after
    K: Floats,  # (2, 3, 3) px
    T_world_camera: Floats,  # (2, 4, 4)
) -> InterFrameMotion:
    """What moves between two moments."""
    P = K @ np.linalg.inv(T_world_camera)[:, :3]
    T = np.linalg.inv(T_world_camera[1]) @ T_world_camera[0]
    return InterFrameMotion(
        _moved(*points_world, *P), K[1] @ T[:3, :3] @ np.linalg.inv(K[0]), K[1] @ T[:3, 3]
    )


def optical_flow(
    canvas: Canvas,
    going: InterFrameMotion,
    face_start: NDArray[np.int32],  # (n,) where each mesh's faces start
    faces: NDArray[np.int32],  # (F, 3)
) -> NDArray[np.float32]:  # (H, W, 2) px
    """How far what is in each pixel moves. The canvas shows one of the two moments or one between."""
    A, b = going.A_px, going.b_px
    still = np.allclose(A, np.eye(3), atol=1e-9) and np.allclose(b, 0, atol=1e-9)
    return np.asarray(_optical_flow(raster_arrays(canvas), going, face_start, faces, still), np.float32)


@compiled
def _moved(before, after, P, Q):  # type: ignore[no-untyped-def]
    """How far points (M, 3) move in the picture, px; 0 for those beside the camera."""
    out = np.zeros((before.shape[0], 2), np.float32)
    for m in range(before.shape[0]):
        x, y, z = before[m]
        w = P[2, 0] * x + P[2, 1] * y + P[2, 2] * z + P[2, 3]
        u, v = (
            P[0, 0] * x + P[0, 1] * y + P[0, 2] * z + P[0, 3],
            P[1, 0] * x + P[1, 1] * y + P[1, 2] * z + P[1, 3],
        )
        x, y, z = after[m]
        c = Q[2, 0] * x + Q[2, 1] * y + Q[2, 2] * z + Q[2, 3]
        a, b = (
            Q[0, 0] * x + Q[0, 1] * y + Q[0, 2] * z + Q[0, 3],
            Q[1, 0] * x + Q[1, 1] * y + Q[1, 2] * z + Q[1, 3],
        )
        if w > 0.1 and c > 0.1:
            out[m, 0], out[m, 1] = a / c - u / w, b / c - v / w
    return out


@compiled
def _optical_flow(raster, going, face_start, faces, still):  # type: ignore[no-untyped-def]
    """Motion (H, W, 2) px of every pixel; ``still`` says that the camera does not move."""
    depth, mesh, face, weights = raster
    moved, A, b = going
    height, width = depth.shape
    out = np.zeros((height, width, 2), np.float32)
    for row in range(height):
        for column in range(width):
            person = mesh[row, column]
            if person >= 0:
                corners = faces[face[row, column] + face_start[person]]
                for c in range(2):
                    for k in range(3):
                        out[row, column, c] += weights[row, column, k] * moved[corners[k], c]
            elif not still:
                x, y, z = column + 0.5, row + 0.5, depth[row, column]
                u = (A[0, 0] * x + A[0, 1] * y + A[0, 2]) * z + b[0]
                v = (A[1, 0] * x + A[1, 1] * y + A[1, 2]) * z + b[1]
                w = (A[2, 0] * x + A[2, 1] * y + A[2, 2]) * z + b[2]
                if w > 0.05:
                    out[row, column, 0], out[row, column, 1] = u / w - x, v / w - y
    return out


def motion_blur(
    light: NDArray[np.float32],  # (H, W, 3) linear RGB
    depth: NDArray[np.float32],  # (H, W) metres
    motion: NDArray[np.float32],  # (H, W, 2) px while the shutter is open
) -> NDArray[np.float32]:  # (H, W, 3)
    """The picture that a shutter sees while everything moves, each moment as long as any other.

    A gather along the fastest motion nearby (McGuire et al., "A reconstruction filter for plausible motion blur",
    2012): along that path a pixel shows whatever in front of it came by, and what is behind where it went away
    itself; the rest of the time it shows itself. The frame's own moment is the middle.
    """
    blurred = light.copy()
    _motion_blur(light, depth, motion, _fastest(motion), blurred)
    return blurred


@compiled
def _fastest(motion):  # type: ignore[no-untyped-def]
    """The fastest motion in each tile and the tiles around it."""
    rows, columns = -(-motion.shape[0] // TILE_PX), -(-motion.shape[1] // TILE_PX)
    own, around = np.zeros((rows, columns, 2), np.float32), np.zeros((rows, columns, 2), np.float32)
    for row in range(motion.shape[0]):
        for column in range(motion.shape[1]):
            tile, v = own[row // TILE_PX, column // TILE_PX], motion[row, column]
            if v[0] * v[0] + v[1] * v[1] > tile[0] * tile[0] + tile[1] * tile[1]:
                tile[0], tile[1] = v[0], v[1]
    for i in range(rows):
        for j in range(columns):
            best = around[i, j]
            for k in range(max(i - 1, 0), min(i + 2, rows)):
                for m in range(max(j - 1, 0), min(j + 2, columns)):
                    v = own[k, m]
                    if v[0] * v[0] + v[1] * v[1] > best[0] * best[0] + best[1] * best[1]:
                        best[0], best[1] = v[0], v[1]
    return around


@compiled
def _motion_blur(light, depth, motion, fastest, out):  # type: ignore[no-untyped-def]
    height, width = depth.shape
    for row in range(height):
        for column in range(width):
            vx, vy = fastest[row // TILE_PX, column // TILE_PX]
            speed = np.sqrt(vx * vx + vy * vy)
            if speed <= 1:
                continue
            longest = min(speed, np.float32(2 * TILE_PX))
            count = min(int(np.ceil(longest)), MOST_SAMPLES)
            z = depth[row, column]
            own = np.sqrt(motion[row, column, 0] ** 2 + motion[row, column, 1] ** 2) / 2
            red, green, blue = np.float32(0), np.float32(0), np.float32(0)
            for k in range(count):
                at = ((k + 0.5) / count - 0.5) * longest / speed
                i, j = int(np.floor(row + 0.5 + at * vy)), int(np.floor(column + 0.5 + at * vx))
                i, j = min(max(i, 0), height - 1), min(max(j, 0), width - 1)
                away = abs(at) * speed
                if depth[i, j] < 1.03 * z + 0.05:  # it is in front, or the same thing
                    reach = np.sqrt(motion[i, j, 0] ** 2 + motion[i, j, 1] ** 2) / 2
                else:
                    reach = own
                if away > reach:
                    i, j = row, column
                red += light[i, j, 0]
                green += light[i, j, 1]
                blue += light[i, j, 2]
            out[row, column, 0], out[row, column, 1], out[row, column, 2] = (
                red / count,
                green / count,
                blue / count,
            )
