"""PersonFinder with plugged-in parts: neighbours kept apart, duplicates suppressed, broken parts named."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from choros.detection import Detector, FinderOptions, KeypointEstimator, PersonFinder
from choros.detection.neighbours import estimate_apart, paint_over, skeletons_to_keep
from choros.errors import ChorosError
from choros.keypoints import box_iou

SHARED = Path(__file__).parents[3] / "shared"

# Shares of the box: a person who stands, arms a little away from the body.
POSE = np.array([
    [0.5, 0.07], [0.55, 0.05], [0.45, 0.05], [0.6, 0.07], [0.4, 0.07], [0.75, 0.2], [0.25, 0.2], [0.85, 0.35],
    [0.15, 0.35], [0.9, 0.5], [0.1, 0.5], [0.65, 0.52], [0.35, 0.52], [0.65, 0.75], [0.35, 0.75], [0.65, 0.97],
    [0.35, 0.97],
])  # fmt: skip


class Given:
    """A detector that finds what it was given."""

    def __init__(self, boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> None:
        self.answer = np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32)

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.answer


def standing(box: np.ndarray, confidence: float = 0.9) -> np.ndarray:
    points = box[:2] + POSE * (box[2:] - box[:2])
    return np.concatenate([points, np.full((17, 1), confidence)], -1).astype(np.float32)


class Thief:
    """An estimator that takes the brightest person in sight, whoever was asked for, as MoveNet does in groups.

    People are rectangles of one colour, and their brightness tells them apart.
    """

    def estimate(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        found = []
        for box in boxes_px:
            margin = 0.5 * (box[2:] - box[:2]).max()
            left, top = np.maximum(box[:2] - margin, 0).astype(int)
            right, bottom = (box[2:] + margin).astype(int)
            crop = image[top:bottom, left:right, 0].astype(int)
            crop[crop == 114] = 0  # paint is no person
            rows, columns = np.nonzero(crop == crop.max())
            seen = [left + columns.min(), top + rows.min(), left + columns.max() + 1, top + rows.max() + 1]
            found.append(standing(np.array(seen, float)))
        return np.array(found)


def scene(boxes: list[list[int]], brightness: list[int]) -> np.ndarray:
    image = np.zeros((240, 320, 3), np.uint8)
    for (left, top, right, bottom), value in zip(boxes, brightness, strict=True):
        image[top:bottom, left:right] = value
    return image


def test_protocols_are_met_by_plain_classes() -> None:
    assert isinstance(Given([], []), Detector)
    assert isinstance(Thief(), KeypointEstimator)


def test_neighbours_no_longer_steal() -> None:
    boxes = [[50, 40, 90, 200], [95, 40, 135, 200], [140, 40, 180, 200], [250, 50, 290, 150]]
    image = scene(boxes, [100, 250, 160, 90])
    plain = Thief().estimate(image, np.array(boxes, np.float32))
    assert plain[0] == pytest.approx(plain[1])  # without help the brightest is found twice
    people = PersonFinder(Given(boxes, [0.9, 0.8, 0.7, 0.6]), Thief()).find(image)
    assert len(people) == 4
    for box, points in zip(boxes, people.keypoints, strict=True):
        assert points == pytest.approx(standing(np.array(box, float)), abs=1e-3)


def test_paint_keeps_the_person_and_hides_what_is_only_the_neighbours() -> None:
    image = np.random.default_rng(0).integers(120, 256, (100, 120, 3), np.uint8)
    before = image.copy()
    scene_, corner = paint_over(image, np.array([40, 20, 60, 80.0]), np.array([[50, 30, 90, 70.0]]))
    assert corner.tolist() == [10, 0]
    assert scene_.shape == (100, 80, 3)
    assert np.array_equal(scene_[20:80, 30:50], image[20:80, 40:60])  # the person, overlap included
    assert (scene_[30:70, 50:80] == 114).all()  # the neighbour elsewhere
    assert np.array_equal(scene_[:20], image[:20, 10:90])  # nobody
    assert np.array_equal(image, before)


def test_paint_with_boxes_beyond_the_border() -> None:
    image = np.full((50, 50, 3), 200, np.uint8)
    scene_, corner = paint_over(
        image, np.array([-20, -10, 20, 40.0]), np.array([[10, 10, 90, 90.0], [60, 60, 70, 70]])
    )
    assert corner.tolist() == [0, 0]
    assert (scene_[:40, :20] == 200).all()
    assert (scene_[10:, 20:] == 114).all()


def test_lone_people_are_estimated_in_one_call_on_the_whole_image() -> None:
    calls = []

    class Watched:
        def estimate(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
            calls.append((image.shape, len(boxes_px)))
            return np.array([standing(box) for box in boxes_px])

    image = np.zeros((240, 320, 3), np.uint8)
    boxes = np.array([[0, 0, 20, 60], [200, 0, 220, 60], [230, 0, 250, 60], [100, 150, 120, 210]], np.float32)
    keypoints = estimate_apart(Watched(), image, boxes)
    assert calls == [((240, 320, 3), 2), ((90, 80, 3), 1), ((90, 80, 3), 1)]
    assert keypoints == pytest.approx(np.array([standing(box) for box in boxes]), abs=1e-4)


def test_of_two_alike_skeletons_the_better_stays() -> None:
    boxes = np.array([[0, 0, 50, 150], [200, 0, 250, 150], [30, 0, 80, 150]], np.float32)
    keypoints = np.stack([standing(boxes[0]), standing(boxes[1]), standing(boxes[0])])
    keep = skeletons_to_keep(boxes, np.array([0.5, 0.9, 0.6]), keypoints, 0.7)
    assert keep.tolist() == [True, True, False]  # the third has the better score but is not in its box
    assert skeletons_to_keep(boxes[:0], np.zeros(0), keypoints[:0], 0.7).shape == (0,)


def test_faint_and_small_people_are_left_out_and_the_rest_is_sorted() -> None:
    boxes = [[0, 0, 20, 80], [100, 0, 120, 80], [200, 0, 205, 20], [280, 0, 300, 80]]

    class Still:
        def estimate(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
            return np.array([standing(box) for box in boxes_px])

    finder = PersonFinder(Given(boxes, [0.3, 0.8, 0.9, 0.1]), Still(), FinderOptions(min_score=0.25))
    people = finder.find(np.zeros((100, 320, 3), np.uint8))
    assert people.scores == pytest.approx([0.8, 0.3])
    assert people.boxes_px.tolist() == [boxes[1], boxes[0]]
    assert len(people[people.scores > 0.5]) == 1
    assert len(PersonFinder(Given([], []), Still()).find(np.zeros((9, 9, 3), np.uint8))) == 0


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ((np.zeros((2, 5)), np.zeros(2)), r"boxes \(n, 4\)"),
        ((np.array([[0, 0, 9, np.nan]]), np.ones(1)), "finite"),
        ((np.array([[5, 0, 5, 60.0]]), np.ones(1)), "without area"),
        ((np.array([[0, 0, 9, 60.0]]), np.array([97.0])), r"outside 0\.\.1"),
        (np.zeros((2, 4)), "pair"),
    ],
)
def test_a_broken_detector_is_named(answer: object, what: str) -> None:
    class Broken:
        def detect(self, image: np.ndarray):  # type: ignore[no-untyped-def]
            return answer

    with pytest.raises(ChorosError, match=f"Broken.*{what}"):
        PersonFinder(Broken(), Thief()).find(np.zeros((100, 100, 3), np.uint8))


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (np.zeros((1, 17, 2)), r"\(1, 17, 3\)"),
        (np.full((1, 17, 3), np.nan), "finite"),
        (np.full((1, 17, 3), 2.0), r"outside 0\.\.1"),
    ],
)
def test_a_broken_estimator_is_named(answer: np.ndarray, what: str) -> None:
    class Broken:
        def estimate(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
            return answer

    with pytest.raises(ChorosError, match=f"Broken.*{what}"):
        PersonFinder(Given([[0, 0, 30, 80]], [0.9]), Broken()).find(np.zeros((100, 100, 3), np.uint8))


def test_find_all_equals_find_in_order_and_holds_few_images() -> None:
    images = [scene([[10 + i, 20, 50 + i, 120]], [200]) for i in range(7)]
    taken = 0

    def watched():  # type: ignore[no-untyped-def]
        nonlocal taken
        for image in images:
            taken += 1
            yield image

    class Bright:
        def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            rows, columns = np.nonzero(image[..., 0])
            box = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]
            return np.array(box, np.float32), np.ones(1, np.float32)

    finder = PersonFinder(Bright(), Thief())
    for i, people in enumerate(finder.find_all(watched())):
        assert taken <= i + 3
        alone = finder.find(images[i])
        assert np.array_equal(people.keypoints, alone.keypoints)
        assert np.array_equal(people.boxes_px, alone.boxes_px)
    assert taken == 7


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the pictures of ../shared")
@pytest.mark.parametrize("fast", [True, False])
def test_people_of_a_real_picture(fast: bool) -> None:
    picture = SHARED / "assets/pictures/mmpose_fixtures/coco/000000196141.jpg"
    image = cv2.cvtColor(np.asarray(cv2.imread(str(picture))), cv2.COLOR_BGR2RGB)
    people = PersonFinder.default(fast).find(image)
    # COCO's annotation: a box of each person (x, y, width, height) and where the left shoulder is.
    annotated = [
        ((248, 74, 170, 301), (329, 141)),
        ((556, 100, 48, 113), (598, 123)),
        ((454, 207, 177, 211), (531, 262)),
        ((36, 68, 30, 96), (57, 90)),
    ]
    for (x, y, width, height), shoulder in annotated:
        overlap = box_iou(np.array([[x, y, x + width, y + height]]), people.boxes_px)[0]
        assert overlap.max() > 0.6
        error = np.linalg.norm(people.keypoints[overlap.argmax(), 5, :2] - shoulder)
        assert error < 0.1 * max(width, height)


class OnTheirFeet:
    """Both networks of a kind that knows people on their feet alone: a head (200) above a foot (100)."""

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.looks = getattr(self, "looks", 0) + 1
        heads, feet = (np.argwhere(image[..., 0] == grey) for grey in (200, 100))
        if not len(heads) or heads[0][0] > feet[0][0]:
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        (top, left), (bottom, right) = heads[0], feet[0]
        return np.array([[left, top, right + 1, bottom + 1]], np.float32), np.array([0.8], np.float32)

    def estimate(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        return np.stack([standing(box) for box in boxes_px])


def test_nobody_on_their_feet_the_picture_is_looked_at_upside_down():
    image = np.zeros((240, 160, 3), np.uint8)
    image[40, 50], image[179, 89] = 200, 100
    networks = OnTheirFeet()
    upright = PersonFinder(networks, networks).find(image)
    assert networks.looks == 1
    over = PersonFinder(networks, networks).find(np.ascontiguousarray(image[::-1, ::-1]))
    assert networks.looks == 3
    np.testing.assert_allclose(over.boxes_px, [[160 - 90, 240 - 180, 160 - 50, 240 - 40]])
    # The same person, turned by half a turn: what was left stays left.
    np.testing.assert_allclose(over.keypoints[..., :2], [160, 240] - upright.keypoints[..., :2], atol=1e-4)
    assert over.scores == upright.scores
