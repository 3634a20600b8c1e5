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

    learn(tmp_path / "whole")
    stopped = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        learn(stopped, report=killed_at(5))
    learn(stopped)
    a, b = load_file(tmp_path / "whole"), load_file(stopped)
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
