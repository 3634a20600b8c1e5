"""A clip of a batch: where it is, what is told of its camera and people, and the folder that it gets."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from choros.errors import ChorosError
from choros.options import Matrix, TrackOptions, heights_of

#: What may stand in a folder's name on every file system.
_STRANGE = re.compile(r"[^\w.+@-]+")
LONGEST = 100  # letters of a name


@dataclass(frozen=True)
class Clip:
    """One video and what is told of it alone; None is what the whole batch is told.

    ``source`` is a path or an address of fsspec, ``lens`` a calibration file, ``subjects`` statures by person.
    """

    source: str
    name: str = ""  # of its folder; made by `named` where nobody says it
    start_s: float | None = None
    end_s: float | None = None
    focal_px: float | None = None
    fov_deg: float | None = None
    K: Matrix | None = None
    lens: str | None = None
    rotate: int | None = None
    subjects: tuple[tuple[int, float], ...] = ()  # person, metres

    def request(self) -> dict[str, Any]:
        """What is asked for, for JSON: all but the name, and no more than was told."""
        told = {key: value for key, value in asdict(self).items() if value not in (None, (), "")}
        told.pop("name", None)
        made: dict[str, Any] = json.loads(json.dumps(told))
        return made

    def options(self, usual: TrackOptions) -> TrackOptions:
        """What to track with which camera: ``usual`` but for what is told of this clip.

        Raises ``ChorosError`` for numbers that no camera or video has, and a lens file that cannot be read.
        """
        told = {"start_s": self.start_s, "end_s": self.end_s, "rotate": self.rotate}
        own: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
        camera = {"focal_px": self.focal_px, "fov_deg": self.fov_deg, "K": self.K}
        if any(value is not None for value in (*camera.values(), self.lens)):
            calibration = None
            if self.lens is not None:
                from choros.camera.calibration import Calibration

                calibration = Calibration.load(Path(self.lens))
            own |= camera | {"calibration": calibration}
        return replace(usual, **own)


def named(clips: Iterable[Clip]) -> list[Clip]:
    """The clips in order of their names, each once, each with a name of its own.

    A name is that of the file; where several would have one, or a name was told twice, each gets some letters of the
    hash of what is asked for, whatever the order they come in.
    """
    once = {json.dumps([clip.name, clip.request()], sort_keys=True): clip for clip in clips}
    called = [
        replace(clip, name=_plain(clip.name or clip.source.rstrip("/").rpartition("/")[2]))
        for clip in once.values()
    ]
    count = Counter(clip.name.casefold() for clip in called)
    apart = [
        clip if count[clip.name.casefold()] == 1 else replace(clip, name=f"{clip.name}-{_hash(clip)}")
        for clip in called
    ]
    return sorted(apart, key=lambda clip: clip.name)


def subjects_of(text: str) -> tuple[tuple[int, float], ...]:
    """Statures as ``1.82`` or ``1=1.82 3=1.65``, metres by person. Raises ``ChorosError`` for anything else."""
    return tuple(sorted(heights_of(re.findall(r"[^\s;,]+", text), "subjects").items()))


def matrix_of(numbers: Iterable[float]) -> Matrix:
    """Intrinsics of fx fy cx cy or of nine numbers row by row, px. Raises ``ChorosError`` for other counts."""
    n = tuple(float(one) for one in numbers)
    if len(n) == 4:
        return (n[0], 0.0, n[2]), (0.0, n[1], n[3]), (0.0, 0.0, 1.0)
    if len(n) == 9:
        return (n[0], n[1], n[2]), (n[3], n[4], n[5]), (n[6], n[7], n[8])
    raise ChorosError(f"K is nine numbers or fx fy cx cy, not {len(n)} numbers.")


def _plain(name: str) -> str:
    plain = _STRANGE.sub("_", name).strip("._") or "clip"
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}"


def _hash(clip: Clip) -> str:
    return hashlib.sha256(json.dumps(clip.request(), sort_keys=True).encode()).hexdigest()[:8]
