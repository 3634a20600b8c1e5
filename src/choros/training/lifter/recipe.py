"""The lifter's training in numbers: how long, how fast, and what each error weighs."""

from __future__ import annotations

from dataclasses import dataclass

from choros.training.mocap import MocapRecipe


@dataclass(frozen=True)
class LifterRecipe(MocapRecipe):
    """A run. Weights of the errors are for metres, radians and shares of the keypoints' spread."""

    steps: int = 12000
    ema: float = 0.998
    sample_every: int = 500
    weight_decay: float = 1e-4
    rotation: float = 0.5
    root_rotation: float = 3.0
    joints: float = 6.0
    velocity: float = 2.0
    reprojection: float = 1.0
    place: float = 1.0
    betas: float = 0.03
    spread: float = 0.05  # of the three heads that say how large the errors are
    #: Error by which one hypothesis beats another, at first and later.
    sharpness: tuple[float, float] = (1.0, 0.08)
    sharpened_by: float = 0.25  # of the steps
    shared: float = 0.03  # of the blame that all hypotheses share alike, so that none dies

    def sharpness_at(self, step: int) -> float:
        """How far errors must differ for one hypothesis to be blamed alone: from all alike to the nearest."""
        share = min(1.0, step / max(1.0, self.sharpened_by * self.steps))
        first, later = self.sharpness
        return float(first * (later / first) ** share)
