"""Motion quality against motions whose derivatives and distributions are known."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from choros.errors import ChorosError
from choros.evaluation.metrics.motion_quality import (
    acceleration_error_mm_s2,
    foot_contact,
    foot_sliding_cm_s,
    frechet_distance,
    gaussian_distance,
    ground_penetration_mm,
    jitter_m_s3,
    kinetic_features,
)


def path(coefficients, fps, frames=40, joints=2):
    """Joints that all move as polynomial(t) along x: coefficients from t^0 up, metres and seconds."""
    t = np.arange(frames) / fps
    points = np.zeros((frames, joints, 3))
    points[..., 0] = np.polynomial.polynomial.polyval(t, coefficients)[:, None]
    return points


@pytest.mark.parametrize("fps", [25, 60])
def test_derivatives_of_polynomials_at_any_frame_rate(fps):
    falling = path([1, 2, 0.5 * 9.81], fps)
    np.testing.assert_allclose(acceleration_error_mm_s2(falling, 0 * falling, fps), 9810)
    np.testing.assert_allclose(jitter_m_s3(falling, fps), 0, atol=1e-7)
    np.testing.assert_allclose(jitter_m_s3(path([0, 1, 2, 3], fps), fps), 18)


def test_too_few_frames_have_no_acceleration():
    assert acceleration_error_mm_s2(np.zeros((2, 5, 3)), np.ones((2, 5, 3)), 30).shape == (0,)
    assert jitter_m_s3(np.zeros((3, 5, 3)), 30).shape == (0,)


def test_sliding_is_the_speed_of_feet_that_should_rest():
    """Foot 0 rests, foot 1 walks at 1 m/s. The prediction slides both at 5 cm/s: only foot 0 counts."""
    fps = 30
    truth = path([0, 1], fps)
    truth[:, 0] = 0
    contact = foot_contact(truth, fps)
    assert contact[:, 0].all()
    assert not contact[:, 1].any()
    assert foot_sliding_cm_s(truth, contact, fps) == 0
    assert foot_sliding_cm_s(path([0, 0.05], fps), contact, fps) == pytest.approx(5)
    assert np.isnan(foot_sliding_cm_s(truth, ~contact & False, fps))


def test_penetration_is_the_mean_depth_of_what_is_below():
    body = np.zeros((2, 3, 3))
    body[0, :, 2] = 0.5, -0.01, -0.03
    body[1, :, 2] = 0.5, 0.01, 0.0
    np.testing.assert_allclose(ground_penetration_mm(body), [20, 0])


def test_kinetic_features_of_an_accelerated_lift():
    """The root walks at 2 m/s along x; the other joint rises beside it with z = 3 t^2 / 2 (a = 3)."""
    fps, frames = 50, 41
    joints = path([0, 2], fps, frames)
    t = np.arange(frames) / fps
    joints[:, 1, 2] = 1.5 * t**2
    features = kinetic_features(joints, fps).reshape(2, 3)
    np.testing.assert_allclose(features[0], [4, 0, 0], atol=1e-9)
    np.testing.assert_allclose(features[1], [0, np.mean((3 * t[1:-1]) ** 2), 3], atol=1e-9)


def test_kinetic_features_do_not_see_place_or_heading():
    rng = np.random.default_rng(0)
    joints = rng.normal(size=(20, 24, 3)).cumsum(axis=0) / 100
    cos, sin = np.cos(0.7), np.sin(0.7)
    moved = joints @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) + [3, 4, 5]
    np.testing.assert_allclose(kinetic_features(moved, 30), kinetic_features(joints, 30), rtol=1e-9)


def test_distance_of_gaussians_in_closed_form():
    """Diagonal covariances commute: |mean|^2 + sum of (sd_a - sd_b)^2."""
    sd_a, sd_b = np.array([1.0, 2, 0, 5]), np.array([3.0, 2, 1, 0])
    mean_a, mean_b = np.array([0.0, 1, 2, 3]), np.array([1.0, 1, 2, 5])
    expected = 5 + ((sd_a - sd_b) ** 2).sum()
    assert gaussian_distance(mean_a, np.diag(sd_a**2), mean_b, np.diag(sd_b**2)) == pytest.approx(expected)


def test_distance_of_gaussians_equals_scipys_matrix_root():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 30, 8))
    b = b * rng.uniform(0.5, 2, size=8)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = sqrtm(cov_a @ cov_b).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_fid_of_samples_nears_that_of_their_gaussians():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(50_000, 3)), 1 + 2 * rng.normal(size=(50_000, 3))
    assert frechet_distance(a, b) == pytest.approx(3 * 1 + 3 * 1, rel=0.02)


def test_too_little_to_measure_is_said():
    with pytest.raises(ChorosError, match="at least 3 frames"):
        kinetic_features(np.zeros((2, 24, 3)), 30)
    with pytest.raises(ChorosError, match="at least 2 features"):
        frechet_distance(np.zeros((1, 4)), np.zeros((9, 4)))
