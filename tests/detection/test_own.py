"""What choros's own keypoint network must keep to."""

import numpy as np
import pytest

from choros.cli.eyes import eyes_named
from choros.detection import OwnKeypoints
from choros.detection.eyes.top_down import heatmap_keypoints
from choros.devices import CPU
from choros.errors import ChorosError
from choros.keypoints import AREA_OF_BOX, box_area, oks, on_a_neighbour
from choros.weights import shipped
from tests.training.keypoints.untaught import untaught


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return untaught(tmp_path_factory.mktemp("own") / "keypoints.safetensors")


@pytest.fixture(scope="module")
def own(weights) -> OwnKeypoints:
    return OwnKeypoints(weights, threads=1)


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


def test_a_file_of_weights_is_taken(weights):
    assert eyes_named(str(weights), CPU).identity() == OwnKeypoints(weights).identity()
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
