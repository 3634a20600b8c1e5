"""The motion model: what ships acts on the spot with feet that hold; its parts do what their mathematics says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros import weights
from choros.errors import ChorosError
from choros.scenes.motion.foot_planting import _joints
from choros.scenes.motion.motion_features import FPS, MOVED, N_FEATURES, path
from choros.scenes.motion.motion_model import (
    Components,
    MotionModel,
    MotionModelConfig,
    _one_that_stays,
    flow_along,
    improvise,
    load_model,
    roll_out,
    shipped_model,
)
from choros.scenes.motion.rest_skeleton import JOINT, RestSkeleton
from choros.training.motion_model.windows import open_skeleton, rows_of

TIMES = np.arange(0, 12, 1 / 30)
BALLS = [JOINT["left_foot"], JOINT["right_foot"]]
MOCAP = Path(__file__).parents[4] / "shared/assets/mocap"


@pytest.fixture(scope="module")
def performances():
    body = open_skeleton()
    return [improvise(np.random.default_rng(seed), body, TIMES) for seed in range(8)]


def placed(poses, body):
    """Local rotations (T, 24, 3, 3) and joints (T, 24, 3)."""
    rotvec = np.concatenate([poses.global_orient, poses.body_pose], axis=1).reshape(-1, 3)
    R_local = Rotation.from_rotvec(rotvec).as_matrix().reshape(-1, 24, 3, 3)
    return R_local, _joints(R_local, poses.transl + body.joints_rest[0], body.joints_rest)[1]


def test_the_same_seed_acts_the_same(performances):
    again = improvise(np.random.default_rng(3), open_skeleton(), TIMES)
    np.testing.assert_array_equal(again.body_pose, performances[3].body_pose)
    np.testing.assert_array_equal(again.transl, performances[3].transl)
    assert np.abs(performances[2].body_pose - performances[3].body_pose).mean() > 0.02


def test_people_stay_about_the_origin_and_on_their_feet(performances):
    body = open_skeleton()
    for poses in performances:
        R_local, joints = placed(poses, body)
        assert np.linalg.norm(joints[:, :, :2], axis=-1).max() < 3
        head = joints[:, JOINT["head"], 2]
        assert np.median(head) > 1.2
        assert head.max() < 2.6
        np.testing.assert_allclose(R_local[0, 0, :2, 2] @ [0, 1], 1, atol=0.35)  # faces +y at first


def test_feet_hold_and_stay_above_the_floor(performances):
    """In each moment at which somebody is on the floor a foot holds: most of the time wholly, else nearly."""
    body = open_skeleton()
    height = body.joints_rest[BALLS, 1] - body.sole_m
    for poses in performances:
        balls = placed(poses, body)[1][:, BALLS]
        above = balls[..., 2] - height
        assert above.min() > -1e-6
        pace = np.linalg.norm(np.diff(balls[..., :2], axis=0), axis=-1) * 30
        low = (above[1:] < 0.005) & (above[:-1] < 0.005)
        slowest = np.where(low, pace, np.inf).min(axis=1)
        slowest = slowest[np.isfinite(slowest)]
        assert len(slowest) > 0.5 * len(TIMES)
        assert np.quantile(slowest, 0.8) < 1e-6
        assert slowest.mean() < 0.04


def test_joints_turn_as_far_as_people_s_did(performances):
    model = shipped_model()
    lowest, highest = model.lowest.numpy(), model.highest.numpy()
    arms_and_trunk = [
        k for k, j in enumerate(MOVED[1:]) if j not in (1, 2, 4, 5, 7, 8)
    ]  # legs reach for feet
    for poses in performances:
        rotvec = poses.body_pose.reshape(-1, 23, 3)[:, [MOVED[1:][k] - 1 for k in arms_and_trunk]]
        assert (rotvec > lowest[arms_and_trunk] - 1e-6).all()
        assert (rotvec < highest[arms_and_trunk] + 1e-6).all()


def test_people_act(performances):
    """Hands move, and people differ."""
    body = open_skeleton()
    hands = []
    for poses in performances:
        joints = placed(poses, body)[1]
        hands.append(joints[:, JOINT["left_wrist"]] - joints[:, 0])
    pace = [np.linalg.norm(np.diff(hand, axis=0), axis=-1).mean() * 30 for hand in hands]
    assert np.median(pace) > 0.1
    assert max(pace) < 4


def test_the_frame_rate_does_not_change_who_acts():
    """Before the feet are planted, motion is the same curve at any rate."""
    body = open_skeleton()
    fast = improvise(np.random.default_rng(5), body, np.arange(0, 5.01, 1 / 50))
    slow = improvise(np.random.default_rng(5), body, np.arange(0, 5.01, 1 / 25))
    elbow = slice(3 * JOINT["left_elbow"] - 3, 3 * JOINT["left_elbow"])
    np.testing.assert_allclose(fast.body_pose[::2, elbow], slow.body_pose[:, elbow], atol=1e-6)


def test_a_child_acts_in_its_own_size():
    body = open_skeleton()
    child = RestSkeleton(0.6 * body.joints_rest, 0.6 * body.sole_m)
    poses = improvise(np.random.default_rng(1), child, TIMES)
    joints = placed(poses, child)[1]
    above = joints[:, BALLS, 2] - (child.joints_rest[BALLS, 1] - child.sole_m)
    assert above.min() > -1e-6
    assert np.mean(above.min(axis=1) < 0.005) > 0.5
    assert 0.75 < np.median(joints[:, JOINT["head"], 2]) < 1.05


def test_a_flow_carries_noise_to_its_gaussian():
    """From N(0, 1) to N(m, s^2) on straight paths the velocity is known: Lipman et al. 2023, theorem 3."""
    m, s = 1.7, 0.4

    def velocity(x, time):
        variance = (1 - time) ** 2 + (time * s) ** 2
        return m + (time * s**2 - (1 - time)) / variance * (x - time * m)

    noise = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    end = flow_along(velocity, noise, 40)
    torch.testing.assert_close(end, m + s * noise, atol=1e-3, rtol=0)
    # The midpoint rule is of second order at least.
    errors = [(flow_along(velocity, noise, n) - (m + s * noise)).abs().max() for n in (20, 40)]
    assert errors[0] / errors[1] > 3.5


def test_components_of_full_rank_lose_nothing():
    components = Components(1, N_FEATURES).double()
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(N_FEATURES, N_FEATURES)))[0]
    components.basis.copy_(torch.from_numpy(basis))
    components.std.copy_(torch.from_numpy(rng.uniform(0.5, 2, N_FEATURES)))
    components.scale.copy_(torch.from_numpy(rng.uniform(0.5, 2, N_FEATURES)))
    rows = torch.from_numpy(rng.normal(size=(5, 1, N_FEATURES)))
    torch.testing.assert_close(components.decode(components.encode(rows)), rows)


def test_nobody_who_leaves_or_hangs_is_chosen():
    rows = np.zeros((4, 40, N_FEATURES))
    rows[..., -2:] = 1
    rows[0, :, 1] = 1.0  # walks away
    rows[1, 10:19, -2:] = 0  # hangs
    rows[2, 10:16, -2:] = 0  # jumps
    rows[:, 0, 3] = np.arange(4)
    chosen = {_one_that_stays(np.random.default_rng(seed), rows)[0, 3] for seed in range(30)}
    assert chosen == {2, 3}
    assert _one_that_stays(np.random.default_rng(0), rows[:2])[0, 3] == 0


def test_roll_outs_are_long_enough_and_stay():
    rows = roll_out(shipped_model(), np.random.default_rng(0), 60)
    assert len(rows) >= 60
    assert rows.shape[1] == N_FEATURES
    assert np.linalg.norm(path(rows)[1], axis=1).max() * open_skeleton().leg_m < 3


def test_weights_of_something_else_are_refused(tmp_path):
    file = tmp_path / "w.safetensors"
    weights.save(file, {"a": torch.zeros(2)}, {"system": "lifter"})
    with pytest.raises(ChorosError, match="motion-model"):
        load_model(file)


def test_weights_say_what_they_are():
    _, metadata = weights.load(weights.shipped("motion-model"), "motion-model")
    assert metadata["licence"] == "Apache-2.0"
    assert metadata["command"].startswith("choros train motion-model")
    assert MotionModelConfig(**metadata["config"]) == MotionModelConfig()
    assert weights.shipped("motion-model").stat().st_size < 4 << 20
    assert sum(p.numel() for p in MotionModel().flow.parameters()) < 1_050_000


@pytest.mark.slow
@pytest.mark.skipif(not MOCAP.is_dir(), reason="needs the captured clips")
def test_motion_is_new():
    """Half-second pieces of what is performed lie away from every piece of the clips that were learned from."""
    from choros.datasets.mocap import load_folder

    model, piece = shipped_model(), int(FPS / 2)
    sources = ["cmu-expmap", "deepmimic"]
    clips = [rows_of(clip, open_skeleton()) for clip in load_folder(MOCAP, sources=sources)]
    made = [roll_out(model, np.random.default_rng(seed), 90) for seed in range(4)]

    def pieces(rows, step):
        poses = rows[:, 10:-2].reshape(len(rows), -1)
        return [poses[k : k + piece].ravel() for k in range(0, len(poses) - piece + 1, step)]

    known = torch.from_numpy(np.array([p for rows in clips for p in pieces(rows, 1)]))
    new = torch.from_numpy(np.array([p for rows in made for p in pieces(rows, piece)]))
    nearest = torch.cdist(new, known).min(dim=1).values / (piece * (len(MOVED) - 1) * 2) ** 0.5
    assert nearest.min() > 0.01  # of unit vectors, so about rad
    assert nearest.median() > 0.03
