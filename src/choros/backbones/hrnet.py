"""HRNet: a high-resolution branch kept all the way, coarser ones beside it, each told by all (Wang et al. 2020).

The one that TRACE, BEV and ROMP look with, HRNet-W32. Names of parameters are those of their files and, where shapes
agree, of timm's. It is an `choros.backbones.trunk.ImageTrunk` of one map, the finest branch at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

#: Channels of the finest branch of W32; each coarser one has twice as many.
WIDTH = 32
#: Exchanges of stages 2, 3 and 4, of as many branches as the stage's number (Wang et al. 2020, section 3).
EXCHANGES = {2: 1, 3: 4, 4: 3}
#: Blocks of a branch between exchanges, and of the first stage.
BLOCKS = 4


def _conv(n_in: int, n_out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution and its normalisation."""
    return [nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(n_out)]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(width, width, 3)
        self.conv2, self.bn2 = _conv(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, width, H, W) to the same shape."""
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))) + x)


class Bottleneck(nn.Module):
    """Narrow, look around, widen, added to the input."""

    def __init__(self, n_in: int, narrow: int) -> None:
        super().__init__()
        wide = 4 * narrow
        self.conv1, self.bn1 = _conv(n_in, narrow, 1)
        self.conv2, self.bn2 = _conv(narrow, narrow, 3)
        self.conv3, self.bn3 = _conv(narrow, wide, 1)
        self.downsample = nn.Sequential(*_conv(n_in, wide, 1)) if n_in != wide else None

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, n_in, H, W) to (B, 4 * narrow, H, W)."""
        y = relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(relu(self.bn2(self.conv2(y)))))
        return relu(y + (x if self.downsample is None else self.downsample(x)))


class Exchange(nn.Module):
    """Blocks of each branch, then every branch added to every other, or to the finest alone."""

    def __init__(self, widths: Sequence[int], finest_alone: bool = False) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width) for _ in range(BLOCKS))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_between(widths, source, target) for source in range(len(widths)))
            for target in range(1 if finest_alone else len(widths))
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Features of each branch, finest first."""
        branches = [blocks(x) for blocks, x in zip(self.branches, branches, strict=True)]
        fused = []
        for layers in self.fuse_layers:
            parts = [layer(x) for layer, x in zip(layers.children(), branches, strict=True)]
            fused.append(relu(reduce(torch.add, parts)))
        return fused


def _between(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """What brings one branch's features to another's size."""
    if source == target:
        return nn.Identity()
    if source > target:
        up = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(*_conv(widths[source], widths[target], 1), up)
    steps = [
        nn.Sequential(*_conv(widths[source], widths[source], 3, 2), nn.ReLU())
        for _ in range(target - source - 1)
    ]
    return nn.Sequential(*steps, nn.Sequential(*_conv(widths[source], widths[target], 3, 2)))


class HrNet(nn.Module):
    """HRNet-W32 without a head: pictures to the finest branch, 32 channels at a quarter of their size."""

    channels, strides = (WIDTH,), (4,)

    def __init__(self) -> None:
        super().__init__()
        widths = [WIDTH * 2**branch for branch in range(4)]
        self.conv1, self.bn1 = _conv(3, 64, 3, 2)
        self.conv2, self.bn2 = _conv(64, 64, 3, 2)
        self.layer1 = nn.Sequential(*(Bottleneck(256 if block else 64, 64) for block in range(BLOCKS)))
        self.transition1 = nn.ModuleList(
            [
                nn.Sequential(*_conv(256, widths[0], 3), nn.ReLU()),
                nn.Sequential(nn.Sequential(*_conv(256, widths[1], 3, 2), nn.ReLU())),
            ]
        )
        self.transition2 = _one_more(widths[:3])
        self.transition3 = _one_more(widths)
        for stage, exchanges in EXCHANGES.items():
            last = [stage == 4 and number == exchanges - 1 for number in range(exchanges)]
            setattr(
                self, f"stage{stage}", nn.Sequential(*(Exchange(widths[:stage], alone) for alone in last))
            )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W), RGB in 0..1, sides multiples of 32, to one map (B, 32, H / 4, W / 4)."""
        return [self.normalised(images * 2 - 1)]

    def normalised(self, x: Tensor) -> Tensor:
        """Images (B, 3, H, W) in -1..1 as the released network takes them, to (B, 32, H / 4, W / 4)."""
        x = relu(self.bn1(self.conv1(x)))
        x = self.layer1(relu(self.bn2(self.conv2(x))))
        branches = [transition(x) for transition in self.transition1]
        branches = self.get_submodule("stage2")(branches)
        for stage, transition in ((3, self.transition2), (4, self.transition3)):
            branches = [*branches, transition[stage - 1](branches[-1])]
            branches = self.get_submodule(f"stage{stage}")(branches)
        return branches[0]


def _one_more(widths: Sequence[int]) -> nn.ModuleList:
    """The layer that opens a branch from the coarsest before it; those before it stay."""
    new = nn.Sequential(nn.Sequential(*_conv(widths[-2], widths[-1], 3, 2), nn.ReLU()))
    return nn.ModuleList([*(nn.Identity() for _ in widths[:-1]), new])
