"""Flow matching: nought for the true velocity."""

import torch

from choros.training.motion_model.losses import flow_loss, on_the_way


def test_the_true_velocity_has_no_loss():
    generator = torch.Generator().manual_seed(0)
    codes, noise = torch.randn(2, 64, 8, generator=generator)
    time = torch.rand(64, 1, generator=generator)
    between = on_the_way(noise, codes, time)
    assert torch.equal(on_the_way(noise, codes, torch.zeros(64, 1)), noise)
    later = on_the_way(noise, codes, time + 0.1)
    torch.testing.assert_close((later - between) / 0.1, codes - noise, rtol=1e-3, atol=1e-4)
    assert flow_loss(codes - noise, noise, codes, torch.ones(8)) == 0
    # Saying nothing costs the variance of codes and noise together, each component by its importance.
    importance = torch.arange(8.0)
    loss = flow_loss(torch.zeros(64, 8), noise, codes, importance)
    torch.testing.assert_close(loss, ((codes - noise).square().mean(0) * importance).mean())
