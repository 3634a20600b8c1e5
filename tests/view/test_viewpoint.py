"""Viewpoints: known points land on known pixels, and everybody is in the picture of every frame."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choros.view.viewpoint import MARGIN, follow, looking

W, H = 320, 180


def test_the_axes_of_an_eye() -> None:
    ahead = looking(np.array([0.0, 2.0]), 0.0)  # columns: right, down, forward
    np.testing.assert_allclose(ahead, [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-12)
    above = looking(np.array([0.0, 1.0]), np.pi / 2)  # up in the picture is ahead on the floor
    np.testing.assert_allclose(above, [[1, 0, 0], [0, -1, 0], [0, 0, -1]], atol=1e-12)
    aside = looking(np.array([0.0, 1.0]), np.radians(20), np.radians(90))  # turned left
    np.testing.assert_allclose(aside[:, 2], [-np.cos(np.radians(20)), 0, -np.sin(np.radians(20))], atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(aside), 1)


def test_the_nearest_eye_puts_the_outermost_points_on_the_margin() -> None:
    points = np.array([[-2.0, 6, 0], [2, 6, 0], [0, 6, 0.2]])
    view = follow([points], looking(np.array([0.0, 1.0]), 0.0), 60, W, H, 25)[0]
    half = W / 2 * (1 - MARGIN)
    away = 2 / np.tan(np.radians(30)) / (1 - MARGIN)
    np.testing.assert_allclose(view.T_world_eye[:3, 3], [0, 6 - away, 0.1], atol=1e-9)
    rise = 0.1 / away * view.K[1, 1]
    expected = [[W / 2 - half, H / 2 + rise], [W / 2 + half, H / 2 + rise], [W / 2, H / 2 - rise]]
    np.testing.assert_allclose(view.to_px(points), expected, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), down_deg=st.sampled_from([10, 24, 90]), spread_m=st.sampled_from([3, 60])
)
def test_everybody_is_in_every_picture(seed: int, down_deg: float, spread_m: float) -> None:
    rng = np.random.default_rng(seed)
    way = np.cumsum(rng.normal(0, spread_m / 20, (60, 1, 3)), axis=0)
    frames = [way[t] + rng.normal(0, 1.5, (rng.integers(0, 5), 3)) for t in range(60)]
    views = follow(frames, looking(rng.normal(size=2), np.radians(down_deg)), 40, W, H, 10)
    for points, view in zip(frames, views, strict=True):
        assert (view.to_eye(points)[:, 2] > 0).all()
        apart = np.abs(view.to_px(points) - [W / 2, H / 2])
        assert (apart <= np.array([W / 2, H / 2]) * (1 - MARGIN) + 1e-6).all()


def test_the_eye_stays_for_a_small_place_and_goes_along_softly_in_a_large_one() -> None:
    R = looking(np.array([0.0, 1.0]), np.radians(24))
    person = np.array([[-0.5, 5, 0], [0.5, 5, 2]])
    small = follow([person + np.array([0.02 * t, 0, 0]) for t in range(200)], R, 40, W, H, 25)
    assert len({view.T_world_eye.tobytes() for view in small}) == 1
    large = follow([person + np.array([0.1 * t, 0, 0]) for t in range(500)], R, 40, W, H, 25)
    eyes = np.array([view.T_world_eye[:3, 3] for view in large])
    assert np.ptp(eyes[:, 0]) == pytest.approx(50, rel=0.2)
    assert np.abs(np.diff(eyes, n=2, axis=0)).max() < 0.02  # metres per frame, squared
    away = np.linalg.norm(eyes[250] - person.mean(axis=0) - np.array([25, 0, 0]))
    assert away < 20  # near, though the whole way is 50 m long


def test_an_empty_floor_is_looked_at_too() -> None:
    views = follow([np.zeros((0, 3))] * 3, looking(np.array([0.0, 1.0]), 0.4), 40, W, H, 25)
    assert np.isfinite([view.T_world_eye for view in views]).all()
    person = np.array([[3.5, 5, 1], [4.5, 5, 1]])
    gone = follow(
        [person, np.zeros((0, 3)), np.zeros((0, 3))], looking(np.array([0.0, 1.0]), 0.4), 40, W, H, 25
    )
    np.testing.assert_allclose(
        [view.to_px(person.mean(axis=0)) for view in gone], [[W / 2, H / 2]] * 3, atol=1e-6
    )
