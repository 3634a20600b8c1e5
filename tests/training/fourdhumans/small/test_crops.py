"""Crops of the small HMR 2.0's training: however a person is cut out, the truth goes with the picture."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.body.kinematics import posed_joints
from choros.camera import intrinsics, project
from choros.skeleton import COCO17
from choros.training.fourdhumans.augmentation import Manner
from choros.training.fourdhumans.recipe import Augmentation
from choros.training.fourdhumans.small.crops import (
    MIRROR17,
    SIDE_PX,
    Subject,
    cut_out,
    plain_manner,
    varied_manner,
)

K = intrinsics(640, 480, fov_deg=70)


@pytest.fixture(scope="module")
def points():
    return Points.of(BodyModel.load(detail="light"))


@pytest.fixture
def subject(points):
    """Somebody at the side of a picture, in a pose that is no mirror of itself."""
    rng = np.random.default_rng(3)
    rotations = Rotation.from_rotvec(rng.normal(0, 0.3, (24, 3))).as_matrix()
    rotations[0] = np.diag([1.0, -1, -1]) @ rotations[0]
    betas, transl = rng.normal(size=10), np.array([1.1, 0.2, 4.0])
    joints = posed_joints(rotations[None], points.shaped(betas[None])[0])[1][0] + transl
    keypoints = project(points.keypoints(betas[None], rotations[None], transl[None])[0], K)
    box = np.r_[keypoints.min(0), keypoints.max(0)]
    return Subject(box, np.c_[keypoints, np.ones(17)], rotations, betas, joints, 1.0)


def test_mirrored_points_are_those_of_the_other_side():
    assert [COCO17[i] for i in MIRROR17][:5] == ["nose", "right_eye", "left_eye", "right_ear", "left_ear"]
    assert MIRROR17[15] == 16


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_body_is_seen_where_the_picture_shows_it(points, subject, mirrored):
    """The truth's body, by the turned camera, on the true keypoints; and these at the pixels they were at."""
    image = np.zeros((480, 640, 3), np.uint8)
    manner = Manner(np.array([470.0, 250.0]), 300.0, 0.6, mirrored, np.ones(3))
    cut = cut_out(image, K, subject, manner)
    seen = cut.subject
    rest = points.shaped(seen.betas[None])[0]
    transl = seen.joints_cam[0] - rest[0, 0]
    body = points.keypoints(seen.betas[None], seen.rotations[None], transl[None])[0]
    # A mirrored body is that of the other side but for what its shape is not symmetric in.
    np.testing.assert_allclose(
        body[:, :2] / body[:, 2:], cut.true_keypoints[:, :2], atol=0.004 if mirrored else 1e-9
    )
    joints = posed_joints(seen.rotations[None], rest)[1][0] + transl
    np.testing.assert_allclose(joints, seen.joints_cam, atol=0.02 if mirrored else 1e-9)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_mark_in_the_picture_is_found_at_its_place_on_the_plane(subject, mirrored):
    image = np.zeros((480, 640, 3), np.uint8)
    elbow = COCO17.index("left_elbow")
    subject.keypoints_px[elbow, :2] = 450.5, 220.5
    image[220, 450] = 255
    manner = Manner(np.array([470.0, 250.0]), 120.0, -0.5, mirrored, np.ones(3))
    cut = cut_out(image, K, subject, manner)
    v, u = np.unravel_index(cut.crop[..., 0].argmax(), cut.crop.shape[:2])
    plane = cut.to_plane[:, :2] @ [u + 0.5, v + 0.5] + cut.to_plane[:, 2]
    where = MIRROR17[elbow] if mirrored else elbow
    one_px = 120 / SIDE_PX / K[0, 0]
    np.testing.assert_allclose(plane, cut.true_keypoints[where, :2], atol=1.5 * one_px)


def test_a_plain_crop_is_the_engines(subject):
    """Middle and side of the square that is widened by MoveNet's room about the box."""
    manner = plain_manner(subject.box_px)
    x0, y0, x1, y1 = subject.box_px
    np.testing.assert_allclose(manner.middle_px, [(x0 + x1) / 2, (y0 + y1) / 2])
    assert manner.side_px == pytest.approx(1.25 * max(x1 - x0, y1 - y0))
    assert manner.turn_rad == 0
    assert not manner.mirrored


def test_manners_follow_from_their_seed_and_differ(subject):
    def drawn(seed):
        return varied_manner(subject, np.random.default_rng(seed), Augmentation())

    assert drawn(1).side_px == drawn(1).side_px
    assert len({drawn(seed).side_px for seed in range(5)}) > 2
