"""Edits done one after another, with a word on each of what it did and what it had to choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from choros.editing import identities, measures
from choros.editing.edits import Edit
from choros.errors import ChorosError
from choros.motion import Motion

PROVENANCE = "edits"  # the entry of a header that holds what was done, as words


class Replayed(NamedTuple):
    """A motion after edits, and what is to be told: a line for each."""

    motion: Motion
    notes: list[str]


def replay(motion: Motion, edits: Sequence[Edit], body: Any = None) -> Replayed:
    """All edits, in order. ``body`` is the motion's, as of ``Motion.joints``, for K and heights.

    Whoever went into somebody else, or was renamed, is found under the new number by later edits that use the old
    one. Raises ``ChorosError`` that names the edit which cannot be done.
    """
    now_called: dict[int, int] = {}
    notes: list[str] = []
    last_id = identities.next_id(motion) - 1
    for number, edit in enumerate(edits, 1):
        try:
            meant = _as_called_now(motion, edit, now_called)
            if meant.do == "split" and meant.new is None:
                meant = replace(meant, new=last_id + 1)
            said = _told(motion, meant)
            motion = _done(motion, meant, body)
        except ChorosError as error:
            raise ChorosError(f"edit {number}, {edit}: {error}") from error
        if meant.people != edit.people:
            said = f"{said} ({_renamed(edit, meant)})"
        notes.append(f"{meant}: {said}")
        if meant.do in ("merge", "same"):
            gone = [one for one in meant.people[1:] if one not in motion.people]
            now_called |= dict.fromkeys(gone, meant.people[0])
        if meant.do == "rename" and meant.new is not None:
            now_called[meant.people[0]] = meant.new
        last_id = max(last_id, identities.next_id(motion) - 1)
    done = [*motion.header.provenance.get(PROVENANCE, ()), *map(str, edits)]
    if edits:
        header = replace(motion.header, provenance=motion.header.provenance | {PROVENANCE: done})
        motion = replace(motion, header=header)
    return Replayed(motion, notes)


def _as_called_now(motion: Motion, edit: Edit, now_called: dict[int, int]) -> Edit:
    """The edit of the people by their numbers of this moment."""

    def called(one: int) -> int:
        seen = set()
        while one not in motion.people and one in now_called and one not in seen:
            seen.add(one)
            one = now_called[one]
        return one

    people = [called(one) for one in edit.people]
    if edit.do in ("merge", "delete"):
        people = list(dict.fromkeys(people))
        if edit.do == "merge" and len(people) < 2 <= len(set(edit.people)):
            raise ChorosError(f"these are one person already, {people[0]}.")
    return replace(edit, people=tuple(people))


def _done(motion: Motion, edit: Edit, body: Any) -> Motion:
    people, span = edit.people, edit.span
    match edit.do:
        case "merge":
            return identities.merge(motion, people)
        case "swap":
            return identities.swap(motion, people[0], people[1], span)
        case "split":
            return identities.split(motion, people[0], edit.start_s, edit.new)
        case "rename":
            return identities.rename(motion, people[0], edit.new or 0)
        case "delete":
            return identities.delete(motion, people)
        case "cut":
            return identities.cut(motion, people, span)
        case "same":
            return identities.same(motion, people[0], people[1], edit.start_s)
        case "height":
            return measures.with_height(motion, people[0], edit.value[0], body)
        case "floor":
            return measures.with_floor(motion, edit.value[0])
        case _:
            return measures.with_K(motion, np.reshape(edit.value, (3, 3)), body)


def _told(motion: Motion, edit: Edit) -> str:
    """What an edit is about to do."""
    people = edit.people
    for one in people:
        motion.person(one)
    rows = partial(_rows, motion, edit)
    match edit.do:
        case "merge":
            both = identities.overlap(motion, people)
            names = " and ".join(map(str, people))
            if not both.frames:
                return f"{names} are person {people[0]}"
            count = "a frame" if both.frames == 1 else f"{both.frames} frames"
            return (
                f"{names} are person {people[0]}; several of them are there in {count} "
                f"({both.seconds:.2f} s): of these whoever is seen stays, and in {both.both_seen}, in which several "
                "are seen, the first one named"
            )
        case "swap":
            return f"{people[0]} and {people[1]} change places {edit.span}"
        case "split":
            return f"person {people[0]} is person {edit.new} from {edit.start_s:g} s on"
        case "rename":
            return f"person {people[0]} is called {edit.new}"
        case "delete":
            return f"{rows()} rows are gone"
        case "cut":
            return f"{rows()} rows are gone {edit.span}"
        case "same":
            return f"person {people[1]} {edit.span} is person {people[0]}, come back"
        case "height":
            return f"person {people[0]} is {edit.value[0]:.2f} m tall"
        case "floor":
            return f"the floor is where {edit.value[0]:g} m was"
        case _:
            return "everybody is as far away as this lens says"


def _rows(motion: Motion, edit: Edit) -> int:
    return int((np.isin(motion.row_person, edit.people) & edit.span.rows(motion)).sum())


def _renamed(edit: Edit, meant: Edit) -> str:
    pairs = [(old, new) for old, new in zip(edit.people, meant.people, strict=False) if old != new]
    return ", ".join(f"{old} is person {new} by now" for old, new in pairs) or "some are one person by now"
