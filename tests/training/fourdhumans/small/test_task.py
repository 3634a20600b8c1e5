"""The small HMR 2.0's training: crops are made once, a stopped run goes on, and it learns what only pictures tell."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.errors import ChorosError
from choros.fourdhumans.hmr2.config import DecoderConfig
from choros.fourdhumans.hmr2.small.config import N_FEATURES, N_POINTS, SmallConfig
from choros.fourdhumans.hmr2.small.network import load_small
from choros.training.fourdhumans.small.held_out import figures, told
from choros.training.fourdhumans.small.kept import Seen, gather, nobody
from choros.training.fourdhumans.small.lessons import Lessons
from choros.training.fourdhumans.small.recipe import SmallRecipe
from choros.training.fourdhumans.small.task import SmallTask
from choros.training.lifter.batch import ClipConfig, sample
from choros.training.loop import train
from tests.training.captured import SWINGING
from tests.training.stopping import killed_at

CONFIG = SmallConfig(
    bottleneck=16,
    decoder=DecoderConfig(context_width=64, width=96, layers=2, heads=4, head_width=16, mlp_width=96),
)
RECIPE = SmallRecipe(steps=4, warmup=2, checkpoint_every=2, sample_every=0, batch=(4, 2, 2), seed=5)


def seen_people(n, seed=0):
    """People of motion capture, with random features."""
    made = sample(
        [SWINGING], Points.of(BodyModel.load(detail="light")), ClipConfig(batch=n, frames=1), seed, 0
    )
    rng = np.random.default_rng(seed)
    return Seen(
        made.keypoints[:, 0].astype(np.float32),
        rng.normal(size=(n, N_POINTS, N_FEATURES)).astype(np.float16),
        np.ones((n, N_POINTS), bool),
        made.rotations[:, 0],
        made.betas.astype(np.float32),
        made.joints_cam[:, 0].astype(np.float32),
        np.concatenate([made.true_keypoints[:, 0], np.ones((n, 17, 1))], -1).astype(np.float32),
        np.ones(n, np.float32),
    )


def lessons():
    scenes = seen_people(12)
    return Lessons(scenes, seen_people(5, 1), [SWINGING], seen_people(6, 2), seen_people(4, 3))


def test_stopped_and_resumed_ends_with_the_same_weights(tmp_path):
    def learn(name, **how):
        task = SmallTask(lessons(), RECIPE, CONFIG, tmp_path / name, {"licence": "none"})
        train(task, RECIPE, tmp_path / f"{name}.checkpoint", tmp_path / f"{name}.jsonl", **how)

    learn("whole.safetensors")
    with pytest.raises(KeyboardInterrupt):
        learn("b.safetensors", report=killed_at(3))
    learn("b.safetensors")
    whole, resumed = load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "b.safetensors")
    assert whole.keys() == resumed.keys()
    for name in whole:
        torch.testing.assert_close(whole[name], resumed[name], rtol=0, atol=0)
    network, prior = load_small(tmp_path / "whole.safetensors")
    assert network.config == CONFIG
    assert prior.mean.shape == (63,)


def test_what_the_picture_alone_tells_is_learned(tmp_path):
    """Half of the people have one feature, and are twice as large and far away as others of the same keypoints."""
    scenes = seen_people(64, 4)
    large, others = slice(0, None, 2), slice(1, None, 2)
    scenes.features[...] = 0
    scenes.features[large, :, 0] = 4
    for part in (scenes.keypoints, scenes.rotations, scenes.betas, scenes.joints_cam):
        part[large] = part[others]
    scenes.joints_cam[large] *= 2
    scenes.true_keypoints[..., 2] = 0
    recipe = SmallRecipe(
        steps=40, batch=(40, 0, 2), warmup=1, lr=5e-3, sample_every=0, ema=0.9, joints=0.0, rotation=0.0
    )
    some = Lessons(scenes, nobody(), [SWINGING], nobody(), nobody())
    task = SmallTask(some, recipe, CONFIG, tmp_path / "w.safetensors", {})
    average = train(task, recipe, tmp_path / "checkpoint", tmp_path / "log").average

    def off(blind):
        _, found = told(average, scenes, blind)
        depth = found.pelvis_cam[torch.arange(64), found.log_chance.argmax(-1), 2].numpy()
        return np.abs(np.log(depth / scenes.joints_cam[:, 0, 2])).mean()

    assert off(blind=False) < 0.2
    assert off(blind=True) > 0.3  # half of log 2


def test_crops_are_made_once(tmp_path):
    made = []

    def make(number):
        made.append(number)
        return seen_people(2, number)

    first = gather(tmp_path, "scenes", 3, make)
    again = gather(tmp_path, "scenes", 3, make)
    assert made == [0, 1, 2]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert gather(tmp_path, "other", 3, make, stop=lambda: True).people == 0
    (tmp_path / "scenes-00001.npz").write_bytes(b"nothing")
    with pytest.raises(ChorosError, match=r"scenes-00001.npz holds no crops"):
        gather(tmp_path, "scenes", 3, make)


def test_figures_of_a_network_that_knows(tmp_path):
    task = SmallTask(lessons(), RECIPE, CONFIG, tmp_path / "w.safetensors", {})
    network = task.network.eval()
    told = figures(network, seen_people(6, 2), seen_people(4, 3), task.points, task.prior)
    assert told["best_mm"] <= told["told_mm"]
    assert told["fit_mm"] == told["fit_mm_blind"]  # for it begins as the lifter, which sees nothing
    assert 0 <= told["pck_05"] <= told["pck_10"] <= 1
