"""Cuts: when a video jumps to another shot, nobody of the last one can be followed into it (CoMotion, 3).

A cut is where the colours of most parts of the picture become other ones between two frames. People who walk by,
pans and changes of exposure change few parts, or all of them little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Parts of the picture along each side, and steps of a colour.
PARTS, LEVELS = 3, 32

#: Pixels looked at along the shorter side.
SAMPLES = 48

#: Mean brightness that pictures are brought to, so that exposure does not count.
BRIGHTNESS = 96


def layout(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Which share of each part's pixels is at most how bright, of a picture (H, W, 3): (27, 32)."""
    step = max(1, min(image.shape[:2]) // SAMPLES)
    few = image[::step, ::step]
    even = np.minimum(few * (BRIGHTNESS / max(float(few.mean()), 1.0)), 255).astype(np.uint8)
    shares = [
        np.bincount(channel.ravel() // (256 // LEVELS), minlength=LEVELS) / max(channel.size, 1)
        for rows in np.array_split(even, PARTS)
        for part in np.array_split(rows, PARTS, axis=1)
        for channel in np.moveaxis(part, -1, 0)
    ]
    return np.cumsum(shares, -1).astype(np.float32)


def change(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """How far colours moved between two layouts, as a share of the whole range.

    The area between two cumulative distributions is the earth mover's distance: noise at the border of two levels
    hardly counts.
    """
    return float(np.abs(after - before).mean())
