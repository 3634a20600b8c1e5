"""Pairs of tracks that are likely one person who was lost and found: by place, size and speed, clothes, and time.

How likely a pair is comes from a logistic regression on tracks of made-up scenes (`benchmarks/suggestions.py --fit`),
and from who else either of them could be: one of these, or nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros.editing.edits import Edit
from choros.editing.tracks import Track, tracks_of
from choros.motion import Motion

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SuggestionRules:
    """Which pairs are looked at, and what each thing that is measured counts.

    ``weights`` are those of `FEATURES`, from `benchmarks/suggestions.py --fit` on made-up scenes.
    """

    longest_s: float = 30.0  # between two sights of one person
    common_frames: int = 0  # in which both are seen: two people
    least: float = 0.02  # probability below which a pair is not told
    std_lab: float = 14.0  # how far the mean colour of the same clothes moves between sights
    most_miss: float = 6.0  # in body heights, beyond which places are equally far
    known_parts: float = 0.5  # of colours, that both must show for these to say something
    weights: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


#: What is measured of a pair, in order of the weights.
FEATURES = ("always", "log gap", "speed", "miss", "log size", "colours", "colours unknown")


@dataclass(frozen=True)
class Suggestion:
    """``later`` is ``earlier`` who came back, as likely as ``probability`` says."""

    earlier: int
    later: int
    probability: float
    gap_s: float  # between their last and first sight
    miss: float  # between where the first was expected and the second is seen, in body heights
    colours: float  # how far those of their clothes are apart, L*a*b*; NaN where nothing was read of them

    @property
    def edit(self) -> Edit:
        """What makes them one."""
        return Edit("merge", (self.earlier, self.later))

    def __str__(self) -> str:
        clothes = "clothes not known" if np.isnan(self.colours) else f"clothes {self.colours:.0f} apart"
        return (
            f"{self.earlier} and {self.later}: {self.probability:.2f}, {self.gap_s:.1f} s between, "
            f"{self.miss:.1f} heights from where expected, {clothes}"
        )


def suggest(
    motion: Motion,
    video: str | Path | None = None,
    rules: SuggestionRules | None = None,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> list[Suggestion]:
    """Pairs of people of a motion who may be one, the likeliest first.

    ``video`` is the clip it was tracked in; without it clothes say nothing. Raises ``ChorosError`` as ``tracks_of``.
    """
    return among(tracks_of(motion, video, progress), rules or SuggestionRules())


def among(tracks: Sequence[Track], rules: SuggestionRules) -> list[Suggestion]:
    """The same of tracks that are known already."""
    pairs = candidates(tracks, rules)
    if not pairs:
        return []
    measured = np.stack([features(tracks[a], tracks[b], rules) for a, b in pairs])
    odds = np.exp(np.clip(measured @ np.array(rules.weights), -50, 50))
    table = np.zeros((len(tracks), len(tracks)))
    for (a, b), value in zip(pairs, odds, strict=True):
        table[a, b] = value
    rivals = table.sum(0)[None] + table.sum(1)[:, None] - table  # they themselves among them
    found = [
        _told(tracks[a], tracks[b], float(table[a, b] / (1 + rivals[a, b])), rules)
        for a, b in pairs
        if table[a, b] / (1 + rivals[a, b]) >= rules.least
    ]
    return sorted(found, key=lambda each: (-each.probability, each.earlier, each.later))


def accepted(suggestions: Sequence[Suggestion], least: float) -> list[Suggestion]:
    """Those at least so likely, each person with one before and one after at most; in time's order of the earlier."""
    before, after, chosen = set(), set(), []
    for each in sorted(suggestions, key=lambda one: -one.probability):
        if each.probability >= least and each.earlier not in before and each.later not in after:
            before.add(each.earlier)
            after.add(each.later)
            chosen.append(each)
    return chosen


def candidates(tracks: Sequence[Track], rules: SuggestionRules) -> list[tuple[int, int]]:
    """Places of tracks of which the second begins after the first ends, and which nobody saw at once."""
    return [
        (a, b)
        for a, one in enumerate(tracks)
        for b, other in enumerate(tracks)
        if a != b
        and 0 <= other.begin.time_s - one.end.time_s <= rules.longest_s
        and len(np.intersect1d(one.frames, other.frames)) <= rules.common_frames
    ]


def features(one: Track, other: Track, rules: SuggestionRules) -> Floats:
    """What is measured of a pair, in order of `FEATURES`."""
    gap_s = other.begin.time_s - one.end.time_s
    cut = one.shots[1] != other.shots[0]
    height_px = np.sqrt(one.end.height_px * other.begin.height_px)
    away = float(np.linalg.norm(other.begin.centre_px - one.end.centre_px)) / height_px
    known = known_colours(one, other) >= rules.known_parts
    apart = colours_apart(one, other)
    return np.array([
        1.0,
        np.log(gap_s + 0.3),
        0.0 if cut else min(away, rules.most_miss) / (gap_s + 0.5),
        0.0 if cut else min(expected_miss(one, other), rules.most_miss) / np.sqrt(gap_s + 0.3),
        0.0 if cut else min(abs(np.log(other.begin.height_px / one.end.height_px)), 1.5),
        min(apart / rules.std_lab, 5.0) if known else 0.0,
        0.0 if known else 1.0,
    ])  # fmt: skip


def expected_miss(one: Track, other: Track) -> float:
    """How far apart they are where both would be halfway through the gap, walking on and having walked, in heights."""
    half_s = min(0.5 * (other.begin.time_s - one.end.time_s), 1.0)
    on = one.end.centre_px + half_s * one.end.velocity_px_s
    back = other.begin.centre_px - half_s * other.begin.velocity_px_s
    return float(np.linalg.norm(on - back) / np.sqrt(one.end.height_px * other.begin.height_px))


def known_colours(one: Track, other: Track) -> float:
    """How many parts of the clothes both show, in whole ones."""
    if one.colours is None or other.colours is None:
        return 0.0
    return float((one.colours.weight * other.colours.weight).sum())


def colours_apart(one: Track, other: Track) -> float:
    """Root mean square distance of their clothes' colours, L*a*b*; NaN where no part of both was read."""
    if one.colours is None or other.colours is None or known_colours(one, other) <= 0:
        return float("nan")
    weight = one.colours.weight * other.colours.weight
    squared = ((one.colours.lab - other.colours.lab) ** 2).sum(-1)
    return float(np.sqrt((weight * squared).sum() / weight.sum()))


def _told(one: Track, other: Track, probability: float, rules: SuggestionRules) -> Suggestion:
    return Suggestion(
        one.id, other.id, probability, other.begin.time_s - one.end.time_s, expected_miss(one, other),
        colours_apart(one, other),
    )  # fmt: skip
