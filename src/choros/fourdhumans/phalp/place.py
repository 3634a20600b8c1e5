"""Where somebody will be: ridge regression over the last sights, with prediction intervals (PHALP, section 4).

Three straight lines in time a person: of the pelvis' x and y in the picture, in its longer sides, and of the logarithm
of its depth. A line that few or scattered sights tell has a wide interval, and then says little of who is who.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PlaceRules:
    """How lines are fitted. Penalties are on slopes alone, never on where a line lies."""

    memory_s: float = 1.0  # ours: how long ago sights may lie; the release has seven frames
    horizon_s: float = 1.6  # release: 48 frames; later than that somebody is where they were by then
    level: float = 0.95  # release: of the interval
    # Ours, of x, y and log depth, in longer sides of the picture and log metres: scatter of any sight, however well a
    # line goes through the others; how fast somebody is, each second, before they were seen twice; and how that changes
    # after one second. The ridge's penalty is the first over the second, squared: .0044, .018 and .25 s²; the release
    # has 1.2, 2 and 5 in frames, at 30 a second .0013, .0022 and .0056 s², with which depth goes astray in a second.
    noise: tuple[float, float, float] = (0.004, 0.004, 0.05)
    speed: tuple[float, float, float] = (0.06, 0.03, 0.1)
    drift: tuple[float, float, float] = (0.05, 0.03, 0.1)
    sights: int = 6  # that this knowledge is worth, in degrees of freedom


class Expected(NamedTuple):
    """n people at one instant."""

    place: Floats  # (n, 3) x, y in longer sides of the picture, log metres
    half_width: Floats  # (n, 3) of the interval that the place lies in


def expected(
    values: Floats,  # (n, H, 3) x, y, log depth at the last sights, in any order
    times_s: Floats,  # (n, H)
    counts: NDArray[np.bool_],  # (n, H) which of them there are, at least one each
    now_s: Floats,  # (n,) each person's own
    rules: PlaceRules,
) -> Expected:
    """Everybody at their own instant.

    The interval is that of a new sight: the residuals' deviation, by Student's t for so many sights, widened by how
    uncertain the line is there.
    """
    last_s = np.where(counts, times_s, -np.inf).max(1)
    ahead = np.minimum(now_s - last_s, rules.horizon_s)
    near = counts & (last_s[:, None] - times_s <= rules.memory_s + 1e-9)
    n = near.sum(1)[:, None]
    weight = near / n
    since = np.where(near, times_s - last_s[:, None], 0.0)
    middle = (weight * since).sum(1)[:, None]
    known = np.where(near[..., None], values, 0.0)
    mean = np.einsum("nh,nhc->nc", weight, known)
    off = np.where(near, since - middle, 0.0)
    spread = (off**2).sum(1)[:, None]
    noise, speed = np.array(rules.noise), np.array(rules.speed)
    penalty = (noise / speed) ** 2
    slope = np.einsum("nh,nhc->nc", off, known - mean[:, None]) / (spread + penalty)
    left = np.where(near[..., None], known - mean[:, None] - off[..., None] * slope[:, None], 0.0)
    freedom = np.maximum(n - 2, 1)
    variance = (left**2).sum(1) / freedom + noise**2
    slope_variance = 1 / (spread / variance + 1 / speed**2)
    unseen_s = np.maximum(now_s - last_s, 0)[:, None]
    at = ahead[:, None] - middle
    variance = variance * (1 + 1 / n) + at**2 * slope_variance + np.array(rules.drift) ** 2 * unseen_s**3
    half = stdtrit(freedom + rules.sights, 0.5 + rules.level / 2) * np.sqrt(variance)
    return Expected(mean + slope * at, half)
