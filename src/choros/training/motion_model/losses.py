"""The motion model's loss: flow matching with straight paths (Lipman et al. 2023)."""

from __future__ import annotations

from torch import Tensor


def on_the_way(noise: Tensor, codes: Tensor, time: Tensor) -> Tensor:
    """The point at ``time`` (B, 1), 0 to 1, of the straight path from ``noise`` to ``codes``, both (B, C)."""
    return (1 - time) * noise + time * codes


def flow_loss(velocity: Tensor, noise: Tensor, codes: Tensor, importance: Tensor) -> Tensor:
    """Weighted squared error of a velocity (B, C); the true one is ``codes - noise`` at every point of the path."""
    miss = velocity - (codes - noise)
    return (miss.square() * importance).mean()
