"""RAFT, optical flow by looking up all pairs of features over and over (Teed and Deng 2020), the large one.

Names of parameters are those of its authors' files. Every cell of an eighth of the first picture is compared with all
of the second; a recurrent unit reads the comparisons around where each cell is thought to have gone, and corrects that.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, grid_sample, relu, softmax, unfold

#: Paper, section 3 and appendix: px for each cell, channels of features, of what is remembered and of the context.
STRIDE, FEATURES, HIDDEN, CONTEXT = 8, 256, 128, 128
#: Paper 3.2: sizes of the second picture that are looked at, and cells to each side.
LEVELS, RADIUS = 4, 4


class Flow(NamedTuple):
    """Where points of the first picture are in the second, less where they were: x, y."""

    low: Tensor  # (B, 2, H / 8, W / 8) cells
    full: Tensor  # (B, 2, H, W) px


def _normalisation(kind: str, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.InstanceNorm2d(channels)


class ResidualBlock(nn.Module):
    """Two convolutions; where the size changes, the kept input is brought to it and normalised by ``norm3``."""

    def __init__(self, n_in: int, n_out: int, norm: str, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1)
        self.norm1, self.norm2 = _normalisation(norm, n_out), _normalisation(norm, n_out)
        self.downsample: nn.Sequential | None = None
        if stride > 1:
            self.norm3 = _normalisation(norm, n_out)  # the files have it under both names
            self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride), self.norm3)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, n_in, H, W) to (B, n_out, H / stride, W / stride)."""
        y = relu(self.norm2(self.conv2(relu(self.norm1(self.conv1(x))))))
        return relu(y + (x if self.downsample is None else self.downsample(x)))


class Encoder(nn.Module):
    """A picture to features at an eighth of its size."""

    def __init__(self, n_out: int, norm: str) -> None:
        super().__init__()
        self.norm1 = _normalisation(norm, 64)
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        self.layer1 = nn.Sequential(ResidualBlock(64, 64, norm, 1), ResidualBlock(64, 64, norm, 1))
        self.layer2 = nn.Sequential(ResidualBlock(64, 96, norm, 2), ResidualBlock(96, 96, norm, 1))
        self.layer3 = nn.Sequential(ResidualBlock(96, 128, norm, 2), ResidualBlock(128, 128, norm, 1))
        self.conv2 = nn.Conv2d(128, n_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in -1..1 to (B, n_out, H / 8, W / 8)."""
        x = relu(self.norm1(self.conv1(x)))
        return self.conv2(self.layer3(self.layer2(self.layer1(x))))


class MotionEncoder(nn.Module):
    """What is compared around a place, and the flow so far, to features of both."""

    def __init__(self) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(LEVELS * (2 * RADIUS + 1) ** 2, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, padding=1)
        self.convf1 = nn.Conv2d(2, 128, 7, padding=3)
        self.convf2 = nn.Conv2d(128, 64, 3, padding=1)
        self.conv = nn.Conv2d(64 + 192, 128 - 2, 3, padding=1)

    def forward(self, flow: Tensor, compared: Tensor) -> Tensor:
        """Flow (B, 2, h, w) and comparisons (B, 324, h, w) to (B, 128, h, w), the flow itself last."""
        seen = relu(self.convc2(relu(self.convc1(compared))))
        moved = relu(self.convf2(relu(self.convf1(flow))))
        return torch.cat([relu(self.conv(torch.cat([seen, moved], 1))), flow], 1)


class SeparableGru(nn.Module):
    """A gated recurrent unit along rows, then one along columns (paper 3.3)."""

    def __init__(self) -> None:
        super().__init__()
        n_in = HIDDEN + CONTEXT + 128
        for number, kernel, padding in ((1, (1, 5), (0, 2)), (2, (5, 1), (2, 0))):
            for gate in "zrq":
                setattr(self, f"conv{gate}{number}", nn.Conv2d(n_in, HIDDEN, kernel, padding=padding))

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """What is remembered (B, 128, h, w) and an input (B, 256, h, w) to what is remembered now."""
        for number in (1, 2):
            update, reset, candidate = (self.get_submodule(f"conv{gate}{number}") for gate in "zrq")
            both = torch.cat([hidden, x], 1)
            z, r = update(both).sigmoid(), reset(both).sigmoid()
            hidden = (1 - z) * hidden + z * candidate(torch.cat([r * hidden, x], 1)).tanh()
        return hidden


class FlowHead(nn.Module):
    """What is remembered to a correction of the flow."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(HIDDEN, 256, 3, padding=1)
        self.conv2 = nn.Conv2d(256, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 128, h, w) to (B, 2, h, w), cells."""
        return self.conv2(relu(self.conv1(x)))


class UpdateBlock(nn.Module):
    """One step of looking and correcting."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MotionEncoder()
        self.gru = SeparableGru()
        self.flow_head = FlowHead()
        self.mask = nn.Sequential(
            nn.Conv2d(HIDDEN, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 9 * STRIDE**2, 1)
        )

    def forward(
        self, hidden: Tensor, context: Tensor, compared: Tensor, flow: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What is remembered now, and the correction of the flow (B, 2, h, w)."""
        hidden = self.gru(hidden, torch.cat([context, self.encoder(flow, compared)], 1))
        return hidden, self.flow_head(hidden)

    def weights(self, hidden: Tensor) -> Tensor:
        """How each px of the full size mixes its cell's neighbours, logits (B, 576, h, w)."""
        return 0.25 * self.mask(hidden)  # the authors' own: balances the gradients


class Correlation:
    """All cells of one picture compared with all of another, in sizes that halve (paper 3.2)."""

    def __init__(self, first: Tensor, second: Tensor) -> None:
        batch, channels, height, width = first.shape
        self.shape = height, width
        volume = first.flatten(2).mT @ second.flatten(2) / channels**0.5  # (B, h * w, h * w)
        level = volume.reshape(batch * height * width, 1, height, width)
        self.levels = [level]
        for _ in range(LEVELS - 1):
            level = avg_pool2d(level, 2)
            self.levels.append(level)

    def around(self, places: Tensor) -> Tensor:
        """Comparisons (B, 324, h, w) with the cells about ``places`` (B, 2, h, w), x and y, of the second picture."""
        batch, _, height, width = places.shape
        reach = torch.arange(-RADIUS, RADIUS + 1, dtype=places.dtype, device=places.device)
        # As released: of the window's two axes the first, which is the outer in what comes out, goes along x.
        window = torch.stack(torch.meshgrid(reach, reach, indexing="ij"), -1)
        at = places.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
        seen = []
        for number, level in enumerate(self.levels):
            sides = at.new_tensor([level.shape[-1] - 1, level.shape[-2] - 1])
            grid = 2 * (at / 2**number + window) / sides - 1
            found = grid_sample(level, grid, align_corners=True)  # (B * h * w, 1, 9, 9)
            seen.append(found.reshape(batch, height, width, -1))
        return torch.cat(seen, -1).permute(0, 3, 1, 2).contiguous()


class Raft(nn.Module):
    """Two pictures to the flow from the first to the second."""

    def __init__(self) -> None:
        super().__init__()
        self.fnet = Encoder(FEATURES, "instance")
        self.cnet = Encoder(HIDDEN + CONTEXT, "batch")
        self.update_block = UpdateBlock()

    def forward(self, first: Tensor, second: Tensor, iterations: int = 12) -> Flow:
        """Pictures (B, 3, H, W) RGB in 0..255, sides multiples of 8 and at least 128 px."""
        first, second = (2 * (image / 255) - 1 for image in (first, second))
        features = self.fnet(torch.cat([first, second]))
        compared = Correlation(*features.chunk(2))
        hidden, context = self.cnet(first).split([HIDDEN, CONTEXT], 1)
        hidden, context = hidden.tanh(), relu(context)
        height, width = hidden.shape[-2:]
        y, x = torch.meshgrid(
            *(torch.arange(side, dtype=first.dtype, device=first.device) for side in (height, width)),
            indexing="ij",
        )
        cells = torch.stack([x, y])
        flow = torch.zeros(len(first), 2, height, width, dtype=first.dtype, device=first.device)
        for _ in range(iterations):
            flow = flow.detach()
            hidden, correction = self.update_block(hidden, context, compared.around(cells + flow), flow)
            flow = flow + correction
        return Flow(flow, upsampled(flow, self.update_block.weights(hidden)))


def upsampled(flow: Tensor, weights: Tensor) -> Tensor:
    """Flow (B, 2, h, w) in cells to px at eight times the size: each px mixes nine cells by its logits (paper 3.3)."""
    batch, _, height, width = flow.shape
    mix = softmax(weights.reshape(batch, 1, 9, STRIDE, STRIDE, height, width), 2)
    near = unfold(STRIDE * flow, 3, padding=1).reshape(batch, 2, 9, 1, 1, height, width)
    full = (mix * near).sum(2)  # (B, 2, 8, 8, h, w), row and column within a cell before the cell's
    return full.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, STRIDE * height, STRIDE * width)
