"""One person of a motion, and all of its people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.motion.columns import Columns

if TYPE_CHECKING:
    from choros.motion.record import Motion


@dataclass(frozen=True)
class Person(Columns):
    """One identity over time: its rows, in order. Arrays as in ``motion.tables``, n frames long."""

    id: int
    rows: NDArray[np.void]  # (n,) ROW, and extras
    pts_s: NDArray[np.float64]  # (n,) seconds
    body: str = "open"  # whose shape it is: ``Header.body``

    def __repr__(self) -> str:
        when = f" from {self.pts_s[0]:.2f} to {self.pts_s[-1]:.2f} s" if len(self) else ""
        return f"<person {self.id}: {len(self)} frames{when}, seen in {int(self.visible.sum())}>"

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def frame(self) -> NDArray[np.int32]:
        """Which of the motion's frames, (n,), from 0."""
        return self.rows["frame"]

    @property
    def person(self) -> NDArray[np.int32]:
        """The identity, ``id``, in every frame, (n,)."""
        return self.rows["person"]


class People:
    """Everybody in a motion, by identity: ``people[3]`` is person 3; in a loop each ``Person``, ids ascending.

    ``len(people)`` is how many there are, ``3 in people`` whether somebody is called that.
    """

    def __init__(self, motion: Motion) -> None:
        self._motion, self._ids = motion, motion.ids.tolist()

    def __getitem__(self, person: int) -> Person:
        """Who has this identity. Raises ``ChorosError`` if nobody has, naming those there are."""
        motion = self._motion
        try:
            known = index(person) in self._ids
        except TypeError:
            known = False
        if not known:
            there = ", ".join(map(str, self._ids)) or "nobody"
            raise ChorosError(f"there is no person {person} in this motion; it has {there}.")
        rows = motion.rows[motion.rows["person"] == person]
        return Person(index(person), rows, motion.pts_s[rows["frame"]], motion.header.body)

    def __iter__(self) -> Iterator[Person]:
        return (self[person] for person in self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, person: object) -> bool:
        return person in self._ids

    def __repr__(self) -> str:
        return f"<people {', '.join(map(str, self._ids)) or 'of nobody'}>"
