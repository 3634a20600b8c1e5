"""Who is in a frame, from its map of centres in depth: cells higher than all about them (TRACE 3.2, as BEV's)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool3d


@dataclass(frozen=True)
class CentreRules:
    """How centres are told in a volume of the paper's size; release."""

    window: int = 5  # cells to a side in which a centre is the highest
    most: int = 64  # of a frame


def find_centres(centre_3d: Tensor, least: float, rules: CentreRules | None = None) -> tuple[Tensor, Tensor]:
    """Places (n, 3), depth, y and x, of one frame's volume (D, H, W), and their heights (n,), the highest first.

    Those of ``least`` height and more; of cells as high as one another in a window, all.
    """
    rules = rules or CentreRules()
    pooled = max_pool3d(centre_3d[None], rules.window, 1, rules.window // 2)[0]
    peaks = torch.where((centre_3d == pooled) & (centre_3d >= least), centre_3d, -torch.inf)
    heights, at = peaks.flatten().topk(min(rules.most, peaks.numel()))
    at, heights = at[heights.isfinite()], heights[heights.isfinite()]
    _, rows, columns = centre_3d.shape
    places = torch.stack([at // (rows * columns), at // columns % rows, at % columns], -1)
    return places, heights
