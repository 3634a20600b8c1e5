"""Training of the lifter: exact resume, and that it learns."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from choros import weights
from choros.body.hypotheses import Hypotheses
from choros.errors import ChorosError
from choros.lifter.network import LifterConfig
from choros.training.lifter.batch import ClipConfig
from choros.training.lifter.recipe import LifterRecipe
from choros.training.lifter.samples import likeliest
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
        assert weights.load(tmp_path / "b.safetensors", "lifter")[1]["steps"] == 7 - steps
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


def test_the_likeliest_of_several_bodies_is_taken_frame_by_frame():
    found = Hypotheses(
        torch.arange(4.0).reshape(1, 2, 2, 1, 1, 1).expand(1, 2, 2, 24, 3, 3),
        torch.zeros(1, 2, 10),
        torch.arange(4.0).reshape(1, 2, 2, 1).expand(1, 2, 2, 3),
        *(torch.zeros(1, 2, 2, 24),) * 2,
        torch.zeros(1, 2, 2),
        torch.tensor([[[0.0, 1.0], [3.0, 2.0]]]),
    )
    answers = likeliest(found)
    assert answers.rotations[0, :, 5, 0, 0].tolist() == [1, 2]
    assert answers.pelvis_cam[0, :, 2].tolist() == [1, 2]


def test_samples_of_a_lifter_that_knows_the_truth(tmp_path):
    task = LifterTask([SWINGING], LifterRecipe(), LifterConfig(width=16), ClipConfig(batch=2, frames=3))
    task.show([SWINGING], held_out=True)
    seen = task._seen

    class Knows(torch.nn.Module):
        config = LifterConfig(width=16)

        def forward(self, view, hidden):
            one, parts = torch.ones(64, 3, 1), (seen.rotations[:, :, None], seen.joints_cam[:, :, None, 0])
            rotations, pelvis = (torch.as_tensor(part).float() for part in parts)
            betas = torch.as_tensor(seen.betas).float()[:, None].expand(64, 3, 10)
            each = one[..., None].expand(64, 3, 1, 24)
            return Hypotheses(rotations, betas, pelvis, each, each, one, one), hidden

    figures, pictures = task.look(Knows())
    assert figures == {"mpjpe_mm": pytest.approx(0, abs=1e-2), "pa_mpjpe_mm": pytest.approx(0, abs=1e-2)}
    assert len(pictures) == 24
    # Truth and answer stand in the same pixels, in other colours.
    paper = pictures[0][0, 0]
    for truth, answer in zip(pictures[1::3], pictures[2::3], strict=True):
        drawn = [(picture != paper).any(-1) for picture in (truth, answer)]
        assert drawn[0].sum() > 500
        assert (drawn[0] != drawn[1]).mean() < 0.002
        assert (truth != answer).any()
    figures, _ = task.look(task.network)
    assert figures["mpjpe_mm"] > figures["pa_mpjpe_mm"] > 50
