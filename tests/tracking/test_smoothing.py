"""The one-Euro filter against what its definition implies."""

import numpy as np
from scipy.spatial.transform import Rotation

from choros.tracking.smoothing import OneEuro, smooth, smooth_motion, smooth_rotations
from tests.test_motion import make_motion


def test_with_no_speed_term_it_is_the_first_order_low_pass():
    times = np.arange(60) / 30
    step = np.ones(60)
    step[0] = 0
    settings = OneEuro(min_cutoff_hz=2.0, speed_weight=0.0)
    rate = 1 / (1 + 30 / (2 * np.pi * 2.0))
    np.testing.assert_allclose(smooth(step, times, settings), 1 - (1 - rate) ** np.arange(60), atol=1e-12)


def test_still_values_stay_and_noise_shrinks():
    times = np.arange(100) / 30
    np.testing.assert_array_equal(smooth(np.full((100, 3), 2.5), times), 2.5)
    noise = np.random.default_rng(0).normal(0, 0.01, (100, 3))
    assert smooth(noise, times)[20:].std() < 0.6 * noise[20:].std()


def test_it_is_causal():
    times, values = np.arange(50) / 30, np.random.default_rng(1).normal(size=(50, 2))
    changed = values.copy()
    changed[30:] += 5
    np.testing.assert_array_equal(smooth(values, times)[:30], smooth(changed, times)[:30])


def test_rotations_about_one_axis_are_filtered_like_angles():
    times = np.arange(40) / 30
    angle = np.random.default_rng(2).normal(0, 0.2, 40).cumsum() * 0.2
    rotvec = np.stack([0 * angle, angle, 0 * angle], -1)[:, None]
    np.testing.assert_allclose(smooth_rotations(rotvec, times)[:, 0, 1], smooth(angle, times), atol=1e-9)


def test_rotations_do_not_depend_on_the_world_they_are_in():
    times = np.arange(30) / 30
    rotvec = np.random.default_rng(3).normal(0, 0.1, (30, 4, 3)).cumsum(0)
    turn = Rotation.from_rotvec([0.3, -2.0, 0.7])
    turned = (turn * Rotation.from_rotvec(rotvec.reshape(-1, 3))).as_rotvec().reshape(30, 4, 3)
    expected = turn * Rotation.from_rotvec(smooth_rotations(rotvec, times).reshape(-1, 3))
    actual = Rotation.from_rotvec(smooth_rotations(turned, times).reshape(-1, 3))
    assert (expected.inv() * actual).magnitude().max() < 1e-9


def test_nothing_is_smoothed_over_a_cut():
    motion = make_motion(12)
    motion.rows["transl"][motion.rows["frame"] >= 7] += 5
    motion.frames["cut_before"][7] = True
    whole = smooth_motion(motion)
    for part, alone in ((whole[:7], motion[:7]), (whole[7:], motion[7:])):
        np.testing.assert_allclose(part.transl, smooth_motion(alone).transl, atol=1e-6)
        np.testing.assert_allclose(part.body_pose, smooth_motion(alone).body_pose, atol=1e-6)
