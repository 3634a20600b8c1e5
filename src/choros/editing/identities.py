"""Who is who and who is there: swap, merge, split, rename, delete and cut people of a motion.

Each function takes a motion and returns another; frames and the rows of everybody who is not named stay as they are.
Times are seconds of the source, as in ``Motion.pts_s``; a span holds its start and not its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.motion import Motion

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Span:
    """A while: ``start_s <= time < end_s``; without them from the beginning and to the end."""

    start_s: float = -inf
    end_s: float = inf

    def __post_init__(self) -> None:
        if not self.start_s < self.end_s:
            raise ChorosError(f"nothing lies between {self.start_s:g} and {self.end_s:g} s.")

    def __str__(self) -> str:
        if self == WHOLE:
            return "the whole time"
        start = f"from {self.start_s:g} " if self.start_s > -inf else ""
        return f"{start}to {self.end_s:g} s" if self.end_s < inf else f"from {self.start_s:g} s on"

    def rows(self, motion: Motion) -> Flags:
        """Which rows of a motion lie in it, (N,)."""
        times_s: NDArray[np.float64] = motion.row_pts_s
        return (times_s >= self.start_s) & (times_s < self.end_s)


WHOLE = Span()


class Overlap(NamedTuple):
    """Frames in which several people who are to be one are there."""

    frames: int
    seconds: float
    both_seen: int  # of the frames, those in which several of them are seen and not only expected


def swap(motion: Motion, a: int, b: int, span: Span = WHOLE) -> Motion:
    """In ``span`` person ``a`` is called ``b``, and ``b`` is called ``a``. To do it twice changes nothing.

    Raises ``ChorosError`` if there is no such person, they are one, or neither is there then.
    """
    _check(motion, (a, b))
    first, second = _of(motion, a, span), _of(motion, b, span)
    if not (first.any() or second.any()):
        raise ChorosError(f"neither person {a} nor person {b} is there {span}.")
    person = motion.row_person.copy()
    person[first], person[second] = b, a
    return _called(motion, person)


def overlap(motion: Motion, people: Sequence[int]) -> Overlap:
    """Where several of ``people`` are there at once: what ``merge`` has to choose from."""
    mine = np.isin(motion.row_person, list(people))
    count = np.bincount(motion.row_frame[mine], minlength=len(motion))
    seen = np.bincount(motion.row_frame[mine & motion.visible], minlength=len(motion))
    step_s = float(1 / motion.fps) if motion.fps else 0.0
    return Overlap(int((count > 1).sum()), float((count > 1).sum()) * step_s, int((seen > 1).sum()))


def merge(motion: Motion, people: Sequence[int]) -> Motion:
    """These people are one, called as the first of them.

    Where several are there at once, one row stays: of somebody seen before that of somebody expected, then that of
    whoever is named first. Raises ``ChorosError`` if there is no such person, or fewer than two are named.
    """
    _check(motion, people)
    place = np.full(len(motion.rows), len(people))
    for order, one in enumerate(people):
        place[motion.row_person == one] = order
    mine = np.flatnonzero(place < len(people))
    best_first = mine[np.lexsort((place[mine], ~motion.visible[mine], motion.row_frame[mine]))]
    _, kept = np.unique(motion.row_frame[best_first], return_index=True)
    keep = place == len(people)
    keep[best_first[kept]] = True
    person = np.where(place < len(people), people[0], motion.row_person)
    return _called(motion.where(keep), person[keep])


def same(motion: Motion, person: int, later: int, from_s: float = -inf) -> Motion:
    """Whoever is called ``later`` from a time on is ``person``, who came back.

    Unlike in ``merge`` nobody is chosen from: raises ``ChorosError`` if both are there at once then, there is no such
    person, or ``later`` is not there then.
    """
    _check(motion, (person, later))
    span = Span(start_s=from_s)
    comes = _of(motion, later, span)
    if not comes.any():
        raise ChorosError(f"person {later} is not there {span}.")
    common = np.intersect1d(motion.row_frame[comes], motion.row_frame[motion.row_person == person])
    if len(common):
        raise ChorosError(
            f"person {person} and person {later} are both there at {motion.pts_s[common[0]]:.2f} s, so they are not "
            f"one; merge them if one is a second look at the other, or say from when person {later} is {person}."
        )
    called = motion.row_person.copy()
    called[comes] = person
    return _called(motion, called)


def split(motion: Motion, person: int, at_s: float, new: int | None = None) -> Motion:
    """From ``at_s`` on, ``person`` is somebody else: ``new``, or the next number that nobody has.

    Raises ``ChorosError`` if there is no such person, nothing lies before or after that time, or ``new`` is somebody.
    """
    _check(motion, (person,))
    new = next_id(motion) if new is None else new
    _check_free(motion, new)
    after = _of(motion, person, Span(start_s=at_s))
    if not after.any() or after.sum() == (motion.row_person == person).sum():
        of_them = motion.people[person].pts_s
        raise ChorosError(
            f"person {person} is there from {of_them[0]:.2f} to {of_them[-1]:.2f} s; {at_s:g} s divides nothing "
            "of that."
        )
    called = motion.row_person.copy()
    called[after] = new
    return _called(motion, called)


def rename(motion: Motion, person: int, to: int) -> Motion:
    """``person`` is called ``to``. Raises ``ChorosError`` if there is no such person, or ``to`` is somebody."""
    _check(motion, (person,))
    _check_free(motion, to)
    return _called(motion, np.where(motion.row_person == person, to, motion.row_person))


def delete(motion: Motion, people: Sequence[int]) -> Motion:
    """Without these people. Raises ``ChorosError`` if there is no such person."""
    _check(motion, people)
    return motion.where(~np.isin(motion.row_person, list(people)))


def cut(motion: Motion, people: Sequence[int], span: Span) -> Motion:
    """Without these people in ``span``. Raises ``ChorosError`` if there is no such person, or none is there then."""
    _check(motion, people)
    gone = np.isin(motion.row_person, list(people)) & span.rows(motion)
    if not gone.any():
        raise ChorosError(f"{_named(people)} {'is' if len(people) == 1 else 'are'} not there {span}.")
    return motion.where(~gone)


def next_id(motion: Motion) -> int:
    """The number after the highest that anybody has."""
    return int(motion.row_person.max(initial=0)) + 1


def _of(motion: Motion, person: int, span: Span) -> Flags:
    return (motion.row_person == person) & span.rows(motion)


def _called(motion: Motion, person: NDArray[np.integer]) -> Motion:
    """The motion with these identities (N,), its rows in order again."""
    rows = motion.rows.copy()
    rows["person"] = person
    return replace(motion, rows=rows[np.lexsort((rows["person"], rows["frame"]))])


def _check(motion: Motion, people: Sequence[int]) -> None:
    for one in people:
        motion.person(one)
    if len(set(people)) < len(people):
        raise ChorosError(f"{_named(people)} are not different people; name each once.")


def _check_free(motion: Motion, new: int) -> None:
    if not 1 <= new < 1 << 31:
        raise ChorosError(f"nobody can be called {new}; identities are numbers from 1.")
    if new in motion.people:
        raise ChorosError(f"there is a person {new} already; swap or merge them, or choose another number.")


def _named(people: Sequence[int]) -> str:
    return f"{'person' if len(people) == 1 else 'people'} {', '.join(map(str, people))}"
