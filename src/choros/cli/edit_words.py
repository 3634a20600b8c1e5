"""The order in which edits stand on a command line, which its parser forgets: options of one name go together there.

Before it reads them each gets its place behind its words (``3,7`` becomes ``3,7#2``), by which ``in_order`` sorts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ORDERED = ("--merge", "--swap", "--split", "--same", "--rename", "--delete", "--cut")


def numbered(arguments: Sequence[str]) -> list[str]:
    """The arguments of ``choros edit`` with the place of each edit behind its words; those of others as they are."""
    if not arguments or arguments[0] != "edit":
        return list(arguments)
    words, taken = list(arguments), None
    for place, word in enumerate(words):
        flag, equals, _ = word.partition("=")
        if flag in ORDERED and equals:
            words[place] = f"{word}#{place}"
        elif taken is not None and not word.startswith("-"):
            words[place] = f"{word}#{taken}"
        if word.startswith("-"):
            taken = place if flag in ORDERED and not equals else None
    return words


def in_order(words: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Kind and words of each edit as they stood on the line; ``words`` by kind, with or without places."""
    placed = []
    for do, texts in words.items():
        for text in texts:
            said, _, place = text.partition("#")
            placed.append((int(place) if place else 0, do, said))
    return [(do, said) for _, do, said in sorted(placed, key=lambda each: each[0])]
