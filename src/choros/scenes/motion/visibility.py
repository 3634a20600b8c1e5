"""Who hides whom, roughly: people as upright slabs, things as boxes, for directing a scene before it is drawn.

What is really seen is measured in ``truth.measurement``; this decides whether a role is worth playing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from choros.scenes.place.obstacles import Obstacle

Floats = NDArray[np.float64]

# Points of a person that may be seen, and the slab that hides others; metres.
ACROSS_M = np.array([-0.22, -0.11, 0.0, 0.11, 0.22])
UP_M = np.array([0.15, 0.55, 0.95, 1.3, 1.6])
HALF_BODY_M = 0.2
STATURE_M = 1.65
HIDDEN = 0.1  # share of the points; with fewer somebody is hidden
DOUBTFUL = 0.3  # with fewer somebody may turn out to be hidden
TALL_M = 2.1  # of things that leave their height to the place


def visible_share(
    places: Floats,  # (P, T, 2) metres, world
    ahead_m: Floats,  # (T,) y of the camera
    eye_m: float,  # its height
    things: Sequence[Obstacle],
    who: Sequence[int] | None = None,  # indices of the people asked about; None asks for all
) -> Floats:  # (len(who), T)
    """Share of each person that nothing hides from the camera, 0 to 1; whether the picture shows it or not."""
    rivals = [(p[:, 0], p[:, 1] - ahead_m, HALF_BODY_M, STATURE_M) for p in places]
    still = np.zeros_like(ahead_m)
    rivals += [
        (still + t.x, t.y - ahead_m, max(t.half_width_m, t.radius_m), t.height_m or TALL_M) for t in things
    ]
    shares = []
    for person in range(len(places)) if who is None else who:
        x, y = rivals[person][0][:, None, None], rivals[person][1][:, None, None]
        hidden = np.zeros((len(ahead_m), len(ACROSS_M), len(UP_M)), bool)
        for number, (left, depth, half, high) in enumerate(rivals):
            # Where the ray to a point passes the rival: its share of the way, then sideways and in height.
            share = depth[:, None, None] / np.maximum(y, 0.1)
            if number == person or not np.any((share > 0) & (share < 1)):
                continue
            across = share * (x + ACROSS_M[:, None]) - left[:, None, None]
            up = eye_m + share * (UP_M - eye_m)
            hidden |= (share > 0) & (share < 0.99) & (np.abs(across) < half) & (up > 0) & (up < high)
        shares.append(1 - hidden.mean(axis=(1, 2)))
    return np.array(shares).reshape(-1, len(ahead_m))


def spells_s(hidden: NDArray[np.bool_], step_s: float) -> list[float]:
    """How long each spell of being hidden (T,) lasts, seconds."""
    edge = np.flatnonzero(np.diff(np.concatenate([[0], hidden.astype(np.int8), [0]])))
    return [float(stop - start) * step_s for start, stop in edge.reshape(-1, 2)]
