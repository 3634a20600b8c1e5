"""Who hides whom: rays past upright people and things, worked out by hand."""

import numpy as np
import pytest

from choros.scenes.motion.visibility import spells_s, visible_share
from choros.scenes.place.obstacles import Obstacle

AHEAD = np.zeros(1)


def seen(*places, things=(), eye_m=1.6):
    return visible_share(np.array(places, float)[:, None], AHEAD, eye_m, things)[:, 0]


def test_one_exactly_behind_another_is_hidden_from_eye_level():
    front, behind = seen((0, 4), (0, 8))
    assert front == 1
    assert behind == 0


def test_from_above_the_upper_half_of_who_is_behind_is_seen():
    # Over a head of 1.65 m at 4 m an eye at 2.8 m sees what is above 0.5 m at 8 m: four of five heights.
    assert seen((0, 4), (0, 8), eye_m=2.8)[1] == pytest.approx(0.8)


def test_people_beside_each_other_are_seen():
    np.testing.assert_array_equal(seen((0, 4), (2, 8)), 1)
    # Rays to less than 0.4 m at 8 m pass less than 0.2 m from the one at 4 m: two of five columns.
    assert seen((0, 4), (0.4, 8))[1] == pytest.approx(0.6)


def test_walls_hide_and_benches_hide_legs():
    wall = Obstacle(0, 3, 0.08, 1.0)
    assert seen((0, 6), things=[wall]) == 0
    assert seen((4, 6), things=[wall]) == 1
    assert seen((0, 2), things=[wall]) == 1  # before it
    bench = Obstacle(0, 5.5, 0.22, 1.0, 0.45, seat=True)
    assert 0.5 < seen((0, 6), things=[bench]) < 1


def test_distance_from_things():
    wall = Obstacle(1, 3, 0.1, 0.5)
    np.testing.assert_allclose(
        wall.distance_m(np.array([[1.2, 4.1], [4.5, 7.0]])), [1.0, np.hypot(3, 4) - 0.1]
    )


def test_spells():
    assert spells_s(np.array([1, 1, 0, 0, 1, 1, 1], bool), 0.5) == [1.0, 1.5]
    assert spells_s(np.zeros(4, bool), 0.5) == []
