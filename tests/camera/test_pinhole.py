"""Cameras: projection and its inverse are exact, and defaults are what they say."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from choros.camera import (
    default_focal_px,
    intrinsics,
    project,
    project_in_front,
    projection_jacobian,
    unproject,
)
from choros.camera.plausible import checked_K
from choros.errors import ChorosError

sizes = st.integers(16, 4000)


@given(sizes, sizes, st.floats(20, 120), st.integers(0, 2**32 - 1))
def test_projection_and_its_inverse(width, height, fov, seed):
    rng = np.random.default_rng(seed)
    K = intrinsics(width, height, fov_deg=fov)
    K[0, 1] = rng.normal()  # some skew
    points_px = rng.uniform([-width, -height], [2 * width, 2 * height], (20, 2))
    depth = rng.uniform(0.3, 50, 20)
    points_cam = unproject(points_px, depth, K)
    np.testing.assert_allclose(points_cam[:, 2], depth)
    np.testing.assert_allclose(project(points_cam, K), points_px, atol=1e-4)


def test_torch_and_numpy_agree():
    K = intrinsics(640, 480, focal_px=500.0)
    points = np.random.default_rng(0).uniform([-1, -1, 1], [1, 1, 5], (7, 3))
    points_px = project(points, K)
    np.testing.assert_allclose(project(torch.tensor(points), torch.tensor(K)).numpy(), points_px)
    back = unproject(torch.tensor(points_px), torch.tensor(points[:, 2]), torch.tensor(K))
    np.testing.assert_allclose(back.numpy(), points, atol=1e-12)


def test_what_is_behind_the_camera_has_no_image():
    K = intrinsics(640, 480)
    points = np.array([[[0.2, 0.1, 2.0], [0.2, 0.1, -2.0]], [[0.0, 0.0, 0.0], [1.0, 0.0, 0.05]]])
    points_px, in_front = project_in_front(points, K)
    np.testing.assert_array_equal(in_front, [[True, False], [False, True]])
    np.testing.assert_array_equal(points_px[in_front], project(points[in_front], K))
    assert np.isnan(points_px[~in_front]).all()
    assert not project_in_front(points, np.stack([K, K])[:, None], near_m=0.1)[1][1, 1]


def test_the_slope_of_the_projection_is_that_of_differences():
    rng = np.random.default_rng(2)
    points = rng.normal(size=(5, 4, 3)) + np.array([0, 0, 5])
    K = np.stack([intrinsics(640, 480, focal_px=f) for f in rng.uniform(300, 900, 5)])[:, None]
    K[..., 0, 1] = 3.0  # skew
    slope = projection_jacobian(points, K)
    for axis in range(3):
        step = 1e-6 * np.eye(3)[axis]
        expected = (project(points + step, K) - project(points - step, K)) / 2e-6
        np.testing.assert_allclose(slope[..., axis], expected, rtol=1e-6, atol=1e-5)


def test_field_of_view_is_across_the_longer_side():
    for width, height in ((1920, 1080), (1080, 1920)):
        K = intrinsics(width, height, fov_deg=90)
        edge = project(np.array([1.0, 0, 1]) if width > height else np.array([0, 1.0, 1]), K)
        assert edge.max() == pytest.approx(1920)


def test_default_focal_length_is_the_longer_side():
    assert default_focal_px(768, 576) == 768
    np.testing.assert_array_equal(intrinsics(768, 576), [[768, 0, 384], [0, 768, 288], [0, 0, 1]])


@pytest.mark.parametrize(
    "bad",
    [
        {"focal_px": 0.0},
        {"focal_px": float("nan")},
        {"fov_deg": 180.0},
        {"K": np.eye(2)},
        {"K": np.diag([-1.0, 1, 1])},
        {"focal_px": 500.0, "fov_deg": 60.0},
    ],
)
def test_impossible_cameras_are_refused(bad):
    with pytest.raises(ChorosError):
        intrinsics(640, 480, **bad)


def K_of(fx, fy, cx, cy, skew=0.0):
    return [[fx, skew, cx], [0, fy, cy], [0, 0, 1]]


# Of a picture of 480x270 px, with what the sentence must say: what is odd, or what to give instead.
NO_CAMERAS = {
    "transposed": (np.transpose(K_of(500, 501, 240, 135)), "give 500 0 240, 0 501 135, 0 0 1"),
    "normalised": (K_of(1.04, 1.85, 0.5, 0.5), "499.2 0 240, 0 499.5 135, 0 0 1"),
    "centred at 0, normalised": (K_of(1.9, 3.4, 0, 0), "pixels"),
    "identity": (np.eye(3), "pixels"),
    "millimetres": (K_of(35, 35, 18, 12), "millimetres"),
    "millimetres of a phone": (K_of(4.2, 4.2, 2.4, 1.8), "millimetres"),
    "of 1920x1080": (K_of(1900, 1904, 964, 538), "1928x1076 px, but this one has 480x270"),
    "of 1280x720": (K_of(1280, 1280, 640, 360), "480 0 240, 0 480 135"),
    "of twice the size": (K_of(900, 900, 480, 270), "450 0 240, 0 450 135"),
    "of half the size": (K_of(240, 240, 120, 67), "240x134 px"),
    "of another shape": (K_of(640, 640, 322, 238), "640x480 px"),
    "of a picture on its side": (K_of(1080, 1080, 540, 960), "1080x1920 px"),
    "centre far outside": (K_of(1800, 1800, 5000, -3000), "far outside"),
    "no centre": (np.diag([500, 500, 1]), "cx 240, cy 135"),
    "not a number": (K_of(np.nan, 500, 240, 135), "finite"),
    "infinite": (K_of(np.inf, 500, 240, 135), "finite"),
    "negative": (K_of(500, -500, 240, 135), "positive focal lengths, px, but fy is -500"),
    "zero": (K_of(0, 500, 240, 135), "positive"),
    "stretched": (K_of(500, 1500, 240, 135), "alike"),
    "scaled": ([[1000, 0, 480], [0, 1000, 270], [0, 0, 2]], "give 500 0 240, 0 500 135, 0 0 1"),
    "of OpenGL": ([[500, 0, 240], [0, 500, 135], [0, 0, -1]], "must be 0 0 1"),
    "no last row": (np.zeros((2, 3)), "three rows"),
    "projection": (np.eye(4)[:3], "three rows"),
    "no numbers": ("fx fy cx cy", "nine numbers"),
    "ragged": ([[500, 0, 240], [0, 500], [0, 0, 1]], "nine numbers"),
    "cx beside fx": ([[500, 240, 0], [0, 500, 135], [0, 0, 1]], "skew"),
    "fx below fx": ([[500, 0, 240], [500, 0, 135], [0, 0, 1]], "second row"),
    "fx cx fy cy": (K_of(500, 240, 500, 135), "fx fy cx cy: 500 500 240 135"),
    "cx cy fx fy": (K_of(240, 135, 500, 500), "fx fy cx cy: 500 500 240 135"),
    "cx fx cy fy": (K_of(240, 500, 135, 500), "fx fy cx cy: 500 500 240 135"),
    "fx fy cy cx": (K_of(500, 500, 135, 240), "fx fy cx cy: 500 500 240 135"),
    "as wide as nothing": (K_of(5, 5, 240, 135), "178 degrees"),
    "as narrow as nothing": (K_of(1e5, 1e5, 240, 135), "0.275 degrees"),
}


@pytest.mark.parametrize("name", NO_CAMERAS)
def test_what_no_camera_has_is_said_in_one_sentence(name):
    K, says = NO_CAMERAS[name]
    with pytest.raises(ChorosError) as refused:
        intrinsics(480, 270, K=K)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "K",
    [
        K_of(500, 500, 240, 135),
        K_of(510, 505, 251.3, 122.8, 1.5),  # as calibrations come out
        K_of(2000, 2000, 700, 100),  # cut from the left of a larger picture: the centre a width off
        K_of(2000, 2000, -200, 135),
        K_of(900, 900, 240, -140),
        K_of(900, 900, 300, 10),
        K_of(20000, 20000, 240, 135),  # 1.4 degrees
        K_of(60, 60, 240, 135),  # 152 degrees
        K_of(665, 500, 240, 135),  # anamorphic, 1.33
        K_of(250, 500, 240, 135),  # and 2
    ],
)
def test_unusual_cameras_pass(K):
    np.testing.assert_array_equal(intrinsics(480, 270, K=K), K)
    np.testing.assert_array_equal(checked_K(K), K)


@given(sizes, sizes, st.floats(2, 160), st.floats(-0.05, 0.05), st.floats(0.9, 1.1))
def test_ordinary_cameras_pass_at_any_size_and_at_no_other(width, height, fov, off, stretch):
    K = intrinsics(width, height, fov_deg=fov)
    K[0, 2] += off * width
    K[1, 1] *= stretch
    np.testing.assert_array_equal(intrinsics(width, height, K=K), K)
    for scale in (0.25, 0.5, 2, 4):
        other = np.diag([scale, scale, 1]) @ K
        other[0, 2] = scale * width / 2
        with pytest.raises(ChorosError):
            intrinsics(width, height, K=other)


@pytest.mark.parametrize("choice", [{"fov_deg": 179}, {"focal_px": 35.0}, {"focal_px": 1e6}])
def test_fields_of_view_of_no_camera_are_refused(choice):
    with pytest.raises(ChorosError, match="no camera does"):
        intrinsics(1920, 1080, **choice)
