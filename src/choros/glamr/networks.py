"""GLAMR's two networks from a file: one that ``choros train`` wrote, or the authors' own checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from choros.checkpoints import what_is

if TYPE_CHECKING:
    from choros.glamr.infiller import MotionInfiller
    from choros.glamr.released.infiller import ReleasedInfiller
    from choros.glamr.released.trajectory import ReleasedPredictor
    from choros.glamr.trajectory import TrajectoryPredictor


def is_released(path: str | Path) -> bool:
    """Whether a file is a checkpoint of GLAMR's authors."""
    return what_is(path).system == "glamr"


def load_infiller(path: str | Path | None = None) -> MotionInfiller | ReleasedInfiller:
    """The motion infiller of a file, None the one that ships. Raises ``ChorosError`` if it is something else."""
    if path is not None and is_released(path):
        from choros.glamr.released.infiller import ReleasedInfiller

        return ReleasedInfiller.load(path)
    from choros.glamr.infiller import MotionInfiller

    return MotionInfiller.load(path)


def load_predictor(path: str | Path | None = None) -> TrajectoryPredictor | ReleasedPredictor:
    """The trajectory predictor of a file, None the one that ships. Raises ``ChorosError`` if it is something else."""
    if path is not None and is_released(path):
        from choros.glamr.released.trajectory import ReleasedPredictor

        return ReleasedPredictor.load(path)
    from choros.glamr.trajectory import TrajectoryPredictor

    return TrajectoryPredictor.load(path)
