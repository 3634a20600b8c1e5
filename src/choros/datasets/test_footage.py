"""Footage that choros is measured on, and that no training may see: clips, pictures and their truth, by content.

``test_footage.json`` beside this file lists them, SHA-256 -> [bytes, name]; whoever adds a test adds its files there
(`sha256sum`). A file is known whatever it is called and wherever it lies. What this cannot catch: a clip that was
cut, scaled or encoded anew, a video's frames saved as pictures, and what lies inside an archive; of sets that
``choros train pseudo-label`` made before the list was there, the names of their sources tell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from choros.errors import ChorosError
from choros.run_identity import sha256_of

LIST = Path(__file__).with_suffix(".json")


@cache
def listed() -> dict[str, tuple[int, str]]:
    """SHA-256 in hexadecimal -> bytes and name of every file of the list."""
    return {digest: (size, name) for digest, (size, name) in json.loads(LIST.read_text()).items()}


def refuse_test_footage(paths: Iterable[str | Path | None]) -> None:
    """Look through files and folders, at any depth, before anything learns from them; None is nothing.

    Only files as large as one of the list are read, so that a large folder costs a look at its names.
    Raises ``ChorosError`` naming the first file that is a test's. A path that does not exist is nobody's test:
    whoever opens it will say so.
    """
    sizes = {size for size, _ in listed().values()}
    for path in paths:
        for found, size in _files(path):
            if size in sizes and (digest := sha256_of(found)) in listed():
                raise ChorosError(
                    f"{found} is test footage ({listed()[digest][1]}): choros is measured on it and never trained on "
                    "it; take it out of what you give, and out of its labels."
                )


def refuse_test_sources(names: Iterable[str], where: Path) -> None:
    """The same for what was labelled before, of which only the names of its videos are kept.

    ``where`` is the file that tells them. Raises ``ChorosError`` naming both.
    """
    videos = {
        PurePosixPath(name).name for _, name in listed().values() if name.endswith((".avi", ".mp4", ".webm"))
    }
    for name in names:
        if name in videos:
            raise ChorosError(
                f"{where} says that {name} was labelled, which is test footage: choros is measured on it and never "
                "trained on it; label the set again without it."
            )


def _files(path: str | Path | None) -> Iterator[tuple[str, int]]:
    """Files at a path and below it, links followed, with their sizes in bytes."""
    if path is None or not os.path.exists(path):
        return
    if not os.path.isdir(path):
        yield str(path), os.path.getsize(path)
        return
    been = set()
    for folder, below, names in os.walk(path, followlinks=True):
        if (place := os.path.realpath(folder)) in been:
            below.clear()  # a link that leads round in a circle
            continue
        been.add(place)
        below.sort()
        for name in sorted(names):
            file = os.path.join(folder, name)
            if os.path.isfile(file):
                yield file, os.path.getsize(file)
