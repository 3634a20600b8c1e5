"""What a user of the lifter may choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from choros.errors import ChorosError
from choros.tracking.pace import Pace


@dataclass(frozen=True)
class LifterOptions:
    """Raises ``ChorosError`` on choices that exclude each other."""

    accurate: bool = False
    """Slower, better keypoints, and people found in finer pictures."""
    fast: bool = False
    """The default, unless it is accurate."""
    heights_m: Mapping[int, float] = field(default_factory=dict)
    """How tall somebody is: 1.82 the first person, 3=1.82 person 3; their floor then tells the others."""
    search_s: float | None = None
    """Search for people this often, in seconds of the video (0.2), and follow them in between; else in every frame."""
    same_people: bool = False
    """After a cut, whoever is clearly dressed like somebody before it keeps their number; else all are new."""
    body_path: str | Path | None = None
    """Your own SMPL file (.pkl or .npz) instead of the open body."""
    weights_path: str | Path | None = None
    """Your own weights of the system, as choros train writes them."""

    def __post_init__(self) -> None:
        if self.fast and self.accurate:
            raise ChorosError("fast and accurate exclude each other; give one of them.")
        Pace(self.search_s or 0.0)  # refuses what is none
