"""Training of the lifter: exact resume, and that it learns."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from choros import weights
from choros.errors import ChorosError
from choros.lifter.network import LifterConfig
from choros.training.lifter.batch import ClipConfig
from choros.training.lifter.recipe import LifterRecipe
from choros.training.lifter.task import LifterTask
from choros.training.mocap import train_from_mocap
from tests.training.captured import SWINGING
from tests.training.stopping import killed_at, stop_after


def test_stopped_and_resumed_ends_with_the_same_weights(tmp_path):
    recipe = LifterRecipe(steps=6, warmup=2, checkpoint_every=3)

    def learn(name, **how):
        task = LifterTask([SWINGING], recipe, LifterConfig(width=16), ClipConfig(batch=2, frames=3))
        train_from_mocap(task, tmp_path / name, {}, **how)

    learn("whole.safetensors")
    with pytest.raises(KeyboardInterrupt):
        learn("b.safetensors", report=killed_at(5))
    told = []
    for steps in (2, 1):  # now it is asked to stop, between checkpoints, and goes on where it was
        learn("b.safetensors", report=told.append, stop=stop_after(steps))
        assert (tmp_path / "b.safetensors").exists() == (steps == 1)
    assert [record["step"] for record in told] == [4, 5, 6]
    whole, resumed = load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "b.safetensors")
    assert whole.keys() == resumed.keys()
    for name in whole:
        torch.testing.assert_close(whole[name], resumed[name], rtol=0, atol=0)


def test_training_lowers_the_loss(tmp_path):
    told = []
    recipe = LifterRecipe(steps=100, warmup=5, lr=3e-3, checkpoint_every=1000)
    task = LifterTask([SWINGING], recipe, LifterConfig(width=32), ClipConfig(batch=8, frames=3))
    train_from_mocap(task, tmp_path / "w.safetensors", {}, told.append)
    assert [record["step"] for record in told] == list(range(1, 101))
    assert {record["steps"] for record in told} == {100}
    losses = np.array([record["loss"] for record in told])
    assert losses[50:].mean() < 0.8 * losses[:50].mean()


def test_weights_of_something_else_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    weights.save(path, {"a": torch.zeros(2)}, {"system": "comotion", "steps": 3})
    tensors, metadata = weights.load(path, "comotion")
    assert metadata["steps"] == 3
    assert tensors["a"].tolist() == [0, 0]
    with pytest.raises(ChorosError, match="comotion"):
        weights.load(path, "lifter")
    for name, content in (
        ("text", b"hello, I am text"),
        ("huge", (1 << 40).to_bytes(8, "little") + b"{}"),
        ("empty", b""),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ChorosError, match=name):
            weights.load(tmp_path / name, "lifter")
    with pytest.raises(ChorosError, match="missing"):
        weights.load(tmp_path / "missing", "lifter")
