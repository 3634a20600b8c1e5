"""Things that stand in a scene's way: to walk behind, or to sit on; places on the floor in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Obstacle:
    """Something to walk behind, or to sit on: a pole, a wall across the view, a bench."""

    x: float
    y: float
    radius_m: float  # of a pole; of other things half their depth
    half_width_m: float = 0.0  # along x; 0 for what is round
    height_m: float | None = None  # None leaves it to the place
    seat: bool = False  # made to sit on: a bench, a step, a stool

    def distance_m(self, places: Floats) -> Floats:
        """From places (..., 2) on the floor, (...,)."""
        beside = np.maximum(np.abs(places[..., 0] - self.x) - self.half_width_m, 0)
        return np.hypot(beside, places[..., 1] - self.y) - self.radius_m
