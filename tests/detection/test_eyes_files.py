"""Real networks of each family, where a folder with them lies beside the sources; they are never committed."""

from pathlib import Path

import numpy as np
import pytest

from choros.detection import PersonFinder, detector_from, keypoints_from
from choros.evaluation.real.fixtures import read_pictures
from choros.evaluation.real.pictures import read_picture
from choros.keypoints import AREA_OF_BOX, box_area, box_iou, oks

ASSETS = Path(__file__).parents[3] / "shared/assets"
EYES, FIXTURES = ASSETS / "eyes", ASSETS / "pictures/mmpose_fixtures"
TINYPOSE = EYES / "pp-tinypose_256x192.onnx"
DETECTORS = {
    "picodet": EYES / "picodet_s_416.onnx",
    "rtmdet": EYES / "rtmdet_nano_person.onnx",
    "yolox": EYES / "yolox_nano.onnx",
}

pytestmark = pytest.mark.skipif(
    not TINYPOSE.is_file() or not FIXTURES.is_dir(), reason="needs networks and pictures"
)


@pytest.fixture(scope="module")
def pictures():
    """The few pictures of COCO, with their people."""
    return [(read_picture(one.image), one) for one in read_pictures(FIXTURES)["COCO"]]


def test_tinypose_puts_keypoints_where_people_have_them(pictures):
    eyes, likeness = keypoints_from(TINYPOSE), []
    for image, truth in pictures:
        found = eyes.estimate(image, truth.boxes_px[truth.asked])
        area = AREA_OF_BOX * box_area(truth.boxes_px[truth.asked])
        likeness += np.diag(oks(found, truth.keypoints_px[truth.asked], area)).tolist()
    assert np.mean(likeness) > 0.7


@pytest.mark.parametrize(("family", "file"), DETECTORS.items())
def test_detectors_find_people(pictures, family, file):
    detector = detector_from(file)
    assert detector.family == family
    found = asked = 0
    for image, truth in pictures:
        boxes, scores = detector.detect(image)
        assert (scores >= detector.score).all()
        tall = truth.boxes_px[truth.asked]
        found += int((box_iou(tall, boxes).max(-1, initial=0) > 0.5).sum())
        asked += len(tall)
    assert found > 0.7 * asked


def test_both_make_a_finder(pictures):
    finder = PersonFinder(detector_from(DETECTORS["picodet"]), keypoints_from(TINYPOSE))
    people = finder.find(pictures[0][0])
    assert len(people)
    assert people.keypoints[0, :, 2].mean() > 0.3
