"""Training of GLAMR's networks: what windows hide, losses that are nought when they should be, resume."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from choros.glamr.config import InfillerConfig, TrajectoryConfig
from choros.glamr.ego import ego_to_global
from choros.glamr.infiller import MotionInfiller
from choros.glamr.trajectory import TrajectoryPredictor
from choros.training.glamr.losses import Reconstruction, pose_error, trajectory_loss
from choros.training.glamr.mocap_windows import Track, gapped, pose_columns, stretches, versions, walks_of
from choros.training.glamr.recipe import InfillerRecipe, TrajectoryRecipe
from choros.training.glamr.task import InfillerTask, TrajectoryTask
from choros.training.mocap import train_from_mocap
from tests.training.motion_model.test_task import clip
from tests.training.stopping import killed_at

TINY = InfillerConfig(width=16, heads=2, blocks=1, feedforward=16, mlp=(16,), latent=4)
TINY_PATH = TrajectoryConfig(lstm=16, mlp=(16,), latent=4)


def test_tracks_stand_in_a_world_with_z_up():
    walking = clip(seconds=3.0, speed_m_s=1.0)
    straight, mirrored = versions([walking], (1.0,))
    assert 0.8 < straight.pelvis[0, 2] < 1.1
    torch.testing.assert_close(straight.pelvis[-1] - straight.pelvis[0], torch.tensor([0, 89 / 30, 0]))
    torch.testing.assert_close(straight.R_world_root[0, :, 2], torch.tensor([0.0, 1, 0]))  # faces +y
    x = torch.tensor([-1.0, 1, 1])
    swap = [0, 2, 1, *range(3, 24)]  # hips
    torch.testing.assert_close(mirrored.joints[:, :3], (straight.joints * x)[:, swap][:, :3])


def test_faster_versions_are_shorter_and_walk_as_far():
    walking = clip(seconds=4.0, speed_m_s=1.0)
    slow, normal, fast = versions([walking], (0.8, 1.0, 1.25), mirrored=False)
    assert len(slow.pelvis) > len(normal.pelvis) > len(fast.pelvis)
    for track in (slow, fast):
        assert (track.pelvis[-1] - normal.pelvis[-1]).norm() < 0.05


def test_gaps_hide_what_they_say_and_what_is_seen_is_the_truth():
    tracks = pose_columns(versions([clip(seconds=8.0)], (1.0,)))
    batch = gapped(tracks, TINY, 200, 0.0, np.random.default_rng(0))
    window = batch.window
    assert window.seen.any(1).all()
    assert not (window.seen & ~batch.exists).any()
    assert (window.poses[window.seen] == batch.truth[window.seen]).all()
    assert (window.way[window.seen] == batch.truth[window.seen]).all()
    hidden = (~window.seen & batch.exists)[:, TINY.context :].float().mean()
    assert 0.4 < hidden < 0.9
    whole_context = window.seen[:, : TINY.context].all(1).float().mean()
    assert 0.5 < whole_context < 0.9


def test_paths_lead_over_the_floor_only():
    assert walks_of(versions([clip(height_m=1.0)], (1.0,))) == []
    (walk,) = walks_of(versions([clip(speed_m_s=1.0)], (1.0,), mirrored=False))
    places, _ = ego_to_global(walk.ego)
    assert abs(places[-1, 1] - places[0, 1]) > 3.5
    batch = stretches([walk], 5, 50, 0.0, np.random.default_rng(0))
    assert batch.joints.shape == (5, 50, 24, 3)
    assert batch.ego.shape == (5, 50, 11)


def test_a_perfect_pose_costs_nothing_and_what_does_not_exist_does_not_count():
    truth = pose_columns(versions([clip()], (1.0,)))[0][None, :30]
    exists = torch.ones(1, 30, dtype=torch.bool)
    assert pose_error(truth, truth, exists, 6.0) < 1e-8
    said = truth.clone()
    said[:, 20:] += 0.3
    assert pose_error(said, truth, exists, 6.0) > 0.1
    exists[:, 20:] = False
    assert pose_error(said, truth, exists, 6.0) < 1e-8


def test_a_perfect_path_costs_nothing_but_its_divergence():
    walks = walks_of(versions([clip(speed_m_s=1.0)], (1.0,)))
    batch = stretches(walks, 4, 50, 0.0, np.random.default_rng(0))
    spread = TrajectoryPredictor(TINY_PATH).spread

    def cost(motion, divergence=0.0):
        found = Reconstruction(motion, torch.tensor(divergence))
        return trajectory_loss(found, batch, TrajectoryRecipe(divergence=0.5), spread).item()

    assert cost(batch.ego) < 1e-8
    assert cost(batch.ego * 1.01) > 1e-6
    assert cost(batch.ego, 3.0) == pytest.approx(1.5, abs=1e-6)


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


@pytest.mark.slow
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


def test_tracks_are_the_clips_own():
    swinging = clip()
    track = Track.of(swinging)
    from scipy.spatial.transform import Rotation

    pose = (
        Rotation.from_matrix(track.rotations.reshape(-1, 3, 3).numpy()).as_rotvec().reshape(len(swinging), 69)
    )
    np.testing.assert_allclose(pose, swinging.body_pose, atol=1e-5)
