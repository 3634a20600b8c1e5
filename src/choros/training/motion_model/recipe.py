"""The motion model's training in numbers: how long, how fast, and which windows of motion are learned from."""

from __future__ import annotations

from dataclasses import dataclass

from choros.training.mocap import MocapRecipe


@dataclass(frozen=True)
class MotionModelRecipe(MocapRecipe):
    """A run."""

    steps: int = 6000
    ema: float = 0.998
    checkpoint_every: int = 500
    sample_every: int = 500
    weight_decay: float = 0.01
    batch: int = 384
    begin_rate: float = 0.12  # windows learned without their past, for how motions begin
    past_noise: float = 0.35  # at most, of the past's codes: what was generated is never quite real
    component_windows: int = 16384  # drawn for the principal components
    tempos: tuple[float, ...] = (0.85, 1.0, 1.18)
    lowest_pelvis: float = 0.55  # leg lengths: nobody lies or crawls
    largest_tilt_rad: float = 1.2
    travel: float = 1.4  # leg lengths at most within a window
    grounded: float = 0.5  # share of a window's rows in which a foot stands, at least
