"""Legs that reach: as far as they are asked, and softly where they are nearly straight."""

import numpy as np
import pytest

from choros.body.leg_reach import reach_of_legs, within_reach
from choros.skeleton import JOINT_NAMES

LEG_M, GIVE = 0.8, 0.03


def knee_deg(length):
    """Bend of the knee of a leg of two equal bones."""
    return np.degrees(2 * np.arccos(length / LEG_M))


def test_how_far_legs_reach_in_their_own_length():
    """A straight leg down, and one whose knee is bent by a right angle, of bones of .4 and .3 m."""
    joints = np.zeros((1, 24, 3))
    left, right = ([JOINT_NAMES.index(f"{side}_{name}") for name in ("hip", "knee", "ankle")]
                   for side in ("left", "right"))  # fmt: skip
    joints[0, left] = [[0.1, 0.9, 0], [0.1, 0.5, 0], [0.1, 0.2, 0]]
    joints[0, right] = [[-0.1, 0.9, 0], [-0.1, 0.5, 0], [-0.1, 0.5, -0.3]]
    reach = reach_of_legs(joints)
    np.testing.assert_allclose(reach[0], [[0, -1, 0], [0, -0.4 / 0.7, -0.3 / 0.7]], atol=1e-12)
    np.testing.assert_allclose(reach_of_legs(3 * joints + 1), reach, atol=1e-12)


def test_what_is_near_is_reached():
    near = np.linspace(0.1, 0.97 * LEG_M, 50)
    np.testing.assert_array_equal(within_reach(near, LEG_M, GIVE), near)


def test_what_is_far_is_nearly_reached_and_in_order():
    far = np.linspace(0.97 * LEG_M, 2 * LEG_M, 200)[1:]
    found = within_reach(far, LEG_M, GIVE)
    assert (np.diff(found[:60]) > 0).all()
    assert (np.diff(found) >= 0).all()
    assert (found < far).all()
    assert found.max() == pytest.approx(LEG_M)
    beyond = 0.01 * LEG_M
    expected = 0.97 * LEG_M + 0.03 * LEG_M * (1 - np.exp(-1 / 3))
    assert within_reach(np.array(0.97 * LEG_M + beyond), LEG_M, GIVE) == pytest.approx(expected)


def test_a_foot_that_goes_away_evenly_does_not_snap_the_knee():
    """Half a centimetre a frame, past the length of the leg: at most half the turn of a leg that gives nothing."""
    way = np.arange(0.7, 0.9, 0.005)
    soft, stiff = (np.abs(np.diff(knee_deg(np.minimum(within_reach(way, LEG_M, give), LEG_M)))).max()
                   for give in (GIVE, 0.0))  # fmt: skip
    assert stiff == pytest.approx(knee_deg(LEG_M - 0.005))
    assert soft < 0.5 * stiff
