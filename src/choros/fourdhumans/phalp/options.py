"""What a user of 4DHumans may choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class PhalpOptions:
    """The switches leave out a part of PHALP' at a time, for whoever wants to know what it is worth."""

    engine: Literal["hmr2", "lifter", "comotion"] = "hmr2"
    """What poses people in a picture."""
    accurate: bool = False
    """Slower, better keypoints, and people found in finer pictures."""
    appearance: bool = True
    """People are told apart without what they look like."""
    pose: bool = True
    """People are told apart without how they move."""
    place: bool = True
    """People are told apart without where they are."""
    pose_transformer: bool = True
    """People are predicted to turn their joints on at constant velocity, in place of the pose transformer."""
    body_path: str | Path | None = None
    """Your own SMPL file (.pkl or .npz) instead of the open body."""
    weights_path: str | Path | None = None
    """Your own weights of the system, as choros train writes them."""
