"""The motion infiller: what it may see, what it keeps, and that it works for any length."""

from dataclasses import replace

import pytest
import roma
import torch

from choros import weights
from choros.errors import ChorosError
from choros.glamr.config import InfillerConfig
from choros.glamr.cvae import Gaussian
from choros.glamr.infiller import POSE, MotionInfiller
from choros.glamr.network_inputs import rotations_at

TINY = InfillerConfig(width=16, heads=2, blocks=1, feedforward=16, mlp=(16,), latent=4, dropout=0.0)


@pytest.fixture(scope="module")
def wild():
    """An untrained network whose answers are far from the straight way."""
    torch.manual_seed(0)
    network = MotionInfiller(TINY).eval()
    torch.nn.init.normal_(network.head[-1].weight, std=0.5)
    return network


def motion(T, seed=0):
    """Smooth random rotations (T, 23, 3, 3)."""
    noise = torch.randn(T // 10 + 2, 23, 3, generator=torch.Generator().manual_seed(seed)) * 0.4
    at = torch.arange(T) / 10
    return rotations_at(roma.rotvec_to_rotmat(noise), torch.arange(len(noise)), at)


def angle(a, b):
    return roma.rotmat_geodesic_distance(a, b)


@pytest.mark.parametrize("T", [1, 7, 40, 51, 131])
def test_whatever_was_seen_stays_and_the_rest_are_rotations(wild, T):
    visible = torch.rand(T, generator=torch.Generator().manual_seed(T)) > 0.6
    visible[T // 2] = True
    rotations = motion(T)
    whole = wild.infill(rotations, visible, samples=3)
    assert whole.shape == (3, T, 23, 3, 3)
    assert (whole[:, visible] == rotations[visible]).all()
    torch.testing.assert_close(whole @ whole.mT, torch.eye(3).expand_as(whole), atol=1e-5, rtol=0)


def test_what_was_not_seen_does_not_matter(wild):
    visible = torch.ones(140, dtype=torch.bool)
    visible[:4] = visible[30:75] = visible[100:110] = visible[130:] = False
    rotations = motion(140)
    other = torch.where(visible[:, None, None, None], rotations, motion(140, seed=9))
    for keep in (True, False):
        found = [wild.infill(r, visible, samples=2, keep_visible=keep) for r in (rotations, other)]
        torch.testing.assert_close(*found, atol=1e-5, rtol=0)


def test_whoever_was_seen_all_the_time_is_left_alone_unless_asked(wild):
    rotations, visible = motion(70), torch.ones(70, dtype=torch.bool)
    assert (wild.infill(rotations, visible)[0] == rotations).all()
    assert angle(wild.infill(rotations, visible, keep_visible=False)[0], rotations).mean() > 0.1


def test_samples_follow_the_seed_and_the_first_is_the_likeliest(wild):
    visible = torch.ones(90, dtype=torch.bool)
    visible[20:70] = False
    a, b, c = (wild.infill(motion(90), visible, samples=2, seed=seed) for seed in (1, 1, 2))
    assert (a == b).all()
    assert (a[0] == c[0]).all()
    assert angle(a[1, 20:70], c[1, 20:70]).mean() > 1e-3


def test_without_a_network_it_is_the_straight_way():
    network = MotionInfiller(TINY).eval()
    for parameter in network.head[-1].parameters():
        torch.nn.init.zeros_(parameter)
    rotations, visible = motion(120), torch.ones(120, dtype=torch.bool)
    visible[25:95] = False
    found = network.infill(rotations, visible)[0]
    seen = visible.nonzero()[:, 0].double()
    straight = rotations_at(rotations[visible], seen, torch.arange(120).double())
    assert angle(found, straight).max() < 0.1  # lines between columns, not arcs


def test_motion_bends_to_what_was_seen(wild):
    rotations, visible = motion(60), torch.ones(60, dtype=torch.bool)
    visible[15:45] = False
    free = wild.infill(rotations, visible, keep_visible=False)[0]
    kept = wild.infill(rotations, visible)[0]
    jump = angle(free[45], rotations[45]).mean()
    assert jump > 0.2
    for inner, outer in ((44, 45), (15, 14)):
        assert angle(kept[inner], kept[outer]).mean() < 0.5 * jump
    middle = slice(15 + TINY.seam, 45 - TINY.seam)
    torch.testing.assert_close(kept[middle], free[middle], atol=1e-5, rtol=0)


def test_the_next_sight_counts_also_beyond_the_window(wild):
    rotations, visible = motion(150), torch.ones(150, dtype=torch.bool)
    visible[10:100] = False
    other = rotations.clone()
    other[100:] = motion(150, seed=5)[100:]
    found = [wild.infill(r, visible)[0] for r in (rotations, other)]
    assert angle(found[0][30], found[1][30]).mean() > 1e-2


def test_reconstruction_looks_at_the_truth(wild):
    visible = torch.ones(60, dtype=torch.bool)
    visible[15:45] = False
    rotations, other = motion(60), motion(60)
    other[20:40] = motion(60, seed=7)[20:40]
    a, b = (wild.reconstruct(r, visible) for r in (rotations, other))
    assert a.shape == rotations.shape
    assert angle(a[30], b[30]).mean() > 1e-3


def test_mistakes_are_told(wild, tmp_path):
    rotations = motion(20)
    with pytest.raises(ChorosError, match="visible in any frame"):
        wild.infill(rotations, torch.zeros(20, dtype=torch.bool))
    with pytest.raises(ChorosError, match=r"\(T, 23, 3, 3\)"):
        wild.infill(rotations, torch.ones(19, dtype=torch.bool))
    with pytest.raises(ChorosError, match="does not exist"):
        MotionInfiller.load(tmp_path / "none.safetensors")
    with pytest.raises(ChorosError, match="not weights for infiller"):
        MotionInfiller.load(weights.shipped("lifter"))


def test_the_default_is_the_papers_network():
    network = MotionInfiller(InfillerConfig())
    assert network.config.window == 50
    for transformer in (network.context, network.decoder, network.prior_network.transformer):
        assert len(transformer.layers) == 2
        layer = transformer.layers[0]
        assert layer.self_attn.in_proj_weight.shape == (3 * 256, 256)
        assert layer.self_attn.num_heads == 8
        assert layer.linear1.weight.shape == (512, 256)
        assert layer.dropout.p == 0.1
    assert [tuple(p.shape) for p in network.head.parameters() if p.ndim == 2] == [
        (512, 256 + 128), (256, 512), (POSE, 256),
    ]  # fmt: skip
    assert network.prior_network.tokens.shape == network.posterior_network.tokens.shape == (2, 256)
    assert network.posterior_network.mean.weight.shape == (128, 256)


def test_the_shipped_network_moves_smoothly_between_what_was_seen():
    network = MotionInfiller.load()
    rotations, visible = motion(90), torch.ones(90, dtype=torch.bool)
    visible[30:60] = False
    found = network.infill(rotations, visible)[0]
    assert angle(found[1:], found[:-1]).max() < 0.5


def test_divergence_is_torchs():
    generator = torch.Generator().manual_seed(0)
    a, b = (Gaussian(*torch.randn(2, 5, 7, generator=generator)) for _ in range(2))
    p, q = (torch.distributions.Normal(g.mean, g.log_std.exp()) for g in (a, b))
    torch.testing.assert_close(a.divergence(b), torch.distributions.kl_divergence(p, q).sum(-1))


def test_sizes_of_windows_are_free():
    network = MotionInfiller(replace(TINY, context=4, infilled=8, lookahead=2, horizon=5)).eval()
    visible = torch.ones(33, dtype=torch.bool)
    visible[6:21] = False
    assert network.infill(motion(33), visible).isfinite().all()
