"""Two-view geometry on points whose camera is known: turns, zooms and movements, noise, and points that lie."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.camera_motion.epipolar import turn_between

K = np.array([[800.0, 0, 480], [0, 800, 270], [0, 0, 1]])


def two_views(
    rng: np.random.Generator,
    turn_deg: float,
    move_m: tuple[float, float, float] = (0, 0, 0),
    zoom: float = 1.0,
    outliers: float = 0.2,
    noise_px: float = 0.2,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """200 points 4 to 20 m away before and after: (200, 2) px each, and R_after_before. Outliers drift."""
    before = rng.uniform([0, 0], [960, 540], (200, 2))
    points = (np.column_stack([before, np.ones(200)]) @ np.linalg.inv(K).T) * rng.uniform(4, 20, (200, 1))
    axis = rng.normal(size=3)
    R = Rotation.from_rotvec(np.radians(turn_deg) * axis / np.linalg.norm(axis)).as_matrix()
    after = points @ R.T + move_m
    after = after[:, :2] / after[:, 2:] * [zoom * K[0, 0], zoom * K[1, 1]] + K[:2, 2]
    lies = rng.random(200) < outliers
    after[lies] = before[lies] + rng.normal([6, 0], 8, (lies.sum(), 2))
    return before + rng.normal(0, noise_px, (200, 2)), after + rng.normal(0, noise_px, (200, 2)), R


def error_deg(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.degrees(Rotation.from_matrix(found.T @ true).magnitude()))


@pytest.mark.parametrize(
    ("turn_deg", "move_m", "zoom", "outliers", "at_most_deg"),
    [
        (0, (0, 0, 0), 1.0, 0.0, 0.015),
        (3, (0, 0, 0), 1.0, 0.4, 0.02),
        (20, (0, 0, 0), 1.0, 0.2, 0.03),
        (2, (0, 0, 0), 1.15, 0.3, 0.03),  # K does not tell of the zoom
        (2, (0.4, 0, 0), 1.0, 0.3, 0.12),
        (2, (0.05, 0.02, -0.5), 1.0, 0.3, 0.08),
    ],
)
def test_the_turn_is_found(
    turn_deg: float, move_m: tuple[float, float, float], zoom: float, outliers: float, at_most_deg: float
) -> None:
    rng = np.random.default_rng(5)
    for _ in range(6):
        before, after, R = two_views(rng, turn_deg, move_m, zoom, outliers)
        found = turn_between(before, after, K, K)
        assert error_deg(found.R_after_before, R) < at_most_deg
        assert np.degrees(found.sigma_rad) < at_most_deg
        assert (found.way is None) == (move_m == (0, 0, 0))
        if found.way is not None:
            assert abs(found.way @ move_m) / np.linalg.norm(move_m) > 0.98


def test_without_noise_a_zoom_that_K_knows_is_no_turn() -> None:
    before, after, R = two_views(np.random.default_rng(1), 1.5, zoom=1.3, outliers=0, noise_px=0)
    found = turn_between(
        before, after, K, np.diag([1.3, 1.3, 1]) @ K + [[0, 0, -144], [0, 0, -81], [0, 0, 0]]
    )
    assert error_deg(found.R_after_before, R) < 1e-5


def test_sigma_is_the_size_of_the_errors() -> None:
    rng = np.random.default_rng(3)
    errors, sigmas = [], []
    for _ in range(20):
        before, after, R = two_views(rng, 2.0, outliers=0)
        found = turn_between(before, after, K, K)
        errors.append(error_deg(found.R_after_before, R))
        sigmas.append(np.degrees(found.sigma_rad))
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.mean(sigmas), rel=0.5)


def test_points_that_agree_on_nothing_say_nothing() -> None:
    rng = np.random.default_rng(2)
    for count in (0, 5, 60):
        found = turn_between(*rng.uniform([0, 0], [960, 540], (2, count, 2)), K, K)
        assert np.isinf(found.sigma_rad)
        assert not found.agree.any()
        np.testing.assert_array_equal(found.R_after_before, np.eye(3))
