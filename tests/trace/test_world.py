"""Where camera and people go in the world: steps that are made up, and found again."""

import numpy as np
import pytest

from choros.rotation import rotvec_to_rotmat
from choros.trace.world import camera_from_people, camera_step, mean_turn


def pose(rotvec, place):
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotvec_to_rotmat(np.array(rotvec, float)), place
    return T


@pytest.fixture
def step():
    """A camera before and now, and three people in the world at both times."""
    rng = np.random.default_rng(0)
    before, now = pose([0.1, 0.2, 0], [1, 2, 3]), pose([0.15, 0.1, 0.05], [1.2, 2, 3.1])
    here = rng.normal(0, 1, (3, 3)) + np.array([0, 0, 8])
    return before, now, here, here + rng.normal(0, 0.05, (3, 3))


def into(T, points):
    return (points - T[:3, 3]) @ T[:3, :3]


def test_the_camera_is_where_people_say_it_is(step):
    before, now, here, there = step
    ways = (there - here) @ now[:3, :3]
    found = camera_step(before, before[:3, :3].T @ now[:3, :3], into(before, here), into(now, there), ways)
    assert found == pytest.approx(now, abs=1e-9)


def test_one_of_three_people_may_be_wrong(step):
    before, now, here, there = step
    ways = (there - here) @ now[:3, :3]
    ways[1] += [3, -2, 1]
    found = camera_step(before, before[:3, :3].T @ now[:3, :3], into(before, here), into(now, there), ways)
    assert np.linalg.norm(found[:3, 3] - now[:3, 3]) < 0.3


def test_without_people_a_camera_only_turns(step):
    before, now, *_ = step
    nobody = np.zeros((0, 3))
    found = camera_step(before, before[:3, :3].T @ now[:3, :3], nobody, nobody, nobody)
    assert found[:3, :3] == pytest.approx(now[:3, :3])
    assert found[:3, 3] == pytest.approx(before[:3, 3])


def test_the_mean_turn_is_between_and_weighted():
    turns = rotvec_to_rotmat(np.array([[0, 0, 0.2], [0, 0, 0.4]]))
    assert mean_turn(turns, np.ones(2)) == pytest.approx(rotvec_to_rotmat(np.array([0, 0, 0.3])), abs=1e-12)
    assert mean_turn(turns, np.array([0, 1.0])) == pytest.approx(turns[1])
    assert mean_turn(turns[:0], np.zeros(0)) == pytest.approx(np.eye(3))


def test_the_camera_is_found_from_people_in_the_world(step):
    _, now, _, there = step
    R_world_root = rotvec_to_rotmat(np.random.default_rng(1).normal(size=(3, 3)))
    found = camera_from_people(
        R_world_root, now[:3, :3].T @ R_world_root, there, into(now, there), np.ones(3)
    )
    assert found == pytest.approx(now, abs=1e-9)
