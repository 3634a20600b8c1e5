"""Cameras: projection and letterbox are exact inverses, and defaults are what they say."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from choros.camera import Letterbox, default_focal_px, intrinsics, project, unproject
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


@given(sizes, sizes, st.integers(32, 1024), st.integers(0, 2**32 - 1))
def test_letterbox_points_and_K(width, height, size, seed):
    box = Letterbox(width, height, size)
    rng = np.random.default_rng(seed)
    points_px = rng.uniform(0, [width, height], (9, 2))
    inside = box.to_square(points_px)
    assert (inside >= -1e-9).all()
    assert (inside <= size + 1e-9).all()
    np.testing.assert_allclose(box.to_image(inside), points_px, atol=1e-8)
    K = intrinsics(width, height)
    rays = unproject(points_px, np.ones(9), K)
    np.testing.assert_allclose(project(rays, box.K(K)), inside, atol=1e-6)


@pytest.mark.parametrize(("width", "height", "size"), [(64, 48, 128), (300, 200, 96), (50, 170, 85)])
def test_letterbox_picture_lies_where_its_points_do(width, height, size):
    box = Letterbox(width, height, size)
    image = np.full((height, width, 3), 40, np.uint8)
    image[height // 4 : height // 2, width // 2 : 3 * width // 4] = 240
    centre = box.to_square(np.array([0.625 * width, 0.375 * height]))
    weight = (box.image(image)[..., 0].astype(float) - 40).clip(0)
    ys, xs = np.mgrid[:size, :size] + 0.5
    found = np.array([(weight * xs).sum(), (weight * ys).sum()]) / weight.sum()
    np.testing.assert_allclose(found, centre, atol=0.6)


@given(sizes, sizes, st.integers(1, 16), st.sampled_from([8, 32]))
def test_content_of_a_letterbox_is_all_of_the_image_and_little_more(width, height, steps, step):
    size = 2 * step * steps
    box = Letterbox(width, height, size)
    x0, y0, x1, y1 = box.content_px(step)
    assert all(at % step == 0 and 0 <= at <= size for at in (x0, y0, x1, y1))
    corners = box.to_square(np.array([[0.0, 0], [width, height]]))
    assert ([x0, y0] <= corners[0] + 1e-9).all()
    assert (corners[1] - 1e-9 <= [x1, y1]).all()
    assert (corners[0] - [x0, y0] < step).all()
    assert ([x1, y1] - corners[1] < step + 1e-6).all()
