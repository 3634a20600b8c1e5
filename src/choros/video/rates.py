"""The rate at which frames come, by their stamps; what a container claims is taken where they bear it out.

A container may take its clock for its rate (recordings of browsers: 1000 frames/s), name the rate of fields, or
name the one that was asked of the camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

FALLBACK_FPS = Fraction(30)
# What a video may claim, frames/s. Beyond the upper bound only stamps are believed: few cameras are as fast, and
# many containers name their clock.
SLOWEST, FASTEST_CLAIMED = Fraction(1, 3600), 240
# Steps that differ by no more than this part, or by one tick of the clock that they are written in, are the same.
_ALIKE = 0.02
# A claim needs this share of the steps on its side.
_CLAIM_SHARE = 0.5
# So many steps alike, and theirs is the rate, whatever the others are; also what is called steady.
_STEADY_SHARE = 0.8
# Else the rate is the mean of the steps that are not so many times longer or shorter than the middle one: of a
# recording that wobbles its mean rate, of one that has two rates the one by which more frames come.
_FAR = 3.0
# A measured rate this near to a customary one is that one.
_CUSTOMARY = 0.002
_REORDERED = 16  # pictures that may wait for one that is decoded later, at most (H.264, HEVC)


@dataclass(frozen=True)
class Rate:
    """How frames follow each other."""

    fps: Fraction  # by which most frames come
    mean: Fraction  # of all frames that were looked at; pauses make it lower
    steady: bool  # nearly all steps are 1 / fps
    longest_s: float  # what steps are at most where they are uneven; 0 if steady


def sane(claims: Sequence[Fraction | None]) -> list[Fraction]:
    """Those of the claimed rates that a camera may have."""
    return [claim for claim in claims if claim and SLOWEST <= claim <= FASTEST_CLAIMED]


def rate_of(steps_s: Sequence[float], claims: Sequence[Fraction | None], tick_s: float) -> Rate:
    """The rate of frames that are ``steps_s`` apart, in seconds, by a clock of ``tick_s``.

    ``claims`` are the rates that the container names. One that most steps bear out is returned as the exact
    fraction that it is; without any steps the first sane one is believed.
    """
    steps = np.array([step for step in steps_s if step > 0], np.float64)
    if not len(steps):
        fps = next(iter(sane(claims)), FALLBACK_FPS)
        return Rate(fps, fps, steady=True, longest_s=0.0)
    fps = _claim_borne_out(steps, claims, tick_s) or _measured(steps, tick_s)
    steady = bool(_alike(steps, float(1 / fps), tick_s).mean() >= _STEADY_SHARE)
    mean = fps if steady else _fraction(1 / steps.mean())
    return Rate(fps, mean, steady, 0.0 if steady else float(steps.max()))


def steps_of(stamps: Sequence[int], tick_s: float, complete: bool) -> list[float]:
    """Seconds from frame to frame, of stamps in the order of decoding.

    Unless they are ``complete`` the last ones are left out: pictures to be shown between them may follow.
    """
    in_order = sorted(stamps)
    if not complete:
        in_order = in_order[: max(2, len(in_order) - _REORDERED)]
    return [(after - before) * tick_s for before, after in pairwise(in_order)]


def _alike(steps: NDArray[np.float64], step: float, tick_s: float) -> NDArray[np.bool_]:
    return np.abs(steps - step) <= max(1.001 * tick_s, _ALIKE * step)


def _claim_borne_out(
    steps: NDArray[np.float64], claims: Sequence[Fraction | None], tick_s: float
) -> Fraction | None:
    """The claim that is nearest to what most of the steps are; None if there is none."""
    found = []
    for claim in claims:
        if claim and claim >= SLOWEST:
            alike = _alike(steps, float(1 / claim), tick_s)
            if alike.mean() >= _CLAIM_SHARE:
                off = abs(float(claim) * steps[alike].mean() - 1)
                found += [(off, claim)] if off < _ALIKE else []
    return min(found)[1] if found else None


def _measured(steps: NDArray[np.float64], tick_s: float) -> Fraction:
    middle = float(np.median(steps))
    counted = _alike(steps, middle, tick_s)
    if counted.mean() < _STEADY_SHARE:
        counted = (steps > middle / _FAR) & (steps < middle * _FAR)
    fps = 1 / float(steps[counted].mean())
    exact = min(tick_s / float(steps[counted].sum()), _ALIKE)  # the part of fps that it is known to
    customary = [Fraction(round(2 * fps), 2), Fraction(round(fps * 1.001) * 1000, 1001)]
    off = {rate: max(abs(float(rate) / fps - 1), exact) for rate in customary}  # of equals the first
    best = min(customary, key=lambda rate: off[rate])
    return best if off[best] < max(_CUSTOMARY, 1.001 * exact) else _fraction(fps)


def _fraction(fps: float) -> Fraction:
    """Never 0, however slow."""
    return Fraction(fps).limit_denominator(1000) or 1 / Fraction(1 / fps).limit_denominator(1000)
