"""Training of the network that tells actions: which labels count, what is hidden, layers' rates, exact resume."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from choros.fourdhumans.actions.config import ActionConfig
from choros.fourdhumans.actions.network import ActionAnswers
from choros.fourdhumans.released_layers import Body
from choros.training.actions.losses import ActionTruth, action_losses
from choros.training.actions.recipe import ACTION_RECIPES, ActionRecipe
from choros.training.actions.task import ActionTask, layer_groups
from choros.training.actions.tracklet_windows import TrackletWindows, hidden
from choros.training.loop import train
from tests.datasets.test_tracklets import content
from tests.training.stopping import killed_at

TINY = ActionConfig(
    people=3, frames=10, pose=16, joints=0, appearance=8, appearance_in=5, appearance_hidden=8,
    pose_hidden=16, depth=2, heads=2, head_width=8, feedforward=16, longest=(10, 3),
)  # fmt: skip
MEAN, STD = torch.zeros(226), torch.ones(226)


def write(folder, name, first, frames, seed=0, by=1, box=(0, 0, 0, 0)):
    """A tracklet of identity rotations that does what its seed says in every frame."""
    made = content()
    pose = np.tile(np.eye(3).reshape(1, 9), (frames, 24)).reshape(frames, 1, 216)
    rng = np.random.default_rng(seed)
    made |= {
        "fid": first + np.arange(frames).reshape(frames, 1, 1),
        "pose_shape": np.concatenate([pose, rng.normal(size=(frames, 1, 13))], 2),
        "3d_joints": rng.normal(size=(frames, 1, 45, 3)), "camera": np.zeros((frames, 1, 3)),
        "action_label_gt": np.tile(np.eye(80)[seed], (frames, 1, 1)),
        "action_label_psudo": {0: np.full((1, 80), 0.25)},
        "apperance_index": np.zeros((frames, 1, 1), int), "has_detection": np.ones((frames, 1, 1)),
        "has_gt": np.full((frames, 1, 1), by), "frame_size": np.tile([300, 400], (frames, 1)),
        "frame_bbox": np.tile(np.array(box, float), (frames, 1)), "frame_conf": np.ones(frames),
        "frame_name": [f"film_{k:06d}.jpg" for k in range(first, first + frames)],
    }  # fmt: skip
    (folder / f"ava-val_film_000150_{name}_{frames}.pkl").write_bytes(pickle.dumps(made))


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, 0, first=0, frames=40, seed=11, by=2)
    write(tmp_path, 1, first=0, frames=40, seed=3)
    write(tmp_path, 2, first=35, frames=5, seed=4, by=0)
    return tmp_path


def test_windows_are_anywhere_in_a_tracklet_with_everyone_in_sight(folder):
    windows = TrackletWindows([folder], TINY, MEAN, STD)
    starts, neighbours = set(), set()
    for seed in range(60):
        tokens, truth = windows.window(0, np.random.default_rng(seed))
        at = np.flatnonzero((tokens.pose_shape[0, 0, 0, 216:] == first_numbers()).all(-1))
        starts.add(int(at[0]))
        neighbours.add(int(tokens.detected[0].any(0).sum()))
        assert truth.labelled[0, :, 0].all()
        assert truth.labels[0, :, 0].sum(-1).tolist() == [1] * 10  # action 12 is one of the 60
        assert int(truth.labels[0, 0, 0].argmax()) == 10  # the eleventh of them: 2 is not
        others = truth.labels[0, :, 1:][truth.labelled[0, :, 1:]]
        assert (others == 0.25).all()
    assert len(starts) > 20  # where the released code takes the first frames always
    assert min(starts) == 0
    assert max(starts) == 30
    assert neighbours == {2, 3}  # who is there all the time is not left out


def first_numbers():
    """Betas and camera of the 40 frames of tracklet 0."""
    return torch.from_numpy(np.random.default_rng(11).normal(size=(40, 13)).astype(np.float32))


def test_labels_of_people_alone(folder):
    windows = TrackletWindows([folder], TINY, MEAN, STD, people_only=True)
    _, truth = windows.window(0, np.random.default_rng(0))
    assert truth.labelled[0, :, 0].all()
    assert not truth.labelled[0, :, 1:].any()


def test_a_short_tracklet_is_a_window_with_an_empty_end(folder):
    windows = TrackletWindows([folder], TINY, MEAN, STD)
    tokens, truth = windows.window(2, np.random.default_rng(0))
    assert tokens.detected[0, :, 0].tolist() == [True] * 5 + [False] * 5
    assert not truth.labelled[0, :, 0].any()


def test_a_share_of_what_was_detected_is_hidden():
    detected = torch.rand(4, 10, 3, generator=torch.Generator().manual_seed(0)) < 0.7
    masked = hidden(detected, 0.4, np.random.default_rng(0))
    assert not (masked & ~detected).any()
    assert masked.flatten(1).sum(1).tolist() == [int(0.4 * n) for n in detected.flatten(1).sum(1).tolist()]


def test_losses_by_hand():
    """Two labelled tokens of two actions; logits 0 cost ln 2 each, whatever the label; times 10."""
    shape = (1, 2, 2)
    truth = ActionTruth(
        torch.zeros(*shape, 2), torch.tensor([[[True, False], [True, True]]])[..., None].expand(*shape, 2),
        torch.tensor([[[True, True], [True, False]]]), torch.eye(3).expand(*shape, 24, 3, 3),
        torch.zeros(*shape, 10), torch.zeros(*shape, 3),
    )  # fmt: skip
    said = torch.zeros(*shape, 2)
    said[0, 0, 1], said[0, 1, 1] = 50, 50  # not labelled, not detected
    body = Body(truth.rotations + 0.1, truth.betas + 1, truth.place)
    answers = ActionAnswers(said, body, truth.place + 2, None)
    total, terms = action_losses(answers, truth, ActionRecipe())
    assert total == pytest.approx(10 * np.log(2))
    assert set(terms) == {"actions"}
    total, terms = action_losses(answers, truth, ActionRecipe(actions=0, pose=1, place=1))
    assert terms["pose"] == pytest.approx(3 * (216 * 0.01 + 10) / 4)
    assert terms["place"] == pytest.approx(3 * 6 / 4)
    nobody = truth._replace(labelled=torch.zeros(*shape, 2, dtype=torch.bool))
    assert action_losses(answers, nobody, ActionRecipe())[0] == 0


def test_layers_learn_at_their_own_rates(folder):
    task = ActionTask(
        TrackletWindows([folder], TINY, MEAN, STD), replace(ACTION_RECIPES["fine-tune"], batch=1)
    )
    share = {p: g["lr_share"] for g in task.optimiser.param_groups for p in g["params"]}
    network = task.network
    assert len(share) == len(list(network.parameters()))
    assert share[network.action_head.weight] == 1
    assert share[network.blocks[1].mlp_in.weight] == pytest.approx(0.95)
    assert share[network.blocks[0].mlp_in.weight] == pytest.approx(0.95**2)
    for lowest in (network.pose_in[0].weight, network.positions, network.mask_token):
        assert share[lowest] == pytest.approx(0.95**3)
    assert {g["lr_share"] for g in layer_groups(network, 1.0)} == {1.0}


def test_the_loop_takes_the_rates_and_goes_on_exactly(folder, tmp_path):
    windows = TrackletWindows([folder], TINY, MEAN, STD)
    recipe = ActionRecipe(steps=6, batch=2, checkpoint_every=3, layer_decay=0.5)

    def learn(name, **how):
        task = ActionTask(windows, recipe)
        return task, train(task, recipe, tmp_path / name, tmp_path / f"{name}.log", **how)

    task, whole = learn("whole")
    rates = {group["lr_share"]: group["lr"] for group in task.optimiser.param_groups}
    assert rates[0.25] == pytest.approx(0.25 * rates[1.0])
    with pytest.raises(KeyboardInterrupt):
        learn("stopped", report=killed_at(5))
    _, stopped = learn("stopped")
    for one, other in zip(whole.network.parameters(), stopped.network.parameters(), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(whole.average.parameters(), stopped.average.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_recipe_of_the_authors():
    recipe = ACTION_RECIPES["train"]
    assert (recipe.masked, recipe.ema, recipe.weight_decay, recipe.clip_norm) == (0.4, 0.9999, 0.05, 2.0)
    assert recipe.actions == 10
