"""The trajectory predictor: people in one batch are as alone, of any length."""

import pytest
import torch

from choros import weights
from choros.errors import ChorosError
from choros.glamr.config import TrajectoryConfig
from choros.glamr.egocentric import TILT, ego_to_global
from choros.glamr.trajectory import TrajectoryPredictor

TINY = TrajectoryConfig(lstm=16, mlp=(16, 16), latent=4)
VARIANTS = {
    "lstm": TINY,
    "transformer": TrajectoryConfig(lstm=16, mlp=(16, 16), latent=4, transformer=True),
    "global": TrajectoryConfig(lstm=16, mlp=(16, 16), latent=4, egocentric=False),
}


def joints(T, seed=0):
    return torch.randn(T, 24, 3, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=VARIANTS)
def network(request):
    torch.manual_seed(0)
    network = TrajectoryPredictor(VARIANTS[request.param]).eval()
    torch.nn.init.normal_(network.out.weight, std=0.3)
    return network


def test_people_in_one_batch_are_as_alone(network):
    people = [joints(T, T) for T in (31, 1, 80, 80)]
    together = network.predict_all(people)
    assert [len(ego) for ego in together] == [31, 1, 80, 80]
    for ego, person in zip(together, people, strict=True):
        torch.testing.assert_close(ego, network.predict(person), atol=1e-5, rtol=1e-5)


def test_samples_follow_the_seed_and_the_first_is_the_likeliest(network):
    person = joints(40)
    a, b, c = (network.sample(person, 3, seed=seed) for seed in (1, 1, 2))
    assert a.shape == (3, 40, 11)
    assert (a == b).all()
    torch.testing.assert_close(a[0], network.predict(person))
    assert (a[1] - c[1]).abs().mean() > 1e-4


def test_an_untrained_network_stands_upright():
    ego = TrajectoryPredictor(TINY).eval().predict(joints(20))
    places, rotations = ego_to_global(ego, torch.tensor([1.0, 2, 0]))
    assert (places - torch.tensor([1, 2, 0.9])).norm(dim=-1).max() < 0.2
    assert rotations[:, 2, 1].min() > 0.95  # the body's y is the world's z


def test_the_default_is_the_papers_network():
    network = TrajectoryPredictor(TrajectoryConfig())
    for part in (network.context, network.path_in):
        assert part.recurrent.bidirectional
        assert part.recurrent.num_layers == 2
        assert 2 * part.recurrent.hidden_size == 256
        assert part.into[0].weight.shape[0] == 512
        assert part.into[2].weight.shape == (256, 512)
    assert network.decoder[0].weight.shape == (512, 256 + 128)
    assert network.out.weight.shape == (11, 256)
    assert network.prior.out.weight.shape == (2 * 128, 256)


def test_the_shipped_network_says_paths_of_people():
    network = TrajectoryPredictor.load()
    ego = network.predict(0.3 * joints(60))
    assert ego.isfinite().all()
    assert ego[:, TILT].norm(dim=-1).min() > 0.1


def test_mistakes_are_told():
    network = TrajectoryPredictor(TINY).eval()
    with pytest.raises(ChorosError, match=r"\(T, 24, 3\), not \(5, 23, 3\)"):
        network.predict(torch.zeros(5, 23, 3))
    with pytest.raises(ChorosError, match="not weights for trajectory"):
        TrajectoryPredictor.load(weights.shipped("lifter"))
    assert network.predict_all([]) == []
