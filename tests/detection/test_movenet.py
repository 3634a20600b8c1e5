"""What MoveNet must keep to; the geometry of its crops is tested in `tests/test_crops.py`."""

import numpy as np
import pytest

from choros.detection import MoveNet
from choros.detection.movenet import chance_of_right
from choros.errors import ChorosError


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
    for crop, points in zip(lightning.crops.around(boxes), together, strict=True):
        assert (points[:, :2] >= crop.corner_px - 1).all()
        assert (points[:, :2] <= crop.corner_px + crop.extent_px + 1).all()


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
