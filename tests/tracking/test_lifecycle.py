"""Births and deaths happen at the same second whatever the frame rate."""

import numpy as np
import pytest

from choros.tracking.lifecycle import LifeRules, confirmed, ended, likely

RULES = LifeRules()


@pytest.mark.parametrize("fps", [5, 10, 25, 29.97, 60])
def test_a_lost_person_ends_in_time(fps):
    times = np.arange(0, 4, 1 / fps)
    alive = [t for t in times if not ended(RULES, t, np.array([True]), np.array([0.0]), np.array([t]))[0]]
    assert RULES.lost_s - 1 / fps < max(alive) <= RULES.lost_s + 1e-6


@pytest.mark.parametrize("fps", [5, 25, 60])
def test_who_walks_out_ends_after_half_a_second(fps):
    times = np.arange(0, 3, 1 / fps)
    alive = [t for t in times if not ended(RULES, t, np.array([True]), np.array([t]), np.array([0.0]))[0]]
    assert RULES.outside_s - 1 / fps < max(alive) <= RULES.outside_s + 1e-6


def test_a_doubtful_newcomer_ends_sooner():
    shown, seen, inside = np.array([True, False]), np.zeros(2), np.full(2, 0.5)
    assert ended(RULES, 0.5, shown, seen, inside).tolist() == [False, True]


def test_certain_at_once_doubtful_when_seen_twice_crowded_when_it_lasts():
    sights = np.array([1, 1, 2, 2, 1, 3, 9])
    score = np.array([0.9, 0.45, 0.45, 0.45, 0.9, 0.9, 0.9])
    crowded = np.array([False, False, False, False, True, True, True])
    born, seen = np.zeros(7), np.array([0, 0, 0.05, 0.2, 0, 0.4, 0.5])
    expected = [True, False, False, True, False, False, True]
    assert confirmed(RULES, sights, score, crowded, born, seen).tolist() == expected


def test_a_plain_skeleton_makes_up_for_a_faint_box_in_the_first_frame():
    score, clarity = np.array([0.39, 0.37, 0.34, 0.42]), np.array([0.6, 0.6, 0.9, 0.3])
    assert likely(RULES, score, clarity).tolist() == [True, False, True, False]


def test_who_is_not_confirmed_ends_soon_though_they_were_shown_in_the_first_frame():
    sure = confirmed(RULES, np.array([1]), np.array([0.5]), np.array([False]), np.zeros(1), np.zeros(1))
    assert not sure[0]
    assert ended(RULES, RULES.doubt_s + 0.05, sure, np.zeros(1), np.zeros(1))[0]
