"""PHALP's cost, against numbers worked out by hand."""

import numpy as np
import pytest

from choros.fourdhumans.phalp.cost import CostRules, Distances, cost_of, pose_distance, similarity_of
from choros.tracking.assignment import assign

RULES = CostRules()


def cost(appearance=0.0, pose=0.0, place=0.0, depth=0.0, width=0.0, depth_width=0.0):
    apart = Distances(*(np.array([[value]]) for value in (appearance, pose, place, depth)))
    return cost_of(apart, np.array([width]), np.array([depth_width]), RULES)[0, 0]


def test_by_hand():
    assert cost() == 1
    assert cost(appearance=0.5) == pytest.approx(1 + 4.0536 * 0.5)
    assert cost(pose=1.0) == pytest.approx(2.307)
    assert cost(pose=40.0) == pytest.approx(1 + 1.307 * 1.5)  # as far as anybody's
    assert cost(place=0.1) == pytest.approx(np.exp(0.1 / 0.03792))
    assert cost(place=0.1, width=0.5493061443) == pytest.approx(np.exp(0.1 / (0.6 * 0.3792)))  # tanh is .5
    assert cost(depth=0.2) == pytest.approx(np.exp(0.2 / 0.41658))
    assert cost(0.5, 1.0, 0.1, 0.2) == pytest.approx(3.0268 * 2.307 * np.exp(0.1 / 0.03792 + 0.2 / 0.41658))


def test_poses_lie_apart_by_the_squares_of_226_numbers():
    standing = np.broadcast_to(np.eye(3), (1, 24, 3, 3))
    turned = standing.copy()
    turned[0, 5] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    betas = np.zeros((1, 10))
    assert pose_distance(standing, betas, turned, betas + 0.1)[0, 0] == pytest.approx(4 + 10 * 0.01)
    assert pose_distance(np.zeros((0, 24, 3, 3)), np.zeros((0, 10)), turned, betas).shape == (0, 1)


@pytest.mark.parametrize("part", ["appearance", "pose", "place", "depth"])
def test_what_is_not_known_is_no_match(part):
    """The release takes it for a perfect one."""
    unknown = cost(**{part: np.nan})
    assert np.isnan(unknown)
    similar = similarity_of(np.array([[unknown, 5.0], [120.0, np.inf]]), np.zeros(2), RULES)
    assert np.isneginf(similar[0, 0])
    assert np.isneginf(similar[1]).all()  # too dear, and more than a number holds
    mine, theirs = assign(similar, 0.0)
    assert (mine.tolist(), theirs.tolist()) == ([0], [1])


def test_who_was_long_unseen_must_cost_less():
    similar = similarity_of(np.full((2, 1), 40.0), np.array([0.1, 2.0]), RULES)
    assert similar[0] == RULES.most - 40
    assert np.isneginf(similar[1])


def test_far_away_is_dear_and_not_an_error():
    assert cost(place=1e5) == np.inf
