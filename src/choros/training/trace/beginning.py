"""A new network that says at first that nobody is there and nothing moves, which is what most cells have to say."""

from __future__ import annotations

import torch
from torch import nn

from choros.trace.blocks import VolumeBlock
from choros.trace.maps import BirdView
from choros.trace.network import TraceNetwork

#: Of what is seen from above at first.
FAINT = 0.1


@torch.no_grad()
def calmed(network: TraceNetwork) -> TraceNetwork:
    """The same network: its blocks of volumes add nothing yet, its outer layers say little."""
    for part in network.modules():
        if isinstance(part, VolumeBlock):
            nn.init.zeros_(part.bn2.weight)
        elif isinstance(part, BirdView):
            last = part.columns[-1]
            nn.init.constant_(last.bn2.weight, FAINT)  # type: ignore[arg-type, union-attr]
    heads = network.heads
    for head in (heads.detection.front, heads.motion.front, heads.world.motion, heads.world.rotation):
        outer = head[-1]
        outer.weight.mul_(FAINT)  # type: ignore[operator]
        outer.bias.zero_()  # type: ignore[operator]
    return network
