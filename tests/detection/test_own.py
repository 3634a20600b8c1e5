"""What choros's own keypoint network must keep to."""

import numpy as np
import pytest

from choros.cli.eyes import eyes_named
from choros.detection import OwnKeypoints
from choros.detection.eyes.top_down import heatmap_keypoints
from choros.devices import CPU
from choros.errors import ChorosError
from choros.keypoints import AREA_OF_BOX, box_area, oks, on_a_neighbour
from choros.scenes import SceneConfig, make_scene
from choros.weights import shipped


@pytest.fixture(scope="module")
def own() -> OwnKeypoints:
    return OwnKeypoints(threads=1)


@pytest.fixture(scope="module")
def scene():
    made = make_scene("easy", 5, SceneConfig(width=320, height=240, seconds=0.04, damage=0, device="cpu"))
    return made.frame(0), made.arrays.box_px[0].astype(np.float64), made.arrays.keypoints_px[0]


def test_maps_are_read_between_their_cells():
    x, y = np.arange(48), np.arange(64)
    at = np.array([[40.0, 100.0], [97.3, 200.8]])  # px of the crop
    maps = np.zeros((1, 17, 64, 48), np.float32)
    for joint, (px, py) in enumerate(at):
        maps[0, joint] = np.outer(
            np.exp(-0.5 * ((y - py / 4) / 2) ** 2), np.exp(-0.5 * ((x - px / 4) / 2) ** 2)
        )
    found = heatmap_keypoints({"maps": maps}, (256, 192))
    assert found[0, :2, :2] == pytest.approx(at, abs=0.1)
    assert (found[0, :2, 2] > 0.9).all()
    assert not found[0, 2:, 2].any()


def test_rows_belong_to_boxes_also_one_by_one(own):
    image = np.random.default_rng(2).integers(0, 256, (200, 300, 3), np.uint8)
    boxes = np.array([[10, 10, 90, 190], [150, 20, 290, 150], [-40, 100, 60, 260]], np.float32)
    together = own.estimate(image, boxes)
    assert together.shape == (3, 17, 3)
    one_by_one = np.concatenate([own.estimate(image, boxes[i : i + 1]) for i in range(3)])
    assert together == pytest.approx(one_by_one, abs=1e-2)
    assert own.estimate(image, boxes[:0]).shape == (0, 17, 3)


def test_joints_of_somebody_made_up_are_found(own, scene):
    image, boxes, truth = scene
    found = own.estimate(image, boxes)
    seen = truth[..., 2] > 0
    apart = np.linalg.norm(found[..., :2] - truth[..., :2], axis=-1) / np.ptp(boxes[:, 1::2], axis=1)[:, None]
    assert (apart[seen] < 0.1).mean() > 0.85
    assert found[..., 2][seen].mean() > 0.6


def test_moving_the_picture_moves_the_keypoints(own, scene):
    image, boxes, _ = scene
    canvas = np.zeros((image.shape[0] + 60, image.shape[1] + 90, 3), np.uint8)
    canvas[40 : 40 + image.shape[0], 70 : 70 + image.shape[1]] = image
    here, there = own.estimate(image, boxes), own.estimate(canvas, boxes + np.array([70, 40, 70, 40]))
    assert there[..., :2] - [70, 40] == pytest.approx(here[..., :2], abs=0.5)


def test_a_name_or_a_file_of_weights_is_taken():
    named, given = eyes_named("choros", CPU), eyes_named(str(shipped("keypoints")), CPU)
    assert named.identity() == given.identity()
    with pytest.raises(ChorosError, match="not weights for keypoints"):
        eyes_named(str(shipped("lifter")), CPU)


def test_who_lies_on_a_neighbour():
    people = np.ones((2, 17, 3))
    people[0, :, :2] = np.random.default_rng(0).uniform(0, 100, (17, 2))
    people[1, :, :2] = people[0, :, :2] + [120, 0]
    areas = AREA_OF_BOX * box_area(np.array([[0, 0, 100, 100], [120, 0, 220, 100.0]]))
    assert oks(people, people, areas)[0, 1] < 0.1
    assert on_a_neighbour(people, people, areas).tolist() == [False, False]
    assert on_a_neighbour(people[[1, 1]], people, areas).tolist() == [True, False]
    far = people + np.array([500, 0, 0])
    assert on_a_neighbour(far, people, areas).tolist() == [False, False]
