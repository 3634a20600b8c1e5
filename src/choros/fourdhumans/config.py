"""Every number of the pose transformer, with its source; the defaults are the paper's, "small" is for one CPU core.

The sizes differ in numbers only: there is one code path.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PoseTransformerConfig:
    """The pose transformer (supplement S.4)."""

    width: int = 256  # S.4
    heads: int = 8  # S.4
    layers: int = 6  # S.4
    expansion: int = 4  # ours: hidden units of a layer's perceptron, in widths
    tokens: int = 128  # S.4: observations and questions of a window together
    spacing_s: float = 1 / 30  # ours: of several observations closer than that one is a token
    shortest_period_s: float = 0.1  # ours, as the next: waves by which attention tells times apart
    longest_period_s: float = 30.0


POSE_TRANSFORMER_PRESETS = {
    "paper": PoseTransformerConfig(),
    "small": PoseTransformerConfig(width=128, heads=4, layers=4, expansion=2),
}
