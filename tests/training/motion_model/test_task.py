"""Training of the motion model: that it learns, and exact resume."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.spatial.transform import Rotation

from choros import weights
from choros.errors import ChorosError
from choros.scenes.motion.motion_features import mirrored
from choros.scenes.motion.motion_model import MotionModelConfig, load_model
from choros.training.mocap import train_from_mocap
from choros.training.motion_model.recipe import MotionModelRecipe
from choros.training.motion_model.task import SAMPLE_SEED, MotionModelTask
from choros.training.motion_model.windows import open_skeleton, rows_of
from tests.training.captured import clip
from tests.training.stopping import killed_at, stop_after

SMALL = MotionModelConfig(window=12, past=4, codes=16, past_codes=8, width=16, blocks=1)


def test_what_is_trained_moves_like_its_clips(tmp_path):
    """After a short run windows are drawn whose arms are where the clip's arms are."""
    told = []
    run = MotionModelRecipe(
        steps=150,
        batch=64,
        warmup=10,
        lr=5e-3,
        tempos=(1.0,),
        component_windows=500,
        ema=0.9,
        checkpoint_every=1000,
    )
    config = MotionModelConfig(window=12, past=4, codes=16, past_codes=8, width=32, blocks=1)
    task = MotionModelTask([clip()], run, config)
    train_from_mocap(task, tmp_path / "m.safetensors", {"licence": "ours"}, told.append)
    losses = np.array([record["loss"] for record in told])
    assert losses[100:].mean() < 0.7 * losses[:50].mean()
    model = load_model(tmp_path / "m.safetensors")
    drawn = model.draw(np.random.default_rng(0), 50, None)
    rows = rows_of(clip(), open_skeleton())
    both = np.concatenate([rows, mirrored(rows)])[:, 10:-2]
    miss = np.abs(drawn[..., 10:-2].reshape(-1, 1, both.shape[1]) - both).mean(-1).min(1)
    assert np.median(miss) < 0.05
    # What has a past goes on from it.
    past = rows[20:24]
    following = model.draw(np.random.default_rng(1), 50, past)[:, :4, 10:-2]
    apart = model.draw(np.random.default_rng(1), 50, None)[:, :4, 10:-2]
    assert np.abs(following - past[:, 10:-2]).mean() < 0.6 * np.abs(apart - past[:, 10:-2]).mean()


def test_stopped_and_resumed_ends_with_the_same_weights(tmp_path):
    run = MotionModelRecipe(
        steps=100, batch=8, warmup=2, checkpoint_every=20, tempos=(1.0,), component_windows=100
    )

    def learn(name, **how):
        train_from_mocap(MotionModelTask([clip()], run, SMALL), tmp_path / name, {}, **how)

    learn("whole.safetensors")
    with pytest.raises(KeyboardInterrupt):
        learn("b.safetensors", report=killed_at(50))
    told = []
    for steps in (30, 31):
        learn("b.safetensors", report=told.append, stop=stop_after(steps))
        assert (
            weights.load(tmp_path / "b.safetensors", "motion-model")[1]["steps"] == {30: 70, 31: 100}[steps]
        )
    assert [record["step"] for record in told] == list(range(41, 101))
    whole, resumed = load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "b.safetensors")
    assert whole.keys() == resumed.keys()
    for name in whole:
        torch.testing.assert_close(whole[name], resumed[name], rtol=0, atol=0)


def test_joint_ranges_are_those_of_the_clips(tmp_path):
    run = MotionModelRecipe(steps=1, batch=4, tempos=(1.0,), component_windows=100)
    train_from_mocap(MotionModelTask([clip()], run, SMALL), tmp_path / "m.safetensors", {})
    model = load_model(tmp_path / "m.safetensors")
    elbow_free = model.highest - model.lowest
    assert elbow_free.max() < 1.0  # the arms swing by 0.8 rad at most
    assert (elbow_free[0].abs() < 1e-3).all()  # the left hip never turns
    assert Rotation.from_rotvec(model.lowest.numpy()).magnitude().max() < 2.5


def test_samples_are_of_windows_that_are_held_out(tmp_path):
    run = MotionModelRecipe(steps=1, batch=4, tempos=(1.0,), component_windows=100)
    task = MotionModelTask([clip()], run, SMALL)
    task.show([clip(name="bending_1", seconds=6.0)], held_out=True)
    figures, pictures = task.look(task.network.eval())
    seen = task._begun(
        task.network.windows.encode(task._unseen),
        task.network.pasts.encode(task._unseen[:, : SMALL.past]),
        np.random.default_rng(SAMPLE_SEED),
    )
    # A network whose last layer is zero says no velocity: what it misses is the whole way.
    whole_way = ((seen.codes - seen.noise).square() * task._importance).mean()
    assert figures == {"loss": pytest.approx(float(whole_way), rel=1e-5)}
    assert len(pictures) == 12
    assert task.look(task.network)[0] == figures
    task = MotionModelTask([clip()], run, SMALL)
    task.show([clip(lying=True)], held_out=True)
    assert task.look(task.network) == ({}, [])


def test_motion_in_which_nobody_stands_is_refused():
    with pytest.raises(ChorosError, match="stay on their feet"):
        MotionModelTask([clip(lying=True)], MotionModelRecipe(tempos=(1.0,)), SMALL)
