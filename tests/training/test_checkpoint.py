"""Checkpoints: all of a run comes back, and what is of another run is refused in one sentence."""

import pytest
import torch
from torch import nn

from choros import weights
from choros.errors import ChorosError
from choros.glamr.config import INFILLER_PRESETS, TRAJECTORY_PRESETS
from choros.glamr.infiller import MotionInfiller
from choros.glamr.trajectory import TrajectoryPredictor
from choros.lifter.network import Lifter
from choros.scenes.motion.motion_model import MotionModel
from choros.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint


def state(width=3, steps=0):
    network = nn.Linear(2, width)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1)
    begun = TrainingState.begin(network, optimiser)
    for _ in range(steps):
        network(torch.ones(4, 2)).sum().backward()
        optimiser.step()
        begun.step += 1
    return begun


def test_all_of_a_run_comes_back(tmp_path):
    run, other = state(steps=3), state()
    assert not torch.equal(run.network.weight, run.average.weight)
    save_checkpoint(tmp_path / "c", "net", run)
    load_checkpoint(tmp_path / "c", "net", other)
    assert other.step == 3
    for module in ("network", "average"):
        for name, tensor in getattr(run, module).state_dict().items():
            assert torch.equal(tensor, getattr(other, module).state_dict()[name])
    assert run.optimiser.state_dict()["state"].keys() == other.optimiser.state_dict()["state"].keys()
    for index, moments in run.optimiser.state_dict()["state"].items():
        for name, value in moments.items():
            assert torch.equal(value, other.optimiser.state_dict()["state"][index][name])


def test_the_file_is_as_runs_of_earlier_versions_left_it(tmp_path):
    """So that they go on: names of tensors and metadata."""
    save_checkpoint(tmp_path / "c", "net", state(steps=1))
    tensors, metadata = weights.load(tmp_path / "c", "net-checkpoint")
    assert metadata == {"system": "net-checkpoint", "step": 1}
    assert {name.split(".")[0] for name in tensors} == {"model", "average", "optimiser"}
    assert {"model.weight", "average.bias", "optimiser.0.exp_avg", "optimiser.1.step"} <= tensors.keys()


def test_a_checkpoint_of_another_network_is_refused_in_one_sentence(tmp_path):
    save_checkpoint(tmp_path / "c", "net", state(width=3))
    with pytest.raises(ChorosError, match=r"c is of a run of another network .* with, or another output\.$"):
        load_checkpoint(tmp_path / "c", "net", state(width=4))
    with pytest.raises(ChorosError, match="not weights for other-checkpoint"):
        load_checkpoint(tmp_path / "c", "other", state())
    weights.save(tmp_path / "d", {"model.weight": torch.zeros(3, 2)}, {"system": "net-checkpoint"})
    with pytest.raises(ChorosError, match="another network"):
        load_checkpoint(tmp_path / "d", "net", state())


def test_what_is_as_the_network_was_made_can_be_left_out(tmp_path):
    run, other = state(steps=2), state()
    with torch.no_grad():
        run.network.bias.copy_(other.network.bias)
        run.average.bias.copy_(other.network.bias)
    save_checkpoint(tmp_path / "c", "net", run, ["bias"])
    assert not any("bias" in name for name in weights.load(tmp_path / "c", "net-checkpoint")[0])
    load_checkpoint(tmp_path / "c", "net", other)
    assert torch.equal(other.network.weight, run.network.weight)
    weights.save(
        tmp_path / "d",
        weights.load(tmp_path / "c", "net-checkpoint")[0],
        {"system": "net-checkpoint", "step": 2},
    )
    with pytest.raises(ChorosError, match="another network"):  # nothing says that it may be missing
        load_checkpoint(tmp_path / "d", "net", state())


def test_checkpoints_of_what_learns_from_motion_capture_are_small():
    """Weights, average and two moments, four bytes each."""
    for network in (
        Lifter(),
        MotionModel(),
        MotionInfiller(INFILLER_PRESETS["small"]),
        TrajectoryPredictor(TRAJECTORY_PRESETS["small"]),
    ):
        kept = sum(tensor.numel() for tensor in network.state_dict().values())
        learned = sum(parameter.numel() for parameter in network.parameters())
        assert 8 * kept + 8 * learned < 100e6
