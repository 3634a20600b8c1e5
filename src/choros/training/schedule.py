"""The pace of a training run: the learning rate's rise and fall, and the slow average of the weights that ships."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def set_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Take steps at one learning rate from now on."""
    for group in optimiser.param_groups:
        group["lr"] = lr


def risen_and_fallen(lr: float, step: int, steps: int, warmup: int) -> float:
    """The learning rate of a step: rising in a line, falling along half a cosine, never below a hundredth."""
    share = min(1, (step + 1) / warmup) * 0.5 * (1 + np.cos(np.pi * step / steps))
    return float(lr * max(share, 0.01))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, ema: float, step: int) -> None:
    """Move the average towards the network after ``step`` steps, faster at first than ``ema`` says.

    Frozen parameters stay; what is no parameter is taken over as it is.
    """
    keep = min(ema, step / (step + 10))
    for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
        if fast.requires_grad:
            slow.lerp_(fast, 1 - keep)
    for kept, now in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(now)
