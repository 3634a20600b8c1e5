"""Crop geometry of MoveNet against closed forms, and what the network itself must keep to."""

import numpy as np
import pytest

from choros.detection import MoveNet
from choros.detection.movenet import chance_of_right, crop_squares, cut_square
from choros.errors import ChorosError


def test_squares_are_centred_with_room() -> None:
    squares = crop_squares(np.array([[10, 20, 50, 100], [0, 0, 200, 100]]), room=1.25)
    assert squares[0] == pytest.approx([30 - 50, 60 - 50, 100])
    assert squares[1] == pytest.approx([100 - 125, 50 - 125, 250])
    assert crop_squares(np.zeros((0, 4)), 1.25).shape == (0, 3)


def test_cut_at_scale_one_is_slicing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    assert np.array_equal(cut_square(image, np.array([10, 5, 32]), 32), image[5:37, 10:42])


@pytest.mark.parametrize(("left", "top", "side"), [(3.25, 7.5, 24.0), (10.0, 2.0, 64.0), (0.4, 0.7, 15.9)])
def test_cut_resamples_a_ramp_exactly(left: float, top: float, side: float) -> None:
    # At (x, y), continuous px, this image is 2 x + y: bilinear sampling must give it back anywhere.
    y, x = np.mgrid[:70, :80] + 0.5
    image = np.repeat((2 * x + y)[..., None], 3, -1).astype(np.float32)
    size = 16
    crop = cut_square(image, np.array([left, top, side]), size)
    at = (np.arange(size) + 0.5) * side / size
    expected = 2 * (left + at)[None, :] + (top + at)[:, None]
    assert crop[..., 0][1:, 1:] == pytest.approx(expected[1:, 1:], abs=0.2)  # cv2 samples in steps of 1/32 px


def test_outside_is_black() -> None:
    crop = cut_square(np.full((20, 20, 3), 255, np.uint8), np.array([-20, -20, 40]), 40)
    assert (crop[:19, :19] == 0).all()
    assert (crop[21:, 21:] == 255).all()


def test_confidence_rises_with_the_networks() -> None:
    chance = chance_of_right(np.linspace(0, 1, 101))
    assert (np.diff(chance) > 0).all()
    assert chance[0] < 0.1
    assert chance[28] == pytest.approx(0.5)
    assert 0.95 < chance[-1] < 1


@pytest.fixture(scope="module")
def lightning() -> MoveNet:
    return MoveNet("lightning")


def test_rows_belong_to_boxes_and_repeat_bit_for_bit(lightning: MoveNet) -> None:
    image = np.random.default_rng(2).integers(0, 256, (200, 300, 3), np.uint8)
    boxes = np.array([[10, 10, 90, 190], [150, 20, 290, 150], [-40, 100, 60, 260]], np.float32)
    together = lightning.estimate(image, boxes)
    assert together.shape == (3, 17, 3)
    assert together.dtype == np.float32
    one_by_one = np.concatenate([lightning.estimate(image, boxes[i : i + 1]) for i in range(3)])
    assert np.array_equal(together, one_by_one)
    assert lightning.estimate(image, boxes[:0]).shape == (0, 17, 3)
    for box, points in zip(crop_squares(boxes, lightning.room), together, strict=True):
        assert (points[:, :2] >= box[:2] - 1).all()
        assert (points[:, :2] <= box[:2] + box[2] + 1).all()


def test_moving_the_picture_moves_the_keypoints(lightning: MoveNet) -> None:
    image = np.random.default_rng(3).integers(0, 256, (120, 120, 3), np.uint8)
    canvas = np.zeros((160, 190, 3), np.uint8)
    canvas[30:150, 50:170] = image
    box = np.array([[10.0, 10, 110, 110]], np.float32)
    here = lightning.estimate(image, box)
    there = lightning.estimate(canvas, box + np.array([50, 30, 50, 30], np.float32))
    assert there[..., :2] - [50, 30] == pytest.approx(here[..., :2], abs=0.05)  # cv2 rounds the crop


def test_grey_image_is_refused(lightning: MoveNet) -> None:
    with pytest.raises(ChorosError, match="RGB"):
        lightning.estimate(np.zeros((50, 50), np.uint8), np.array([[0, 0, 50, 50]]))
