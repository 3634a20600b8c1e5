"""Numbers in the names of pictures: their order, the frame's own number, and which of them are missing.

A folder is *named* if one group of digits counts in all of its names, else its pictures are *counted* from 0. Of a
named folder, numbers are a clock where they go on by one step, as the frames of a video do: then a hole in them is
time that passed. Time stamps and chosen pictures have no such step; their times are k / fps, without holes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import PurePath

_DIGITS = re.compile(r"([0-9]+)")  # no other digits that Unicode knows: int() takes some of them, not all
_MOST = 2**63 - 1  # what a motion's file holds
_FULL = Fraction(1, 100)  # so much of the numbers' range must be there for them to be a clock


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key by which ``frame_9`` comes before ``frame_10``; names that differ are never equal in it."""
    parts = _DIGITS.split(name.lower())
    return [(1, 0, part) if k % 2 == 0 else (0, int(part), "") for k, part in enumerate(parts) if part], name


@dataclass(frozen=True)
class Numbering:
    """The numbers of pictures in order, and their steps from the first in units of one frame."""

    named: bool
    numbers: tuple[int, ...]
    steps: tuple[int, ...]  # strictly increasing, from 0
    step: int  # between the numbers of neighbours

    def missing_before(self, position: int) -> str | None:
        """Which pictures are missing before one, in words."""
        if position == 0 or self.steps[position] - self.steps[position - 1] == 1:
            return None
        first, last = self.numbers[position - 1] + self.step, self.numbers[position] - self.step
        return f"picture {first} is missing" if first == last else f"pictures {first} to {last} are missing"


def numbering_of(names: Sequence[str]) -> Numbering:
    """The numbering of names in natural order."""
    numbers = _numbers(names)
    counted = tuple(range(len(names)))
    if numbers is None:
        return Numbering(False, counted, counted, 1)
    step = _step(numbers)
    if step is None:
        return Numbering(True, tuple(numbers), counted, 1)
    return Numbering(True, tuple(numbers), tuple((number - numbers[0]) // step for number in numbers), step)


def _numbers(names: Sequence[str]) -> list[int] | None:
    """By the last group of digits that increases from each name to the next; a single name's last group."""
    groups = [[int(digits) for digits in _DIGITS.findall(PurePath(name).stem)] for name in names]
    if len({len(group) for group in groups}) != 1:
        return None
    for column in reversed(list(zip(*groups, strict=True))):
        if column[-1] <= _MOST and all(a < b for a, b in pairwise(column)):
            return list(column)
    return None


def _step(numbers: Sequence[int]) -> int | None:
    """The step by which numbers count, if they do: all differences are multiples of it, and half are it."""
    differences = [b - a for a, b in pairwise(numbers)]
    if not differences:
        return 1
    tally = Counter(differences)
    step = min(tally, key=lambda difference: (-tally[difference], difference))
    regular = all(difference % step == 0 for difference in differences) and 2 * tally[step] >= len(
        differences
    )
    places = (numbers[-1] - numbers[0]) // step + 1
    return step if regular and len(numbers) >= _FULL * places else None
