"""A list of edits in a TOML file, to be kept, changed by hand and replayed.

Each is a table ``[[edit]]`` with ``do`` and what that takes: ``people``, ``start_s`` and ``end_s``, ``new``,
``height_m``, ``floor_m`` or ``K`` (nine numbers row by row, or fx, fy, cx, cy).
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

from choros.editing.edits import Edit
from choros.errors import ChorosError
from choros.outputs import atomic_write

#: Keys that a table may have, by what they hold.
NUMBERS = {"start_s": -inf, "end_s": inf}
MEASURES = {"height": "height_m", "floor": "floor_m", "K": "K"}
HEAD = "# Edits of a motion, done in this order by `choros edit MOTION --list FILE`.\n"


def read_list(path: str | Path) -> list[Edit]:
    """The edits of a file, in order. Raises ``ChorosError`` that names the file, and the edit, if it is none."""
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ChorosError(f"{path} does not exist; give a list of edits (TOML).") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ChorosError(f"{path} is no list of edits that can be read ({error}).") from error
    tables = table.get("edit", [])
    if not isinstance(tables, list) or set(table) - {"edit"}:
        raise ChorosError(f"{path} is no list of edits; each begins with [[edit]].")
    edits = []
    for number, each in enumerate(tables, 1):
        try:
            edits.append(_edit(each))
        except ChorosError as error:
            raise ChorosError(f"{path}, edit {number}: {error}") from error
    return edits


def write_list(path: str | Path, edits: Sequence[Edit]) -> None:
    """Write a file that ``read_list`` reads as these edits."""
    with atomic_write(path) as file:
        file.write(list_text(edits).encode())


def list_text(edits: Sequence[Edit]) -> str:
    """What such a file says."""
    return HEAD + "".join(f"\n[[edit]]\n{_table(edit)}" for edit in edits)


def _edit(table: Any) -> Edit:
    if not isinstance(table, dict) or not isinstance(table.get("do"), str):
        raise ChorosError('it does not say what to do; write a line such as do = "merge".')
    do = table["do"]
    known = {"do", "people", "new", *NUMBERS, *([MEASURES[do]] if do in MEASURES else [])}
    if unknown := set(table) - known:
        raise ChorosError(f"{do} has no {', '.join(sorted(unknown))}.")
    people = table.get("people", [])
    if isinstance(people, int):
        people = [people]
    new = table.get("new")
    if not isinstance(people, list) or not all(
        _whole(one) for one in [*people, *([new] if "new" in table else [])]
    ):
        raise ChorosError("people are whole numbers, as people = [3, 7].")
    times = {name: _number(table.get(name, default), name) for name, default in NUMBERS.items()}
    given = table.get(MEASURES.get(do, ""), [])
    value = [_number(each, MEASURES[do]) for each in (given if isinstance(given, list) else [given])]
    if do == "K" and len(value) == 4:
        fx, fy, cx, cy = value
        value = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
    return Edit(do, tuple(people), times["start_s"], times["end_s"], new, tuple(map(float, value)))


def _table(edit: Edit) -> str:
    lines = [f'do = "{edit.do}"']
    if edit.people:
        lines.append(f"people = [{', '.join(map(str, edit.people))}]")
    lines += [
        f"{name} = {value!r}"
        for name, value in (("start_s", edit.start_s), ("end_s", edit.end_s))
        if abs(value) < inf
    ]
    if edit.new is not None:
        lines.append(f"new = {edit.new}")
    if edit.value:
        numbers = [repr(float(value)) for value in edit.value]
        written = numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"
        lines.append(f"{MEASURES[edit.do]} = {written}")
    return "".join(f"{line}\n" for line in lines)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ChorosError(f"{name} is a number, not {value!r}.")
    return float(value)
