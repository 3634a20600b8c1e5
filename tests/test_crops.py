"""Letterboxes and crops: there and back is where one began, K follows, and pictures lie where their points do."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from choros.camera import intrinsics, project, unproject
from choros.crops import CornerLetterbox, Crop, CropSpec, Letterbox, halved, in_bars, turned_sides

sizes = st.integers(16, 4000)
seeds = st.integers(0, 2**32 - 1)

HMR2 = CropSpec((256, 256), 1.0, (192, 256), "gaussian")


@given(sizes, sizes, st.integers(32, 1024), st.integers(0, 2**32 - 1))
def test_letterbox_points_and_K(width, height, size, seed):
    box = Letterbox(width, height, size)
    rng = np.random.default_rng(seed)
    points_px = rng.uniform(0, [width, height], (9, 2))
    inside = box.to_crop(points_px)
    assert (inside >= -1e-9).all()
    assert (inside <= size + 1e-9).all()
    np.testing.assert_allclose(box.from_crop(inside), points_px, atol=1e-8)
    K = intrinsics(width, height)
    rays = unproject(points_px, np.ones(9), K)
    np.testing.assert_allclose(project(rays, box.K(K)), inside, atol=1e-6)


@pytest.mark.parametrize(("width", "height", "size"), [(64, 48, 128), (300, 200, 96), (50, 170, 85)])
def test_letterbox_picture_lies_where_its_points_do(width, height, size):
    box = Letterbox(width, height, size)
    image = np.full((height, width, 3), 40, np.uint8)
    image[height // 4 : height // 2, width // 2 : 3 * width // 4] = 240
    centre = box.to_crop(np.array([0.625 * width, 0.375 * height]))
    weight = (box.cut(image)[..., 0].astype(float) - 40).clip(0)
    ys, xs = np.mgrid[:size, :size] + 0.5
    found = np.array([(weight * xs).sum(), (weight * ys).sum()]) / weight.sum()
    np.testing.assert_allclose(found, centre, atol=0.6)


@given(sizes, sizes, st.integers(1, 16), st.sampled_from([8, 32]))
def test_content_of_a_letterbox_is_all_of_the_image_and_little_more(width, height, steps, step):
    size = 2 * step * steps
    box = Letterbox(width, height, size)
    x0, y0, x1, y1 = box.content_px(step)
    assert all(at % step == 0 and 0 <= at <= size for at in (x0, y0, x1, y1))
    corners = box.to_crop(np.array([[0.0, 0], [width, height]]))
    assert ([x0, y0] <= corners[0] + 1e-9).all()
    assert (corners[1] - 1e-9 <= [x1, y1]).all()
    assert (corners[0] - [x0, y0] < step).all()
    assert ([x1, y1] - corners[1] < step + 1e-6).all()


@given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([320, 416, 640]))
def test_corner_letterbox_holds_the_image_in_a_canvas_that_suits(height, width, long_side):
    box = CornerLetterbox.fit(height, width, long_side)
    assert max(box.content) == long_side
    for canvas, content in zip(box.canvas, box.content, strict=True):
        assert canvas % 32 == 0
        assert 0 <= canvas - content < 32
    corners = np.array([[0, 0, box.content[1], box.content[0]]], np.float32)
    whole = box.boxes_from_crop(corners)
    assert whole[0] == pytest.approx([0, 0, width, height], rel=1e-5)
    assert box.boxes_to_crop(whole)[0] == pytest.approx(corners[0], rel=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (64, 1), (1, 48), (37, 91), (64, 48), (640, 480)])
def test_bars_keep_the_shape_and_the_middle(size: tuple[int, int]) -> None:
    width, height = size
    shown = in_bars(np.full((height, width, 3), 200, np.uint8), 64, 48)
    assert shown.shape == (48, 64, 3)
    rows, columns = np.nonzero(shown[..., 0].max(1))[0], np.nonzero(shown[..., 0].max(0))[0]
    assert len(rows) == 48 or len(columns) == 64
    assert abs(rows[0] + rows[-1] - 47) <= 1
    assert abs(columns[0] + columns[-1] - 63) <= 1
    assert len(columns) == pytest.approx(len(rows) * width / height, abs=1) or 1 in (len(rows), len(columns))


# Crops --------------------------------------------------------------------------------------------------


@st.composite
def crops(draw):
    """A batch of crops about boxes that may lie outside of the image, of any shape and rule."""
    rng = np.random.default_rng(draw(seeds))
    spec = CropSpec(
        (draw(st.integers(16, 400)), draw(st.integers(16, 400))),
        draw(st.floats(0.5, 2)),
        draw(st.sampled_from([None, (192, 256), (1, 1)])),
    )
    low = rng.uniform(-300, 900, (draw(st.integers(0, 4)), 2))
    return spec.around(np.concatenate([low, low + rng.uniform(2, 700, low.shape)], -1))


@given(crops(), seeds)
def test_points_and_boxes_of_crops_come_back(batch, seed):
    n = len(batch.corner_px)
    points_px = np.random.default_rng(seed).uniform(-500, 1500, (n, 5, 2))
    np.testing.assert_allclose(batch.from_crop(batch.to_crop(points_px)), points_px, atol=1e-8)
    np.testing.assert_allclose(
        batch.from_shares(batch.to_crop(points_px) / batch.size_px), points_px, atol=1e-8
    )
    boxes_px = points_px[:, :4].reshape(n, 2, 4)
    np.testing.assert_allclose(batch.boxes_from_crop(batch.boxes_to_crop(boxes_px)), boxes_px, atol=1e-8)
    for k in range(n):
        np.testing.assert_array_equal(batch[k].to_crop(points_px[k]), batch.to_crop(points_px)[k])
        inside = batch.to_crop(points_px)[k]
        corners = batch[k].from_crop(np.array([[0, 0], batch.size_px], float))
        held = ((points_px[k] > corners[0]) & (points_px[k] < corners[1])).all(-1)
        np.testing.assert_array_equal(held, ((inside > 0) & (inside < batch.size_px)).all(-1))


@given(crops(), seeds)
def test_a_point_seen_by_the_crops_K_is_the_point_seen_by_K_in_the_crop(batch, seed):
    n, rng = len(batch.corner_px), np.random.default_rng(seed)
    K = intrinsics(1280, 720, fov_deg=60)
    K[0, 1] = rng.normal()
    points_cam = rng.uniform([-3, -2, 2], [3, 2, 9], (n, 6, 3))
    inside = batch.to_crop(project(points_cam, K))
    np.testing.assert_allclose(project(points_cam, batch.K(K)[:, None]), inside, rtol=1e-9, atol=1e-6)


def test_letterboxes_have_a_K_too():
    K, points_cam = intrinsics(300, 200), np.array([[0.1, 0.2, 1.0], [-0.3, 0.1, 2.0]])
    for box in (Letterbox(300, 200, 128), CornerLetterbox.fit(200, 300, 416)):
        np.testing.assert_allclose(
            project(points_cam, box.K(K)), box.to_crop(project(points_cam, K)), rtol=1e-6
        )


def test_points_may_be_tensors():
    batch = HMR2.around(np.array([[10, 20, 50, 100], [0, 0, 200, 100]]))
    points_px = np.random.default_rng(0).uniform(0, 200, (2, 3, 4, 2))
    for there in (batch.to_crop, batch.from_crop, batch.from_shares):
        mine = there(torch.tensor(points_px, dtype=torch.float32))
        assert mine.dtype == torch.float32
        np.testing.assert_allclose(mine.numpy(), there(points_px), rtol=1e-5)


def test_a_square_is_centred_with_room():
    batch = CropSpec((192, 192), 1.25).around(np.array([[10, 20, 50, 100], [0, 0, 200, 100]]))
    np.testing.assert_allclose(batch.corner_px, [[30 - 50, 60 - 50], [100 - 125, 50 - 125]])
    np.testing.assert_allclose(batch.extent_px, [[100, 100], [250, 250]])
    assert CropSpec((192, 192)).around(np.zeros((0, 4))).corner_px.shape == (0, 2)


@pytest.mark.parametrize(
    ("box", "side"),
    [((0, 0, 30, 80), 80), ((0, 0, 75, 80), 100), ((0, 0, 90, 60), 120), ((5, 5, 5, 5), 1)],
)
def test_hmr2_takes_the_longer_side_of_a_box_widened_to_three_by_four(box, side):
    crop = HMR2.around(np.array(box, float))
    np.testing.assert_allclose(crop.extent_px, [side, side])
    np.testing.assert_allclose(
        crop.corner_px + crop.extent_px / 2, [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
    )


def test_a_crop_of_another_shape_holds_the_box():
    crop = CropSpec((192, 256)).around(np.array([[0.0, 0, 30, 80], [0, 0, 90, 60]]))
    np.testing.assert_allclose(crop.extent_px, [[60, 80], [90, 120]])
    np.testing.assert_allclose(crop.scale, [[3.2, 3.2], [192 / 90, 192 / 90]])


def test_cut_at_scale_one_is_slicing():
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    crop = Crop(np.array([10.0, 5]), np.array([40.0, 32]), (40, 32))
    np.testing.assert_array_equal(crop.cut(image), image[5:37, 10:50])
    mirrored = Crop(np.array([50.0, 5]), np.array([-40.0, 32]), (40, 32))
    np.testing.assert_array_equal(mirrored.cut(image), image[5:37, 10:50][:, ::-1])
    np.testing.assert_array_equal(crop.cut(image[..., :1]), image[5:37, 10:50, :1])


@pytest.mark.parametrize(("left", "top", "side"), [(3.25, 7.5, 24.0), (10.0, 2.0, 64.0), (0.4, 0.7, 15.9)])
def test_cut_resamples_a_ramp_exactly(left, top, side):
    # At (x, y), continuous px, this image is 2 x + y: bilinear sampling must give it back anywhere.
    y, x = np.mgrid[:70, :80] + 0.5
    image = np.repeat((2 * x + y)[..., None], 3, -1).astype(np.float32)
    size = 16
    crop = Crop(np.array([left, top]), np.full(2, side), (size, size)).cut(image)
    at = (np.arange(size) + 0.5) * side / size
    expected = 2 * (left + at)[None, :] + (top + at)[:, None]
    assert crop[..., 0][1:, 1:] == pytest.approx(expected[1:, 1:], abs=0.2)  # cv2 samples in steps of 1/32 px


def test_outside_is_the_border():
    white = np.full((20, 20, 3), 255, np.uint8)
    batch = Crop(np.full((2, 2), [[-20.0], [-21]]), np.full((2, 2), 40.0), (40, 40))
    cut = batch.cut(white)
    assert cut.shape == (2, 40, 40, 3)
    assert (cut[:, :19, :19] == 0).all()
    assert (cut[:, 22:, 22:] == 255).all()
    assert (batch.cut(white, 114)[:, :19, :19] == 114).all()


@pytest.mark.parametrize("box", [(100.0, 60, 700, 560), (-300.0, -40, 500, 620), (2000.0, 60, 2700, 560)])
def test_the_blur_is_that_of_the_whole_image(box):
    """HMR 2.0's: the image blurred by scikit-image, that is by SciPy with the edge repeated, and then sampled."""
    image = np.random.default_rng(0).integers(0, 256, (600, 800, 3)).astype(np.float32)
    crop = HMR2.around(np.array(box))
    factor = crop.extent_px[0] / 256 / 2
    assert factor > 1.1
    whole = gaussian_filter(image, (*[(factor - 1) / 2] * 2, 0), mode="nearest", truncate=4.0)
    sharp = Crop(crop.corner_px, crop.extent_px, crop.size_px)
    np.testing.assert_allclose(crop.cut(image), sharp.cut(whole), atol=1e-2)
    rounded = crop.cut(image.astype(np.uint8))
    assert rounded.dtype == np.uint8
    np.testing.assert_allclose(rounded, crop.cut(image), atol=0.51)


def test_small_crops_are_not_blurred():
    image = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)
    crop = HMR2.around(np.array([100.0, 50, 400, 610]))
    np.testing.assert_array_equal(
        crop.cut(image), Crop(crop.corner_px, crop.extent_px, (256, 256)).cut(image)
    )


def test_the_turned_box_is_that_of_an_ellipse():
    sides = np.array([60.0, 160.0])
    assert turned_sides(sides, 0.0) == pytest.approx(sides)
    assert turned_sides(sides, np.pi / 2) == pytest.approx(sides[::-1])
    ring = np.linspace(0, 2 * np.pi, 721)
    points = np.stack([30 * np.cos(ring), 80 * np.sin(ring)], -1)
    c, s = np.cos(0.7), np.sin(0.7)
    turned = points @ np.array([[c, -s], [s, c]]).T
    assert turned_sides(sides, 0.7) == pytest.approx(2 * turned.max(0), rel=1e-3)


def test_a_picture_is_halved_as_often_as_it_stays_large_enough():
    image = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    large = image.repeat(4, 0).repeat(4, 1)
    for least_px, times in ((201, 1), (100, 2), (51, 2), (50, 4), (26, 4)):
        small, found = halved(large, least_px)
        assert found == times
        np.testing.assert_array_equal(small, large[::times, ::times])
    odd = np.concatenate([large, large[:, -1:]], 1)
    np.testing.assert_array_equal(halved(odd, 100)[0], large[::2, ::2])
