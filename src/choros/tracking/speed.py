"""How fast people go, learned from where they are seen and where they were expected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def learned_velocity(
    velocity_m_s: Floats,  # (n, 3) as it was
    predicted: Floats,  # (n, 3) where they were expected, metres, camera axes
    seen: Floats,  # (n, 3) where they are
    dt_s: Floats,  # (n,) since they were seen before
    memory_s: float,
    depth_share: float,
    max_speed_m_s: float,
) -> Floats:  # (n, 3)
    """An alpha-beta filter: the prediction's miss corrects the speed that made it.

    Of what is learned of the speed along the ray, which is mostly noise, only ``depth_share`` counts.
    """
    share = 1 - np.exp(-dt_s / memory_s)
    miss = seen - predicted
    ray = seen / np.linalg.norm(seen, axis=-1, keepdims=True)
    along = (miss * ray).sum(-1, keepdims=True) * ray
    miss = miss - (1 - depth_share) * along
    velocity = velocity_m_s + (share / dt_s)[:, None] * miss
    speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
    return np.asarray(velocity * np.minimum(1, max_speed_m_s / np.maximum(speed, 1e-9)))
