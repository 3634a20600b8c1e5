"""MoveNet's trunk (Google, Apache-2.0): MobileNetV2 and a feature pyramid, taught to find people's keypoints.

It makes the small CoMotion begin with something that has seen real people; `benchmarks/trunks.py` compares it
with others. Blocks are those of MobileNetV2 (Sandler et al. 2018, table 2), batch normalisation folded into the
convolutions; the weights come from `tools/build_trunks.py`. To look without learning, on the CPU, there is the same
by onnxruntime, whose graph comes from `tools/build_trunk_graph.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from choros import weights
from choros.onnx_session import Network

#: What the file of weights says it is for.
SYSTEM = "movenet-multipose"
#: Channels of MobileNetV2's stem and seven stages, whose multiplier is 1 and 1.5.
WIDTHS = {
    "lightning": (32, 16, 24, 32, 64, 96, 160, 320),
    "multipose": (48, 24, 40, 48, 96, 144, 240, 480),
}
#: Blocks and the first one's stride of MobileNetV2's stages.
STAGES = ((1, 1), (2, 2), (3, 2), (4, 2), (3, 1), (3, 2), (1, 1))
PYRAMID = (64, 64, 32, 24)  # channels that 1/32, 1/16, 1/8 and 1/4 come down to before they are joined
HEADS = {"heatmap": 17, "regress": 34}  # channels of MoveNet's own answers that are of use
MAPS = ("answers", "fine", "middle", "coarse", "coarsest")
#: Ways from the middle of a person to a keypoint, y and x, are told as so many spreads of the map for each cell: less
#: than the way is, measured on 120 pictures of COCO val2017 with true keypoints.
WAY = (0.15, 0.22)
#: Of the spread of a map: that eight bits move it by no more where their sums do not overflow.
OVERFLOW = 0.25


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME and, if ``clipped``, cut to 0..6.

    SAME at stride 2, for even sides, pads one pixel more after than before. Padding both sides alike and dropping
    the first row and column of what comes out is that, and spares a copy of the larger input.
    """

    def __init__(
        self, n_in: int, n_out: int, kernel: int = 1, stride: int = 1, groups: int = 1, clipped: bool = True
    ) -> None:
        super().__init__(n_in, n_out, kernel, stride, (kernel + stride - 1) // 2, groups=groups)
        self.clipped = clipped

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, n_in, H, W), sides even, to (B, n_out, H / stride, W / stride)."""
        y = super().forward(x)
        if self.stride[0] == 2:
            y = y[..., 1:, 1:]
        return functional.hardtanh_(y, 0.0, 6.0) if self.clipped else y


class InvertedResidual(nn.Module):
    """Widen, look around, narrow (Sandler et al. 2018, figure 3), without normalisation."""

    def __init__(self, n_in: int, n_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = n_in * expansion
        self.expand = SameConv2d(n_in, width) if expansion > 1 else None
        self.depthwise = SameConv2d(width, width, 3, stride, groups=width)
        self.project = SameConv2d(width, n_out, clipped=False)
        self.residual = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, n_in, H, W) to (B, n_out, H / stride, W / stride)."""
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.residual else y


class Separable(nn.Module):
    """Around each channel, then across channels."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(n_in, n_in, 3, padding=1, groups=n_in, bias=False)
        self.pointwise = nn.Conv2d(n_in, n_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, n_in, H, W) to (B, n_out, H, W)."""
        return functional.relu_(self.pointwise(self.depthwise(x)))


def mobilenet_stages(widths: Sequence[int]) -> nn.ModuleList:
    """MobileNetV2's seven stages, of ``widths`` channels, the stem's first."""
    stages = nn.ModuleList()
    for n_in, n_out, (blocks, stride) in zip(widths[:-1], widths[1:], STAGES, strict=True):
        expansion = 6 if stages else 1
        first = InvertedResidual(n_in, n_out, stride, expansion)
        more = (InvertedResidual(n_out, n_out, 1, expansion) for _ in range(blocks - 1))
        stages.append(nn.Sequential(first, *more))
    return stages


def pyramid_laterals(top: int, widths: Sequence[int]) -> nn.ModuleList:
    """What brings ``top`` channels at 1/32, and the stages at 1/16, 1/8 and 1/4, down to those of the pyramid."""
    channels = (top, widths[4], widths[3], widths[2])
    return nn.ModuleList(nn.Conv2d(n_in, n_out, 1) for n_in, n_out in zip(channels, PYRAMID, strict=True))


def pyramid_smooth() -> nn.ModuleList:
    """What smooths each level of the pyramid once it is joined, coarse to fine."""
    return nn.ModuleList([Separable(64, 32), Separable(32, 24), Separable(24, 24)])


def each_stage(stages: nn.ModuleList, x: Tensor) -> list[Tensor]:
    """What every stage makes of the stem's features."""
    features = []
    for stage in stages:
        x = stage(x)
        features.append(x)
    return features


def finest_of_pyramid(
    coarsest: Tensor, stages: Sequence[Tensor], laterals: nn.ModuleList, smooths: nn.ModuleList
) -> Tensor:
    """The pyramid at 1/4, joined from ``coarsest`` at 1/32 and what the stages made, level by level."""
    pyramid = coarsest
    finer = (stages[3], stages[2], stages[1])  # at 1/16, 1/8 and 1/4
    for lateral, smooth, features in zip(laterals[1:], smooths, finer, strict=True):
        above = functional.interpolate(pyramid, scale_factor=2.0, mode="bilinear")
        pyramid = smooth(above + lateral(features))
    return pyramid


class MoveNetTrunk(nn.Module):
    """An `ImageTrunk`: MoveNet's own answers and its pyramid at 1/4, MobileNetV2 at 1/8, 1/16 and, narrowed, 1/32.

    The answers are the logits of COCO's keypoints being in a cell and, in the middle of a person, the way from
    there to each of them, in cells: the one part of the maps that tells people apart.
    ``variant`` is a key of ``WIDTHS``. What comes out is divided by ``..._scale``, its channels' usual spread on
    pictures, so that all maps weigh alike in what they are fused to.
    """

    strides = (4, 4, 8, 16, 32)

    def __init__(self, variant: str = "multipose") -> None:
        super().__init__()
        self.variant, widths = variant, WIDTHS[variant]
        self.channels = (sum(HEADS.values()), PYRAMID[3], widths[3], widths[5], PYRAMID[0])
        self.stem = SameConv2d(3, widths[0], 3, 2)
        self.stages = mobilenet_stages(widths)
        self.top = SameConv2d(widths[7], 1280)
        self.laterals = pyramid_laterals(1280, widths)
        self.smooth = pyramid_smooth()
        self.heads = nn.ModuleDict(
            {name: nn.Sequential(Separable(24, 96), nn.Conv2d(96, n_out, 1)) for name, n_out in HEADS.items()}
        )
        for name, channels in zip(MAPS, self.channels, strict=True):
            self.register_buffer(f"{name}_scale", torch.ones(channels, 1, 1))

    @classmethod
    def pretrained(cls) -> MoveNetTrunk:
        """MultiPose with the weights that ship. Raises `ChorosError` if the installation lacks them."""
        tensors, _ = weights.load(weights.shipped("trunk"), SYSTEM)
        trunk = cls()
        trunk.load_state_dict(tensors)
        return trunk

    def is_pretrained(self) -> bool:
        """Whether its weights are still those that ship."""
        shipped = MoveNetTrunk.pretrained().state_dict()
        return all(torch.equal(mine.cpu(), shipped[name]) for name, mine in self.state_dict().items())

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W), RGB in 0..1, sides multiples of 32, to the maps named in ``MAPS``."""
        x = self.stem((images * 2 - 1).contiguous(memory_format=torch.channels_last))
        stages = each_stage(self.stages, x)
        coarsest = self.laterals[0](self.top(stages[-1]))
        pyramid = finest_of_pyramid(coarsest, stages, self.laterals, self.smooth)
        answers = torch.cat([head(pyramid) for head in self.heads.values()], 1)
        maps = (answers, pyramid, stages[2], stages[4], coarsest)
        return [
            features / self.get_buffer(f"{name}_scale") for name, features in zip(MAPS, maps, strict=True)
        ]


class FrozenMoveNet:
    """An `ImageTrunk`: a "multipose" `MoveNetTrunk` as it is now, on the CPU, by onnxruntime, without gradients.

    It gives the same maps within rounding, sooner, with two threads, or with one where torch has one. If it may be
    ``rounded`` and its weights are those that ship, MobileNetV2 is computed in whole numbers of eight bits, unless the
    processor's sums of these overflow: in half the time or less, while maps move by a quarter of their spread.
    It may be called from several threads. Raises `ChorosError` if the installation lacks its graphs.
    """

    strides = MoveNetTrunk.strides

    def __init__(self, trunk: MoveNetTrunk, rounded: bool = False) -> None:
        self.channels = trunk.channels
        threads = min(2, torch.get_num_threads())
        tensors = {name: tensor.numpy().copy() for name, tensor in trunk.state_dict().items()}
        graph = weights.shipped("trunk-graph")  # it names the weights of "multipose" and holds none
        self._network = Network(graph, threads, tensors)
        if rounded and trunk.is_pretrained():
            self._to_eight_bits(threads)

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W), RGB in 0..1, sides multiples of 32, to the maps named in ``MAPS``."""
        maps = self._network.run(MAPS, {"images": images.numpy(force=True)})  # channels last
        return [torch.from_numpy(features).permute(0, 3, 1, 2) for features in maps]

    def _to_eight_bits(self, threads: int) -> None:
        """Take the graph in eight bits if it sees in noise about what the exact one does.

        Without VNNI, x86 adds pairs of products in 16 bits, which overflow.
        """
        coarse = Network(weights.shipped("trunk-int8"), threads)
        noise = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
        exact, seen = (network.run(["fine"], {"images": noise})[0] for network in (self._network, coarse))
        if np.abs(seen - exact).mean() < OVERFLOW * np.abs(exact - exact.mean()).mean():
            self._network = coarse
