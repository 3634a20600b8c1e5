"""What tracking does to a motion: poses and places that are a little wrong, and instants at which nobody was seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from choros.skeleton import JOINT_NAMES

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: How wrong local rotations are, rad, of a pose engine at a strength of 1; the lifter's on made-up scenes are of that
#: order: .2 to .4 that stays, about .1 that comes and goes within half a second, .02 that is new in each frame.
WRONG_RAD = np.array([
    {"pelvis": 0.12, "hip": 0.16, "knee": 0.2, "ankle": 0.2, "foot": 0.1, "neck": 0.15, "head": 0.2, "collar": 0.08,
     "shoulder": 0.25, "elbow": 0.3, "wrist": 0.3, "hand": 0.1}.get(name.split("_")[-1], 0.08)
    for name in JOINT_NAMES
])  # fmt: skip


class Strength(NamedTuple):
    """How large errors are, in those above."""

    slow: float
    flicker: float


TYPICAL = Strength(0.7, 0.15)
SLOW, FLICKER = (0.1, 1.5), (0.02, 0.7)  # of the windows learned from, log-uniform
NO_NOISE = 0.2  # share of them seen as they are
LASTING = (0.1, 2.0)  # of what stays: nobody can tell that it is wrong, so it is part of the truth there

SLOW_S = 0.2  # time constant of what comes and goes
DEPTH_WRONG, SIDE_WRONG_M = 0.03, 0.02  # of the distance; across the view
BETAS_WRONG = 0.3


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is drawn evenly."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def wander(rng: np.random.Generator, frames: int, width: int, step_s: float, strength: Strength) -> Floats:
    """Errors (frames, width) of a strength: some change slowly and smoothly, some are new in each frame."""
    slow = rng.normal(size=(frames + round(8 * SLOW_S / step_s), width))
    keep = np.exp(-step_s / SLOW_S)
    size = np.sqrt((1 + keep**2) / (1 - keep**2) ** 3)  # of white noise that went through the filter
    slow = lfilter([1.0], [1.0, -2 * keep, keep * keep], slow, axis=0)[-frames:] / size
    return strength.slow * slow + strength.flicker * rng.normal(size=(frames, width))


def seen_and_asked(rng: np.random.Generator, exists: Flags, most: int, step_s: float) -> tuple[Flags, Flags]:
    """Which of T frames were seen and which of the others, at most so many, are to be said.

    What is hidden: all from some frame on, which is prediction; stretches, as of somebody who passes behind things; all
    up to some frame; or frames at random (S.4). Beside it now and then short bursts and single frames are lost. At
    least one frame stays.
    """
    frames = np.flatnonzero(exists)
    T, first, n = len(exists), frames[0], len(frames)
    hidden = np.zeros(T, bool)
    kind = rng.random()
    if kind < 0.4:
        ahead = min(round(log_uniform(rng, 4, 2.0 / step_s)), n - 1)
        last = first + int(rng.integers(max(0, n - 1 - 2 * ahead), max(n - ahead, 1)))
        hidden[last + 1 :] = True
        pool = np.arange(last + 1, min(last + 1 + max(ahead, 1), first + n))
    elif kind < 0.85:
        for _ in range(int(rng.integers(1, 5))):
            gap = min(round(log_uniform(rng, 1, 2.4 / step_s)), n - 1)
            start = first + int(rng.integers(0, n - gap + 1))
            hidden[start : start + gap] = True
        pool = np.flatnonzero(hidden)
    elif kind < 0.92:
        pool = np.arange(first, first + min(round(log_uniform(rng, 1, 1.0 / step_s)), n - 1))
        hidden[pool] = True
    else:
        pool = frames[rng.random(n) < 0.4]
        hidden[pool] = True
    seen = exists & ~hidden
    if rng.random() < 0.3:
        seen &= rng.random(T) >= rng.uniform(0.05, 0.4)
        start = int(rng.integers(0, T))
        seen[start : start + int(rng.integers(1, 8))] = False
    if not seen.any():
        seen[first + int(rng.integers(0, n))] = True
    pool = pool[~seen[pool]]
    if not len(pool):
        pool = np.flatnonzero(exists & ~seen)
    asked = np.zeros(T, bool)
    asked[rng.permutation(pool)[:most]] = True
    return seen, asked
