"""The small perceptron that carries vectors into tokens and tokens into answers."""

from __future__ import annotations

from torch import nn


def perceptron(n_in: int, width: int, n_out: int, *, out_scale: float | None = None) -> nn.Sequential:
    """Two linear layers with a layer normalisation and GELU between (CoMotion, A.3).

    With ``out_scale`` the last layer starts without bias and with weights so small that the first answers
    are about that far from zero.
    """
    last = nn.Linear(width, n_out)
    if out_scale is not None:
        nn.init.normal_(last.weight, std=out_scale * width**-0.5)
        nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(n_in, width), nn.LayerNorm(width), nn.GELU(), last)
