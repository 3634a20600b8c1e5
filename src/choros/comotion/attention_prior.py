"""Windows in the image: attention that begins around a joint instead of anywhere.

A head of a token adds the logarithm of a Gaussian about a point of its own to what its query makes of the keys, and
is told where, on average, it has looked. The paper's tokens must learn from nothing to find their person among all
cells; these begin there, and a wide window is still the paper's attention. The idea of a learned place beside the
learned content is that of Conditional DETR (Meng et al. 2021).

The Gaussian is a scalar product: -(x - p)^2 / 2s^2 is (p x - x^2 / 2) / s^2 but for what is the same for all x. So
it takes four more numbers per key and query, and the usual attention.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from choros.comotion.config import ComotionConfig
from choros.skeleton import JOINT_NAMES

#: Numbers that tell where a cell is: x, y and their squares, image sides from the middle.
N_WHERE = 4

#: Windows of new heads, standard deviations in sizes of the person; in turn, if there are more heads.
SPREADS = (0.08, 0.15, 0.3, 1.0)

#: The narrowest window, cells.
NARROWEST_CELLS = 0.6


class Anchors(NamedTuple):
    """Where M tokens of each person begin to look."""

    points_px: Tensor  # (B, N, M, 2)
    size_px: Tensor  # (B, N) of the person: what offsets and windows are measured in


def anchors_of(joints_px: Tensor, size_px: Tensor, config: ComotionConfig) -> Anchors:
    """The anchors of people whose joints (B, N, 24, 2) are there, in the image or not."""
    chosen = [JOINT_NAMES.index(name) for name in config.anchors]
    return Anchors(joints_px[..., chosen, :], size_px)


def whereabouts(centres: Tensor) -> Tensor:
    """Where cells are, (T, N_WHERE), whose `centres` are given as in `cell_centres`, (T, 2)."""
    at = centres - 0.5
    return torch.cat([at, at.square()], -1)


class AttentionWindows(nn.Module):
    """A window for each head of each token, and what is seen through it as numbers of the person's size."""

    def __init__(self, config: ComotionConfig) -> None:
        super().__init__()
        self.size_px = config.image_size_px
        self.narrowest = NARROWEST_CELLS * config.attention_stride / config.image_size_px
        self.heads = config.attention_width // config.head_width
        self.aim = nn.Linear(config.token_width, self.heads * 4)
        nn.init.normal_(self.aim.weight, std=0.01)
        spreads = torch.tensor([SPREADS[head % len(SPREADS)] for head in range(self.heads)]).log()
        with torch.no_grad():
            self.aim.bias.copy_(torch.stack([0 * spreads, 0 * spreads, spreads, spreads], -1).flatten())

    def forward(self, tokens: Tensor, anchors: Anchors) -> Tensor:
        """Normalised ``tokens`` (B, N, M, C) -> what to add to their queries, (B, heads, N * M, N_WHERE)."""
        offset, spread = self.aim(tokens).float().unflatten(-1, (self.heads, 4)).split(2, -1)
        middle, size = self._measures(anchors)
        middle = middle[..., None, :] + offset * size[..., None]  # (B, N, M, heads, 2)
        precision = (
            (spread.clamp(-5, 3).exp() * size[..., None]).clamp_min(self.narrowest).square().reciprocal()
        )
        where = torch.cat([middle * precision, -0.5 * precision], -1)
        return where.flatten(1, 2).transpose(1, 2)

    def seen(self, where: Tensor, anchors: Anchors) -> Tensor:
        """Means of `whereabouts` (B, heads, N * M, N_WHERE) that attention gave -> (B, N * M, heads * N_WHERE).

        The way there from the anchor, and the standard deviation: whether it looked at one thing.
        """
        mean, square = where.transpose(1, 2).unflatten(1, anchors.points_px.shape[1:3]).split(2, -1)
        middle, size = self._measures(anchors)
        way = (mean - middle[..., None, :]) / size[..., None]
        spread = (square - mean.square()).clamp_min(1e-4).sqrt() / size[..., None]
        return torch.cat([way.clamp(-4, 4), spread.clamp(max=4)], -1).flatten(1, 2).flatten(-2)

    def _measures(self, anchors: Anchors) -> tuple[Tensor, Tensor]:
        """Anchors as `whereabouts` tells places, (B, N, M, 2), and sizes (B, N, 1, 1), image sides."""
        points = (anchors.points_px / self.size_px - 0.5).clamp(-2, 2)
        return points, (anchors.size_px / self.size_px).clamp(0.01, 4)[..., None, None]
