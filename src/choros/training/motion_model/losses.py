"""The motion model's loss: flow matching with straight paths (Lipman et al. 2023)."""

from __future__ import annotations

from torch import Tensor


def on_the_way(noise: Tensor, codes: Tensor, time: Tensor) -> Tensor:
    """Where a straight path from noise to codes (B, C) is at a time (B, 1), 0 to 1."""
    return (1 - time) * noise + time * codes


def flow_loss(velocity: Tensor, noise: Tensor, codes: Tensor, importance: Tensor) -> Tensor:
    """Squared error of a velocity (B, C): the true one is the difference of codes and noise wherever on the way."""
    miss = velocity - (codes - noise)
    return (miss.square() * importance).mean()
