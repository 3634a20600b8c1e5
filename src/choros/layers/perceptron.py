"""Small perceptrons: one that carries vectors into tokens and tokens into answers, and one that adds to its input."""

from __future__ import annotations

from torch import Tensor, nn


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


class ResidualBlock(nn.Module):
    """Residual two-layer perceptron."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, width * expansion)
        self.down = nn.Linear(width * expansion, width)

    def forward(self, x: Tensor) -> Tensor:
        """Features (..., width) plus what the block adds to them, the same shape."""
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))
