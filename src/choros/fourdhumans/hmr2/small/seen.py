"""What a crop shows at a person's keypoints: MoveNet MultiPose's maps, sampled there and halfway along the limbs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from choros.backbones.movenet import FrozenMoveNet, MoveNetTrunk
from choros.fourdhumans.hmr2.small.config import CROP, LIMBS, N_HEATMAPS


class CropEyes:
    """The frozen trunk, all crops of a batch in one run; may be used from several threads.

    It may be ``rounded``, as of `FrozenMoveNet`.
    """

    def __init__(self, rounded: bool = False) -> None:
        self._trunk = FrozenMoveNet(MoveNetTrunk.pretrained(), rounded)

    def __call__(self, crops: NDArray[np.uint8], keypoints_px: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, ``N_POINTS``, ``N_FEATURES``) and which of them are seen, (B, ``N_POINTS``).

        Of crops (B, 192, 192, 3) RGB, whose people's COCO keypoints are at ``keypoints_px`` (B, 17, 2), px of the crop.
        """
        pictures = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255
        answers, *maps = self._trunk(pictures)
        points_px = with_limbs(keypoints_px)
        size = points_px.new_tensor(CROP.size_px)
        inside = ((points_px >= 0) & (points_px <= size)).all(-1)
        return sampled([answers[:, :N_HEATMAPS], *maps], points_px / size), inside


def sampled(maps: Sequence[Tensor], shares: Tensor) -> Tensor:
    """Maps (B, C_i, H_i, W_i) at points (B, P, 2), shares of the width and height, bilinearly: (B, P, sum of C_i).

    Outside a map all is zero.
    """
    grid = 2 * shares[:, :, None] - 1
    return torch.cat(
        [grid_sample(features, grid.to(features), align_corners=False)[..., 0].mT for features in maps], -1
    )


def with_limbs(points: Tensor) -> Tensor:
    """COCO's 17 points (..., 17, D) and the middles of limbs, (..., ``N_POINTS``, D)."""
    upper, lower = zip(*LIMBS, strict=True)
    return torch.cat([points, (points[..., upper, :] + points[..., lower, :]) / 2], -2)
