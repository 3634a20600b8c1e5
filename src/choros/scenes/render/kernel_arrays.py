"""What several compiled loops of this room take together: a camera, a rasterised picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.compiled import inner
from choros.mesh.rasteriser import Canvas

Floats = NDArray[np.float64]


class Pinhole(NamedTuple):
    """A camera for compiled loops, which go from pixels to the world."""

    K_inverse: Floats  # (3, 3)
    focal_px: float  # across
    T_world_camera: Floats  # (4, 4)


def pinhole(K: Floats, T_world_camera: Floats) -> Pinhole:
    """The camera of K (3, 3) px where ``T_world_camera`` (4, 4) says."""
    return Pinhole(np.asarray(np.linalg.inv(K), np.float64), float(K[0, 0]), T_world_camera)


class RasterArrays(NamedTuple):
    """What a ``Canvas`` shows in each pixel, (H, W); see there."""

    depth: NDArray[np.float32]
    mesh: NDArray[np.int32]
    face: NDArray[np.int32]
    barycentric: NDArray[np.float32]


def raster_arrays(canvas: Canvas) -> RasterArrays:
    """The arrays of a canvas, not copied."""
    return RasterArrays(canvas.depth, canvas.mesh, canvas.face, canvas.barycentric)


class TextureStacks(NamedTuple):
    """Textures with their blurred copies, and what their values are in light."""

    stacks: NDArray[np.uint8]  # (n, LEVELS, S, S, 3), S a power of 2
    linear: NDArray[np.float32]  # (256,) linear light of a display value


#: Display value to light, with the gamma of 2 that ``camera.sensor.develop`` undoes.
LINEAR = ((np.arange(256) / 255.0) ** 2).astype(np.float32)


@inner
def texel(textures, number, u, v, footprint, out):  # type: ignore[no-untyped-def]
    """Sample texture ``number`` of ``TextureStacks`` at (u, v) repeats into ``out`` (3), linear RGB.

    ``footprint`` is how many repeats the sample covers.
    """
    stacks, linear = textures
    size = stacks.shape[2]
    level = min(np.log2(max(footprint * size, 1.0)), stacks.shape[1] - 1.0)
    sharp = int(level)
    blend = level - sharp
    x, y = u * size - 0.5, v * size - 0.5
    i, j = int(np.floor(x)), int(np.floor(y))
    a, b = x - i, y - j
    i0, i1, j0, j1 = i & (size - 1), (i + 1) & (size - 1), j & (size - 1), (j + 1) & (size - 1)
    wa, wb, wc, wd = (1 - b) * (1 - a), (1 - b) * a, b * (1 - a), b * a
    for c in range(3):
        value = (
            wa * linear[stacks[number, sharp, j0, i0, c]]
            + wb * linear[stacks[number, sharp, j0, i1, c]]
            + wc * linear[stacks[number, sharp, j1, i0, c]]
            + wd * linear[stacks[number, sharp, j1, i1, c]]
        )
        if blend > 0:
            # A blurred copy changes slowly: its nearest texel does.
            value = (1 - blend) * value + blend * linear[stacks[number, sharp + 1, j0, i0, c]]
        out[c] = value
