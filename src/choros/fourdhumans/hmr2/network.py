"""HMR 2.0's network: a Vision Transformer that sees a crop, and a decoder that tells the body in it (paper 3.2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from choros import weights
from choros.backbones.convnext import IMAGENET_MEAN, IMAGENET_STD
from choros.backbones.vit import VisionTransformer, VitConfig
from choros.devices import autocast
from choros.errors import ChorosError
from choros.fourdhumans.hmr2.config import DecoderConfig, Hmr2Config
from choros.fourdhumans.hmr2.decoder import CropBodies, PoseDecoder

#: Whose weights these are, as their metadata say.
SYSTEM = "hmr2"


class Hmr2Network(nn.Module):
    """Crops to bodies."""

    def __init__(self, config: Hmr2Config) -> None:
        super().__init__()
        self.config = config
        self.encoder = VisionTransformer(config.encoder)
        self.decoder = PoseDecoder(config.decoder)

    def encode(self, crops: Tensor, lower: torch.dtype | None = None) -> Tensor:
        """Normalised crops (B, 3, 256, 192) to image tokens (B, 192, width), computed in ``lower`` precision if given.

        What is passed from block to block stays in single precision.
        """
        with autocast(crops.device.type, lower):
            return self.encoder(crops)

    def forward(self, crops: Tensor, lower: torch.dtype | None = None) -> CropBodies:
        """Normalised crops (B, 3, 256, 192) to the bodies in them; only the encoder's precision may be lower."""
        return self.decoder(self.encode(crops, lower))

    def save(self, path: str | Path, metadata: Mapping[str, Any]) -> None:
        """Write the weights in half precision, with the configuration and what else is to be known of them."""
        tensors = {name: tensor.half() for name, tensor in self.state_dict().items()}
        about = {**metadata, "system": SYSTEM, "config": dataclasses.asdict(self.config)}
        weights.save(path, tensors, about)

    @classmethod
    def load(cls, path: str | Path) -> Hmr2Network:
        """The network that `save` wrote, in single precision and ready to answer.

        Raises ``ChorosError`` if the file is missing, of another system, or of another version's network.
        """
        tensors, metadata = weights.load(path, SYSTEM)
        try:
            sizes = metadata["config"]
            config = Hmr2Config(VitConfig(**sizes["encoder"]), DecoderConfig(**sizes["decoder"]))
            network = cls(config)
            network.load_state_dict(tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ChorosError(f"{path} does not fit this version of HMR 2.0; train it anew.") from error
        return network.eval().requires_grad_(False)


def normalised(crops: NDArray[np.uint8] | NDArray[np.float32], width_px: int) -> Tensor:
    """Square crops (B, H, H, 3) RGB 0..255 as the encoder takes them, (B, 3, H, width_px): the middle columns."""
    side = (crops.shape[2] - width_px) // 2
    seen = torch.from_numpy(np.ascontiguousarray(crops[:, :, side : side + width_px])).float() / 255
    return ((seen - torch.tensor(IMAGENET_MEAN)) / torch.tensor(IMAGENET_STD)).permute(0, 3, 1, 2)
