"""The fields of a lifter track, how fast it goes, and what becomes of it while nobody sees its person."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.lifter.shape_estimator import FIELDS
from choros.tracking import box_filter
from choros.tracking.box_filter import BoxRules
from choros.tracking.sights import SIGHT_FIELDS

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def fields(hidden_width: int) -> list[Any]:
    """The lifter's own fields of a track; ``hidden_width`` is the network's memory of a person."""
    return [
        ("belief", "f8"),  # log odds that this is somebody
        ("rotations", "f8", (24, 3, 3)),
        *FIELDS,  # of the shape
        ("transl", "f8", (3,)),
        ("velocity_m_s", "f8", (3,)),
        ("confidence", "f8"),
        *SIGHT_FIELDS,
        ("hidden", "f4", (hidden_width,)),
    ]


def remember_speed(
    tracks: NDArray[np.void],
    dt_s: Floats,  # (n,) since they were seen before
    predicted: Floats,  # (n, 3) where they were expected, metres, camera axes
    memory_s: float,
    depth_share: float,
    max_speed_m_s: float,
) -> None:
    """How fast the tracks go: an alpha-beta filter, in which the prediction's miss corrects the speed that made it.

    Of what is learned of the speed along the ray, which is mostly noise, only ``depth_share`` counts.
    """
    share = 1 - np.exp(-dt_s / memory_s)
    miss = tracks["transl"] - predicted
    ray = tracks["transl"] / np.linalg.norm(tracks["transl"], axis=-1, keepdims=True)
    along = (miss * ray).sum(-1, keepdims=True) * ray
    miss -= (1 - depth_share) * along
    velocity = tracks["velocity_m_s"] + (share / dt_s)[:, None] * miss
    speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
    tracks["velocity_m_s"] = velocity * np.minimum(1, max_speed_m_s / np.maximum(speed, 1e-9))


def coast(tracks: NDArray[np.void], which: Indices, dt_s: float, memory_s: float, rules: BoxRules) -> None:
    """Nobody saw the tracks ``which``: they drift on, ever slower and less sure."""
    keep = np.exp(-dt_s / memory_s)
    tracks["velocity_m_s"][which] *= keep
    tracks["confidence"][which] *= keep
    tracks["box"][which] = box_filter.coast(tracks["box"][which], dt_s, rules)
