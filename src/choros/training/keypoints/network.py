"""The small keypoint network: MoveNet Lightning's trunk on a 3:4 crop of one person, and a map for each joint.

It is `MoveNetTrunk` with one of its heads, without the widest layer at the top. It learns what MoveNet is told by
its other heads: that the maps are of the person in the middle of the crop and of nobody else.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from choros import weights
from choros.backbones.movenet import PYRAMID, STAGES, WIDTHS, InvertedResidual, SameConv2d, Separable
from choros.detection.own import CROP_SIZE, SYSTEM
from choros.skeleton import COCO17

#: Of the crop, px, and of a cell of the maps.
(HEIGHT_PX, WIDTH_PX), CELL_PX = CROP_SIZE, 4


class KeypointNetwork(nn.Module):
    """MobileNetV2 and a feature pyramid (`choros.backbones.movenet`), and a head of heatmaps."""

    def __init__(self) -> None:
        super().__init__()
        widths = WIDTHS["lightning"]
        self.stem = SameConv2d(3, widths[0], 3, 2)
        self.stages = nn.ModuleList()
        for n_in, n_out, (blocks, stride) in zip(widths[:-1], widths[1:], STAGES, strict=True):
            expansion = 6 if self.stages else 1
            first = InvertedResidual(n_in, n_out, stride, expansion)
            more = (InvertedResidual(n_out, n_out, 1, expansion) for _ in range(blocks - 1))
            self.stages.append(nn.Sequential(first, *more))
        self.laterals = nn.ModuleList(
            nn.Conv2d(n_in, n_out, 1)
            for n_in, n_out in zip((widths[7], widths[4], widths[3], widths[2]), PYRAMID, strict=True)
        )
        self.smooth = nn.ModuleList([Separable(64, 32), Separable(32, 24), Separable(24, 24)])
        self.head = nn.Sequential(Separable(24, 96), nn.Conv2d(96, len(COCO17), 1))

    def forward(self, images: Tensor) -> Tensor:
        """Crops (B, 3, H, W), RGB in -1..1, sides multiples of 32, to logits (B, 17, H / 4, W / 4)."""
        x = self.stem(images.contiguous(memory_format=torch.channels_last))
        stages = []
        for stage in self.stages:
            x = stage(x)
            stages.append(x)
        pyramid = self.laterals[0](x)
        finer = (stages[3], stages[2], stages[1])  # at 1/16, 1/8 and 1/4
        for lateral, smooth, features in zip(self.laterals[1:], self.smooth, finer, strict=True):
            above = functional.interpolate(pyramid, scale_factor=2.0, mode="bilinear")
            pyramid = smooth(above + lateral(features))
        maps: Tensor = self.head(pyramid)
        return maps

    def freeze(self, stages: int) -> None:
        """Have the stem and the first so many stages stay as they are: they cost most and know edges already."""
        for part in (self.stem, *self.stages[:stages]):
            part.requires_grad_(False)


def begun_with(path: Path | None) -> KeypointNetwork:
    """A network with the weights of a file, or with those that ship. Raises ``ChorosError`` for another file."""
    tensors, _ = weights.load(path or weights.shipped("keypoints"), SYSTEM)
    network = KeypointNetwork()
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return network
