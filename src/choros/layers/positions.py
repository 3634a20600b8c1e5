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


def pixel_sinusoids(height: int, width: int, stride: int, size_px: int, bands: int, like: Tensor) -> Tensor:
    """Encodings of x and y of the cell centres of a feature map, (height * width, 2 * (1 + 2 * bands)).

    ``stride`` is image px per cell; the coordinates are divided by ``size_px``. Type and device of ``like``.
    """
    y = (torch.arange(height, dtype=like.dtype, device=like.device) + 0.5) * (stride / size_px)
    x = (torch.arange(width, dtype=like.dtype, device=like.device) + 0.5) * (stride / size_px)
    centres = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1)
    return sinusoids(centres.flatten(0, 1), bands)
