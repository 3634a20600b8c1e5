"""Pairs of tracks that are likely one person who was lost and found: by place, size, clothes, and time.

As in ``tracking.likelihood``, for every pair log p(what is seen | one person) over p(what is seen | two people), each
part with its own uncertainty and normalised; but over whole tracks and seconds instead of from frame to frame. Added to
it are the odds that somebody who is lost comes back at all, and that whoever comes is nobody new, and last who else
either of them could be: of people who are there at once one, or nobody.
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
from choros.tracking.appearance import Colours
from choros.tracking.likelihood import log_student

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SuggestionRules:
    """Which pairs are looked at, and how far one person's two tracks, and two people's, are apart.

    Places are in heights of the person in the picture; pairs of numbers are at once, and what is added a second. Of
    our choosing, by true tracks of made-up scenes of seeds from 940001 (places and odds, of which
    `benchmarks/suggestions.py --calibration` tells how often they are right), and by halves of tracks in scenes of
    seeds from 920001 and frames 1 to 400 of vtest (colours).
    """

    longest_s: float = 30.0  # between two sights of one person
    overlap_s: float = 0.3  # the most that both are there: at a change of identity both may be for a moment
    least: float = 0.02  # probability below which a pair is not told
    freedom: float = 5.0  # of Student's t
    along_std: tuple[float, float] = (0.25, 0.4)  # from side to side, of where they would be walking on
    upright_std: tuple[float, float] = (0.1, 0.1)
    upright_std_others: float = 0.5
    log_size_std: tuple[float, float] = (0.1, 0.05)
    log_size_std_others: float = 0.4
    lab_std: tuple[float, float, float] = (8.0, 3.0, 4.0)  # of the median colour of the same clothes
    lab_std_others: tuple[float, float, float] = (30.0, 9.0, 11.0)
    lab_parts: float = 0.6  # how far trunk, thighs and shins count as independent
    least_known: float = 0.3  # of a part of the clothes, that both must show
    inside: float = (
        0.25  # heights from a side of the picture: whoever is lost or found there did not leave or enter
    )
    odds: tuple[float, ...] = (-4.0, 2.0, 2.0, -0.15, 0.9)  # see `measured`


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
    table = np.zeros((len(tracks), len(tracks)))
    pairs = candidates(tracks, rules)
    for a, b in pairs:
        table[a, b] = np.exp(min(measured(tracks[a], tracks[b], tracks, rules) @ np.array(rules.odds), 50.0))
    at_once = np.array([[_at_once(one, other, rules) for other in tracks] for one in tracks], bool)
    at_once = at_once.reshape(table.shape)
    rivals = table + table @ at_once + at_once @ table  # who else comes, and who else was lost
    probability = table / (1 + rivals)
    found = [
        _told(tracks[a], tracks[b], float(probability[a, b]))
        for a, b in pairs
        if probability[a, b] >= rules.least
    ]
    return sorted(found, key=lambda each: (-each.probability, each.earlier, each.later))


def accepted(
    suggestions: Sequence[Suggestion], least: float, motion: Motion, rules: SuggestionRules | None = None
) -> list[Suggestion]:
    """Those at least so likely, the likeliest first, but for what would make one of people who are seen at once."""
    rules = rules or SuggestionRules()
    group = {track.id: [track] for track in tracks_of(motion)}
    chosen = []
    for each in sorted(suggestions, key=lambda one: -one.probability):
        one, other = group[each.earlier], group[each.later]
        if each.probability < least or one is other:
            continue
        if not any(_at_once(a, b, rules) for a in one for b in other):
            group |= dict.fromkeys((track.id for track in one + other), one + other)
            chosen.append(each)
    return chosen


def candidates(tracks: Sequence[Track], rules: SuggestionRules) -> list[tuple[int, int]]:
    """Places of tracks of which the second begins when the first ends, or later."""
    return [
        (a, b)
        for a, one in enumerate(tracks)
        for b, other in enumerate(tracks)
        if a != b
        and -rules.overlap_s <= other.begin.time_s - one.end.time_s <= rules.longest_s
        and other.end.time_s > one.end.time_s
        and other.begin.time_s > one.begin.time_s
    ]


def measured(one: Track, other: Track, tracks: Sequence[Track], rules: SuggestionRules) -> Floats:
    """What the log odds that ``other`` is ``one`` who came back are a weighted sum of, by ``rules.odds``.

    1; lost and found within the picture, 0 or 1 each; seconds between; the log likelihood ratios of place, size and
    clothes. ``tracks`` are all there are.
    """
    gap_s = max(other.begin.time_s - one.end.time_s, 0.0)
    ratio = log_colours(one, other, strangers(one, tracks, rules), rules)
    if one.shots[1] == other.shots[0]:
        ratio += log_place(one, other, rules)
    lost, found = one.end.inside > rules.inside, other.begin.inside > rules.inside
    return np.array([1.0, lost, found, gap_s, ratio])


def strangers(one: Track, tracks: Sequence[Track], rules: SuggestionRules) -> list[Track]:
    """Who is somebody else for sure: seen while ``one`` is."""
    return [each for each in tracks if _at_once(one, each, rules)]


def _at_once(one: Track, other: Track, rules: SuggestionRules) -> bool:
    common_s = min(one.end.time_s, other.end.time_s) - max(one.begin.time_s, other.begin.time_s)
    return one is not other and common_s > rules.overlap_s


def log_place(one: Track, other: Track, rules: SuggestionRules) -> float:
    """Of place and size in one shot."""
    gap_s, heights = max(other.begin.time_s - one.end.time_s, 0.0), _height_px(one, other)
    across, upright = _miss(one, other)
    taller = np.log(other.begin.height_px / one.end.height_px)
    along_std, upright_std, size_std = (
        at_once + gap_s * a_second
        for at_once, a_second in (rules.along_std, rules.upright_std, rules.log_size_std)
    )
    same = (
        _log_t(across, along_std, rules)
        + _log_t(upright, upright_std, rules)
        + _log_t(taller, size_std, rules)
    )
    anybody = (
        -np.log(one.picture_px[0] / heights)
        + _log_t(upright, max(rules.upright_std_others, upright_std), rules)
        + _log_t(taller, max(rules.log_size_std_others, size_std), rules)
    )
    return float(same - anybody)


def log_colours(one: Track, other: Track, others: Sequence[Track], rules: SuggestionRules) -> float:
    """Of the clothes; 0 where no part of both was read.

    Somebody else is dressed like anybody, or as one of the ``others``, who are somebody else: what many wear says less.
    """
    if one.colours is None or other.colours is None:
        return 0.0
    weight = one.colours.weight[0] * other.colours.weight[0]
    weight = rules.lab_parts * np.where(weight >= rules.least_known, weight, 0)

    seen = other.colours.lab[0]  # (parts, 3)

    def alike(colours: Colours, std: tuple[float, float, float]) -> float:
        return float(weight @ log_student(seen - colours.lab[0], np.array(std), rules.freedom).sum(-1))

    known = [alike(each.colours, rules.lab_std) for each in others if each is not other and each.colours]
    anybody = alike(one.colours, rules.lab_std_others)
    if known:
        anybody = float(np.logaddexp(anybody, np.logaddexp.reduce(known) - np.log(len(known))) - np.log(2))
    return alike(one.colours, rules.lab_std) - anybody


def colours_apart(one: Track, other: Track) -> float:
    """Root mean square distance of their clothes' colours, L*a*b*; NaN where no part of both was read."""
    if one.colours is None or other.colours is None:
        return float("nan")
    weight = one.colours.weight * other.colours.weight
    squared = ((one.colours.lab - other.colours.lab) ** 2).sum(-1)
    return float(np.sqrt((weight * squared).sum() / weight.sum())) if weight.sum() > 0 else float("nan")


def _height_px(one: Track, other: Track) -> float:
    return float(np.sqrt(one.end.height_px * other.begin.height_px))


def _miss(one: Track, other: Track) -> Floats:
    """How far the second begins from where the first would be, walking at the mean of both speeds: (2,) heights."""
    gap_s = max(other.begin.time_s - one.end.time_s, 0.0)
    way = 0.5 * gap_s * (one.end.velocity_px_s + other.begin.velocity_px_s)
    missed: Floats = (other.begin.centre_px - one.end.centre_px - way) / _height_px(one, other)
    return missed


def _log_t(miss: float, std: float, rules: SuggestionRules) -> float:
    return float(log_student(np.array(miss), np.array(std), rules.freedom))


def _told(one: Track, other: Track, probability: float) -> Suggestion:
    gap_s, miss = other.begin.time_s - one.end.time_s, float(np.linalg.norm(_miss(one, other)))
    return Suggestion(one.id, other.id, probability, gap_s, miss, colours_apart(one, other))
