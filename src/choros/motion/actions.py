"""What people do, as a motion holds it: scores of named actions in every row, and intervals of time read from them.

The scores are the extra ``actions``, (N, n) 0 to 1; their names are ``header.provenance["actions"]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.motion.record import Motion

EXTRA = "actions"


class ActionInterval(NamedTuple):
    """Somebody does something for a while."""

    person: int
    action: str
    start_s: float
    end_s: float
    score: float  # the mean over the while, 0 to 1


@dataclass(frozen=True)
class IntervalRules:
    """When scores are an action that is told; all of our choosing."""

    sure: float = 0.5  # of a score
    shortest_s: float = 0.25
    joined_s: float = 0.3  # a shorter break is none


def with_actions(motion: Motion, names: Sequence[str], scores: NDArray[np.floating]) -> Motion:
    """The motion with scores (N, n) of actions of these names. Raises ``ChorosError`` for another number of rows."""
    header = replace(motion.header, provenance={**motion.header.provenance, EXTRA: list(names)})
    return replace(motion.with_extras({EXTRA: scores.astype(np.float32)}), header=header)


def action_intervals(motion: Motion, rules: IntervalRules | None = None) -> list[ActionInterval]:
    """What everybody does when, by person and time; nothing of a motion without scores.

    Raises ``ChorosError`` of scores without as many names.
    """
    scores = motion.extras.get(EXTRA)
    if scores is None:
        return []
    names, rules = motion.header.provenance.get(EXTRA, ()), rules or IntervalRules()
    if scores.ndim != 2 or scores.shape[1] != len(names):
        raise ChorosError(
            "this motion has scores of actions without their names; run `choros actions` on it."
        )
    step_s = float(1 / motion.fps) if motion.fps else 0.0
    found = []
    for person in motion.people:
        for name, score in zip(names, person.extras[EXTRA].T, strict=True):
            for first, last in _spells(score >= rules.sure, person.pts_s, rules.joined_s):
                start, end = float(person.pts_s[first]), float(person.pts_s[last]) + step_s
                if end - start >= rules.shortest_s:
                    found.append(
                        ActionInterval(person.id, name, start, end, float(score[first : last + 1].mean()))
                    )
    return sorted(found, key=lambda one: (one.person, one.start_s, one.action))


def _spells(where: NDArray[np.bool_], times_s: NDArray[np.float64], joined_s: float) -> list[tuple[int, int]]:
    """First and last number of each spell; those with a break shorter than ``joined_s`` are one."""
    there = np.flatnonzero(where)
    if not len(there):
        return []
    breaks = np.flatnonzero(np.diff(times_s[there]) > joined_s)
    return [(int(part[0]), int(part[-1])) for part in np.split(there, breaks + 1)]
