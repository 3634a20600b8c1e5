"""The small keypoint network: MoveNet Lightning's trunk on a 3:4 crop of one person, and a map for each joint.

It is `MoveNetTrunk` with one of its heads, without the widest layer at the top. It learns what MoveNet is told by
its other heads: that the maps are of the person in the middle of the crop and of nobody else.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from choros import weights
from choros.backbones.movenet import (
    WIDTHS,
    SameConv2d,
    Separable,
    each_stage,
    finest_of_pyramid,
    mobilenet_stages,
    pyramid_laterals,
    pyramid_smooth,
)
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
        self.stages = mobilenet_stages(widths)
        self.laterals = pyramid_laterals(widths[7], widths)
        self.smooth = pyramid_smooth()
        self.head = nn.Sequential(Separable(24, 96), nn.Conv2d(96, len(COCO17), 1))

    def forward(self, images: Tensor) -> Tensor:
        """Crops (B, 3, H, W), RGB in -1..1, sides multiples of 32, to logits (B, 17, H / 4, W / 4)."""
        x = self.stem(images.contiguous(memory_format=torch.channels_last))
        stages = each_stage(self.stages, x)
        coarsest = self.laterals[0](stages[-1])
        maps: Tensor = self.head(finest_of_pyramid(coarsest, stages, self.laterals, self.smooth))
        return maps

    def freeze(self, stages: int) -> None:
        """Have the stem and the first so many stages stay as they are: they cost most and know edges already."""
        for part in (self.stem, *self.stages[:stages]):
            part.requires_grad_(False)


def begun_with(path: Path) -> KeypointNetwork:
    """A network with the weights of a file. Raises ``ChorosError`` for another file."""
    tensors, _ = weights.load(path, SYSTEM)
    network = KeypointNetwork()
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return network
