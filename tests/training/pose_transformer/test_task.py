"""Training of the pose transformer: exact resume, that it learns, the paper's recipe."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from choros.fourdhumans.config import POSE_TRANSFORMER_PRESETS, PoseTransformerConfig
from choros.fourdhumans.pose_transformer import PoseTransformer
from choros.training.mocap import train_from_mocap
from choros.training.pose_transformer.recipe import POSE_TRANSFORMER_RECIPES, PoseTransformerRecipe
from choros.training.pose_transformer.task import PoseTransformerTask
from tests.training.captured import clip
from tests.training.stopping import killed_at

TINY = PoseTransformerConfig(width=16, heads=2, layers=1, expansion=1)
CLIPS = [clip(seconds=5.0, speed_m_s=1.0)]
QUICK = PoseTransformerRecipe(steps=6, checkpoint_every=3, sizes=((3, 20), (2, 30)), asked=8, improvised=1,
                              improvised_s=2.0)  # fmt: skip


def learn(path, recipe=QUICK, **how):
    train_from_mocap(PoseTransformerTask(CLIPS, recipe, TINY), path, {}, **how)


def test_stopped_and_resumed_is_as_never_stopped(tmp_path):
    learn(tmp_path / "whole.safetensors")
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "stopped.safetensors", report=killed_at(5))
    learn(tmp_path / "stopped.safetensors")
    one, other = (load_file(tmp_path / name) for name in ("whole.safetensors", "stopped.safetensors"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert PoseTransformer.load(tmp_path / "stopped.safetensors").config == TINY


def test_it_learns(tmp_path):
    losses = []
    recipe = replace(QUICK, steps=60, sizes=((8, 30),), warmup=5, lr=5e-3)
    learn(tmp_path / "poses.safetensors", recipe, report=lambda told: losses.append(told["loss"]))
    assert sum(losses[-15:]) < 0.8 * sum(losses[:15])


def test_the_papers_recipe_takes_a_step():
    """64 sequences of 128 tokens, AdamW at .001 with .9 and .95 (S.4); here two sequences."""
    recipe = POSE_TRANSFORMER_RECIPES["paper"]
    assert recipe.sizes == ((64, 128),)
    assert (recipe.lr, recipe.betas) == (1e-3, (0.9, 0.95))
    recipe = replace(recipe, sizes=((2, 128),), improvised=0)
    task = PoseTransformerTask(CLIPS, recipe, POSE_TRANSFORMER_PRESETS["paper"])
    batch = task.batch(0, 0)
    total, _ = task.losses(task.predict(batch), batch, 0)
    total.backward()
    before = task.network.mask_token.detach().clone()
    task.optimiser.step()
    assert (task.network.mask_token != before).any()
