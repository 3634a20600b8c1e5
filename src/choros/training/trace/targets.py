"""What TRACE's maps should be: centres in the picture and in depth (release; numbers for 128 cells and 64 depths).

Sizes of the kernels are those of the release, in shares of the map, so that smaller maps are taught alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.trace.config import TraceConfig, depth_scales

Floats = NDArray[np.floating]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class CentreKernels:
    """Release: of 128 cells and 64 depths."""

    cells: int = 128
    depths: int = 64
    radius: float = 4.0  # of nobody's size
    radius_per_size: float = 8.0  # more, of somebody as large as the picture's diagonal
    near_depth: int = 5  # of the kernels in depth, of the nearer half
    far_depth: int = 7


def depth_indices(scales: Floats, config: TraceConfig) -> Indices:
    """The depths (N,) of the 3D maps nearest to people's scales (N,)."""
    anchors = depth_scales(config)
    return np.asarray(np.abs(np.asarray(scales)[:, None] - anchors).argmin(-1), np.int64)


def centre_map(cells: Indices, sizes: Floats, config: TraceConfig, kernels: CentreKernels) -> Floats:
    """The 2D heat map (H, W) of people in cells (N, 2), y and x; the highest counts where they meet.

    ``sizes`` (N, 2) are height and width of their boxes in units in which the square's side is 2.
    """
    side = config.map_size
    heat = np.zeros((side, side), np.float32)
    grid = np.arange(side)
    for (y, x), size in zip(cells, sizes, strict=True):
        radius = int(kernels.radius_per_size * np.linalg.norm(size / 2) + kernels.radius)
        radius = max(1, round(radius * side / kernels.cells))
        spread = 2 * ((2 * radius + 1) / 6) ** 2
        down, across = (grid - y) ** 2, (grid - x) ** 2
        drawn = np.exp(-(down[:, None] + across) / spread)
        drawn[(down[:, None] > radius**2) | (across > radius**2)] = 0
        np.maximum(heat, drawn, out=heat)
        heat[y, x] = 1
    return heat


def centre_volume(places: Indices, config: TraceConfig, kernels: CentreKernels) -> Floats:
    """The 3D heat map (D, H, W) of people at places (N, 3), depth, y and x."""
    depth, side = config.depth, config.map_size
    volume = np.zeros((depth, side, side), np.float32)
    for z, y, x in places:
        near = (1 - z / depth) / 2
        width = 2 * int(kernels.radius_per_size * near + kernels.radius) + 1
        deep = kernels.near_depth if z < depth // 2 else kernels.far_depth
        width = _odd(width * side / kernels.cells)
        deep = _odd(deep * depth / kernels.depths)
        spread = ((2 * width**2 + deep**2) ** 0.5 / 6) ** 2
        part = tuple(
            slice(max(0, at - reach), min(limit, at + reach + 1))
            for at, reach, limit in ((z, deep // 2, depth), (y, width // 2, side), (x, width // 2, side))
        )
        away = [
            (np.arange(some.start, some.stop) - at) ** 2 for some, at in zip(part, (z, y, x), strict=True)
        ]
        drawn = np.exp(-(away[0][:, None, None] + away[1][:, None] + away[2]) / spread)
        np.maximum(volume[part], drawn, out=volume[part])
    return volume


def _odd(size: float) -> int:
    """The whole odd number nearest to a size, 3 at least."""
    return max(3, 2 * round((size - 1) / 2) + 1)
