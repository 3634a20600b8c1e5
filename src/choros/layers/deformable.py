"""The deformable convolution (Dai et al. 2017, section 2.1) in plain torch, and torchvision's where it is installed.

Each tap of a kernel looks not at its cell but beside it, by an offset that is an input. Both give the same within
rounding; torchvision's (the extra ``trace``) is quicker on a graphics card and takes less memory.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def deform_conv2d(x: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """A deformable convolution, stride 1, padded so that the size stays: torchvision's operation where there is one.

    Args:
        x: (B, C, H, W).
        offsets: (B, groups * taps * 2, H, W) cells, y before x of each tap, taps row by row. Channels of one of the
            ``groups``, C / groups one after another, share theirs.
        weight: (C_out, C, k, k), k odd.

    Returns:
        (B, C_out, H, W). What lies outside is zero, and between cells values are bilinear.
    """
    operation = _torchvision_operation()
    if operation is None:
        return plain_deform_conv2d(x, offsets, weight)
    return operation(x, offsets, weight, padding=weight.shape[-1] // 2)


def plain_deform_conv2d(x: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """The same as `deform_conv2d`, without torchvision."""
    batch, channels, height, width = x.shape
    n_out, _, kernel, _ = weight.shape
    taps = kernel * kernel
    groups = offsets.shape[1] // (2 * taps)
    reach = torch.arange(kernel, dtype=x.dtype, device=x.device) - kernel // 2
    row, column = (torch.arange(size, dtype=x.dtype, device=x.device) for size in (height, width))
    moves = offsets.reshape(batch * groups, taps, 2, height, width)
    y = moves[:, :, 0] + reach.repeat_interleave(kernel)[:, None, None] + row[:, None]
    x_at = moves[:, :, 1] + reach.repeat(kernel)[:, None, None] + column
    # grid_sample counts from -1 at the first cell's middle to 1 at the last one's.
    grid = torch.stack([x_at * (2 / max(width - 1, 1)) - 1, y * (2 / max(height - 1, 1)) - 1], -1)
    of_groups = x.reshape(batch * groups, channels // groups, height, width)
    seen = grid_sample(
        of_groups, grid.flatten(1, 2), mode="bilinear", padding_mode="zeros", align_corners=True
    )  # (B * groups, C / groups, taps * H, W)
    columns = seen.reshape(batch, channels * taps, height * width)
    return (weight.reshape(n_out, -1) @ columns).reshape(batch, n_out, height, width)


@cache
def _torchvision_operation() -> Any:
    try:
        from torchvision.ops import deform_conv2d as operation
    except ImportError:
        return None
    return operation
