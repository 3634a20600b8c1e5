"""Sinusoidal encodings of continuous coordinates (Vaswani et al. 2017, in the octaves of NeRF)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoids(coordinates: Tensor, bands: int) -> Tensor:
    """Coordinates (..., D), about 0 to 1 -> (..., D * (1 + 2 * bands)).

    Each becomes itself, then sin and cos of pi, 2 pi, ... 2^(bands - 1) pi times itself: the finest wave is
    as long as 2^(2 - bands) of the range.
    """
    octaves = math.pi * 2.0 ** torch.arange(bands, dtype=coordinates.dtype, device=coordinates.device)
    angles = coordinates[..., None] * octaves
    return torch.cat([coordinates[..., None], angles.sin(), angles.cos()], -1).flatten(-2)


def cell_centres(
    height: int,
    width: int,
    stride: float,
    size_px: int,
    like: Tensor,
    origin_px: tuple[float, float] = (0, 0),
) -> Tensor:
    """x and y of the cell centres of a feature map, (height * width, 2), row by row.

    ``stride`` is image px per cell, ``origin_px`` the map's corner; the coordinates are divided by ``size_px``.
    Type and device of ``like``.
    """
    left, top = origin_px
    x = torch.arange(width, dtype=like.dtype, device=like.device) + 0.5
    y = torch.arange(height, dtype=like.dtype, device=like.device) + 0.5
    x, y = (x * stride + left) / size_px, (y * stride + top) / size_px
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1).flatten(0, 1)
