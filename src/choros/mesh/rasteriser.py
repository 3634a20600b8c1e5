"""A software rasteriser: triangle meshes to depth, mesh, face and barycentric coordinates of every pixel.

Edges are the planes through the camera and a triangle's sides (Olano and Greer, "Triangle scan conversion
using 2D homogeneous coordinates", 1997), so perspective is exact and nothing needs to be clipped. It knows no
colour: the overlay and the scene generator shade what lies in a ``Canvas`` as they like.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.compiled import compiled
from choros.errors import ChorosError

Z_NEAR_M = 0.05  # nothing nearer to the camera is drawn
NARROW_PX = 8  # triangles up to that width are not worth finding the ends of their rows for


class Canvas:
    """What is nearest to the camera in every pixel, over all meshes drawn since the last ``clear``.

    Image coordinates are continuous with (0, 0) at the outer corner of the first pixel; a pixel shows what
    lies at its centre. Meshes that share an edge neither leave a hole along it nor draw a pixel twice.

    ``depth``        (height, width) float32, metres along z; inf where nothing is
    ``mesh``         (height, width) int32, the number given to ``draw``; -1 where nothing is
    ``face``         (height, width) int32, row of that mesh's ``faces``; -1 where nothing is
    ``barycentric``  (height, width, 3) float32, perspective-correct weights of that face's vertices;
                     meaningless where nothing is
    """

    def __init__(self, width: int, height: int) -> None:
        self.depth = np.full((height, width), np.inf, np.float32)
        self.mesh = np.full((height, width), -1, np.int32)
        self.face = np.full((height, width), -1, np.int32)
        self.barycentric = np.zeros((height, width, 3), np.float32)

    def clear(self) -> None:
        """Empty the canvas for another frame."""
        self.depth.fill(np.inf)
        self.mesh.fill(-1)
        self.face.fill(-1)

    def draw(
        self,
        mesh: int,
        vertices_cam: NDArray[np.floating[Any]],  # (V, 3) metres, OpenCV camera axes
        faces: NDArray[np.integer[Any]],  # (F, 3) rows of vertices_cam
        K: NDArray[np.floating[Any]],  # (3, 3) px
        *,
        cull_back: bool = False,
    ) -> tuple[int, int, int, int]:
        """Draw a mesh; returns the rectangle it may have touched, x0, y0, x1, y1 px, ends excluded.

        ``cull_back`` skips faces whose vertices run clockwise as seen from the camera (closed meshes have
        them hidden anyway, and take half the time). Where two meshes are equally near, the earlier stays.
        Parts nearer than ``Z_NEAR_M`` are cut off. Raises ``ChorosError`` on a face without its vertices.
        """
        faces = np.ascontiguousarray(faces, np.int32)
        homogeneous = np.asarray(vertices_cam, np.float64) @ np.asarray(K, np.float64).T
        if len(faces) and (faces.min() < 0 or faces.max() >= len(homogeneous)):
            raise ChorosError(f"mesh {mesh} has faces that name vertices beyond its {len(homogeneous)}.")
        return _draw(
            homogeneous, faces, mesh, cull_back, Z_NEAR_M, self.depth, self.mesh, self.face, self.barycentric
        )  # fmt: skip

    def pixels(
        self, mesh: int, rectangle: tuple[int, int, int, int] | None = None
    ) -> NDArray[np.int64]:  # (n,)
        """Flat indices of the pixels that show a mesh, ascending, sought in ``rectangle`` if one is given."""
        height, width = self.mesh.shape
        x0, y0, x1, y1 = rectangle or (0, 0, width, height)
        inside = np.flatnonzero(self.mesh[y0:y1, x0:x1] == mesh)
        row, column = np.divmod(inside, max(x1 - x0, 1))
        return (row + y0) * width + column + x0

    def interpolate(
        self,
        pixels: NDArray[np.int64],  # (n,) of one mesh, from ``pixels``
        faces: NDArray[np.integer[Any]],  # (F, 3) rows of values
        values: NDArray[np.floating[Any]],  # (V, C)
    ) -> NDArray[np.float32]:  # (n, C)
        """Values at vertices carried to pixels, right in perspective.

        ``faces`` may differ from those drawn (texture seams) as long as each face stands in the same row.
        """
        weights = self.barycentric.reshape(-1, 3)[pixels]
        corners = np.asarray(faces)[self.face.reshape(-1)[pixels]]
        table = np.ascontiguousarray(values, np.float32)
        return _blend(weights, np.ascontiguousarray(corners, np.int32), table)


@compiled
def _draw(homogeneous, faces, mesh, cull_back, z_near, depth, owner, face, barycentric):  # type: ignore[no-untyped-def]
    # No fast math in here: an edge's plane must come out exactly negated for the triangle on its other side.
    height, width = depth.shape
    touched_x0, touched_y0, touched_x1, touched_y1 = width, height, 0, 0
    image = np.empty((homogeneous.shape[0], 2))  # where vertices in front of the near plane are, px
    for v in range(homogeneous.shape[0]):
        if homogeneous[v, 2] >= z_near:
            image[v, 0] = homogeneous[v, 0] / homogeneous[v, 2]
            image[v, 1] = homogeneous[v, 1] / homogeneous[v, 2]
    for f in range(faces.shape[0]):
        corner = faces[f]
        na, nb, nc = corner[0], corner[1], corner[2]
        za, zb, zc = homogeneous[na, 2], homogeneous[nb, 2], homogeneous[nc, 2]
        if not max(za, zb, zc) > z_near:  # NaN too
            continue
        if za >= z_near and zb >= z_near and zc >= z_near:
            x_low = min(image[na, 0], image[nb, 0], image[nc, 0])
            x_high = max(image[na, 0], image[nb, 0], image[nc, 0])
            y_low = min(image[na, 1], image[nb, 1], image[nc, 1])
            y_high = max(image[na, 1], image[nb, 1], image[nc, 1])
        else:
            # Bounds of what is in front of the near plane: its vertices, and where its sides cross the plane.
            x_low, y_low, x_high, y_high = np.inf, np.inf, -np.inf, -np.inf
            for i in range(3):
                p, q = homogeneous[corner[i]], homogeneous[corner[(i + 1) % 3]]
                if p[2] >= z_near:
                    x, y = image[corner[i], 0], image[corner[i], 1]
                    x_low, x_high, y_low, y_high = (
                        min(x_low, x),
                        max(x_high, x),
                        min(y_low, y),
                        max(y_high, y),
                    )
                if (p[2] >= z_near) != (q[2] >= z_near):
                    s = (z_near - p[2]) / (q[2] - p[2])
                    x, y = (p[0] + s * (q[0] - p[0])) / z_near, (p[1] + s * (q[1] - p[1])) / z_near
                    x_low, x_high, y_low, y_high = (
                        min(x_low, x),
                        max(x_high, x),
                        min(y_low, y),
                        max(y_high, y),
                    )
        # A hair wider, for the rounding of the divisions above; the planes decide.
        x0 = int(np.ceil(min(max(x_low - 0.5001, 0.0), width)))
        y0 = int(np.ceil(min(max(y_low - 0.5001, 0.0), height)))
        x1 = int(np.floor(max(min(x_high - 0.4999, width - 1.0), -1.0))) + 1
        y1 = int(np.floor(max(min(y_high - 0.4999, height - 1.0), -1.0))) + 1
        if x0 >= x1 or y0 >= y1:
            continue

        # The plane of the side opposite each vertex; positive inside once volume is.
        ax, ay, bx, by = homogeneous[na, 0], homogeneous[na, 1], homogeneous[nb, 0], homogeneous[nb, 1]
        cx, cy = homogeneous[nc, 0], homogeneous[nc, 1]
        xa, ya, oa = by * zc - zb * cy, zb * cx - bx * zc, bx * cy - by * cx
        xb, yb, ob = cy * za - zc * ay, zc * ax - cx * za, cx * ay - cy * ax
        xc, yc, oc = ay * zb - za * by, za * bx - ax * zb, ax * by - ay * bx
        volume = ax * xa + ay * ya + za * oa
        if volume == 0 or (cull_back and volume > 0):
            continue
        if volume < 0:
            xa, ya, oa, xb, yb, ob, xc, yc, oc = -xa, -ya, -oa, -xb, -yb, -ob, -xc, -yc, -oc
        tie_a = xa > 0 or (xa == 0 and ya > 0)
        tie_b = xb > 0 or (xb == 0 and yb > 0)
        tie_c = xc > 0 or (xc == 0 and yc > 0)

        touched_x0, touched_x1 = min(touched_x0, x0), max(touched_x1, x1)
        touched_y0, touched_y1 = min(touched_y0, y0), max(touched_y1, y1)
        for row in range(y0, y1):
            a = ya * (row + 0.5) + oa
            b = yb * (row + 0.5) + ob
            c = yc * (row + 0.5) + oc
            start, stop = float(x0), float(x1)
            if x1 - x0 > NARROW_PX:
                # Where the planes change sign along the row, a pixel wider on both sides; again, they decide.
                for slope, offset in ((xa, a), (xb, b), (xc, c)):
                    if slope > 0:
                        start = max(start, -offset / slope - 1.5)
                    elif slope < 0:
                        stop = min(stop, -offset / slope + 1.5)
            for column in range(int(min(start, stop)), int(stop)):
                wa, wb, wc = xa * (column + 0.5) + a, xb * (column + 0.5) + b, xc * (column + 0.5) + c
                if wa < 0 or wb < 0 or wc < 0:
                    continue
                if (wa == 0 and not tie_a) or (wb == 0 and not tie_b) or (wc == 0 and not tie_c):
                    continue
                total = wa + wb + wc
                if total == 0:
                    continue
                share = 1 / total
                z = (wa * za + wb * zb + wc * zc) * share
                if z >= z_near and z < depth[row, column]:
                    depth[row, column] = z
                    owner[row, column] = mesh
                    face[row, column] = f
                    barycentric[row, column, 0] = wa * share
                    barycentric[row, column, 1] = wb * share
                    barycentric[row, column, 2] = wc * share
    return min(touched_x0, touched_x1), min(touched_y0, touched_y1), touched_x1, touched_y1


@compiled
def _blend(weights, corners, values):  # type: ignore[no-untyped-def]
    blended = np.empty((corners.shape[0], values.shape[1]), np.float32)
    for n in range(corners.shape[0]):
        for c in range(values.shape[1]):
            blended[n, c] = (
                weights[n, 0] * values[corners[n, 0], c]
                + weights[n, 1] * values[corners[n, 1], c]
                + weights[n, 2] * values[corners[n, 2], c]
            )
    return blended
