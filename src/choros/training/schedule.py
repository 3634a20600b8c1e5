"""The learning rate of a training run: it rises in a line and falls along half a cosine."""

from __future__ import annotations

import numpy as np


def warmup_cosine(step: int, steps: int, warmup: int, least: float = 0.0, least_fall: float = 0.0) -> float:
    """Share of the highest learning rate that the step after ``step`` of ``steps`` steps takes.

    It rises over ``warmup`` steps and falls over all of them; the fall ends at ``least_fall``, and the product of both
    is never below ``least``.
    """
    rise = min(1.0, (step + 1) / warmup)
    fall = 0.5 * (1 + np.cos(np.pi * step / steps))
    return float(max(rise * max(fall, least_fall), least))
