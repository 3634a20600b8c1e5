"""The Vision Transformer for crops of people, as 4DHumans and ViTPose have it (Dosovitskiy et al. 2021).

A crop becomes a grid of tokens, and blocks of attention and perceptrons, normalised first, change them. Names of
parameters are those of ViTPose's files and, but for ``last_norm`` and the positions' first row, of timm's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from choros.layers.attention import merge_heads, split_heads

EPSILON = 1e-6  # of every normalisation, as in timm


@dataclass(frozen=True)
class VitConfig:
    """Sizes of the network."""

    width: int  # of a token
    depth: int  # blocks
    heads: int
    height_px: int = 256  # of a crop: 4DHumans S.1
    width_px: int = 192
    patch_px: int = 16  # 4DHumans S.1
    padding_px: int = (
        2  # of black around the crop, before it is cut into patches: 4DHumans' and ViTPose's code
    )
    expansion: int = 4  # of a block's perceptron: Dosovitskiy et al. 2021, table 1
    drop_path: float = (
        0.0  # how often the last block is left out in training; earlier ones less, the first never
    )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens."""
        rows, columns = (
            (side + 2 * self.padding_px) // self.patch_px for side in (self.height_px, self.width_px)
        )
        return rows, columns

    @property
    def tokens(self) -> int:
        """Of a crop."""
        return self.grid[0] * self.grid[1]


#: Dosovitskiy et al. 2021, table 1, and for S Touvron et al. 2021, table 1. 4DHumans S.1 says that ViT-H has 50 layers;
#: the files its authors released, like table 1, have 32.
SIZES = {
    "small": VitConfig(width=384, depth=12, heads=6),
    "base": VitConfig(width=768, depth=12, heads=12),
    "huge": VitConfig(width=1280, depth=32, heads=16, drop_path=0.55),  # left out as 4DHumans' code does
}


class Attention(nn.Module):
    """Every token looks at all tokens of its crop."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, N, width) to tokens of the same shape."""
        query, key, value = (split_heads(part, self.heads) for part in self.qkv(x).chunk(3, -1))
        return self.proj(merge_heads(scaled_dot_product_attention(query, key, value)))


class Mlp(nn.Module):
    """Two linear layers for each token by itself."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, N, width) to tokens of the same shape."""
        return self.fc2(gelu(self.fc1(x)))


class Block(nn.Module):
    """Attention, then a perceptron, each added to its normalised input, or left out by chance in training."""

    def __init__(self, config: VitConfig, drop_path: float) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.norm1 = nn.LayerNorm(config.width, eps=EPSILON)
        self.attn = Attention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width, eps=EPSILON)
        self.mlp = Mlp(config.width, config.expansion * config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, N, width) to tokens of the same shape."""
        x = x + self._kept(self.attn(self.norm1(x)))
        return x + self._kept(self.mlp(self.norm2(x)))

    def _kept(self, change: Tensor) -> Tensor:
        """Stochastic depth (Huang et al. 2016): nothing for some crops of a batch, more for the others."""
        if not (self.training and self.drop_path):
            return change
        stays = torch.rand(len(change), 1, 1, dtype=change.dtype, device=change.device) >= self.drop_path
        return change * stays / (1 - self.drop_path)


class PatchEmbed(nn.Module):
    """A token for each patch of the crop."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(
            3, config.width, config.patch_px, stride=config.patch_px, padding=config.padding_px
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Crops (B, 3, H, W) to tokens (B, N, width), row by row."""
        return self.proj(crops).flatten(2).mT


class VisionTransformer(nn.Module):
    """Crops to tokens.

    The first row of ``pos_embed`` was the class token's in the network that ViTPose began with. There is no such token
    here; the row is added to all others, as ViTPose does.
    """

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + config.tokens, config.width))
        rates = torch.linspace(0, config.drop_path, config.depth, device="cpu").tolist()
        self.blocks = nn.ModuleList(Block(config, rate) for rate in rates)
        self.last_norm = nn.LayerNorm(config.width, eps=EPSILON)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    @classmethod
    def named(cls, size: str) -> VisionTransformer:
        """One of the published sizes: a key of ``SIZES``."""
        return cls(SIZES[size])

    def forward(self, crops: Tensor) -> Tensor:
        """Crops (B, 3, height_px, width_px), ImageNet's mean and deviation taken out, to tokens (B, N, width)."""
        x = self.patch_embed(crops) + (self.pos_embed[:, 1:] + self.pos_embed[:, :1])
        for block in self.blocks:
            x = block(x)
        return self.last_norm(x)
