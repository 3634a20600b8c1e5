"""Frames at paper scale: how pictures are given to the backbones, what is taken of them, and all parts in a row."""

import numpy as np
import pytest
import torch
from torch import nn

from choros.backbones.hrnet import HrNet
from choros.backbones.raft import Flow, Raft
from choros.trace import backbone_encoder
from choros.trace.backbone_encoder import BackboneEncoder
from choros.trace.config import TraceConfig
from choros.trace.network import TraceNetwork


class Listening(nn.Module):
    """In place of a backbone: keeps what it is given and answers what it was told to."""

    def __init__(self, answer):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 1, 1)
        self.answer, self.given = answer, []

    def forward(self, *given):
        self.given.append(given)
        return self.answer


def encoder(features=None, flow=None):
    image, motion = Listening([features]), Listening(flow)
    return BackboneEncoder(TraceConfig(), image, motion), image, motion


def test_pictures_are_given_as_the_release_gives_them():
    """White around them, in 0..1, which HRNet makes -1..1; RAFT has the squares in 0..255, the earlier one first."""
    frame = np.zeros((256, 512, 3), np.uint8)
    frame[..., 0] = 51
    features = torch.ones(1, 32, 128, 128)
    full = torch.stack([torch.full((512, 512), 16.0), torch.full((512, 512), -4.0)])[None]
    look, image, motion = encoder(features, Flow(full[..., ::8, ::8], full))
    before, now = look.encode(frame), look.encode(frame[::-1])
    ((given,),) = image.given[:1]
    assert given.shape == (1, 3, 512, 512)
    assert (given[0, :, :126] == 1).all()
    torch.testing.assert_close(given[0, :, 256, 256], torch.tensor([0.2, 0, 0]))
    assert torch.equal(before.features, features)
    flow = look.flow(before, now)
    first, second, iterations = motion.given[0]
    assert iterations == 20
    assert first[0, 0, 256, 256] == 51
    torch.testing.assert_close(second, torch.from_numpy(now.picture).permute(2, 0, 1)[None].float())
    assert flow.shape == (1, 2, 128, 128)  # 16 and -4 px are so many eighths
    torch.testing.assert_close(flow[0].mean((1, 2)), torch.tensor([2.0, -0.5]))


def test_flow_at_the_corners_is_that_of_the_corners():
    """As released, aligned at the corners' pixels."""
    full = torch.arange(512.0).expand(1, 2, 512, 512)
    look, _, _ = encoder(torch.zeros(1, 32, 128, 128), Flow(full, full))
    frame = np.zeros((512, 512, 3), np.uint8)
    flow = look.flow(look.encode(frame), look.encode(frame))
    torch.testing.assert_close(flow[0, 0, 0, [0, 1, 127]], torch.tensor([0, 511 / 127, 511]) / 8)


def test_hrnet_has_pictures_about_zero():
    network = HrNet().eval()
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(network(images)[0], network.normalised(2 * images - 1))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_frames_through_all_parts(monkeypatch):
    monkeypatch.setattr(backbone_encoder, "FLOW_ITERATIONS", 1)
    config, rng = TraceConfig(), np.random.default_rng(0)
    network, look = TraceNetwork(config).eval(), BackboneEncoder(config, HrNet(), Raft())
    before, now = (look.encode(rng.integers(0, 255, (90, 160, 3), np.uint8)) for _ in range(2))
    with torch.inference_mode():
        _, state = network(before.features, None, None)
        maps, _ = network(now.features, look.flow(before, now), state)
        people = network.people(maps, torch.tensor([[10, 60, 60], [20, 64, 100]]))
    assert now.features.shape == (1, 32, 128, 128)
    assert maps.centre_3d.shape == (1, 64, 128, 128)
    assert all(part.isfinite().all() for part in people)
