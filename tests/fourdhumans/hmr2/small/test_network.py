"""The small HMR 2.0's network: at first the lifter, then what is seen tells; its file is read as it was written."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from choros import weights
from choros.body.gauss_newton import PosePrior
from choros.body.hypotheses import N_OF_EACH, person_view
from choros.errors import ChorosError
from choros.fourdhumans.hmr2.config import DecoderConfig
from choros.fourdhumans.hmr2.small.config import N_FEATURES, N_POINTS, SmallConfig
from choros.fourdhumans.hmr2.small.network import SmallHmr2, load_small
from choros.lifter.network import Lifter, LifterConfig
from choros.training.fourdhumans.small.task import begin_as_lifter

TINY = SmallConfig(
    width=24, blocks=1, hypotheses=3, bottleneck=8,
    decoder=DecoderConfig(context_width=16, width=16, layers=1, heads=2, head_width=8, mlp_width=16),
)  # fmt: skip


def people(n=3, seed=0):
    """Views of people, and features of them."""
    torch.manual_seed(seed)
    keypoints = torch.rand(n, 17, 3) * torch.tensor([0.3, 0.6, 1.0])
    view = person_view(keypoints, torch.eye(3).expand(n, 3, 3), torch.zeros(n))
    return view, torch.randn(n, N_POINTS, N_FEATURES), torch.ones(n, N_POINTS, dtype=torch.bool)


def test_it_begins_as_the_lifter(tmp_path):
    torch.manual_seed(1)
    lifter = Lifter(LifterConfig(width=24, blocks=1, hypotheses=3)).eval()
    torch.nn.init.normal_(lifter.memory.bias_hh_l0)  # a trained one remembers nothing in its own way
    prior = {"prior.mean": torch.rand(63), "prior.precision_root": torch.rand(63, 63)}
    path = tmp_path / "lifter.safetensors"
    weights.save(path, lifter.state_dict() | prior, {"system": "lifter"})
    network = SmallHmr2(TINY).eval()
    taken, learned = begin_as_lifter(network, path)
    np.testing.assert_allclose(taken.mean, prior["prior.mean"].numpy(), atol=1e-7)
    assert "into.weight" in learned
    assert not any(name.startswith(("layers", "told", "bottleneck")) for name in learned)
    view, features, seen = people()
    with torch.no_grad():
        ours, hidden = network(view, features, seen)
        theirs, remembered = lifter(type(view)(*(part[:, None] for part in view)), torch.zeros(3, 24))
        later, _ = network(view, features, seen, hidden)
        theirs_later, _ = lifter(type(view)(*(part[:, None] for part in view)), remembered)
    torch.testing.assert_close(hidden, remembered, atol=1e-5, rtol=1e-4)
    for mine, yours in zip(later, theirs_later, strict=True):
        torch.testing.assert_close(mine, yours[:, 0], atol=1e-5, rtol=1e-4)
    for mine, yours in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, yours[:, 0], atol=1e-5, rtol=1e-4)


def test_what_is_seen_tells_and_what_is_not_does_not():
    network = SmallHmr2(TINY).eval()
    torch.nn.init.normal_(network.told.weight, std=0.1)
    view, features, seen = people()
    other = features.clone()
    other[:, 4] += 1
    seen[:, 7] = False
    hidden = features.clone()
    hidden[:, 7] += 1
    with torch.no_grad():
        first, changed, same = (network(view, x, seen)[0].pelvis_cam for x in (features, other, hidden))
    assert (first - changed).abs().max() > 1e-5
    torch.testing.assert_close(first, same)


def test_features_are_noised_while_it_learns_and_not_after():
    network = SmallHmr2(TINY)
    torch.nn.init.normal_(network.told.weight, std=0.1)
    view, features, seen = people()

    def said():
        with torch.no_grad():
            return network(view, features, seen)[0].pelvis_cam

    assert (said() - said()).abs().max() > 0
    network.eval()
    assert (said() - said()).abs().max() == 0


def test_a_file_is_read_as_it_was_written(tmp_path):
    network = SmallHmr2(TINY).eval()
    prior = PosePrior(np.linspace(0, 1, 63), np.eye(63))
    network.save(tmp_path / "w.safetensors", prior, {"steps": 3})
    again, its_prior = load_small(tmp_path / "w.safetensors")
    assert again.config == TINY
    np.testing.assert_allclose(its_prior.mean, prior.mean, atol=1e-6)
    view, features, seen = people()
    with torch.no_grad():
        ours, theirs = (each(view, features, seen)[0] for each in (network, again))
        for mine, yours in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, yours, atol=0.01, rtol=0.01)


def test_a_file_of_other_sizes_is_refused(tmp_path):
    network = SmallHmr2(TINY)
    network.config = replace(TINY, width=32)
    network.save(tmp_path / "w.safetensors", PosePrior.none(), {})
    with pytest.raises(ChorosError, match="does not fit this version"):
        load_small(tmp_path / "w.safetensors")
    weights.save(tmp_path / "l.safetensors", {"a": torch.zeros(1)}, {"system": "lifter"})
    with pytest.raises(ChorosError, match="not weights for hmr2-small"):
        load_small(tmp_path / "l.safetensors")


def test_numbers_of_a_hypothesis():
    assert N_OF_EACH == 24 * 6 + 3 + 24 + 24 + 1 + 1
