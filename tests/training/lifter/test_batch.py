"""Batches for the lifter follow from seed and step, and their truth is where their keypoints are."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.skeleton import MIRROR_JOINTS
from choros.training.lifter.batch import ClipConfig, sample
from choros.training.lifter.keypoint_noise import CLEAN
from choros.training.lifter.poses import NOTHING_MIXED
from tests.training.captured import SWINGING


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
    from choros.body.kinematics import posed_joints
    from choros.training.lifter.poses import _MIRROR

    rest = points.joint_template[None]
    _, places = posed_joints(rotations[None], rest)
    _, mirrored = posed_joints((rotations[list(MIRROR_JOINTS)] * _MIRROR)[None], rest)
    np.testing.assert_allclose(mirrored[0], places[0][list(MIRROR_JOINTS)] * [-1, 1, 1], atol=1e-3)
