"""What both of GLAMR's conditional variational autoencoders are made of (appendices C and D)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Gaussian(NamedTuple):
    """A distribution of the latent code, (B, latent) each."""

    mean: Tensor
    log_std: Tensor

    def draw(self, noise: Tensor) -> Tensor:
        """The code that standard normal ``noise`` (..., B, latent) stands for."""
        return self.mean + self.log_std.exp() * noise

    def divergence(self, prior: Gaussian) -> Tensor:
        """How far this is from ``prior``: Kullback and Leibler's, (B,) nats."""
        ratio = (2 * (self.log_std - prior.log_std)).exp()
        apart = ((self.mean - prior.mean) / prior.log_std.exp()).square()
        return (0.5 * (ratio + apart - 1) + prior.log_std - self.log_std).sum(-1)


def token_perceptron(n_in: int, hidden: Sequence[int]) -> nn.Sequential:
    """Linear layers of the ``hidden`` sizes, a ReLU after each; for every token by itself."""
    return nn.Sequential(
        *[part for a, b in pairwise((n_in, *hidden)) for part in (nn.Linear(a, b), nn.ReLU())]
    )


def time_encoding(frames: int, width: int) -> Tensor:
    """Sinusoids (frames, width) of the frame's index, as Vaswani et al. 2017 encode positions."""
    angle = torch.arange(frames)[:, None] * torch.exp(torch.arange(0, width, 2) * (-math.log(1e4) / width))
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)
