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


def coast(tracks: NDArray[np.void], which: Indices, dt_s: float, memory_s: float, rules: BoxRules) -> None:
    """Nobody saw the tracks ``which``: they drift on, ever slower and less sure."""
    keep = np.exp(-dt_s / memory_s)
    tracks["velocity_m_s"][which] *= keep
    tracks["confidence"][which] *= keep
    tracks["box"][which] = box_filter.coast(tracks["box"][which], dt_s, rules)
