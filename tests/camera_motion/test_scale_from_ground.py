"""The ground that passes below a camera: points on a floor, and things on it, seen from two known places."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.camera_motion.epipolar import turn_between
from choros.camera_motion.scale_from_ground import Ground, ground_between

K = np.array([[800.0, 0, 480], [0, 800, 270], [0, 0, 1]])
HEIGHT_M = 2.0
LEVEL = np.array([0.0, -1.0, 0.0])  # up, in the axes of a camera that is level
PITCH = Rotation.from_rotvec([np.radians(-12), 0, 0]).as_matrix()  # R_camera_level, looking down
UP = PITCH @ LEVEL


def on_a_floor(rng: np.random.Generator, count: int, raised: float) -> np.ndarray:
    """(count, 3) metres, camera axes before: on the floor but for a share of ``raised`` that is up to 2 m above."""
    points = rng.uniform([-5, HEIGHT_M, 4], [5, HEIGHT_M, 18], (count, 3))
    high = rng.random(count) < raised
    points[high, 1] -= rng.uniform(0.1, 2, high.sum())
    return points @ PITCH.T


def seen(points: np.ndarray, rng: np.random.Generator, noise_px: float) -> np.ndarray:
    return (points / points[:, 2:] @ K.T)[:, :2] + rng.normal(0, noise_px, (len(points), 2))


def found(
    points: np.ndarray, went_m: np.ndarray, noise_px: float = 0.0, up: np.ndarray = UP, turn_deg: float = 1.0
) -> Ground | None:
    rng = np.random.default_rng(1)
    R = Rotation.from_rotvec(np.radians([0.2, turn_deg, 0])).as_matrix()  # R_after_before
    before, after = seen(points, rng, noise_px), seen((points - went_m) @ R.T, rng, noise_px)
    return ground_between(before, after, K, K, turn_between(before, after, K, K), up)


@pytest.mark.parametrize("level", [(0, 0, 0.5), (0.4, 0, 0), (-0.3, 0.2, -0.6)])
def test_the_way_is_exact_without_noise(level: tuple[float, float, float]) -> None:
    went_m = PITCH @ level
    points = np.concatenate([on_a_floor(np.random.default_rng(0), 120, 0), 20 * np.array([[0.3, -0.2, 1]])])
    ground = found(points, went_m)
    assert ground is not None
    np.testing.assert_allclose(ground.went, went_m / HEIGHT_M, atol=1e-4)
    np.testing.assert_allclose(ground.up, UP, atol=1e-4)


@pytest.mark.parametrize("tilt_deg", [-4, 0, 4])
def test_noise_things_and_people_who_lean_change_it_little(tilt_deg: float) -> None:
    went_m = PITCH @ [0.1, 0, 0.8]
    up = Rotation.from_rotvec([np.radians(tilt_deg), 0, 0]).as_matrix() @ UP
    errors = []
    for seed in range(5):
        points = on_a_floor(np.random.default_rng(seed), 200, 0.3)
        ground = found(points, went_m, 0.3, up)
        assert ground is not None
        errors.append(np.linalg.norm(ground.went - went_m / HEIGHT_M))
        assert np.degrees(np.arccos(ground.up @ UP)) < 1.5
    assert np.mean(errors) < 0.03 * np.linalg.norm(went_m) / HEIGHT_M


def test_a_camera_that_only_turns_passes_no_ground() -> None:
    for seed in range(5):
        points = on_a_floor(np.random.default_rng(seed), 200, 0.3)
        assert found(points, np.zeros(3), 0.3, turn_deg=3.0) is None


@pytest.mark.parametrize("lean", [0.0, 0.15])  # a slope of the wall, away from the camera
def test_a_wall_is_no_ground(lean: float) -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform([-5, -3, 8], [5, 4, 8], (200, 3))
    points[:, 2] -= lean * points[:, 1]
    assert found(points, np.array([0.2, 0, 0.8]), 0.3, LEVEL) is None


def test_few_points_are_no_ground() -> None:
    points = np.concatenate([
        on_a_floor(np.random.default_rng(4), 15, 0),
        np.random.default_rng(5).uniform([-5, -5, 8], [5, -1, 20], (100, 3)),
    ])  # fmt: skip
    assert found(points, PITCH @ [0, 0, 0.8], 0.3) is None
