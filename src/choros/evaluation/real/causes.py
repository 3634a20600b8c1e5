"""Why identities switched: one line a switch, and how often each cause, for ``choros bench real --explain``.

A switch is CLEAR's: a true person is matched to another id than at their last match.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros.evaluation.metrics.tracking import clear_matches
from choros.evaluation.real.tracking import Boxes, boxes_of, compared, read_truth, rows_of_file
from choros.keypoints import box_iou
from choros.motion import Motion

FRESH_S = 0.5  # a track this young was begun for the person who switches to it
OVERLAP = 0.1  # IoU of true boxes from which people hide each other

#: What became of the track that the person had, the first that holds.
OWN = {
    "somebody else's": "it is on another true person now",
    "unseen": "it lives on unseen",
    "elsewhere": "it is seen on nobody who is there",
    "ended": "it has come to its end",
}
#: What the track is that the person got.
OTHER = {
    "new": f"begun less than {FRESH_S} s ago",
    "somebody else's": "was on another true person at its last match",
    "ghost": "was unseen a frame ago",
    "old": "has been there for longer",
}


@dataclass(frozen=True)
class Switch:
    """One identity switch and what led to it."""

    time_s: float
    frame: int  # from 0
    true_person: int
    before: int  # id at the last match
    after: int
    since_s: float  # how long ago that match was
    own: str  # a key of ``OWN``
    other: str  # a key of ``OTHER``
    overlapped: bool  # another true person's box touches theirs by ``OVERLAP``, now or at the last match

    @property
    def cause(self) -> str:
        """What became of the person's own track, and where the one that took over had been; in words."""
        return f"own track: {self.own}; taken: {self.other}"


def switches(motion: Motion, truth: Boxes) -> list[Switch]:
    """Every switch of a motion, in order of time."""
    rows = rows_of_file(motion)
    said = boxes_of(rows)
    matches = clear_matches(compared(truth, said))
    order = np.argsort(truth.frame, kind="stable")
    true_person, frame = truth.person[order][matches.gt], truth.frame[order][matches.gt]
    given = said.person[matches.pred]
    columns = (rows[name].tolist() for name in ("frame", "person", "visible"))
    there = {(frame, person): seen for frame, person, seen in zip(*columns, strict=True)}
    born: dict[int, int] = {}
    for f, p in zip(said.frame.tolist(), said.person.tolist(), strict=True):
        born.setdefault(p, f)
    ends = {int(p): int(f) for f, p in zip(said.frame, said.person, strict=True)}
    holder: dict[int, tuple[int, int]] = {}  # true person: frame and id of the last match
    owner: dict[int, int] = {}  # id: true person of its last match
    out = []
    for f in np.unique(frame).tolist():
        now = np.flatnonzero(frame == f)
        on = dict(zip(given[now].tolist(), true_person[now].tolist(), strict=True))
        for who, track in zip(true_person[now].tolist(), given[now].tolist(), strict=True):
            last, before = holder.get(who, (f, track))
            if before != track:
                own = _own(before, who, on, there.get((f, before)), ends[before], f)
                age_s = motion.pts_s[f] - motion.pts_s[born[track]]
                other = _other(track, who, owner, age_s, there.get((f - 1, track)))
                hidden = _overlapped(truth, who, f) or _overlapped(truth, who, last)
                since_s = float(motion.pts_s[f] - motion.pts_s[last])
                out.append(Switch(float(motion.pts_s[f]), f, who, before, track, since_s, own, other, hidden))
            holder[who] = (f, track)
        owner |= on
    return out


def counted(found: Sequence[Switch]) -> dict[str, int]:
    """How many switches of each cause, the most frequent first, and how many with nobody overlapping."""
    by_cause = dict(Counter(switch.cause for switch in found).most_common())
    return by_cause | {"nobody overlapping": sum(not switch.overlapped for switch in found)}


def explain(motion: Motion, footage: Path) -> list[str]:
    """The switches of a motion of vtest.avi in lines of text: each, then the causes counted."""
    found = switches(motion, read_truth(footage).boxes)
    lines = ["  time  person     id        last match  own track        taken            overlapped"]
    lines += [
        f"{s.time_s:6.1f} {s.true_person:7d} {s.before:4d} -> {s.after:<4d} {s.since_s:8.1f} s  "
        f"{s.own:16s} {s.other:16s} {'yes' if s.overlapped else 'no'}"
        for s in found
    ]
    return lines + [f"{count:4d}  {cause}" for cause, count in counted(found).items()]


def _own(before: int, who: int, on: dict[int, int], visible: bool | None, end: int, frame: int) -> str:
    if on.get(before, who) != who:
        return "somebody else's"
    if visible is not None:
        return "elsewhere" if visible else "unseen"
    return "unseen" if end > frame else "ended"


def _other(track: int, who: int, owner: dict[int, int], age_s: float, visible: bool | None) -> str:
    if age_s < FRESH_S:
        return "new"
    if owner.get(track, who) != who:
        return "somebody else's"
    return "old" if visible else "ghost"


def _overlapped(truth: Boxes, who: int, frame: int) -> bool:
    at: NDArray[np.bool_] = truth.frame == frame
    mine = at & (truth.person == who)
    others = at & (truth.person != who)
    return bool((box_iou(truth.box_px[mine], truth.box_px[others]) > OVERLAP).any())
