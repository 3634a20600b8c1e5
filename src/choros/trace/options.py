"""What a user of TRACE may choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from choros.errors import ChorosError


@dataclass(frozen=True)
class TraceOptions:
    """Raises ``ChorosError`` on choices that cannot be."""

    fast: bool = False
    """Image features in eight bits, a little less exact; on the CPU alone."""
    fit_keypoints: bool = True
    """Poses from the maps alone, as in the paper, nobody put on the keypoints that the same look shows of them."""
    detect_boxes: bool = True
    """The map of centres alone finds people, as in the paper, and no person detector beside it."""
    flow: bool = True
    """The network is told of no optical flow: the supplement's ablation."""
    gru: bool = True
    """Features carry nothing over in the recurrent memory: the supplement's ablation."""
    memory: bool = True
    """Nobody is remembered who is not seen: the paper's ablation."""
    subjects: int | None = None
    """Follow so many people of the first frame, the nearest, as the paper does, and nobody else."""
    body_path: str | Path | None = None
    """Your own SMPL file (.pkl or .npz) instead of the open body."""
    weights_path: str | Path | None = None
    """Your own weights of the system, as choros train writes them."""

    def __post_init__(self) -> None:
        if self.subjects is not None and self.subjects < 1:
            raise ChorosError(f"{self.subjects} subjects are nobody to follow; give 1 or more.")
