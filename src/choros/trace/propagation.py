"""Temporal feature propagation (TRACE, supplement 2.2): features of a frame with what those before it leave in them.

A recurrent memory of convolutions holds what lasts, a deformable convolution whose offsets come from the difference of
two frames' features tells what just moved, and both are added to the frame's own features. A frame needs the memory
and the last frame's features alone, so clips of any length give the same.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from choros.layers.deformable import deform_conv2d
from choros.trace.blocks import PlaneBlock
from choros.trace.config import TraceConfig


class TraceState(NamedTuple):
    """What a frame leaves to the next one; B videos side by side."""

    previous: Tensor  # (B, C, H, W) features of the last frame, before propagation
    memory: tuple[Tensor, ...]  # of each layer (B, C, H, W); empty without the memory

    def detached(self) -> TraceState:
        """The same, cut off from how it came about: for training on one clip after another of a video."""
        return TraceState(self.previous.detach(), tuple(layer.detach() for layer in self.memory))


class MemoryCell(nn.Module):
    """A gated recurrent unit of convolutions (Teed and Deng 2020, equations 3 to 6)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.update = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.reset = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.candidate = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """What is remembered (B, C, H, W) and a new input of the same shape, to what is remembered now."""
        both = torch.cat([hidden, x], 1)
        update, reset = self.update(both).sigmoid(), self.reset(both).sigmoid()
        candidate = self.candidate(torch.cat([reset * hidden, x], 1)).tanh()
        return (1 - update) * hidden + update * candidate


class DeformableWarp(nn.Module):
    """A deformable convolution of a frame's features, whose offsets the difference to the last frame's gives."""

    def __init__(self, config: TraceConfig) -> None:
        super().__init__()
        channels, kernel = config.features, 3
        self.difference = nn.Sequential(
            *(PlaneBlock(channels, channels) for _ in range(config.offset_blocks))
        )
        n_offsets = config.offset_groups * 2 * kernel * kernel
        self.offsets = nn.Conv2d(channels, n_offsets, kernel, padding=1, bias=False)
        self.weight = nn.Parameter(torch.empty(channels, channels, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")

    def where(self, difference: Tensor) -> Tensor:
        """Offsets (B, 2 * 9 * groups, H, W), cells, y before x, of a difference of features (B, C, H, W)."""
        return self.offsets(self.difference(difference))

    def forward(self, features: Tensor, previous: Tensor) -> Tensor:
        """Features of a frame and of the one before, each (B, C, H, W), to warped ones."""
        return deform_conv2d(features, self.where(features - previous), self.weight)


class Propagation(nn.Module):
    """Memory, warp and residual."""

    def __init__(self, config: TraceConfig) -> None:
        super().__init__()
        layers = config.memory_layers if config.memory else 0
        self.cells = nn.ModuleList(MemoryCell(config.features) for _ in range(layers))
        self.warp = DeformableWarp(config) if config.warp else None

    def begin(self, features: Tensor) -> TraceState:
        """As if the first frame, (B, C, H, W), had been there before: so it differs from the last one in nothing.

        As in the release, the memory sees it twice.
        """
        nothing = tuple(torch.zeros_like(features) for _ in self.cells)
        return TraceState(features, self.remember(features, nothing))

    def remember(self, features: Tensor, memory: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What each layer holds after a frame (B, C, H, W); the last layer's is what the memory tells."""
        held = []
        for cell, hidden in zip(self.cells, memory, strict=True):
            features = cell(hidden, features)
            held.append(features)
        return tuple(held)

    def forward(self, features: Tensor, state: TraceState | None) -> tuple[Tensor, TraceState]:
        """Features (B, C, H, W) of a frame and what the last one left, None in a first frame; temporal features."""
        state = self.begin(features) if state is None else state
        memory = self.remember(features, state.memory)
        told = features if not memory else features + memory[-1]
        if self.warp is not None:
            told = told + self.warp(features, state.previous)
        return told, TraceState(features, memory)

    def clip(self, features: Tensor, state: TraceState | None) -> tuple[Tensor, TraceState]:
        """The same for T frames at once, (B, T, C, H, W): all but the memory side by side."""
        state = self.begin(features[:, 0]) if state is None else state
        memory, told = state.memory, features
        if memory:
            lasting = []
            for frame in features.unbind(1):
                memory = self.remember(frame, memory)
                lasting.append(memory[-1])
            told = told + torch.stack(lasting, 1)
        if self.warp is not None:
            before = torch.cat([state.previous[:, None], features[:, :-1]], 1)
            warped = self.warp(features.flatten(0, 1), before.flatten(0, 1))
            told = told + warped.unflatten(0, features.shape[:2])
        return told, TraceState(features[:, -1], memory)
