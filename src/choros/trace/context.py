"""Image features brought to the maps' size; for features that see little of the picture at once, more around each.

The released image backbone sees the whole picture from every cell and its features are taken as they are. What a small
trunk answers is told by cells near by: there, features are halved a few times and brought back, level by level (as in
Lin et al. 2017).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import interpolate

from choros.trace.blocks import PlaneBlock
from choros.trace.config import TraceConfig


class FeatureEntry(nn.Module):
    """Features of the image backbone to those that are propagated; nothing where they fit already."""

    def __init__(self, config: TraceConfig) -> None:
        super().__init__()
        coarser = config.image_size_px // config.input_stride // config.map_size
        n_in, n_out = config.input_channels, config.features
        self.fit = (
            nn.Identity()
            if coarser == 1 and n_in == n_out
            else nn.Sequential(
                nn.Conv2d(n_in, n_out, coarser, coarser, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()
            )
        )
        self.context = Context(n_out, config.context_levels) if config.context_levels else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, input_channels, h, w) to (B, features, H, W)."""
        return self.context(self.fit(features))


class Context(nn.Module):
    """Down some levels and up again, each level added to what comes from the coarser one."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        wide = 2 * width
        sizes = [width] + [wide] * levels
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(n_in, wide, 3, 2, 1, bias=False),
                nn.BatchNorm2d(wide),
                nn.ReLU(),
                PlaneBlock(wide, wide),
            )
            for n_in in sizes[:-1]
        )
        self.across = nn.ModuleList(nn.Conv2d(size, wide, 1) for size in sizes[:-1])
        self.smooth = nn.ModuleList(PlaneBlock(wide, wide) for _ in range(levels - 1))
        self.out = nn.Conv2d(wide, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, width, H, W), sides multiples of 2 to the levels, to the same shape."""
        levels = [x]
        for down in self.down:
            levels.append(down(levels[-1]))
        coarse = levels.pop()
        for number in range(len(levels) - 1, -1, -1):
            finer = interpolate(coarse, scale_factor=2.0, mode="bilinear")
            coarse = finer + self.across[number](levels[number])
            if number:
                coarse = self.smooth[number - 1](coarse)
        return x + self.out(coarse)
