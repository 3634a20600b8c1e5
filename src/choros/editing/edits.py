"""One edit of a motion as a record: what is done, to whom, and when; and the words of each on a command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf, isfinite

from choros.editing.identities import Span
from choros.errors import ChorosError

#: How each kind is written on a command line, and what it takes beside people.
KINDS = {
    "merge": "3,7",
    "swap": "2,5@12.4-15.0",
    "split": "4@8.2",
    "rename": "4=9",
    "delete": "6,8",
    "cut": "2@3.0-4.5",
    "same": "3,7",
    "height": "3=1.82",
    "K": "fx fy cx cy",
    "floor": "0.12",
}
NEEDED = {"merge": (2, 99), "swap": (2, 2), "split": (1, 1), "rename": (1, 1), "delete": (1, 99), "cut": (1, 99),
          "same": (2, 2), "height": (1, 1), "K": (0, 0), "floor": (0, 0)}  # fmt: skip
TIMED = ("swap", "cut", "same", "split")


@dataclass(frozen=True)
class Edit:
    """One edit. ``do`` is a key of ``KINDS``; what that has no use for stays as it is here.

    Raises ``ChorosError`` for a kind that there is not, too few or many people, and values that are missing.
    """

    do: str
    people: tuple[int, ...] = ()
    start_s: float = -inf  # of the span of swap and cut; from when on for same and split
    end_s: float = inf
    new: int | None = None  # who is called what after split and rename
    value: tuple[
        float, ...
    ] = ()  # height in metres, the floor's in metres, the nine numbers of K row by row, px

    def __post_init__(self) -> None:
        if self.do not in KINDS:
            raise ChorosError(f"there is no edit {self.do!r}; choose one of: {', '.join(KINDS)}.")
        least, most = NEEDED[self.do]
        if not least <= len(self.people) <= most:
            raise ChorosError(
                f"{self.do} takes {_count(least, most)}, not {len(self.people)}, as {KINDS[self.do]}."
            )
        whole = self.span == Span()
        if self.do not in TIMED and not whole:
            raise ChorosError(f"{self.do} has no time; leave it out.")
        if self.do == "cut" and whole:
            raise ChorosError("cut takes a time, as 2@3.0-4.5; whoever is to go altogether, delete.")
        if self.do in ("split", "same") and self.end_s < inf:
            raise ChorosError(f"{self.do} takes one time and goes on from there; leave the end out.")
        if self.do == "split" and not isfinite(self.start_s):
            raise ChorosError("split takes a time, as 4@8.2.")
        if self.do == "rename" and self.new is None:
            raise ChorosError("rename takes a new number, as 4=9.")
        numbers = {"height": 1, "floor": 1, "K": 9}.get(self.do, 0)
        if len(self.value) != numbers or not all(isfinite(each) for each in self.value):
            raise ChorosError(f"{self.do} takes {numbers or 'no'} numbers of its own, as {KINDS[self.do]}.")

    @property
    def span(self) -> Span:
        """From when to when."""
        return Span(self.start_s, self.end_s)

    def __str__(self) -> str:
        """As the command line has it, such as ``swap 2,5@12.4-15``."""
        people = ",".join(map(str, self.people))
        if self.do in ("height", "floor", "K"):
            numbers = " ".join(f"{value:.6g}" for value in self.value)
            return f"{self.do} {people}={numbers}" if people else f"{self.do} {numbers}"
        start = f"{self.start_s:g}" if self.start_s > -inf else ""
        if self.end_s < inf:
            people += f"@{start}-{self.end_s:g}"
        elif start:
            people += f"@{start}" + "-" * (self.do in ("swap", "cut"))
        return f"{self.do} {people}" + (f"={self.new}" if self.new is not None else "")


NUMBER = r"\d+(?:\.\d+)?"
WORDS = re.compile(
    rf"(?P<people>\d+(?:,\d+)*)(?:@(?P<start>{NUMBER})?(?P<dash>-(?P<end>{NUMBER})?)?)?(?:=(?P<new>{NUMBER}))?"
)


def edit_of(do: str, words: str) -> Edit:
    """An edit of ``people`` from its words on a command line, such as "swap" and "2,5@12.4-15.0".

    Raises ``ChorosError`` for words that are none.
    """
    found = WORDS.fullmatch(words.replace(" ", ""))
    if found is None or ("@" in words and not (found["start"] or found["end"])):
        raise ChorosError(f"--{do} is written as --{do} {KINDS[do]}, not {words!r}.")
    people = tuple(int(one) for one in found["people"].split(","))
    new, value = found["new"], ()
    if do == "height":
        new, value = None, (float(new),) if new else ()
    elif new is not None and "." in new:
        raise ChorosError(f"--{do} is written as --{do} {KINDS[do]}, not {words!r}.")
    start, end = found["start"], found["end"]
    if do in ("swap", "cut") and start and not found["dash"]:
        raise ChorosError(
            f"--{do} {words} says when it begins and not until when; write {words}- for all that follows, or an end."
        )
    return Edit(
        do, people,
        float(start) if start else -inf,
        float(end) if end else inf,
        int(new) if new is not None else None,
        value,
    )  # fmt: skip


def _count(least: int, most: int) -> str:
    if most == 0:
        return "nobody"
    if least == most:
        return "one person" if least == 1 else f"{least} people"
    return f"{least} people or more"
