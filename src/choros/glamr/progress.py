"""How far the work is: stages that are done one after the other, on one scale, so that a time left can be told.

What a stage costs is known before it begins but for how soon the optimisation settles: its steps are counted as if it
took the most it may, and what it spares is skipped. So the time that is left is never longer than told, on a machine
whose stages cost in proportion what they cost here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

#: ``report(what, done, total)``: what is being done, and how much of all is.
Report = Callable[[str, int, int], None]

WHOLE = 1000  # the total of a report that is divided


def nobody(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def stages(report: Report, costs: Sequence[float]) -> list[Report]:
    """A report for each of several stages that come one after the other, as parts of ``report``.

    ``costs`` (n,) is what each takes, in any unit. What a stage tells with a total of its own is told on as its share
    of ``WHOLE``; a total of 0, where a stage cannot know it, as its beginning.
    """
    ends = np.cumsum(costs, dtype=np.float64)
    ends /= max(ends[-1], np.finfo(float).tiny)
    return [_stage(report, first, last) for first, last in zip([0.0, *ends[:-1]], ends, strict=True)]


def _stage(report: Report, first: float, last: float) -> Report:
    def told(what: str, done: int, total: int) -> None:
        share = done / total if total else 0.0
        report(what, round(WHOLE * (first + (last - first) * share)), WHOLE)

    return told
