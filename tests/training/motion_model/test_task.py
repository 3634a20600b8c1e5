"""Training of the motion model: what is learned from, losses that are nought when they should be, resume."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.spatial.transform import Rotation

from choros.datasets.mocap import MocapClip
from choros.datasets.mocap.folder import open_body_rest
from choros.scenes.motion_features import FPS, N_FEATURES, mirrored
from choros.scenes.motion_model import Components, MotionModelConfig, load_model
from choros.training.mocap import train_from_mocap
from choros.training.motion_model.components import fit_components
from choros.training.motion_model.losses import flow_loss, on_the_way
from choros.training.motion_model.recipe import MotionModelRecipe
from choros.training.motion_model.task import MotionModelTask
from choros.training.motion_model.windows import open_figure, rows_of, windows_of
from tests.training.stopping import killed_at, stop_after

SMALL = MotionModelConfig(window=12, past=4, codes=16, past_codes=8, width=16, blocks=1)


def clip(name="waving_1", seconds=4.0, lying=False, speed_m_s=0.0, height_m=0.0):
    """Somebody of our own who stands and swings the arms, at 30 frames/s."""
    rest, sole_m = open_body_rest()
    time = np.arange(0, seconds, 1 / 30)
    pose = np.zeros((len(time), 24, 3))
    pose[:, 16, 2] = -1.0 + 0.4 * np.sin(3 * time)
    pose[:, 17, 2] = 1.0 + 0.3 * np.sin(2 * time)
    pose[:, 3, 1] = 0.2 * np.sin(1.7 * time)
    transl = np.zeros((len(time), 3))
    transl[:, 1] = -sole_m + height_m
    transl[:, 2] = speed_m_s * time
    if lying:
        pose[:, 0, 0] = -np.pi / 2
        transl[:, 1] = 0.15 - rest[0, 1]
    return MocapClip(
        name, "bvh", False, "ours", 30.0, pose[:, 0].astype(np.float32),
        pose[:, 1:].reshape(-1, 69).astype(np.float32), transl.astype(np.float32),
    )  # fmt: skip


def test_only_people_on_their_feet_and_in_place_are_learned_from():
    run = MotionModelRecipe(tempos=(1.0,))
    good = windows_of([clip()], SMALL, run)
    assert len(good.rows) == 2 * (4 * FPS - 1 - SMALL.window + 1)
    everybody = [
        clip(), clip("lying_1", lying=True), clip("running_1", speed_m_s=4.0), clip("hanging_1", height_m=0.5)
    ]  # fmt: skip
    assert len(windows_of(everybody, SMALL, run).rows) == len(good.rows)


def test_long_activities_are_drawn_by_the_root_of_their_length():
    windows = windows_of(
        [clip("a_1", 2.0), clip("b_1", 6.0), clip("b_2", 6.0)], SMALL, MotionModelRecipe(tempos=(1.0,))
    )
    sizes = [2 * (int(s * FPS) - SMALL.window) for s in (2, 6, 6)]
    first = windows.chance[: sizes[0]].sum()
    assert windows.chance.sum() == pytest.approx(1)
    assert (1 - first) / first == pytest.approx(np.sqrt((sizes[1] + sizes[2]) / sizes[0]))


def test_tempo_slows_what_is_seen():
    body = open_figure()
    walker = clip(speed_m_s=0.5)
    slow, usual = rows_of(walker, body, 0.5), rows_of(walker, body)
    np.testing.assert_allclose(usual[:, 1] * body.leg_m, 0.5, atol=1e-4)
    np.testing.assert_allclose(slow[:, 1] * body.leg_m, 0.25, atol=1e-4)
    np.testing.assert_allclose(slow[::2][: len(usual)][:, 10:-2], usual[:, 10:-2], atol=1e-4)


def test_components_are_those_of_the_rows():
    """Rows made of three directions are three components, of unit variance, and nothing is lost."""
    rng = np.random.default_rng(0)
    scale = rng.uniform(0.5, 2, N_FEATURES)
    directions = np.linalg.qr(rng.normal(size=(2 * N_FEATURES, 3)))[0].T
    strengths = rng.normal(size=(4000, 3)) * [3.0, 2.0, 1.0]
    rows = torch.from_numpy((strengths @ directions).reshape(-1, 2, N_FEATURES) / scale + 0.3)
    components = Components(2, 3).double()
    fit_components(components, rows, scale)
    np.testing.assert_allclose(components.std, [3, 2, 1], rtol=0.05)
    codes = components.encode(rows)
    torch.testing.assert_close(codes.std(0), torch.ones(3, dtype=torch.float64), rtol=1e-3, atol=0)
    torch.testing.assert_close(components.decode(codes), rows, rtol=0, atol=1e-9)


def test_the_true_velocity_has_no_loss():
    generator = torch.Generator().manual_seed(0)
    codes, noise = torch.randn(2, 64, 8, generator=generator)
    time = torch.rand(64, 1, generator=generator)
    between = on_the_way(noise, codes, time)
    assert torch.equal(on_the_way(noise, codes, torch.zeros(64, 1)), noise)
    later = on_the_way(noise, codes, time + 0.1)
    torch.testing.assert_close((later - between) / 0.1, codes - noise, rtol=1e-3, atol=1e-4)
    assert flow_loss(codes - noise, noise, codes, torch.ones(8)) == 0
    # Saying nothing costs the variance of codes and noise together, each component by its importance.
    importance = torch.arange(8.0)
    loss = flow_loss(torch.zeros(64, 8), noise, codes, importance)
    torch.testing.assert_close(loss, ((codes - noise).square().mean(0) * importance).mean())


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
    rows = rows_of(clip(), open_figure())
    both = np.concatenate([rows, mirrored(rows)])[:, 10:-2]
    miss = np.abs(drawn[..., 10:-2].reshape(-1, 1, both.shape[1]) - both).mean(-1).min(1)
    assert np.median(miss) < 0.05
    # What has a past goes on from it.
    past = rows[20:24]
    following = model.draw(np.random.default_rng(1), 50, past)[:, :4, 10:-2]
    apart = model.draw(np.random.default_rng(1), 50, None)[:, :4, 10:-2]
    assert np.abs(following - past[:, 10:-2]).mean() < 0.6 * np.abs(apart - past[:, 10:-2]).mean()


@pytest.mark.slow
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
        assert (tmp_path / "b.safetensors").exists() == (steps == 31)
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
