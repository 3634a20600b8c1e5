"""Windows in the image: attention that begins where a joint is thought to be and looks for what it looks like.

A head of a token adds two things to what its query makes of the keys: the logarithm of a Gaussian about a point of
its own, and the heatmaps of keypoints, at first that of the token's own joint. It is told where, on average, it has
looked. The paper's tokens must learn from nothing to find their person among all cells, which takes its many steps;
these begin as a detector of the person's joints, and what a wide window adds is the paper's attention. A learned
place beside a learned content is the idea of Conditional DETR (Meng et al. 2021).

The Gaussian is a scalar product: -(x - p)^2 / 2s^2 is (p x - x^2 / 2) / s^2 but for what is the same for all x. So
all of it takes some more numbers per key and query, and the usual attention.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from choros.body.skeleton import COCO17, JOINT_NAMES
from choros.comotion.config import ComotionConfig

#: Numbers that tell where a cell is: x, y and their squares, image sides from the middle.
N_WHERE = 4

#: Windows of new heads, standard deviations in sizes of the person; in turn, if there are more heads.
SPREADS = (0.08, 0.15, 0.3, 1.0)

#: The narrowest window, cells.
NARROWEST_CELLS = 0.6

#: Attention is fast for widths that are multiples of this.
EVEN = 8

#: Keypoints that show where a joint is which has another name among them; heads take them in turn.
SHOWN_BY = {"pelvis": ("left_hip", "right_hip"), "head": ("nose", "left_ear", "right_ear")}


class Anchors(NamedTuple):
    """Where M tokens of each person begin to look."""

    points_px: Tensor  # (B, N, M, 2)
    size_px: Tensor  # (B, N) of the person: what offsets and windows are measured in


def anchors_of(joints_px: Tensor, size_px: Tensor, config: ComotionConfig) -> Anchors:
    """The anchors of people whose joints (B, N, 24, 2) are there, in the image or not."""
    chosen = [JOINT_NAMES.index(name) for name in config.anchors]
    return Anchors(joints_px[..., chosen, :], size_px)


def n_beside(config: ComotionConfig) -> int:
    """Numbers beside a head's key or value: `beside`."""
    return -(-(config.head_width + config.n_keypoints + N_WHERE) // EVEN) * EVEN - config.head_width


def beside(heatmaps: Tensor, centres: Tensor, config: ComotionConfig) -> Tensor:
    """What keys and values tell beside their content, (B, T, n_beside).

    ``heatmaps`` (B, T, n_keypoints) logits; ``centres`` (T, 2) of the cells as in `cell_centres`.
    """
    at = centres - 0.5
    where = torch.cat([at, at.square()], -1).expand(len(heatmaps), -1, -1)
    filling = where.new_zeros(*where.shape[:2], n_beside(config) - config.n_keypoints - N_WHERE)
    return torch.cat([heatmaps.clamp(-8, 8), where, filling], -1)


class Windows(nn.Module):
    """A window for each head of each token, and what is seen through it as numbers of the person's size."""

    def __init__(self, config: ComotionConfig) -> None:
        super().__init__()
        self.size_px = config.image_size_px
        self.narrowest = NARROWEST_CELLS * config.stride / config.image_size_px
        self.heads = config.attention_width // config.head_width
        self.filling = n_beside(config) - config.n_keypoints - N_WHERE
        self.n_keypoints = config.n_keypoints
        self.n_seen = self.heads * (config.n_keypoints + N_WHERE)
        self.aim = nn.Linear(config.token_width, self.heads * 4)
        nn.init.normal_(self.aim.weight, std=0.01)
        spreads = torch.tensor([SPREADS[head % len(SPREADS)] for head in range(self.heads)]).log()
        wanted = torch.zeros(config.tokens, self.heads, config.n_keypoints)
        for token, name in enumerate(config.anchors):
            names = SHOWN_BY.get(name, (name,))
            for head in range(self.heads):
                wanted[token, head, COCO17.index(names[head % len(names)])] = 1
        with torch.no_grad():
            self.aim.bias.copy_(torch.stack([0 * spreads, 0 * spreads, spreads, spreads], -1).flatten())
        self.wanted = nn.Parameter(wanted)

    def forward(self, tokens: Tensor, anchors: Anchors) -> Tensor:
        """Normalised ``tokens`` (B, N, M, C) -> what to put beside their queries, (B, heads, N * M, n_beside)."""
        offset, spread = self.aim(tokens).float().unflatten(-1, (self.heads, 4)).split(2, -1)
        middle, size = self._measures(anchors)
        middle = middle[..., None, :] + offset * size[..., None]  # (B, N, M, heads, 2)
        precision = (
            (spread.clamp(-5, 3).exp() * size[..., None]).clamp_min(self.narrowest).square().reciprocal()
        )
        wanted = self.wanted.float().expand(*tokens.shape[:2], -1, -1, -1)
        filling = wanted.new_zeros(*wanted.shape[:-1], self.filling)
        beside = torch.cat([wanted, middle * precision, -0.5 * precision, filling], -1)
        return beside.flatten(1, 2).transpose(1, 2)

    def seen(self, means: Tensor, anchors: Anchors) -> Tensor:
        """Means of `beside` (B, heads, N * M, n_beside) that attention gave -> (B, N * M, n_seen).

        The heatmaps there, the way there from the anchor, and the standard deviation: whether it was one thing.
        """
        means = means.transpose(1, 2).unflatten(1, anchors.points_px.shape[1:3])  # (B, N, M, heads, ...)
        heatmaps, mean, square, _ = means.split([self.n_keypoints, 2, 2, self.filling], -1)
        middle, size = self._measures(anchors)
        way = (mean - middle[..., None, :]) / size[..., None]
        spread = (square - mean.square()).clamp_min(1e-6).sqrt() / size[..., None]
        return torch.cat([heatmaps, way.clamp(-4, 4), spread.clamp(max=4)], -1).flatten(1, 2).flatten(-2)

    def _measures(self, anchors: Anchors) -> tuple[Tensor, Tensor]:
        """Anchors as `beside` tells places, (B, N, M, 2), and sizes (B, N, 1, 1), image sides."""
        points = (anchors.points_px / self.size_px - 0.5).clamp(-2, 2)
        return points, (anchors.size_px / self.size_px).clamp(0.01, 4)[..., None, None]
