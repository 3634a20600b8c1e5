"""The image trunk: any network that turns pictures into features of several scales, chosen by name.

The encoder needs no more of it than `ImageTrunk` says, so pretrained networks of any kind can serve.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from choros.backbones.convnext import ConvNextV2
from choros.backbones.movenet import FrozenMoveNet, MoveNetTrunk
from choros.devices import autocast
from choros.errors import ChorosError

#: Sides of pictures are multiples of this, px: the coarsest stride of any trunk.
COARSEST_PX = 32


class ImageTrunk(Protocol):
    """A module; the i-th map has ``channels[i]`` channels and one cell per ``strides[i]`` px, finest first."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Of each map."""
        ...

    @property
    def strides(self) -> tuple[int, ...]:
        """Px of the picture for each cell of each map, ascending."""
        ...

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W), RGB in 0..1, to maps (B, C_i, H / s_i, W / s_i).

        H and W are multiples of the coarsest stride. Normalising the colours is the trunk's own affair.
        """
        ...


class LowerPrecision:
    """An `ImageTrunk`: another one, computed in ``lower`` precision where that is safe (PyTorch's autocast)."""

    def __init__(self, trunk: ImageTrunk, lower: torch.dtype) -> None:
        self.trunk, self.lower = trunk, lower
        self.channels, self.strides = trunk.channels, trunk.strides

    def __call__(self, images: Tensor) -> list[Tensor]:
        """As of `ImageTrunk`; the maps are in the lower precision."""
        with autocast(images.device.type, self.lower):
            return self.trunk(images)


#: The trunks that `ComotionConfig.trunk` may name.
TRUNKS: dict[str, Callable[[], ImageTrunk]] = {
    "convnextv2-large": lambda: ConvNextV2.named("large"),
    "convnextv2-base": lambda: ConvNextV2.named("base"),
    "convnextv2-tiny": lambda: ConvNextV2.named("tiny"),
    "movenet-multipose": MoveNetTrunk.pretrained,
}

#: Those of them that come with weights.
SHIPPED_TRUNKS = ("movenet-multipose",)


def make_trunk(name: str) -> ImageTrunk:
    """A new trunk, with random weights unless some ship. Raises `ChorosError` for a name not in ``TRUNKS``."""
    if name not in TRUNKS:
        raise ChorosError(f'no image trunk is called "{name}"; there are: {", ".join(TRUNKS)}.')
    return TRUNKS[name]()


def frozen(trunk: ImageTrunk, rounded: bool = False, lower: torch.dtype | None = None) -> ImageTrunk:
    """What gives the maps of ``trunk`` as it is now in the quickest way, without gradients.

    That is onnxruntime for MoveNet on the CPU, quicker still if it may be ``rounded`` (`FrozenMoveNet`), and ``trunk``
    itself for any other; in ``lower`` precision, PyTorch's own on any device. Make it anew when weights change.
    """
    if lower is not None:
        return LowerPrecision(trunk, lower)
    if (
        isinstance(trunk, MoveNetTrunk)
        and trunk.variant == "multipose"
        and trunk.stem.weight.device.type == "cpu"
    ):
        return FrozenMoveNet(trunk, rounded)
    return trunk
