"""Ridge regression of places, against its closed form and SciPy's straight lines."""

import numpy as np
import pytest
from scipy.stats import linregress
from scipy.stats import t as student

from choros.fourdhumans.phalp.place import PlaceRules, expected

TIMES = np.array([0.0, 0.1, 0.2, 0.35, 0.4])


def one(values, times_s, now_s, rules):
    there = np.ones((1, len(times_s)), bool)
    return expected(values[None], times_s[None], there, np.array([now_s]), rules)


def test_the_line_is_that_of_the_closed_form():
    """Penalty on the slope alone: (X'X + diag(0, a))⁻¹ X'y of centred times, in each column."""
    rules = PlaceRules()
    y = np.random.default_rng(0).normal(size=(5, 3))
    found = one(y, TIMES, 0.5, rules)
    since = TIMES - TIMES.mean()
    for column in range(3):
        penalty = (rules.noise[column] / rules.speed[column]) ** 2
        X = np.stack([np.ones(5), since], -1)
        intercept, slope = np.linalg.solve(X.T @ X + np.diag([0, penalty]), X.T @ y[:, column])
        assert found.place[0, column] == pytest.approx(intercept + slope * (0.5 - TIMES.mean()), rel=1e-9)


def test_without_prior_knowledge_interval_and_line_are_those_of_ordinary_regression():
    free = PlaceRules(noise=(1e-12,) * 3, speed=(1e6,) * 3, drift=(0.0,) * 3, sights=0)
    y = np.random.default_rng(1).normal(size=(5, 3))
    found = one(y, TIMES, 0.5, free)
    for column in range(3):
        line = linregress(TIMES, y[:, column])
        left = y[:, column] - line.intercept - line.slope * TIMES
        variance = (left**2).sum() / 3
        spread = ((TIMES - TIMES.mean()) ** 2).sum()
        std = np.sqrt(variance * (1 + 1 / 5 + (0.5 - TIMES.mean()) ** 2 / spread))
        assert found.place[0, column] == pytest.approx(line.intercept + line.slope * 0.5)
        assert found.half_width[0, column] == pytest.approx(student.ppf(0.975, 3) * std)


def test_everybody_is_read_at_their_own_time_by_their_own_sights():
    rules = PlaceRules()
    values = np.stack([np.stack([TIMES, 2 * TIMES, -TIMES], -1), np.zeros((5, 3)) + 0.3])
    times = np.stack([TIMES, TIMES + 7])
    there = np.array([[True] * 5, [True, True, False, False, False]])
    values[1, 2:], times[1, 2:] = 99, 50  # none of theirs
    now = np.array([0.5, 7.2])
    both = expected(values, times, there, now, rules)
    for k in range(2):
        n = there[k].sum()
        alone = one(values[k, :n], times[k, :n], now[k], rules)
        np.testing.assert_allclose(both.place[k], alone.place[0])
        np.testing.assert_allclose(both.half_width[k], alone.half_width[0])
    np.testing.assert_allclose(both.place[1], 0.3)


def test_beyond_the_horizon_somebody_stands_and_may_be_anywhere():
    rules = PlaceRules()
    values = np.stack([0.3 * TIMES, 0 * TIMES, 0 * TIMES], -1)
    soon, then, late = (one(values, TIMES, 0.4 + ahead, rules) for ahead in (0.1, rules.horizon_s, 5.0))
    np.testing.assert_allclose(then.place, late.place)
    assert (soon.half_width < then.half_width).all()
    assert (then.half_width < late.half_width).all()


def test_one_sight_tells_a_place_and_no_speed():
    found = one(np.array([[0.5, 0.4, 1.2]]), np.array([3.0]), 3.1, PlaceRules())
    np.testing.assert_allclose(found.place, [[0.5, 0.4, 1.2]])
    assert np.isfinite(found.half_width).all()
