"""Paths that follow from a camera's background alone, against paths put together by hand."""

import numpy as np

from choros.camera_motion.camera_path import CameraPath, gone_over_ground, turned_camera
from choros.camera_motion.evidence import CameraEvidence, GroundEvidence
from choros.rotation import rotmat_about, rotvec_to_rotmat

#: A level camera that looks along the world's y.
LEVEL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def test_turns_follow_one_another_and_unseen_ones_are_none():
    steps = rotvec_to_rotmat(np.random.default_rng(0).normal(scale=0.1, size=(4, 3)))
    R = turned_camera(5, CameraEvidence(steps, np.array([1.0, 0, 0.5, 1])))
    expected = [np.eye(3), steps[0], steps[0], steps[0] @ steps[2], steps[0] @ steps[2] @ steps[3]]
    np.testing.assert_allclose(R, expected, atol=1e-12)
    np.testing.assert_array_equal(turned_camera(3, None), [np.eye(3)] * 3)


def test_a_way_over_the_ground_is_in_heights_of_the_camera():
    """1.5 m high, half a height ahead a frame, then a quarter turn to the left, then unseen, then half ahead again."""
    turned = rotmat_about("z", np.array([0, np.pi / 2, np.pi / 2, np.pi / 2])) @ LEVEL
    stands = CameraPath(turned, np.tile([0.0, 0, 1.5], (4, 1)))
    ahead = np.tile([0.0, 0.1, 0.5], (3, 1))  # and a little down, which the camera does not go
    ground = GroundEvidence(ahead, np.tile([0.0, -1, 0], (3, 1)), np.array([1.0, 0, 1]))
    gone = gone_over_ground(stands, ground)
    np.testing.assert_array_equal(gone.R_world_camera, turned)
    expected = [[0, 0, 1.5], [0, 0.75, 1.5], [0, 0.75, 1.5], [-0.75, 0.75, 1.5]]
    np.testing.assert_allclose(gone.place_m, expected, atol=1e-12)
