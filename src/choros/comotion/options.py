"""What a user of CoMotion may choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from choros.errors import ChorosError


@dataclass(frozen=True)
class ComotionOptions:
    """Raises ``ChorosError`` on choices that exclude each other."""

    accurate: bool = False
    """People found in finer pictures, better keypoints, image features not in eight bits; slower."""
    fast: bool = False
    """The default, unless it is accurate."""
    strict: bool = False
    """Only people whom the detector is certain of."""
    fit_keypoints: bool = True
    """Poses from pixels alone, as in the paper, whoever is detected not put on the keypoints in their box."""
    body_path: str | Path | None = None
    """Your own SMPL file (.pkl or .npz) instead of the open body."""
    weights_path: str | Path | None = None
    """Your own weights of the system, as choros train writes them, or the folder of its authors' checkpoints."""

    def __post_init__(self) -> None:
        if self.fast and self.accurate:
            raise ChorosError("fast and accurate exclude each other; give one of them.")
