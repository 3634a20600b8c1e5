"""Training of the lifter: data that follow from seed and step, noise that does what it says, exact resume."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.spatial.transform import Rotation

from choros import weights
from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.body.skeleton import MIRROR_JOINTS
from choros.errors import ChorosError
from choros.lifter.network import Lifter, LifterConfig, look
from choros.training.lifter.batch import ClipConfig, sample
from choros.training.lifter.keypoint_noise import CLEAN
from choros.training.lifter.losses import LifterTargets, losses, place_joints
from choros.training.lifter.poses import NOTHING_MIXED, Clip
from choros.training.lifter.recipe import LifterRecipe
from choros.training.lifter.task import LifterTask
from choros.training.mocap import train_from_mocap
from tests.training.stopping import killed_at, stop_after


def swinging(n_frames=90):
    """Somebody walking forward who swings arms and legs: motion of our own."""
    time = np.arange(n_frames) / 30
    rotvec = np.zeros((n_frames, 24, 3))
    phase = 2 * np.pi * 0.9 * time
    for joint, axis, size, shift in ((1, 0, 0.5, 0), (2, 0, 0.5, np.pi), (16, 1, 0.4, 0), (17, 1, 0.4, 0)):
        rotvec[:, joint, axis] = size * np.sin(phase + shift)
    rotvec[:, 16, 2], rotvec[:, 17, 2] = -1.2, 1.2
    rotvec[:, 4, 0] = rotvec[:, 5, 0] = 0.3
    rotations = Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_matrix().reshape(n_frames, 24, 3, 3)
    transl = np.stack([0 * time, 1.1 + 0 * time, 1.2 * time], -1)
    return Clip(rotations.astype(np.float32), transl.astype(np.float32))


SWINGING = swinging()


@pytest.fixture(scope="module")
def points():
    return Points.of(BodyModel.load(detail="light"))


def test_a_batch_follows_from_seed_and_step(points):
    config = ClipConfig(batch=4, frames=5)
    one, same = sample([SWINGING], points, config, 3, 7), sample([SWINGING], points, config, 3, 7)
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    other = sample([SWINGING], points, config, 3, 8)
    assert np.abs(one.keypoints - other.keypoints).max() > 0.01


def test_truth_projects_to_its_keypoints(points):
    """Without noise, what is inside the image is reported where the body's keypoints are."""
    config = ClipConfig(batch=8, frames=4, noise=CLEAN, variety=NOTHING_MIXED, cut_off_rate=0, rolled_rate=0)
    batch = sample([SWINGING], points, config, 1, 0)
    sure = batch.keypoints[..., 2] > 0.7
    assert sure.mean() > 0.3
    np.testing.assert_allclose(batch.keypoints[..., :2][sure], batch.true_keypoints[sure], atol=1e-9)
    # And these belong to the joints: hips' middle near the pelvis' image.
    pelvis = batch.joints_cam[..., 0, :2] / batch.joints_cam[..., 0, 2:]
    hips = batch.true_keypoints[..., [11, 12], :].mean(2)
    size = np.ptp(batch.true_keypoints, axis=2).max(-1)
    assert (np.linalg.norm(pelvis - hips, axis=-1) / size).max() < 0.15


def test_people_keep_their_path(points):
    """Places change from frame to frame by the clip's own steps, whatever camera looks."""
    config = ClipConfig(batch=8, frames=6, variety=NOTHING_MIXED)
    batch = sample([SWINGING], points, config, 2, 0)
    step = np.linalg.norm(np.diff(batch.joints_cam[:, :, 0], axis=1), axis=-1)
    frames_per_step = np.round(step / (1.2 / 30))
    np.testing.assert_allclose(step, frames_per_step * 1.2 / 30, atol=1e-4)


def test_mirror_rotations_are_those_of_a_mirrored_body(points):
    rng = np.random.default_rng(0)
    rotations = Rotation.from_rotvec(rng.normal(0, 0.4, (24, 3))).as_matrix()
    from choros.body.gauss_newton import forward
    from choros.training.lifter.poses import _MIRROR

    rest = points.joint_template[None]
    _, places = forward(rest, rotations[None])
    _, mirrored = forward(rest, (rotations[list(MIRROR_JOINTS)] * _MIRROR)[None])
    np.testing.assert_allclose(mirrored[0], places[0][list(MIRROR_JOINTS)] * [-1, 1, 1], atol=1e-3)


@pytest.mark.slow
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


def test_joints_of_the_loss_are_those_of_the_body(points):
    rng = np.random.default_rng(0)
    rotations = Rotation.from_rotvec(rng.normal(0, 0.5, (5 * 24, 3))).as_matrix().reshape(5, 24, 3, 3)
    rest, _ = points.shaped(rng.normal(size=(5, 10)))
    from choros.body.gauss_newton import forward

    _, places = forward(rest, rotations)
    found = place_joints(torch.from_numpy(rotations), torch.from_numpy(rest))
    np.testing.assert_allclose(found.numpy(), places - places[:, :1], atol=1e-12)


def test_of_two_equally_likely_poses_one_is_answered_and_not_their_mean():
    """The same keypoints, knees straight in half of the people and bent by a radian in the other half."""
    torch.manual_seed(0)
    network = Lifter(LifterConfig(width=32, hypotheses=3))
    recipe = LifterRecipe(sharpness=(0.1, 0.1))
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    B = 16
    bend = torch.zeros(B, 1, 24, 3, dtype=torch.float64)
    bend[B // 2 :, :, 4:6, 0] = 1.0
    rotations = torch.from_numpy(Rotation.from_rotvec(bend.reshape(-1, 3).numpy()).as_matrix())
    rotations = rotations.reshape(B, 1, 24, 3, 3).float()
    rotations[:, :, 0] = torch.diag(torch.tensor([1.0, -1, -1]))
    template = torch.from_numpy(Points.of(BodyModel.load(detail="light")).joint_template).float()
    rest = template.expand(B, 1, 24, 3)
    keypoints = torch.rand(1, 1, 17, 3).expand(B, 1, 17, 3) * torch.tensor([0.2, 0.5, 1.0])
    view = look(keypoints, torch.eye(3).expand(B, 1, 3, 3), torch.zeros(B, 1))
    joints = place_joints(rotations, rest) + torch.tensor([0.0, 0, 4])
    truth = LifterTargets(rotations, joints, torch.zeros(B, 10), view.spread)
    for _ in range(250):
        found, _ = network(view, torch.zeros(B, 32))
        loss = losses(found, truth, rest, recipe, 0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found, _ = network(view, torch.zeros(B, 32))
    chance = found.log_chance[0, 0].exp()
    knee = Rotation.from_matrix(found.rotations[0, 0, :, 4].detach().numpy()).magnitude()
    straight, bent = (chance[torch.from_numpy(np.abs(knee - angle) < 0.25)].sum() for angle in (0.0, 1.0))
    assert straight > 0.3
    assert bent > 0.3
    assert straight + bent > 0.9
