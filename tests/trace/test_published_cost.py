"""Multiply-adds at paper scale, beside those that the supplement publishes (3): 41.0, 66.4 and 66.7 G."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from choros.backbones.hrnet import HrNet
from choros.backbones.raft import Raft
from choros.trace.network import TraceNetwork


def giga_multiply_adds(call):
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() / 2e9


@pytest.mark.slow
def test_each_part_costs_what_was_published_within_a_tenth():
    with torch.device("meta"), torch.inference_mode():
        image, motion, heads = HrNet().eval(), Raft().eval(), TraceNetwork().eval()
        picture = torch.empty(1, 3, 512, 512)
        features, flow = torch.empty(1, 32, 128, 128), torch.empty(1, 2, 128, 128)
        costs = [
            giga_multiply_adds(lambda: image(picture)),
            giga_multiply_adds(lambda: motion(picture, picture, 1)),  # the release makes 20 corrections
            giga_multiply_adds(lambda: heads(features, flow, None)),
        ]
    assert costs == pytest.approx([41.0, 66.4, 66.7], rel=0.1)
    assert sum(costs) == pytest.approx(174.1, rel=0.1)
