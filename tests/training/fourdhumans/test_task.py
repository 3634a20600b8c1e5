"""HMR 2.0's recipes through the training loop: the published numbers, what learns and what stays, and full size."""

import math
from dataclasses import replace

import pytest
import torch

from choros.backbones.vit import VisionTransformer, VitConfig
from choros.body import BodyModel
from choros.errors import ChorosError
from choros.fourdhumans.hmr2.config import DecoderConfig, Hmr2Config
from choros.fourdhumans.hmr2.network import Hmr2Network
from choros.training.checkpoint import TrainingState
from choros.training.fourdhumans.feed import Batch
from choros.training.fourdhumans.losses import Targets
from choros.training.fourdhumans.recipe import HMR2A, HMR2B, RECIPES
from choros.training.fourdhumans.task import Hmr2Task
from choros.training.loop import take_step, train

TINY = Hmr2Config(
    VitConfig(24, 1, 2, drop_path=0.2), DecoderConfig(24, 32, 1, heads=2, head_width=8, mlp_width=32)
)


class MadeUp:
    """Batches of noise."""

    def __init__(self, n):
        self.n = n

    def draw(self, seed):
        generator = torch.Generator().manual_seed(sum(seed))

        def noise(*shape):
            return torch.randn(self.n, *shape, generator=generator)

        turns = torch.eye(3).expand(self.n, 24, 3, 3)
        truth = Targets(0.2 * noise(44, 3).abs(), noise(44, 4).abs(), turns, noise(10), torch.ones(self.n))
        return Batch(noise(3, 256, 192), truth, turns[:, 1:], noise(10))

    def close(self):
        pass


def task(recipe, config=TINY, path="weights.safetensors", **more):
    body = BodyModel.load(detail="light")
    return Hmr2Task(recipe, config, body, MadeUp(recipe.batch), path, {"licence": "unknown"}, **more)


def test_recipes_are_the_published_ones():
    assert (HMR2A.steps, HMR2A.lr, HMR2A.batch, HMR2A.frozen_encoder) == (100_000, 1e-4, 512, True)
    assert (HMR2B.steps, HMR2B.lr, HMR2B.batch, HMR2B.frozen_encoder) == (1_000_000, 1e-5, 48, False)
    for recipe in RECIPES.values():
        assert sum(recipe.shares.values()) == pytest.approx(1)
        assert (recipe.weight_decay, recipe.adam) == (1e-4, (0.9, 0.999))
        loop = recipe.loop(1, False)
        assert (loop.clip_norm, loop.ema) == (math.inf, 0)
    with pytest.raises(ValueError, match=r"make 0\.5, not 1"):
        replace(HMR2A, shares={"coco": 0.5})


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_step_moves_what_is_to_learn_and_nothing_else(recipe):
    recipe = replace(recipe, batch=2)
    one = task(recipe)
    before = {name: tensor.clone() for name, tensor in one.network.state_dict().items()}
    state = TrainingState.begin(one.network, one.optimiser)
    losses = take_step(one, state, recipe.loop(1, False), one.prepare(0))
    moved = {
        name for name, tensor in one.network.state_dict().items() if not torch.equal(tensor, before[name])
    }
    parameters = {name for name, _ in one.network.named_parameters()}
    still = parameters - moved
    encoder = {name for name in parameters if name.startswith("hmr2.encoder.")}
    # What a query of zeros is multiplied by says nothing, and learns nothing.
    assert still == (encoder if recipe.frozen_encoder else set()) | {"hmr2.decoder.query.weight"}
    assert moved <= parameters
    assert math.isfinite(losses["loss"])
    assert one.network.hmr2.encoder.training != recipe.frozen_encoder
    for slow, fast in zip(state.average.parameters(), one.network.parameters(), strict=True):
        assert torch.equal(slow, fast)


def test_two_optimisers_in_turn_would_do_the_same():
    """As the release: first the network's step, then the discriminator's on what was made up before it."""
    recipe = replace(HMR2B, batch=2)
    one, two = task(recipe), task(recipe)
    one.network.eval(), two.network.eval()  # nothing is left out by chance
    batch = one.batch(0, 0)
    total, _ = one.losses(one.predict(batch), batch, 0)
    total.backward()
    one.optimiser.step()

    settings = {"lr": recipe.lr, "betas": recipe.adam, "weight_decay": recipe.weight_decay}
    optimisers = [
        torch.optim.AdamW(part.parameters(), **settings)
        for part in (two.network.hmr2, two.network.discriminator)
    ]
    made = two.predict(batch)
    made_before = type(made)(*(part.detach() for part in made))
    total, _ = two.losses(made, batch, 0)
    total.backward()
    optimisers[0].step()
    optimisers[1].zero_grad()
    total, _ = two.losses(made_before, batch, 0)
    total.backward()
    optimisers[1].step()
    for first, second in zip(one.network.parameters(), two.network.parameters(), strict=True):
        torch.testing.assert_close(first, second, atol=1e-9, rtol=1e-6)


def test_a_run_learns_is_kept_and_writes_its_weights(tmp_path):
    recipe = replace(HMR2B, batch=2, steps=12, lr=3e-3, checkpoint_every=5)
    config = replace(TINY, encoder=replace(TINY.encoder, drop_path=0.0))
    one = task(recipe, config, tmp_path / "weights.safetensors")
    told = []
    one.feed.draw = (lambda draw: lambda seed: draw([0]))(one.feed.draw)  # one batch, over and over
    train(
        one, recipe.loop(1, False), tmp_path / "checkpoint", tmp_path / "log", report=lambda line: told.append(line)
    )  # fmt: skip
    assert told[-1]["keypoints_2d"] < 0.7 * told[0]["keypoints_2d"]
    assert Hmr2Network.load(tmp_path / "weights.safetensors").config == config
    assert (tmp_path / "checkpoint").is_file()


def test_the_encoder_begins_as_vitposes(tmp_path):
    torch.manual_seed(5)
    theirs = VisionTransformer(TINY.encoder)
    tensors = {f"backbone.{name}": tensor for name, tensor in theirs.state_dict().items()}
    tensors["keypoint_head.final_layer.weight"] = torch.zeros(17, 2, 1, 1)
    torch.save({"state_dict": tensors}, tmp_path / "vitpose.pth")
    one = task(replace(HMR2A, batch=1), encoder=tmp_path / "vitpose.pth")
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(one.network.hmr2.encoder.state_dict()[name], tensor)
    del tensors["backbone.last_norm.weight"]
    torch.save({"state_dict": tensors}, tmp_path / "vitpose.pth")
    with pytest.raises(ChorosError, match=r"1 are missing \(last_norm\.weight\)"):
        task(replace(HMR2A, batch=1), encoder=tmp_path / "vitpose.pth")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_step_at_full_size(recipe):
    """Forward and backward of everything as published, one crop: 11 GB for 2.0b."""
    recipe = replace(recipe, batch=1)
    one = task(recipe, Hmr2Config())
    state = TrainingState(one.network, one.network, one.optimiser)  # nobody averages, which saves a copy
    before = one.network.hmr2.encoder.blocks[0].attn.qkv.weight[:4].clone()
    losses = take_step(one, state, recipe.loop(1, False), one.prepare(0))
    assert all(math.isfinite(loss) for loss in losses.values())
    assert set(losses) == {
        "keypoints_2d", "keypoints_3d", "global_orient", "body_pose", "betas", "adversary", "discriminator", "loss",
    }  # fmt: skip
    moved = not torch.equal(one.network.hmr2.encoder.blocks[0].attn.qkv.weight[:4], before)
    assert moved != recipe.frozen_encoder
