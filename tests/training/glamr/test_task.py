"""Training of GLAMR's networks: exact resume, that they learn, and all of the paper's."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from choros.glamr.config import InfillerConfig, TrajectoryConfig
from choros.glamr.infiller import MotionInfiller
from choros.glamr.trajectory import TrajectoryPredictor
from choros.training.glamr.recipe import InfillerRecipe, TrajectoryRecipe
from choros.training.glamr.task import InfillerTask, TrajectoryTask
from choros.training.mocap import train_from_mocap
from tests.training.captured import clip
from tests.training.stopping import killed_at

TINY = InfillerConfig(width=16, heads=2, blocks=1, feedforward=16, mlp=(16,), latent=4)


TINY_PATH = TrajectoryConfig(lstm=16, mlp=(16,), latent=4)


def task(what, clips, **how):
    if what == "infiller":
        return InfillerTask(clips, InfillerRecipe(tempos=(1.0,), **how), TINY)
    return TrajectoryTask(clips, TrajectoryRecipe(tempos=(1.0,), **how), TINY_PATH)


@pytest.mark.parametrize("what", ["infiller", "trajectory"])
def test_stopped_and_resumed_is_as_never_stopped(what, tmp_path):
    clips = [clip(seconds=5.0, speed_m_s=1.0)]

    def learn(path, **how):
        train_from_mocap(task(what, clips, steps=6, checkpoint_every=3, batch=2), path, {}, **how)

    learn(tmp_path / "whole.safetensors")
    stopped = tmp_path / "stopped.safetensors"
    with pytest.raises(KeyboardInterrupt):
        learn(stopped, report=killed_at(5))
    learn(stopped)
    a, b = load_file(tmp_path / "whole.safetensors"), load_file(stopped)
    assert a.keys() == b.keys()
    assert all((a[name] == b[name]).all() for name in a)
    loaded = (MotionInfiller if what == "infiller" else TrajectoryPredictor).load(stopped)
    assert loaded.config == (TINY if what == "infiller" else TINY_PATH)


def test_generators_of_others_are_left_alone(tmp_path):
    clips = [clip(seconds=5.0, speed_m_s=1.0)]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    for what in ("infiller", "trajectory"):
        train_from_mocap(task(what, clips, steps=1, batch=2), tmp_path / what, {})
    assert torch.equal(torch.rand(3), expected)


def test_learning_gets_better(tmp_path):
    clips = [clip(seconds=5.0, speed_m_s=1.0)]
    told = []
    learner = task("trajectory", clips, steps=100, lr=3e-3, warmup=5, batch=4, frames=(50,))
    train_from_mocap(learner, tmp_path / "path", {}, lambda record: told.append(record["loss"]))
    assert np.mean(told[50:]) < 0.5 * np.mean(told[:50])


@pytest.mark.parametrize("what", ["infiller", "trajectory"])
def test_the_papers_networks_take_a_step_and_every_weight_gets_a_gradient(what):
    clips = [clip(seconds=5.0, speed_m_s=1.0)]
    if what == "infiller":
        learner = InfillerTask(clips, InfillerRecipe(tempos=(1.0,), batch=2), InfillerConfig())
    else:
        recipe = TrajectoryRecipe(tempos=(1.0,), batch=2, frames=(100,))
        learner = TrajectoryTask(clips, recipe, TrajectoryConfig())
    learner.prepare(0)
    batch = learner.batch(0, 0)
    step = learner.recipe.steps // 2  # the divergence counts in full
    learner.losses(learner.predict(batch), batch, step)[0].backward()
    network = learner.network
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    torch.optim.Adam(network.parameters()).step()
    assert all(p.isfinite().all() for p in network.parameters())


def held_out_walks():
    return [clip(name=f"walk_{n}", seconds=5.0, speed_m_s=0.5 + 0.2 * n) for n in range(3)]


def test_samples_of_the_infiller_know_the_truth_when_they_see_it(tmp_path):
    """An infiller that says the truth is off by nothing; one that keeps every joint straight by as much as it is."""
    learner = task("infiller", held_out_walks())
    learner.show(held_out_walks(), held_out=True)
    window, truth, exists = learner._gaps

    class Knows(MotionInfiller):
        def fill(self, context, window, z):
            return truth[:, TINY.context :]

    figures, pictures = learner.look(Knows(TINY).eval())
    assert figures == {"hidden_mpjpe_mm": pytest.approx(0, abs=1e-3)}
    assert len(pictures) == 12
    hidden = ~window.seen & exists
    assert hidden.any(1).all()  # every window has a gap to be told

    class Stiff(MotionInfiller):
        def fill(self, context, window, z):
            return torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(23).expand_as(truth)[:, TINY.context :]

    assert learner.look(Stiff(TINY).eval())[0]["hidden_mpjpe_mm"] > 20


def test_samples_of_paths_know_the_truth_when_they_see_it():
    learner = task("trajectory", held_out_walks(), frames=(50,))
    learner.show(held_out_walks(), held_out=True)
    ego = learner._stretches.ego

    class Knows(TrajectoryPredictor):
        def predict_all(self, people):
            return list(ego)

    class Stays(TrajectoryPredictor):
        def predict_all(self, people):
            still = ego.clone()
            still[:, 1:, :2] = 0
            return list(still)

    figures, pictures = learner.look(Knows(TINY_PATH))
    assert figures == {"path_error_m": pytest.approx(0, abs=1e-6)}
    assert len(pictures) == 12
    # Whoever walks at v m/s for T frames is v T / 60 m away on average; speeds are .5, .7 and .9 m/s.
    assert 0.5 * 49 / 60 < learner.look(Stays(TINY_PATH))[0]["path_error_m"] < 0.9 * 49 / 60


@pytest.mark.parametrize("what", ["infiller", "trajectory"])
def test_samples_change_nothing_and_tell_what_was_held_out_alone(what, tmp_path):
    told = {}
    for name, shown, held_out in (
        ("plain", [], True),
        ("a", held_out_walks(), True),
        ("b", held_out_walks(), False),
    ):
        learner = task(what, [clip(seconds=5.0, speed_m_s=1.0)], steps=3, batch=2, sample_every=2)
        learner.show(shown, held_out)
        told[name] = []
        train_from_mocap(learner, tmp_path / name, {}, told[name].append)
    one, two, three = (load_file(tmp_path / name / "weights.safetensors") for name in told)
    assert all(torch.equal(one[name], two[name]) and torch.equal(one[name], three[name]) for name in one)
    sheets = [path.name for path in sorted((tmp_path / "a" / "samples").iterdir())]
    assert sheets == ["0000000.png", "0000002.png", "0000003.png"]
    measured = [
        [any(key.startswith("held_out/") for key in record) for record in told[name]] for name in told
    ]
    assert [sum(each) for each in measured] == [0, 3, 0]
    assert [sum("sample" in record for record in told[name]) for name in told] == [0, 3, 3]


def test_clips_too_short_to_be_shown_make_no_sample(tmp_path):
    for what in ("infiller", "trajectory"):
        learner = task(what, [clip(seconds=5.0, speed_m_s=1.0)])
        learner.show([clip(seconds=0.5)], held_out=True)
        assert learner.sample(learner.network, 0) == {}
