"""The image encoder (CoMotion, A.3): a picture to one key and one value per cell of 8x8 px.

They are made once per frame; everyone in it, new or known, looks at the same ones. Where the person's state
comes from and what is asked of the image is for `choros.comotion.decoder`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, linear

from choros.backbones.trunk import ImageTrunk, make_trunk
from choros.comotion.attention_prior import whereabouts
from choros.comotion.config import ComotionConfig
from choros.devices import autocast
from choros.layers.attention import split_heads
from choros.layers.positions import cell_centres, sinusoids


class ImageTokens(NamedTuple):
    """What a frame says: T cells for attention, row by row, and where keypoints are."""

    key: Tensor  # (B, heads, T, head_width), and N_WHERE numbers more in a network with anchors
    value: Tensor  # the same
    heatmaps: Tensor  # (B, n_keypoints, h, w) logits, in the order of COCO-17
    origin_px: Tensor  # (B, 2) x, y of their corner in the square
    cell_px: Tensor  # (B,) side of their cells there, the config's stride or, of finer pictures, less

    def frames(self, which: slice) -> ImageTokens:
        """Some of the B frames."""
        return ImageTokens(*(part[which] for part in self))


class Fusion(nn.Module):
    """Maps of all scales, projected to one width at one stride and added."""

    def __init__(self, channels: tuple[int, ...], strides: tuple[int, ...], width: int, stride: int) -> None:
        super().__init__()
        self.projections = nn.ModuleList()
        for n_in, s in zip(channels, strides, strict=True):
            if s <= stride:  # finer: a strided convolution
                self.projections.append(nn.Conv2d(n_in, width, stride // s, stride // s))
            else:  # coarser: a pixel-wise one to many channels, which are then laid out side by side
                up = s // stride
                self.projections.append(
                    nn.Sequential(nn.Conv2d(n_in, width * up * up, 1), nn.PixelShuffle(up))
                )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Feature maps of the trunk, fine to coarse, each (B, C_i, H_i, W_i), projected to one size and added."""
        fused = self.projections[0](maps[0])
        for projection, features in zip(self.projections[1:], maps[1:], strict=True):
            fused = fused + projection(features)
        return fused


def _of_both(layer: nn.Linear, features: Tensor, where: Tensor) -> Tensor:
    """``layer`` of (B, T, C) beside (T, D), which is the same in every frame and worked out once."""
    of_features, of_where = layer.weight.split([features.shape[-1], where.shape[-1]], -1)
    return linear(features, of_features) + linear(where, of_where, layer.bias)


class ImageEncoder(nn.Module):
    """Trunk, fusion, keys and values."""

    def __init__(self, config: ComotionConfig, trunk: ImageTrunk | None = None) -> None:
        super().__init__()
        self.config = config
        self.lower: torch.dtype | None = None  # what to compute in, where single precision is not needed
        self.trunk = make_trunk(config.trunk) if trunk is None else trunk
        n_maps = len(self.trunk.channels)
        if not set(config.maps) <= set(range(n_maps)):
            raise ValueError(f"maps {config.maps} of a trunk that has {n_maps}")
        self.maps = config.maps or tuple(range(n_maps))
        channels, strides = (
            tuple(of[i] for i in self.maps) for of in (self.trunk.channels, self.trunk.strides)
        )
        self.fusion = Fusion(channels, strides, config.image_width, config.stride)
        self.norm = nn.LayerNorm(config.image_width)
        n_token = config.image_width + 2 * (1 + 2 * config.bands)
        self.key = nn.Linear(n_token, config.attention_width)
        self.value = nn.Linear(n_token, config.attention_width)
        self.heatmap_head = nn.Conv2d(config.image_width, config.n_keypoints, 1)

    def forward(self, images: Tensor, origin_px: tuple[float, float] = (0, 0)) -> ImageTokens:
        """Images (B, 3, H, W), RGB in 0..1, sides multiples of the trunk's coarsest stride; their corner's x, y."""
        return self.tokens(self.taken(self.trunk(images)), origin_px)

    def taken(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Those of the trunk's maps that the network takes (``ComotionConfig.maps``), which `tokens` is given."""
        return [maps[i] for i in self.maps]

    def tokens(
        self, maps: Sequence[Tensor], origin_px: tuple[float, float] = (0, 0), finer: float = 1.0
    ) -> ImageTokens:
        """The trunk's maps, as `taken`, to tokens: all that is left to do where it is frozen and they are kept.

        ``finer`` is how many px of the picture that the trunk saw there are to a px of the square, along a side;
        everything else is told in the square as ever. Heatmaps are an auxiliary signal for training (paper 4.2), and
        evidence for a network that asks for it. With ``lower`` all is computed in that, and told in single precision.
        """
        with autocast(maps[0].device.type, self.lower):
            tokens = self._tokens(maps, origin_px, finer)
        return tokens if self.lower is None else ImageTokens(*(part.float() for part in tokens))

    def _tokens(self, maps: Sequence[Tensor], origin_px: tuple[float, float], finer: float) -> ImageTokens:
        config = self.config
        features = self.norm(self.fusion(maps).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # (B, C, h, w)
        heatmaps = self.heatmap_head(features)
        coarse = avg_pool2d(features, config.attention_stride // config.stride)
        height, width = coarse.shape[2:]
        centres = cell_centres(
            height, width, config.attention_stride / finer, config.image_size_px, features, origin_px
        )
        where = sinusoids(centres, config.bands)
        heads = config.attention_width // config.head_width
        key, value = (
            split_heads(_of_both(part, coarse.flatten(2).mT, where), heads) for part in (self.key, self.value)
        )
        if config.anchors:
            at = whereabouts(centres).expand(*key.shape[:2], -1, -1)
            key, value = torch.cat([key, at], -1), torch.cat([value, at], -1)
        corner = centres.new_tensor(origin_px).expand(len(key), 2)
        cell_px = centres.new_tensor(config.stride / finer).expand(len(key))
        return ImageTokens(key.contiguous(), value.contiguous(), heatmaps, corner, cell_px)
