"""Which points of the feet stand, with what probability: heel and toe of each foot as a hidden Markov chain over time.

A point stands while it is slow and low. Each frame says so with errors, and stances last: both together, forwards and
backwards over the whole motion, tell more than any threshold (Rabiner, Proc. IEEE 1989, section III).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Points of ``PosedSkeleton.soles``, in order; the entries of the extra ``foot_contact`` of a world.
POINTS = ("left_heel", "left_toe", "right_heel", "right_toe")


@dataclass(frozen=True)
class ContactRules:
    """How feet stand and swing; ours, chosen on made-up scenes of seeds that no test set has."""

    span_s: float = 0.12  # over which a speed is taken
    standing_m_s: float = 0.35  # spread of the speed of a point that stands: errors of pose and path
    swinging_m_s: float = 1.2  # and of one that swings
    trust_m_s: float = 0.8  # by so much at most may the predicted path say that a point is slower
    standing_m: float = 0.04  # spread of its height, likewise
    swinging_m: float = 0.15
    outlier: float = 4.0  # at most so much, of either, does one frame speak against a stance (log odds)
    stance_s: float = 0.6  # how long stances last in the mean
    swing_s: float = 0.4  # and swings
    independent_per_s: float = 10.0  # frames that count as independent, as of ``Sigmas``
    shortest_s: float = 0.1  # shorter stances and swings are none


def contact_probability(
    soles_m: Floats, predicted_m: Floats, times_s: Floats, floor_m: Floats, rules: ContactRules | None = None
) -> Floats:
    """Probability (n, 4) with which each of ``POINTS`` stands.

    ``soles_m`` (n, 4, 3) are the points in a world with z up, metres, and ``predicted_m`` those on the path that was
    predicted from the poses alone, in any world: it knows nothing of errors of the camera. ``floor_m`` (n,) is the
    height of what the person stands on, NaN where nothing is known of it: then speed alone tells.
    """
    rules = rules or ContactRules()
    n = len(soles_m)
    speed = _speed(soles_m, times_s, rules.span_s)
    speed = np.minimum(speed, np.maximum(_speed(predicted_m, times_s, rules.span_s), speed - rules.trust_m_s))
    odds = contact_log_odds(speed, soles_m[..., 2] - floor_m[:, None], rules)
    if n < 2:
        return 1 / (1 + np.exp(-odds))
    dt = np.gradient(times_s)
    odds *= np.minimum(rules.independent_per_s * dt, 1)[:, None]
    return _smoothed(odds, dt, rules)


def contact_log_odds(speed_m_s: Floats, above_m: Floats, rules: ContactRules) -> Floats:
    """What a speed and a height over the floor, (n, F), say for standing by themselves; NaN says nothing."""
    by_speed = _log_odds(speed_m_s, rules.standing_m_s, rules.swinging_m_s, 2, rules.outlier)
    by_height = _log_odds(above_m, rules.standing_m, rules.swinging_m, 1, rules.outlier)
    return np.where(np.isfinite(speed_m_s), by_speed, 0.0) + np.where(np.isfinite(above_m), by_height, 0.0)


def onward(odds: Floats, dt_s: Floats | float, rules: ContactRules) -> Floats:
    """Log odds of standing ``dt_s`` later, of those now, before anything is seen of then."""
    ends, begins = 1 - np.exp(-dt_s / rules.stance_s), 1 - np.exp(-dt_s / rules.swing_s)
    stood = 1 / (1 + np.exp(-odds))
    stands = stood * (1 - ends) + (1 - stood) * begins
    return np.asarray(np.log(stands / (1 - stands)))


def stances(probability: Floats, times_s: Floats, shortest_s: float) -> Bools:
    """Where points (n, F) stand: likelier than not, and neither stance nor swing shorter than ``shortest_s``."""
    stands = probability > 0.5
    if len(stands) < 3:
        return stands
    frames = shortest_s / float(np.median(np.diff(times_s)))
    for value in (False, True):  # short swings first: a stance that flickers is one
        for point in range(stands.shape[1]):
            for first, end in spells(stands[:, point] == value):
                if end - first < frames and first > 0 and end < len(stands):
                    stands[first:end, point] = not value
    return stands


def spells(inside: Bools) -> list[tuple[int, int]]:
    """Runs of ``inside`` (n,) as first frame and the frame after the last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    return [(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _speed(points_m: Floats, times_s: Floats, span_s: float) -> Floats:
    """Speed (n, F) of points (n, F, 3) over a span about each frame, one-sided at the ends; m/s."""
    if len(points_m) < 2:
        return np.zeros(points_m.shape[:2])
    first = np.searchsorted(times_s, times_s - 0.5 * span_s - 1e-9)
    last = np.searchsorted(times_s, times_s + 0.5 * span_s + 1e-9, side="right") - 1
    alone = first == last  # frames far apart
    first, last = np.where(alone, np.maximum(first - 1, 0), first), np.where(alone, last + 1, last)
    last = np.minimum(last, len(times_s) - 1)
    way = np.linalg.norm(points_m[last] - points_m[first], axis=-1)
    return np.asarray(way / np.maximum(times_s[last] - times_s[first], 1e-6)[:, None])


def _log_odds(value: Floats, narrow: float, wide: float, dimensions: int, outlier: float) -> Floats:
    """Log of how much likelier a value is under a narrow normal distribution than under a wide one, at least so low."""
    odds = dimensions * np.log(wide / narrow) - 0.5 * value**2 * (narrow**-2 - wide**-2)
    return np.asarray(np.maximum(odds, -outlier))


def _smoothed(odds: Floats, dt_s: Floats, rules: ContactRules) -> Floats:
    """Forwards and backwards: the probability (n, F) of standing, given all frames."""
    ends, begins = 1 - np.exp(-dt_s / rules.stance_s), 1 - np.exp(-dt_s / rules.swing_s)
    n = len(odds)
    start = np.log(rules.stance_s / rules.swing_s)
    forward, backward = np.zeros_like(odds), np.zeros_like(odds)
    forward[0] = start + odds[0]
    for t in range(1, n):
        forward[t] = onward(forward[t - 1], dt_s[t], rules) + odds[t]
    for t in range(n - 2, -1, -1):
        said = np.exp(np.clip(odds[t + 1] + backward[t + 1], -50, 50))
        stays = (1 - ends[t + 1]) * said + ends[t + 1]
        comes = begins[t + 1] * said + 1 - begins[t + 1]
        backward[t] = np.log(stays / comes)
    return np.asarray(1 / (1 + np.exp(-(forward + backward))))
