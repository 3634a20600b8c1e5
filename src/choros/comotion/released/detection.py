"""The released detector: everybody in a picture from the picture alone, in one step, and features for the update."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pixel_shuffle

from choros.backbones.convnext import ConvNextV2
from choros.comotion.released.layers import ChannelNorm, Halved, Waves, level_decoder, pose_decoder
from choros.devices import autocast

#: Side of the picture that is looked at, and the unit of its coordinates, px.
SIDE_PX, UNIT_PX = 512, 1024

#: Of a cell: betas, embedding of the pose, turn of the root, place in px, depth, one that nobody uses, confidence.
PARTS = (10, 256, 3, 2, 1, 1, 1)
SLOTS = 4  # people of a cell
DEPTH_PX = 128  # focal length at which a raw depth of nothing is about a metre
ROTATED, BANDS = 64, 8  # channels that are turned by where they are, angles of each coordinate
POSE_SCALE = 0.3


class Found(NamedTuple):
    """M candidates of B pictures."""

    betas: Tensor  # (B, M, 10)
    root_turn: Tensor  # (B, M, 3) axis-angle, rad, applied to the mean body's root from the left
    pose_turns: Tensor  # (B, M, 69) likewise of the other joints
    transl: Tensor  # (B, M, 3) metres, axes of the picture's camera
    confidence: Tensor  # (B, M) logit


class Backbone(ConvNextV2):
    """ConvNeXtV2, whose four maps are brought to an eighth of the picture and added."""

    def __init__(self) -> None:
        super().__init__((3, 3, 27, 3), (192, 384, 768, 1536))
        self.project_0 = nn.Conv2d(192, 256, 2, stride=2)
        self.project_1 = nn.Conv2d(384, 256, 1)
        self.project_2 = nn.Conv2d(768, 1024, 1)
        self.project_3 = nn.Conv2d(1536, 4096, 1)
        self.norm_px_feats = ChannelNorm(256)

    def fused(self, images: Tensor) -> Tensor:
        """Pictures (B, 3, 512, 512), RGB 0..1, to (B, 256, 64, 64)."""
        fine, eighth, coarse, coarsest = self(images)
        both = self.project_0(fine) + self.project_1(eighth)
        coarse = pixel_shuffle(self.project_2(coarse), 2) + pixel_shuffle(self.project_3(coarsest), 4)
        return self.norm_px_feats(both + coarse)


class Head(nn.Module):
    """Three levels of ever larger cells, and what each cell tells of people."""

    def __init__(self, width: int = 1024) -> None:
        super().__init__()
        self.enc1 = nn.Sequential(Halved(256, width // 2), Halved(width // 2, width))
        self.enc2, self.enc3 = Halved(width, width), Halved(width, width)
        self.decoders = nn.ModuleList(level_decoder(width, SLOTS * sum(PARTS)) for _ in range(3))

    def levels(self, features: Tensor) -> list[Tensor]:
        """Maps (B, 1024, 16, 16), (B, 1024, 8, 8) and (B, 1024, 4, 4)."""
        first = self.enc1(features)
        second = self.enc2(first)
        return [first, second, self.enc3(second)]


class Pyramid(nn.Module):
    """The levels back in one map, for the update."""

    def __init__(self, width: int = 1024) -> None:
        super().__init__()
        self.dc0, self.dc1, self.dc2 = (nn.ConvTranspose2d(width, width, 2, stride=2) for _ in range(3))
        self.dc3 = nn.ConvTranspose2d(width, 256, 4, stride=4)
        self.proj1, self.proj2, self.proj3 = (
            nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1), nn.Conv2d(256, 256, 1),
        )  # fmt: skip
        self.ln1, self.ln2, self.ln3 = ChannelNorm(width), ChannelNorm(width), ChannelNorm(256)

    def forward(self, levels: list[Tensor], features: Tensor) -> Tensor:
        """(B, 256, 64, 64) of the head's levels and the features that it got."""
        first, second, third = levels
        x = self.ln1(gelu(self.dc0(third) + self.proj1(second)))
        x = self.ln2(gelu(self.dc1(x) + self.proj2(first)))
        return self.ln3(self.dc3(x) + self.proj3(features))


class Bands(nn.Module):
    """How fast angles turn with a coordinate."""

    def __init__(self) -> None:
        super().__init__()
        self.inv_freq = nn.Buffer(1000 / 10_000 ** (torch.arange(BANDS) / BANDS))


class Detector(nn.Module):
    """The network of ``comotion_detection_checkpoint.pt``, by its names."""

    def __init__(self) -> None:
        super().__init__()
        self.pos_embedding = Waves()
        self.rot_embedding = Bands()
        self.image_backbone = Backbone()
        self.detection_head = Head()
        self.pose_decoder = pose_decoder()
        self.fuse_features = Pyramid()
        self.lower: torch.dtype | None = None

    def compute_in(self, lower: torch.dtype | None) -> None:
        """Compute maps in ``lower`` precision, None for single: matrices are kept in it, sums stay in single.

        What cells tell of people is in single precision in either case.
        """
        self.lower = lower
        for maps in (self.image_backbone, self.detection_head.enc1, self.detection_head.enc2,
                     self.detection_head.enc3, self.fuse_features):  # fmt: skip
            for weights in maps.parameters():
                if weights.ndim > 1:
                    weights.data = weights.data.to(lower or torch.float32)

    def forward(self, images: Tensor, K: Tensor) -> tuple[Found, Tensor]:
        """People in pictures (B, 3, 512, 512), RGB 0..1, by their K (B, 2, 3) px; and features (B, 256, 64, 64)."""
        with autocast(images.device.type, self.lower):
            features = self.placed(self.image_backbone.fused(images).float(), K)
            levels = self.detection_head.levels(features)
            fused = self.fuse_features(levels, features).float()
        parts = [self._level(number, level.float(), K) for number, level in enumerate(levels)]
        found = Found(*(torch.cat(part, 1) for part in zip(*parts, strict=True)))
        return found, fused

    def placed(self, features: Tensor, K: Tensor) -> Tensor:
        """Features (B, 256, h, w) that know where in the picture and in the view they are, by turned channels."""
        h, w = features.shape[-2:]
        at = centres(h, w, features)  # (h, w, 2)
        rays = (at - K[:, None, None, :, 2]) / torch.stack([K[:, 0, 0], K[:, 1, 1]], -1)[:, None, None]
        both = torch.cat([(at / UNIT_PX).expand_as(rays), rays], -1)  # (B, h, w, 4)
        angles = (both[..., None] * self.rot_embedding.inv_freq).flatten(-2).permute(0, 3, 1, 2)
        angles = torch.cat([angles, angles], 1)  # (B, 64, h, w)
        turned, rest = features[:, :ROTATED], features[:, ROTATED:]
        first, second = turned.chunk(2, 1)
        turned = turned * angles.cos() + torch.cat([-second, first], 1) * angles.sin()
        return torch.cat([turned, rest], 1)

    def _level(self, number: int, level: Tensor, K: Tensor) -> Found:
        """The candidates of one level, cell by cell, and in each slot by slot."""
        h, w = level.shape[-2:]
        told = self.detection_head.decoders[number](level).unflatten(1, (SLOTS, sum(PARTS)))
        told = told.permute(0, 3, 4, 1, 2)  # (B, h, w, slots, numbers)
        betas, pose, root, place, depth, _, confidence = told.split(PARTS, -1)
        focal, middle = torch.stack([K[:, 0, 0], K[:, 1, 1]], -1), K[:, :, 2]
        z = (focal[:, None, None, None, :1] / (DEPTH_PX * 2**number)) / (depth.exp() + 0.05)
        at = centres(h, w, level)[:, :, None] + place
        xy = (at - middle[:, None, None, None]) / focal[:, None, None, None] * z
        turns = POSE_SCALE * self.pose_decoder(pose)
        parts = (betas, root, turns, torch.cat([xy, z], -1), confidence)
        betas, root, turns, transl, confidence = (part.flatten(1, 3) for part in parts)
        return Found(betas, root, turns, transl, confidence[..., 0])


def centres(h: int, w: int, like: Tensor) -> Tensor:
    """Middles (h, w, 2) x, y of the cells of a map, px of the picture."""
    x, y = (torch.arange(n, dtype=like.dtype, device=like.device) + 0.5 for n in (w, h))
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    return grid / max(h, w) * SIDE_PX
