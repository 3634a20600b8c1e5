"""Rows of motion: there and back, mirrors, contacts."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.scenes.motion.motion_features import (
    FPS,
    MOVED,
    N_FEATURES,
    STILL,
    decode,
    encode,
    feet_standing,
    mirrored,
    orthonormal,
    path,
)
from choros.scenes.motion.rest_skeleton import JOINT, about
from choros.skeleton import JOINT_NAMES, MIRROR_JOINTS
from choros.training.motion_model.windows import open_skeleton

N = 40
#: From the captures' world (x, y up, z) to ours (z up), such that facing +z there is facing +y here.
R_WORLD_CAPTURE = np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]])


def wandering(seed=0):
    """Local rotations (N, 24, 3, 3) and pelvis (N, 3), y up, of somebody who turns and sways; begins facing +z."""
    rng = np.random.default_rng(seed)
    time = np.arange(N) / FPS
    waves = rng.normal(0, 0.25, (24, 3)) * np.sin(2 * time[:, None, None] + rng.uniform(0, 6, (24, 3)))
    waves[:, [JOINT[name] for name in STILL]] = 0
    R_local = Rotation.from_rotvec(waves.reshape(-1, 3)).as_matrix().reshape(N, 24, 3, 3)
    R_local[:, 0] = about("y", 0.8 * time**2) @ about("x", 0.3 * np.sin(time))
    pelvis = np.stack([0.4 * np.sin(time), 0.95 + 0.05 * np.cos(3 * time), 0.3 * time], axis=-1)
    return R_local, pelvis


def test_there_and_back():
    body = open_skeleton()
    R_local, pelvis = wandering()
    rows = encode(R_local, pelvis, body)
    assert rows.shape == (N - 1, N_FEATURES)
    acting = decode(rows, np.arange(N - 1) / FPS, body)
    expected = (pelvis - pelvis[0] * [1, 0, 1]) @ R_WORLD_CAPTURE.T
    np.testing.assert_allclose(acting.pelvis, expected[:-1], atol=1e-9)
    np.testing.assert_allclose(acting.R_local[:, 0], R_WORLD_CAPTURE @ R_local[:-1, 0], atol=1e-9)
    np.testing.assert_allclose(acting.R_local[:, MOVED[1:]], R_local[:-1, MOVED[1:]], atol=1e-9)


def test_rows_do_not_know_where_or_which_way():
    body = open_skeleton()
    R_local, pelvis = wandering()
    elsewhere = R_local.copy()
    elsewhere[:, 0] = about("y", 1.9) @ R_local[:, 0]
    rows = encode(elsewhere, pelvis @ about("y", 1.9).T + [3, 0, -2], body)
    np.testing.assert_allclose(rows, encode(R_local, pelvis, body), atol=1e-9)


def test_mirrored_rows_are_those_of_a_mirrored_person():
    body = open_skeleton()
    rest = body.joints_rest
    symmetric = (rest + rest[list(MIRROR_JOINTS)] * [-1, 1, 1]) / 2
    body = type(body)(symmetric, body.sole_m)
    R_local, pelvis = wandering()
    flip = np.outer([-1, 1, 1], [-1, 1, 1])
    rows = encode(R_local, pelvis, body)
    other = encode(R_local[:, list(MIRROR_JOINTS)] * flip, pelvis * [-1, 1, 1], body)
    np.testing.assert_allclose(mirrored(rows), other, atol=1e-9)
    np.testing.assert_array_equal(mirrored(mirrored(rows)), rows)


def test_a_turning_walker_goes_in_a_circle():
    rows = np.zeros((int(FPS * 4) + 1, N_FEATURES))
    rows[:, 1], rows[:, 2] = 1.0, np.pi / 2  # a full turn to the left in four seconds
    heading, place = path(rows)
    assert heading[-1] - heading[0] == pytest.approx(2 * np.pi)
    np.testing.assert_allclose(place[-1], [0, 0], atol=1e-9)
    assert place[:, 0].min() == pytest.approx(-2 * 2 / np.pi, rel=0.01)  # starts to +y, turns towards -x


def test_feet_that_stand():
    body = open_skeleton()
    R_local = np.tile(np.eye(3), (30, 24, 1, 1))
    pelvis = np.tile(body.joints_rest[0] - [0, body.sole_m, 0], (30, 1))
    lifted = R_local.copy()
    lifted[10:20, JOINT["left_hip"]] = about("x", -0.8)
    np.testing.assert_array_equal(feet_standing(R_local, pelvis, body), 1)
    stands = feet_standing(lifted, pelvis, body)
    np.testing.assert_array_equal(stands[12:18], [[0, 1]] * 6)
    np.testing.assert_array_equal(stands[:8], 1)
    np.testing.assert_array_equal(
        feet_standing(R_local, pelvis + np.arange(30)[:, None] * [0.1, 0, 0], body), 0
    )


def test_nearest_rotation_of_a_rotation_is_itself():
    R = Rotation.random(20, rng=np.random.default_rng(0)).as_matrix()
    columns = R[..., :2].swapaxes(-1, -2)
    np.testing.assert_allclose(orthonormal(columns), R, atol=1e-12)
    np.testing.assert_allclose(orthonormal(3 * columns), R, atol=1e-12)
    assert len(MOVED) + len(STILL) == len(JOINT_NAMES)
