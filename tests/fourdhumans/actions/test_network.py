"""The network that tells actions: who looks at whom, which token is whose, the released weights, the paper's size."""

import pytest
import torch

from choros import weights
from choros.checkpoints import what_is
from choros.errors import ChorosError
from choros.fourdhumans.actions.config import ACTION_PRESETS, ActionConfig
from choros.fourdhumans.actions.network import (
    SYSTEM,
    ActionTokens,
    ActionTransformer,
    network_metadata,
    position_table,
)
from tests.fourdhumans.released import facts, lart_shapes, written

TINY = ActionConfig(
    people=3, frames=6, pose=16, joints=8, joints_hidden=8, appearance=8, appearance_in=12, appearance_hidden=8,
    pose_hidden=16, depth=2, heads=2, head_width=8, feedforward=16,
)  # fmt: skip


def tokens(config=TINY, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(batch, config.frames, config.people, *shape, generator=generator)

    detected = torch.ones(batch, config.frames, config.people, dtype=torch.bool)
    joints = draw(45, 3) if config.joints else None
    return ActionTokens(
        draw(229), detected, joints, draw(config.appearance_in) if config.appearance else None
    )


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return ActionTransformer(TINY).eval()


@torch.no_grad()
def actions(network, *of):
    return network(*of).actions


def test_nobody_looks_at_who_was_not_detected_or_is_hidden(network):
    one = tokens()
    one.detected[:, 3:, 1] = False
    changed = one._replace(pose_shape=one.pose_shape.clone(), joints=one.joints.clone())
    changed.pose_shape[:, 3:, 1] = torch.nan
    changed.joints[:, 3:, 1] = 99
    torch.testing.assert_close(actions(network, one), actions(network, changed))
    masked = ~one.detected
    whole = one._replace(detected=torch.ones_like(one.detected))
    torch.testing.assert_close(actions(network, whole, masked), actions(network, one))
    assert (actions(network, whole) - actions(network, one)).abs().max() > 1e-3


def test_hidden_tokens_hide_appearance_too(network):
    one = tokens()
    masked = torch.zeros_like(one.detected)
    masked[:, 2, 0] = True
    changed = one._replace(appearance=one.appearance.clone())
    changed.appearance[:, 2, 0] += 5
    torch.testing.assert_close(actions(network, one, masked), actions(network, changed, masked))


def test_neighbours_matter(network):
    one = tokens()
    alone = one._replace(detected=one.detected.clone())
    alone.detected[:, :, 1:] = False
    assert (actions(network, one) - actions(network, alone))[:, :, 0].abs().max() > 1e-3


def test_tokens_are_frame_by_frame_and_in_each_person_by_person():
    """Of a network whose blocks do nothing, a token's answer is of its own input and place alone."""
    torch.manual_seed(0)
    network = ActionTransformer(TINY).eval()
    network.blocks = torch.nn.ModuleList()
    one = tokens()
    with torch.no_grad():
        said = network(one).actions[1, 4, 2]
        token = torch.cat([
            network.pose_in(one.pose_shape[1, 4, 2]),
            network.joints_in(one.joints[1, 4, 2].flatten()),
            network.appearance_in(one.appearance[1, 4, 2]),
        ])  # fmt: skip
        expected = network.action_head(token + network.positions[:, 4, 2])
    torch.testing.assert_close(said, expected)


def test_positions():
    table = position_table(8, 5, 3)
    assert table.shape == (8, 5, 3)
    torch.testing.assert_close(table[0, :, 0], torch.arange(5.0).sin())
    torch.testing.assert_close(table[4, 0], torch.arange(3.0).sin())
    assert (table[:4, :, :1] == table[:4]).all()
    assert (table[4:, :1] == table[4:]).all()


def test_a_token_for_the_whole_clip_looks_at_the_clip():
    torch.manual_seed(0)
    config = ActionConfig(**{**TINY.__dict__, "clip_actions": 4})
    network = ActionTransformer(config).eval()
    one, other = tokens(config), tokens(config, seed=1)
    with torch.no_grad():
        assert network(one).clip.shape == (2, 4)
        assert (network(one).clip - network(other).clip).abs().max() > 1e-3


def test_missing_joints_and_looks_are_zeros(network):
    one = tokens()
    zeros = one._replace(joints=0 * one.joints, appearance=0 * one.appearance)
    none = one._replace(joints=None, appearance=None)
    torch.testing.assert_close(
        actions(network, zeros),
        actions(network, none._replace(joints=0 * one.joints, appearance=zeros.appearance)),
    )
    torch.testing.assert_close(actions(network, zeros), actions(network, none))


def test_names_are_those_of_the_notes():
    known = facts("lart")
    if known is None:
        pytest.skip("the notes on the released code are not here")
    assert lart_shapes() == known


def test_a_file_of_the_released_names_and_shapes_fits_whole(tmp_path):
    config = ActionConfig(depth=1)
    path = tmp_path / "lart.ckpt"
    tensors = written(path, lart_shapes(depth=1))
    assert what_is(path).system == "lart"
    network, report = ActionTransformer.load_released(path, config)
    useless = ("class_token", "conv_", "action_head_kinetics.")
    left = [name for name in tensors if name == "pe" or name.startswith(useless)]
    assert len(left) == 12
    assert len(report.matched) == len(tensors) - len(left)
    assert report.complete
    assert not report.unexpected
    assert (network.positions == tensors["pos_embedding"]).all()
    assert (network.action_head.weight == tensors["action_head_ava.0.0.weight"]).all()
    with pytest.raises(ChorosError, match="does not fit ActionTransformer"):
        ActionTransformer.load_released(path, ACTION_PRESETS["pose-only"])


def test_the_released_sizes():
    """227 tensors (lart_sd.txt), of which 12 are of no use."""
    with torch.device("meta"):
        network = ActionTransformer(ACTION_PRESETS["paper"])
    assert len(network.state_dict()) == len(lart_shapes()) - 12 == 215
    assert network.config.width == 512
    assert ACTION_PRESETS["pose-only"].width == 128


def test_the_papers_size_takes_a_step():
    """All 16 layers and 5 people; fewer frames, for it is the same code (625 tokens in the slow test)."""
    step(frames=8)


@pytest.mark.slow
def test_the_papers_window_takes_a_step():
    step(frames=125)


def step(frames):
    torch.manual_seed(0)
    config = ACTION_PRESETS["paper"]
    network = ActionTransformer(config)
    one = tokens(ActionConfig(**{**config.__dict__, "frames": frames}), batch=1)
    answers = network(one)
    assert answers.actions.shape == (1, frames, 5, 60)
    assert answers.body.rotations.shape == (1, frames, 5, 24, 3, 3)
    answers.actions.square().mean().backward()
    learned = [n for n, p in network.named_parameters() if p.grad is not None]
    assert {n.split(".")[0] for n in learned} >= {
        "blocks",
        "positions",
        "pose_in",
        "appearance_in",
        "action_head",
    }


def test_it_is_written_and_read(network, tmp_path):
    path = tmp_path / "actions.safetensors"
    weights.save(path, dict(network.state_dict()), network_metadata(TINY))
    read = weights.load_network(lambda config: ActionTransformer(ActionConfig(**config)), SYSTEM, path)
    assert read.config == TINY
    torch.testing.assert_close(actions(read, tokens()), actions(network, tokens()))
