"""The image trunk: any network that turns pictures into features of several scales, chosen by name.

The encoder needs no more of it than `ImageTrunk` says, so pretrained networks of any kind can serve.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

from choros.comotion.convnext import ConvNextV2
from choros.comotion.trunk_movenet import FrozenMoveNet, MoveNetTrunk
from choros.errors import ChorosError

#: Sides of pictures are multiples of this, px: the coarsest stride of any trunk.
COARSEST_PX = 32


class ImageTrunk(Protocol):
    """A module; the i-th map has ``channels[i]`` channels and one cell per ``strides[i]`` px, finest first."""

    @property
    def channels(self) -> tuple[int, ...]: ...

    @property
    def strides(self) -> tuple[int, ...]: ...

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W), RGB in 0..1, to maps (B, C_i, H / s_i, W / s_i).

        H and W are multiples of the coarsest stride. Normalising the colours is the trunk's own affair.
        """
        ...


class InvertedResidual(nn.Module):
    """Widen, look around, narrow (Sandler et al. 2018, figure 3)."""

    def __init__(self, n_in: int, n_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = expansion * n_in
        self.body = nn.Sequential(
            nn.Conv2d(n_in, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU6(inplace=True),
            nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU6(inplace=True),
            nn.Conv2d(width, n_out, 1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.residual = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.residual else self.body(x)


class MobileTrunk(nn.Module):
    """A plain stack of inverted residuals, features at 1/4, 1/8, 1/16 and 1/32; an `ImageTrunk`."""

    strides = (4, 8, 16, 32)
    channels = (24, 32, 96, 160)
    depths = (2, 3, 6, 3)

    def __init__(self, expansion: int = 6) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6(inplace=True)
        )
        self.stages = nn.ModuleList()
        before = 16
        for channels, depth in zip(self.channels, self.depths, strict=True):
            ins, strides = [before] + [channels] * (depth - 1), [2] + [1] * (depth - 1)
            self.stages.append(
                nn.Sequential(
                    *[
                        InvertedResidual(n_in, channels, stride, expansion)
                        for n_in, stride in zip(ins, strides, strict=True)
                    ]
                )
            )
            before = channels

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.stem(images * 2 - 1)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


#: The trunks that `ComotionConfig.trunk` may name.
TRUNKS: dict[str, Callable[[], ImageTrunk]] = {
    "convnextv2-large": lambda: ConvNextV2.named("large"),
    "convnextv2-base": lambda: ConvNextV2.named("base"),
    "convnextv2-tiny": lambda: ConvNextV2.named("tiny"),
    "movenet-multipose": MoveNetTrunk.pretrained,
    "mobile": MobileTrunk,
}

#: Those of them that come with weights.
SHIPPED_TRUNKS = ("movenet-multipose",)


def make_trunk(name: str) -> ImageTrunk:
    """A new trunk, with random weights unless some ship. Raises `ChorosError` for a name not in ``TRUNKS``."""
    if name not in TRUNKS:
        raise ChorosError(f'no image trunk is called "{name}"; there are: {", ".join(TRUNKS)}.')
    return TRUNKS[name]()


def frozen(trunk: ImageTrunk) -> ImageTrunk:
    """What gives the maps of ``trunk`` as it is now in the quickest way, without gradients.

    That is onnxruntime for MoveNet on the CPU, and ``trunk`` itself for any other. Make it anew when weights change.
    """
    if (
        isinstance(trunk, MoveNetTrunk)
        and trunk.variant == "multipose"
        and trunk.stem.weight.device.type == "cpu"
    ):
        return FrozenMoveNet(trunk)
    return trunk
