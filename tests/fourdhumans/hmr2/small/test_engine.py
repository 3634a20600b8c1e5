"""The small HMR 2.0 as a pose engine: bodies on their pixels by whatever K, in the order of the people."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.before import Before
from choros.body.gauss_newton import Points
from choros.body.kinematics import posed_joints
from choros.camera import intrinsics, project
from choros.detection import Detections
from choros.fourdhumans.hmr2.engine import Hmr2Engine
from choros.fourdhumans.hmr2.small.config import SmallConfig
from choros.fourdhumans.hmr2.small.engine import Past, SmallEngine
from choros.fourdhumans.hmr2.small.network import SmallHmr2
from choros.training.fourdhumans.small.task import begin_as_lifter

IMAGE = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
K = intrinsics(640, 480, fov_deg=60)


@pytest.fixture(scope="module")
def engine():
    """With the lifter's weights in the keypoint half, as a training begins."""
    network = SmallHmr2(SmallConfig())
    prior, _ = begin_as_lifter(network, None)
    return SmallEngine(network, prior, BodyModel.load(detail="light"))


@pytest.fixture(scope="module")
def truth():
    """Two people who stand, arms hanging and a little apart: rotations, transl."""
    turns = np.zeros((2, 24, 3))
    turns[:, 16, 2], turns[:, 17, 2] = -1.1, 1.0
    turns[1, 4, 0] = 0.8
    rotations = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(2, 24, 3, 3)
    rotations[:, 0] = np.diag([1.0, -1, -1])
    return rotations, np.array([[-0.8, 0.1, 4.0], [0.9, 0.2, 5.0]])


@pytest.fixture(scope="module")
def people(truth):
    rotations, transl = truth
    points = Points.of(BodyModel.load(detail="light"))
    px = project(points.keypoints(np.zeros((2, 10)), rotations, transl), K).astype(np.float32)
    keypoints = np.concatenate([px, np.full((2, 17, 1), 0.9, np.float32)], -1)
    boxes = np.concatenate([px.min(1) - 10, px.max(1) + 10], -1)
    return Detections(boxes, np.ones(2, np.float32), keypoints)


def seen_keypoints(engine, posed, K):
    return project(engine.points.keypoints(posed.betas, posed.rotations, posed.transl), K)


def test_another_K_sees_the_body_on_the_same_pixels_elsewhere(engine, people):
    tele = intrinsics(640, 480, focal_px=3 * K[0, 0])
    near, far = engine.pose(IMAGE, people, K), engine.pose(IMAGE, people, tele)
    for posed, camera in ((near, K), (far, tele)):
        off = np.linalg.norm(seen_keypoints(engine, posed, camera) - people.keypoints[..., :2], axis=-1)
        assert off.mean() < 5
    np.testing.assert_allclose(far.transl[:, 2] / near.transl[:, 2], 3, rtol=0.15)


def test_people_stand_where_they_stand(engine, people, truth):
    posed = engine.pose(IMAGE, people, K)
    np.testing.assert_allclose(posed.transl[:, 2], truth[1][:, 2], rtol=0.15)
    rest = engine.points.shaped(posed.betas)[0]
    joints = posed_joints(posed.rotations, rest)[1] + posed.transl[:, None]
    np.testing.assert_allclose(posed.joints_cam, joints, atol=1e-9)
    heads = posed.joints_cam[:, 15, 1] - posed.joints_cam[:, 0, 1]
    assert (heads < -0.4).all()  # upright, y down


def test_everybody_is_posed_by_themselves_in_their_order(engine, people):
    both, second = engine.pose(IMAGE, people, K), engine.pose(IMAGE, people[1:], K)
    for all_of_them, one in zip(both, second, strict=True):
        np.testing.assert_allclose(all_of_them[1:], one, atol=2e-3)


def test_of_nobody_there_is_nobody(engine, people):
    assert [part.shape for part in engine.pose(IMAGE, people[:0], K)[:4]] == [
        (0, 24, 3, 3), (0, 10), (0, 3), (0, 24, 3),
    ]  # fmt: skip


def test_the_one_that_ships(people, truth):
    shipped = Hmr2Engine.small()
    assert shipped.identity()["weights"]["file"] == "shipped"
    posed = shipped.pose(IMAGE, people, K)
    off = np.linalg.norm(seen_keypoints(shipped, posed, K) - people.keypoints[..., :2], axis=-1)
    assert off.mean() < 5
    np.testing.assert_allclose(posed.transl[:, 2], truth[1][:, 2], rtol=0.2)


def test_who_was_seen_before_is_remembered(engine, people):
    """With a past a person is held near to how they were; without one it plays no part."""
    anew, hidden = engine.follow(IMAGE, people, K, engine.no_past(2))
    bent = Rotation.from_rotvec([0.0, 0.5, 0.0]).as_matrix()
    was = anew.rotations.copy()
    was[:, 18] = was[:, 18] @ bent  # an elbow
    before = Before(np.full(2, 1 / 60), was, anew.transl)
    later, _ = engine.follow(IMAGE, people, K, Past(before, hidden))
    away = [Rotation.from_matrix(was[:, 18].swapaxes(-1, -2) @ x.rotations[:, 18]) for x in (later, anew)]
    assert (away[0].magnitude() < 0.9 * away[1].magnitude()).all()
    np.testing.assert_allclose(away[1].magnitude(), 0.5, atol=1e-6)
    assert hidden.shape == (2, engine.network.config.width)
