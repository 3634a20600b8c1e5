"""Similarity of people in the image and in space: its limits, and what makes it more forgiving."""

import numpy as np
import pytest

from choros.tracking.similarity import SimilarityRules, similarity

RULES = SimilarityRules()


def body(x, y, size=100.0):
    rng = np.random.default_rng(0)
    points = np.concatenate(
        [rng.uniform(-0.5, 0.5, (17, 2)) * [0.4 * size, size] + [x, y], np.ones((17, 1))], -1
    )
    return points[None]


def alike(shift_px=0.0, shift_m=(0.0, 0.0, 0.0), unseen_s=0.0):
    place = np.array([[0.0, 0.0, 8.0]])
    return similarity(
        body(300, 200), place, np.array([unseen_s]), body(300 + shift_px, 200), place + shift_m, RULES
    ).item()


def test_the_same_person_is_one():
    assert alike() == pytest.approx(1)


def test_far_away_is_nothing():
    assert alike(shift_px=400, shift_m=(4.0, 0, 0)) < 1e-3


def test_image_and_space_have_their_shares():
    assert alike(shift_px=400) == pytest.approx(1 - RULES.image_share, abs=1e-3)
    assert alike(shift_m=(5.0, 0, 0)) == pytest.approx(RULES.image_share, abs=1e-3)


def test_depth_is_forgiven_more_than_what_is_across():
    assert alike(shift_m=(0, 0, 1.0)) > alike(shift_m=(1.0, 0, 0)) + 0.1
    across = np.exp(-0.5 * (0.5 / RULES.across_std_m) ** 2)
    expected = RULES.image_share + (1 - RULES.image_share) * across
    assert alike(shift_m=(0.5, 0, 0)) == pytest.approx(expected)


def test_who_was_long_unseen_may_be_farther_off():
    now, later = alike(shift_px=25), alike(shift_px=25, unseen_s=1.0)
    assert later > now + 0.1


def test_nobody():
    none = np.zeros((0, 17, 3)), np.zeros((0, 3))
    assert similarity(none[0], none[1], np.zeros(0), body(0, 0), np.ones((1, 3)), RULES).shape == (0, 1)
