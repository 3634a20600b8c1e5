"""One view against another: the lag and the placement that bear each other out, and who is whom."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from choros.errors import ChorosError
from choros.fusing.placement import (
    Placement,
    PlacementRules,
    epipolar_residuals,
    placed_by_bodies,
    placed_by_keypoints,
    stacked,
    thinned,
)
from choros.fusing.time_lag import LagGuess, LagRules, guesses
from choros.fusing.views import PersonTrack, Samples, View
from choros.rotation import rotmat_geodesic_distance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AlignmentRules:
    """Chosen on scenes filmed from two sides."""

    lag: LagRules = field(default_factory=LagRules)
    placement: PlacementRules = field(default_factory=PlacementRules)
    near_frames: float = 2.0  # how far from the best whole lag the exact one may be
    least_moments: int = 10  # in which two tracks are there, to be one person
    one_person: float = 3.0  # standard deviations of keypoints from epipolar lines, up to which they may be
    one_person_rad: float = 0.6  # and of the trunk's turn
    most_misfit: float = 1.5  # beyond it, views do not show the same place


class Aligned(NamedTuple):
    """A view's clock and axes in another's."""

    lag_s: float  # a time of the first is that of this view plus this
    placement: Placement
    sure: float  # standard deviations of the lag's worth


def at_moments(one: PersonTrack, other: PersonTrack, lag_s: float, count: int) -> tuple[Samples, Samples]:
    """Both at up to ``count`` times of the first one's rows, spread over those in which both are there."""
    begin, end = other.times_s[[0, -1]] + lag_s
    times_s = one.times_s[(one.times_s >= begin) & (one.times_s <= end)]
    if len(times_s) > 2 * count:  # some are in gaps
        times_s = times_s[np.linspace(0, len(times_s) - 1, 2 * count).round().astype(int)]
    return thinned(one.at(times_s), other.at(times_s - lag_s), count)


def aligned(first: View, second: View, rules: AlignmentRules) -> Aligned:
    """How ``second`` lies in ``first``, in time and space.

    Raises ``ChorosError`` where nobody moves alike in both, or their keypoints cannot be of the same moments.
    """
    found = guesses(first, second, rules.lag)
    if not found:
        raise ChorosError(
            f"nobody moves alike in {first.name} and {second.name} for long enough; give clips that show the same "
            "people at the same time, moving."
        )
    free_scale = first.still and second.still
    tried = []
    for guess in found:
        samples = _of_pairs(first, second, guess.pairs, guess.lag_s, rules.placement.moments)
        if samples is not None:
            T = placed_by_bodies(*samples, rules.placement)
            tried.append((guess, placed_by_keypoints(*samples, T, rules.placement, free_scale)))
    if not tried:
        raise ChorosError(f"nobody is in {first.name} and in {second.name} at the same time.")
    guess, placement = min(tried, key=lambda each: (each[1].misfit + 0.3) / each[0].sure)
    guess, placement = _exact(first, second, guess, placement, rules, free_scale)
    if placement.misfit > rules.most_misfit:
        raise ChorosError(
            f"people in {first.name} and {second.name} move alike, but no place of the cameras shows them so in both; "
            "give clips of cameras that stand still, or motions that `choros world` wrote."
        )
    return Aligned(guess.lag_s, placement, guess.sure)


def _of_pairs(
    first: View, second: View, pairs: list[tuple[int, int]], lag_s: float, moments: int
) -> tuple[Samples, Samples] | None:
    """Moments of all pairs together, spread over what there is; None if there are too few."""
    parts = [
        at_moments(first.tracks[a], second.tracks[b], lag_s, max(moments // len(pairs), 20)) for a, b in pairs
    ]
    parts = [each for each in parts if len(each[0].there)]
    if sum(len(one.there) for one, _ in parts) < 5:
        return None
    return stacked([one for one, _ in parts]), stacked([other for _, other in parts])


def _exact(
    first: View, second: View, guess: LagGuess, placement: Placement, rules: AlignmentRules, free_scale: bool
) -> tuple[LagGuess, Placement]:
    """The lag between whole steps at which keypoints agree best, and the placement at it."""
    step_s = max(float(1 / first.motion.fps), float(1 / second.motion.fps))
    T, quick = placement.T, replace(rules.placement, tries=30)

    def cost(lag_s: float) -> float:
        nonlocal T
        samples = _of_pairs(first, second, guess.pairs, lag_s, rules.placement.moments)
        if samples is None:
            return np.inf
        T = placed_by_keypoints(*samples, T, quick, free_scale).T
        away = epipolar_residuals(*samples, T)
        return float(np.log1p((away / rules.placement.robust) ** 2).mean()) if len(away) else np.inf

    reach_s = rules.near_frames * step_s
    best = minimize_scalar(
        cost, bounds=(guess.lag_s - reach_s, guess.lag_s + reach_s), method="bounded",
        options={"xatol": 0.02 * step_s, "maxiter": 20},
    )  # fmt: skip
    lag_s = float(best.x)
    samples = _of_pairs(first, second, guess.pairs, lag_s, rules.placement.moments)
    if samples is None:
        return guess, placement
    return guess._replace(lag_s=lag_s), placed_by_keypoints(
        *samples, placement.T, rules.placement, free_scale
    )


def unlikeness(one: Samples, other: Samples, T: Floats, rules: AlignmentRules) -> float:
    """How unlike two tracks are in the moments that both are there, in standard deviations; infinite if no one."""
    one, other = thinned(one, other, rules.placement.moments)
    if len(one.there) < rules.least_moments:
        return np.inf
    away = np.abs(epipolar_residuals(one, other, T))
    turned = rotmat_geodesic_distance(one.rotations[:, 0], T[:3, :3] @ other.rotations[:, 0])
    if not len(away):
        return np.inf
    misfit, turn = float(np.median(away)), float(np.median(turned))
    if misfit > rules.one_person or turn > 3 * rules.one_person_rad:
        return np.inf
    return float(np.hypot(misfit, turn / rules.one_person_rad))
