"""The pose transformer: where and when a track is does not matter, nor what else is asked; the paper's size."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros import weights
from choros.errors import ChorosError
from choros.fourdhumans.config import POSE_TRANSFORMER_PRESETS, PoseTransformerConfig
from choros.fourdhumans.pose_tracks import MOVING, TOKEN, PoseTrack, Window
from choros.fourdhumans.pose_transformer import SYSTEM, PoseTransformer, network_metadata
from tests.fourdhumans.test_pose_tracks import track

TINY = PoseTransformerConfig(width=32, heads=2, layers=2, expansion=2, tokens=24)


@pytest.fixture(scope="module")
def network():
    """One whose answers depend on all it sees."""
    torch.manual_seed(0)
    made = PoseTransformer(TINY).eval()
    with torch.no_grad():
        for last in (made.departure[-1], made.shares[-1]):
            last.weight.normal_(std=0.1)
    return made


def same(a, b, atol=2e-5):
    for one, other in zip(a, b, strict=True):
        torch.testing.assert_close(one, other, atol=atol, rtol=0, check_dtype=False)


ASKED = torch.tensor([0.12, 0.4, 0.7, -0.1])


def test_anywhere_any_way_at_any_time_is_the_same(network):
    here = track(np.arange(12) / 30)
    turn = torch.from_numpy(Rotation.from_euler("y", 130, degrees=True).as_matrix()).float()
    there = PoseTrack(
        here.times_s + 500.25,
        torch.cat([turn @ here.rotations[:, :1], here.rotations[:, 1:]], 1),
        here.pelvis @ turn.T + torch.tensor([3.0, -1, 7]),
        here.betas,
    )
    (one,) = network.complete([here], [ASKED])
    (other,) = network.complete([there], [ASKED.double() + 500.25])
    turned = torch.cat([turn @ one.rotations[:, :1], one.rotations[:, 1:]], 1)
    same(other[1:], (turned, one.pelvis @ turn.T + torch.tensor([3.0, -1, 7]), one.betas), 1e-4)


def test_what_else_is_asked_does_not_matter(network):
    one = track(np.arange(12) / 30)
    (together,) = network.complete([one], [ASKED])
    for k in range(len(ASKED)):
        (alone,) = network.complete([one], [ASKED[k : k + 1]])
        same(alone[1:], (part[k : k + 1] for part in together[1:]))


def test_everyone_is_read_at_their_own_time(network):
    """Tracks of other ages in one batch: as each by itself."""
    tracks = [track(np.arange(n) / fps, seed=n) for n, fps in ((12, 30), (1, 30), (7, 12))]
    asked = [torch.tensor([0.5]), torch.tensor([0.1, 2.0]), torch.tensor([0.6, 0.3, 0.35])]
    together = network.complete(tracks, asked)
    for k in range(3):
        (alone,) = network.complete(tracks[k : k + 1], asked[k : k + 1])
        same(alone, together[k])
    assert [len(answer.times_s) for answer in together] == [1, 2, 3]


def test_answers_are_people(network):
    (answer,) = network.complete([track(np.arange(9) / 25)], [ASKED])
    R = answer.rotations.double()
    torch.testing.assert_close(R @ R.mT, torch.eye(3).double().expand_as(R), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(4, 24).double(), atol=1e-5, rtol=0)
    assert answer.pelvis.isfinite().all()


def test_an_untrained_one_says_about_what_needs_no_learning():
    torch.manual_seed(1)
    network = PoseTransformer(TINY)
    one = track([0.0, 0.2])
    still = one._replace(rotations=one.rotations[:1].repeat(2, 1, 1, 1), pelvis=one.pelvis[:1].repeat(2, 1))
    (answer,) = network.complete([still], [torch.tensor([0.1, 0.3])])
    assert (answer.pelvis - still.pelvis).norm(dim=-1).max() < 0.1
    assert (answer.rotations - still.rotations).abs().max() < 0.15


def test_it_is_written_and_read(network, tmp_path):
    path = tmp_path / "poses.safetensors"
    weights.save(path, dict(network.state_dict()), network_metadata(TINY))
    read = PoseTransformer.load(path)
    assert read.config == TINY
    one = track(np.arange(5) / 30)
    same(read.complete([one], [ASKED])[0], network.complete([one], [ASKED])[0], 0)
    with pytest.raises(ChorosError, match=f"not weights for {SYSTEM}"):
        PoseTransformer.load(weights.shipped("infiller"))


def test_the_papers_size_takes_a_step():
    """6 layers of 256 in 8 heads, 128 tokens (S.4)."""
    config = POSE_TRANSFORMER_PRESETS["paper"]
    assert (config.layers, config.width, config.heads, config.tokens) == (6, 256, 8, 128)
    torch.manual_seed(0)
    network = PoseTransformer(config)
    seen = torch.ones(2, 128, dtype=torch.bool)
    seen[:, 60:90] = False
    window = Window((torch.arange(128) / 30).expand(2, -1), torch.randn(2, 128, TOKEN), seen, ~seen)
    answer = network(window)
    assert answer.shape == (60, TOKEN)
    answer[:, :MOVING].square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_small_is_the_same_code():
    small = POSE_TRANSFORMER_PRESETS["small"]
    assert replace(small, width=256, heads=8, layers=6, expansion=4) == POSE_TRANSFORMER_PRESETS["paper"]
    assert sum(p.numel() for p in PoseTransformer(small).parameters()) * 2 < 10e6  # bytes in half precision
