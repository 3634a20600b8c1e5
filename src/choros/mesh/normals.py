"""Normals of a smooth surface at the vertices of its triangles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.compiled import compiled


def vertex_normals(
    vertices: NDArray[np.floating[Any]],  # (V, 3), any axes
    faces: NDArray[np.integer[Any]],  # (F, 3)
) -> NDArray[np.float32]:  # (V, 3) unit
    """Normals of a smooth surface: those of the faces around a vertex, weighted by area.

    They point to where the faces' vertices run counter-clockwise. A vertex without a face gets zeros.
    """
    return _normals(np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.int32))


@compiled
def _normals(vertices, faces):  # type: ignore[no-untyped-def]
    normals = np.zeros((vertices.shape[0], 3), np.float32)
    for f in range(faces.shape[0]):
        a, b, c = faces[f]
        ux, uy, uz = vertices[b] - vertices[a]
        vx, vy, vz = vertices[c] - vertices[a]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z
    for i in range(vertices.shape[0]):
        length = np.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2)
        if length > 0:
            normals[i] /= length
    return normals
