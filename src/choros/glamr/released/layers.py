"""Layers of the released networks, with the names that their files have for them."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from choros.glamr.cvae import time_encoding


class Perceptron(nn.Module):
    """Linear layers with a ReLU after each."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.affine_layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """(..., n_in) to (..., n_out)."""
        for layer in self.affine_layers:
            x = relu(layer(x))
        return x


class Timed(nn.Module):
    """Tokens beside sinusoids of their frame, in one linear layer."""

    def __init__(self, n_in: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.fc = nn.Linear(n_in + width, width)

    def forward(self, tokens: Tensor, first: int = 0) -> Tensor:
        """(T, B, n_in) of the frames from ``first`` on to (T, B, width)."""
        T, B = tokens.shape[:2]
        time = time_encoding(first + T, self.width)[first:, None].to(tokens)
        return self.fc(torch.cat([tokens, time.expand(T, B, -1)], -1))


class BothWays(nn.Module):
    """An LSTM forwards and one backwards in time."""

    def __init__(self, n_in: int, width: int) -> None:
        super().__init__()
        self.rnn_f, self.rnn_b = nn.LSTMCell(n_in, width), nn.LSTMCell(n_in, width)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, n_in) to (T, B, 2 width)."""
        return torch.cat([_run(self.rnn_f, x), _run(self.rnn_b, x.flip(0)).flip(0)], -1)


def _run(cell: nn.LSTMCell, x: Tensor) -> Tensor:
    """All states (T, B, width), by torch's own loop over time."""
    weights = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
    none = x.new_zeros(1, x.shape[1], cell.hidden_size)
    return torch.lstm(x, (none, none), weights, True, 1, 0.0, False, False, False)[0]
