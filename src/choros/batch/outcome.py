"""What became of a clip, in a file beside its motion; and the table of all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from choros.batch.clips import Clip
from choros.errors import ChorosError
from choros.outputs import atomic_path, atomic_write

OUTCOME, MOTION = "outcome.json", "motion.npz"
TABLE, LINES = "batch.parquet", "batch.jsonl"

BEGUN, DONE, FAILED, CRASHED = "begun", "done", "failed", "crashed"
TOO_LONG, TOO_LARGE, STOPPED = "over its time", "over its memory", "stopped"


@dataclass(frozen=True)
class Outcome:
    """How a clip went. ``took_s`` and ``memory_mb`` are of the run that ended it, all else follows from the clip."""

    name: str
    source: str
    status: str
    request: Mapping[str, Any] = field(default_factory=dict)  # what was asked for
    frames: int = 0
    people: int = 0
    video_s: float = 0.0  # from the first frame to the last
    gaps: int = 0
    lost: str = ""  # which, in words
    warnings: str = ""
    error: str = ""
    input: Mapping[str, Any] = field(default_factory=dict)  # size and time of change of the file
    motion_sha256: str = ""
    tracks_sha256: str = ""
    took_s: float = 0.0
    memory_mb: float = 0.0

    def write(self, folder: Path) -> None:
        """As the ``outcome.json`` of its folder."""
        with atomic_write(folder / OUTCOME) as file:
            file.write(json.dumps(asdict(self), indent=1).encode())

    def row(self) -> dict[str, Any]:
        """For the table: what is nested as JSON."""
        return {
            name: json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value
            for name, value in asdict(self).items()
        }


def read_outcome(folder: Path) -> Outcome | None:
    """What an earlier run left; None if there is none, or it was not written by this version."""
    try:
        told = json.loads((folder / OUTCOME).read_text(encoding="utf-8"))
        return Outcome(**{one.name: told[one.name] for one in fields(Outcome)})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_done(clip: Clip, folder: Path) -> Outcome | None:
    """The outcome of a clip that is done and has not changed since: neither what is asked for, nor its file."""
    found = read_outcome(folder)
    if (
        found is None
        or found.status != DONE
        or found.request != clip.request()
        or not (folder / MOTION).is_file()
    ):
        return None
    return found if found.input == state_of(clip.source) else None


def state_of(source: str) -> dict[str, Any]:
    """Size and time of change of a file; nothing of a folder or an address, which are taken as they were."""
    path = Path(source)
    if "://" in source or not path.is_file():
        return {}
    stat = path.stat()
    return {"bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}


def write_table(outcomes: Iterable[Outcome], folder: Path) -> Path:
    """All outcomes by name, as ``batch.parquet``, or ``batch.jsonl`` where pyarrow is not installed."""
    rows = [one.row() for one in sorted(outcomes, key=lambda one: one.name)]
    try:
        import pyarrow
        from pyarrow.parquet import write_table as write
    except ImportError:
        with atomic_write(folder / LINES) as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows).encode())
        return folder / LINES
    with atomic_path(folder / TABLE) as path:
        write(pyarrow.Table.from_pylist(rows), path)
    return folder / TABLE


def check_same_batch(folder: Path, choices: Mapping[str, Any]) -> None:
    """Note what a batch was told; raise ``ChorosError`` if the one that began here was told otherwise."""
    path = folder / "batch.json"
    now = json.loads(json.dumps(choices))
    try:
        then = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        with atomic_write(path) as file:
            file.write(json.dumps(now, indent=1).encode())
        return
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            raise ChorosError(
                f"{folder} was begun with {name} {_said(then.get(name))}, this batch is with {_said(now.get(name))}; "
                "give the same choice, or name another folder."
            )


def _said(value: Any) -> str:
    return "as it comes" if value in (None, "", {}, []) else json.dumps(value)
