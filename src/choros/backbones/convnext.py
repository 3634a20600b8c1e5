"""ConvNeXtV2, the paper's image trunk (Woo et al. 2023), with timm's parameter names, so timm's weights load.

Activations are kept channels-last, (B, H, W, C), where the depthwise convolution and the normalisations run
fastest, and a single image's response normalisation is folded into the layer after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from choros.errors import ChorosError

#: Depths and widths of the stages (Woo et al. 2023, table 13).
SIZES = {
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "large": ((3, 3, 27, 3), (192, 384, 768, 1536)),
}

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

EPSILON = 1e-6  # of every normalisation, as in timm


class GlobalResponseNorm(nn.Module):
    """Makes channels compete: each is scaled by its norm over the image (Woo et al. 2023, section 3.3)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def scale(self, x: Tensor) -> Tensor:
        """What each channel of ``x`` (B, H, W, C) is multiplied by, (B, C); ``bias`` is added after that."""
        flat = x.flatten(1, 2)
        norm = (flat * flat).sum(1, dtype=torch.float32).sqrt()
        return (1 + self.weight * (norm / (norm.mean(-1, keepdim=True) + EPSILON))).to(x.dtype)


class Mlp(nn.Module):
    """Perceptron over channels with the response normalisation inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.grn = GlobalResponseNorm(4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, H, W, C) to features of the same shape."""
        x = gelu(self.fc1(x))
        scale = self.grn.scale(x)
        if len(x) == 1 and x.shape[1] * x.shape[2] > self.fc2.out_features:
            # One image with more pixels than channels: scaling the matrix touches less memory than the image.
            bias = self.fc2.bias + self.fc2.weight @ self.grn.bias
            return linear(x, self.fc2.weight * scale, bias.to(x.dtype))
        return self.fc2(torch.addcmul(self.grn.bias.to(x.dtype), x, scale[:, None, None]))


class Block(nn.Module):
    """Depthwise 7x7 convolution, layer norm, perceptron, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, H, W, C) to features of the same shape."""
        y = self.conv_dw(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return x + self.mlp(self.norm(y))


class Patches(nn.Conv2d):
    """Convolution whose stride is its kernel, channels-last in and out."""

    def __init__(self, n_in: int, n_out: int, size: int) -> None:
        super().__init__(n_in, n_out, size, stride=size)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, H, W, n_in) to (B, H / size, W / size, n_out)."""
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Stage(nn.Module):
    """Blocks of one resolution, after halving that of the stage before."""

    def __init__(self, n_in: int, width: int, depth: int) -> None:
        super().__init__()
        self.downsample: nn.Module = nn.Identity()
        if n_in != width:
            self.downsample = nn.Sequential(nn.LayerNorm(n_in, eps=EPSILON), Patches(n_in, width, 2))
        self.blocks = nn.Sequential(*[Block(width) for _ in range(depth)])

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, H, W, n_in) to (B, H / 2, W / 2, width), or of the same sides where the width stays."""
        return self.blocks(self.downsample(x))


class ConvNextV2(nn.Module):
    """Images to features at 1/4, 1/8, 1/16 and 1/32; an `ImageTrunk`."""

    strides = (4, 8, 16, 32)

    def __init__(self, depths: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.channels = tuple(widths)
        self.stem = nn.Sequential(Patches(3, widths[0], 4), nn.LayerNorm(widths[0], eps=EPSILON))
        before = (widths[0], *widths[:-1])
        self.stages = nn.ModuleList(
            Stage(n_in, width, depth) for n_in, width, depth in zip(before, widths, depths, strict=True)
        )
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @classmethod
    def named(cls, size: str) -> ConvNextV2:
        """One of the published sizes: a key of ``SIZES``."""
        return cls(*SIZES[size])

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W), RGB in 0..1, sides multiples of 32 -> four of (B, C_i, H / s_i, W / s_i)."""
        mean, std = images.new_tensor(IMAGENET_MEAN), images.new_tensor(IMAGENET_STD)
        x = self.stem((images.permute(0, 2, 3, 1) - mean) / std)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x.permute(0, 3, 1, 2))
        return maps

    def load_timm(self, path: str | Path) -> None:
        """Take the weights of timm's model of the same size from its .safetensors file.

        The classifier's weights, if any, are left aside. Raises `ChorosError` if the file is missing, cannot
        be read, or is of another model.
        """
        path = Path(path)
        if not path.is_file():
            raise ChorosError(f"{path} does not exist; give the path of timm's weights.")
        try:
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            raise ChorosError(f"{path} is not a safetensors file that can be read ({error}).") from error
        trunk = {name: tensor for name, tensor in tensors.items() if name.startswith(("stem.", "stages."))}
        try:
            self.load_state_dict(trunk)
        except RuntimeError as error:
            raise ChorosError(
                f"{path} does not hold timm's ConvNeXtV2 with widths {self.channels}; give the file of that "
                "size."
            ) from error
