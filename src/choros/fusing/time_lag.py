"""How late one clip is against another, by how people move: the lags at which some of both move alike.

The bends of arms and legs look the same from everywhere, so their courses are correlated over all lags, person by
person (normalised, over the time that both are there, by Fourier transforms). What a lag is worth is what the best
one-to-one assignment of people is worth at it, in standard deviations (Fisher's z).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import gaussian_filter1d

from choros.body.kinematics import posed_joints
from choros.fusing.views import PersonTrack, View
from choros.skeleton import JOINT_NAMES
from choros.tracking.assignment import assign

Floats = NDArray[np.float64]

LIMBS = [
    JOINT_NAMES.index(f"{side}_{name}")
    for name in ("knee", "ankle", "elbow", "wrist")
    for side in ("left", "right")
]


@dataclass(frozen=True)
class LagRules:
    """Chosen on scenes filmed from two sides."""

    soft_s: float = 0.08  # standard deviation of the filter before speeds are taken
    least_overlap_s: float = 0.8  # of two people; shorter clips, half of the shorter
    independent_s: float = 0.2  # after so long, a pose says something new
    least_alike: float = 0.25  # correlation of a pair that may be one person
    least_sure: float = 1.2  # standard deviations of a lag's worth
    candidates: int = 8  # lags that are looked at in space too
    apart_s: float = 0.12  # between two of them
    within: float = 0.7  # of the best lag's worth that others must have to be looked at


class LagGuess(NamedTuple):
    """A lag, and who would be whom at it."""

    lag_s: float  # a time of the first clip is that of the second plus this
    sure: float  # standard deviations
    pairs: list[tuple[int, int]]  # places in the lists of both views' tracks


def guesses(first: View, second: View, rules: LagRules) -> list[LagGuess]:
    """The likeliest lags between two views, the best first; none where nobody moves alike for long enough."""
    step_s = min(_step_s(first), _step_s(second))
    courses = [[_course(track, step_s, rules) for track in view.tracks] for view in (first, second)]
    if not all(courses):
        return []
    longest = [max(len(course.moves) for course in view) for view in courses]
    lags = np.arange(-(longest[1] - 1), longest[0])
    worth = np.full((len(courses[0]), len(courses[1]), len(lags)), np.nan)
    for a, one in enumerate(courses[0]):
        for b, other in enumerate(courses[1]):
            shift = one.start - other.start  # a's sample i is at step start + i of the clock
            part, values = _correlated(one, other, step_s, rules)
            at = part + shift
            inside = (at >= lags[0]) & (at <= lags[-1])
            worth[a, b, at[inside] - lags[0]] = values[inside]
    total = np.zeros(len(lags))
    promising = np.flatnonzero((np.nan_to_num(worth) > 0).any((0, 1)))
    for k in promising:
        rows, columns = assign(worth[:, :, k], 1e-6)
        total[k] = np.sqrt((worth[rows, columns, k] ** 2).sum()) if len(rows) else 0.0
    chosen: list[LagGuess] = []
    apart = max(round(rules.apart_s / step_s), 1)
    for k in np.argsort(-total):
        least = max(rules.least_sure, rules.within * chosen[0].sure) if chosen else rules.least_sure
        if total[k] < least or len(chosen) == rules.candidates:
            break
        if all(abs(lags[k] * step_s - other.lag_s) > apart * step_s for other in chosen):
            pairs = list(zip(*(each.tolist() for each in assign(worth[:, :, k], 1e-6)), strict=True))
            chosen.append(LagGuess(float(lags[k] * step_s), float(total[k]), pairs))
    return chosen


class _Course(NamedTuple):
    start: int  # step of the view's clock at which it begins
    moves: Floats  # (T, C) of mean 0 and about unit size, 0 where the person is not there
    there: Floats  # (T,)


def _step_s(view: View) -> float:
    return float(1 / view.motion.fps)


def _course(track: PersonTrack, step_s: float, rules: LagRules) -> _Course:
    """Limbs against the trunk, and their speed."""
    start, end = int(np.ceil(track.times_s[0] / step_s - 1e-6)), int(track.times_s[-1] / step_s + 1e-6)
    samples = track.at(np.asarray(np.arange(start, end + 1) * step_s, np.float64))
    rotations = samples.rotations.copy()
    rotations[:, 0] = np.eye(3)
    _, joints = posed_joints(rotations, np.broadcast_to(track.rest, (len(rotations), 24, 3)))
    places = joints[:, LIMBS].reshape(len(rotations), -1)
    there = samples.there.astype(np.float64)
    if not there.any():
        return _Course(start, np.zeros((len(there), 1)), there)
    filled = places.copy()
    inside = np.flatnonzero(samples.there)
    for channel in range(places.shape[1]):
        filled[:, channel] = np.interp(np.arange(len(places)), inside, places[inside, channel])
    soft = gaussian_filter1d(filled, rules.soft_s / step_s, axis=0, mode="nearest")
    speed = np.gradient(soft, step_s, axis=0) if len(soft) > 1 else np.zeros_like(soft)
    parts = []
    for part in (soft, speed):
        part = part - part[inside].mean(0)
        parts.append(part / max(float(np.sqrt((part[inside] ** 2).mean())), 1e-6))
    return _Course(start, np.concatenate(parts, 1) * there[:, None], there)


def _correlated(
    one: _Course, other: _Course, step_s: float, rules: LagRules
) -> tuple[NDArray[np.int64], Floats]:
    """Lags in steps, and what each is worth in standard deviations; NaN where it cannot be told."""
    n, m = len(one.there), len(other.there)
    size = next_fast_len(n + m)

    def sums(a: Floats, b: Floats) -> Floats:  # over the overlap at lags -(m - 1) .. n - 1
        spectrum = rfft(a, size, axis=0) * np.conj(rfft(b, size, axis=0))
        whole = irfft(spectrum.sum(-1) if spectrum.ndim > 1 else spectrum, size)
        return np.concatenate([whole[size - m + 1 :], whole[:n]])

    count = np.round(sums(one.there, other.there))
    energy = [
        np.maximum(sums((one.moves**2).sum(1), other.there), 1e-9),
        np.maximum(sums(one.there, (other.moves**2).sum(1)), 1e-9),
    ]
    alike = np.clip(sums(one.moves, other.moves) / np.sqrt(energy[0] * energy[1]), -0.98, 0.98)
    least_s = min(rules.least_overlap_s, 0.5 * min(one.there.sum(), other.there.sum()) * step_s)
    worth = np.arctanh(alike) * np.sqrt(count * step_s / rules.independent_s)
    told = (count * step_s >= least_s) & (alike >= rules.least_alike)
    return np.arange(-(m - 1), n), np.where(told, worth, np.nan)
