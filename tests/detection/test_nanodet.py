"""NanoDet's input geometry, decoding of heads made by hand, and suppression against a naive reference."""

import platform
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choros.crops import CornerLetterbox
from choros.detection import NanoDet, PersonFinder, nanodet
from choros.detection.nanodet import decode, network_input, suppress_overlapping
from choros.errors import ChorosError
from choros.keypoints import box_iou
from choros.weights import shipped

CPU = Path("/proc/cpuinfo")
PICTURE = (
    Path(__file__).parents[3] / "shared/assets/pictures/mmpose_fixtures/coco/000000196141.jpg"
)  # four people stand in it


def test_network_input_is_bgr_normalised_and_padded() -> None:
    image = np.zeros((100, 50, 3), np.uint8)
    image[:] = (200, 100, 50)  # red, green, blue
    letterbox = CornerLetterbox.fit(100, 50, 64)
    assert (letterbox.content, letterbox.canvas) == ((64, 32), (64, 32))
    blob = network_input(image, letterbox)
    assert blob.shape == (1, 3, 64, 32)
    expected = [(50 - 103.53) / 57.375, (100 - 116.28) / 57.12, (200 - 123.675) / 58.395]
    assert blob[0, :, 10, 10] == pytest.approx(expected, rel=1e-5)

    padded = network_input(image[:, :40], CornerLetterbox.fit(100, 40, 64))
    grey = [(114 - 103.53) / 57.375, (114 - 116.28) / 57.12, (114 - 123.675) / 58.395]
    assert padded[0, :, 63, 31] == pytest.approx(grey, rel=1e-5)
    assert padded[0, :, 63, 25] == pytest.approx(expected, rel=1e-5)  # 64 * 40 / 100 = 25.6, rounded to 26


def heads(canvas: tuple[int, int]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    cells = {stride: (canvas[0] // stride) * (canvas[1] // stride) for stride in (8, 16, 32)}
    return {s: (np.zeros((1, n, 80), np.float32), np.zeros((1, n, 44), np.float32)) for s, n in cells.items()}


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_decode_of_a_known_box(stride: int) -> None:
    canvas = (96, 160)
    by_stride = heads(canvas)
    row, column, distances = 1, 2, (0, 3, 2.5, 10)  # in cells: left, top, right, bottom
    cell = row * (canvas[1] // stride) + column
    classes, logits = by_stride[stride]
    classes[0, cell, 0] = 0.9
    classes[0, cell - 1, 16] = 0.99  # a dog
    sides = np.full((4, 11), -50.0)
    for side, distance in enumerate(distances):
        sides[side, [int(distance), int(np.ceil(distance))]] = 7.0  # half and half between two bins
    logits[0, cell] = sides.ravel()

    outputs = [array for pair in by_stride.values() for array in pair][::-1]
    boxes, scores = decode(outputs, canvas, 0.4)
    centre = ((column + 0.5) * stride, (row + 0.5) * stride)
    assert scores == pytest.approx([0.9])
    assert boxes[0] == pytest.approx(
        [centre[0], centre[1] - 3 * stride, centre[0] + 2.5 * stride, centre[1] + 10 * stride], rel=1e-5
    )
    assert boxes.dtype == scores.dtype == np.float32


def test_decode_of_nothing() -> None:
    boxes, scores = decode([array for pair in heads((64, 64)).values() for array in pair], (64, 64), 0.4)
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


def naive_suppression(boxes: np.ndarray, scores: np.ndarray, iou: float) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        for j in kept:
            width = min(boxes[i][2], boxes[j][2]) - max(boxes[i][0], boxes[j][0])
            height = min(boxes[i][3], boxes[j][3]) - max(boxes[i][1], boxes[j][1])
            shared = max(width, 0) * max(height, 0)
            area = [(b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[i], boxes[j])]
            if shared / (sum(area) - shared) > iou:
                break
        else:
            kept.append(i)
    return kept


@settings(max_examples=50)
@given(st.integers(0, 40), st.integers(0, 10_000), st.floats(0.1, 0.9))
def test_suppression_equals_the_naive_one(count: int, seed: int, iou: float) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 50, (count, 2))], -1)
    scores = rng.uniform(0, 1, count)
    assert suppress_overlapping(boxes, scores, iou).tolist() == naive_suppression(boxes, scores, iou)


@pytest.fixture(scope="module")
def detector() -> NanoDet:
    return NanoDet(sizes=(192, 256))


def test_sizes_and_shapes_of_any_image(detector: NanoDet) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    for image in (noise, noise[:1, :1].copy(), noise[:2].copy(), noise[:, ::-1]):
        boxes, scores = detector.detect(image)
        assert boxes.shape == (len(scores), 4)
        assert boxes.dtype == scores.dtype == np.float32
        assert (np.diff(scores) <= 0).all()


def test_same_image_same_answer(detector: NanoDet) -> None:
    image = np.random.default_rng(1).integers(0, 256, (120, 80, 3), np.uint8)
    before = image.copy()
    low = NanoDet(sizes=(192,), score=0.001)
    first, second = low.detect(image), low.detect(image)
    assert len(first[0]) > 0
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert np.array_equal(image, before)


def test_a_large_picture_is_halved_first() -> None:
    image = np.random.default_rng(2).integers(0, 256, (100, 140, 3), np.uint8)
    low = NanoDet(sizes=(64,), score=0.001)
    boxes, scores = low.detect(image)
    large_boxes, large_scores = low.detect(image.repeat(2, 0).repeat(2, 1))
    assert len(boxes) > 0
    assert np.array_equal(large_boxes, 2 * boxes)
    assert np.array_equal(large_scores, scores)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((9, 9), np.uint8),
        np.zeros((9, 9, 4), np.uint8),
        np.zeros((9, 9, 3)),
        np.zeros((0, 9, 3), np.uint8),
    ],
)
def test_other_images_are_refused(detector: NanoDet, image: np.ndarray) -> None:
    with pytest.raises(ChorosError, match="image must"):
        detector.detect(image)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(ChorosError, match=r"nothing\.onnx"):
        NanoDet(weights=tmp_path / "nothing.onnx")


needs_sums = pytest.mark.skipif(
    CPU.is_file() and "vnni" not in CPU.read_text() and platform.machine() == "x86_64",
    reason="sums of eight bits overflow in this processor, which is told and goes without",
)


def weights_of(detector: NanoDet) -> object:
    return detector.identity()["weights"]


@needs_sums
def test_eight_bits_see_about_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    image = cv2.resize(np.random.default_rng(5).integers(0, 256, (12, 16, 3), np.uint8), (256, 192))
    letterbox = CornerLetterbox.fit(192, 256, 256)
    blob = network_input(image, letterbox)
    exact, rounded = NanoDet(), NanoDet(rounded=True)
    assert weights_of(exact) != weights_of(rounded)
    logits, seen = (nanodet._logits(detector._network, blob) for detector in (exact, rounded))
    assert 0 < np.abs(seen - logits).mean() < 0.15 * np.abs(logits - logits.mean()).mean()
    monkeypatch.setattr(nanodet, "OVERFLOW", 0.001)  # less than rounding alone does
    assert weights_of(NanoDet(rounded=True)) == weights_of(exact)


@needs_sums
@pytest.mark.skipif(not PICTURE.is_file(), reason="needs the pictures of ../shared")
def test_eight_bits_find_the_same_people() -> None:
    image = cv2.cvtColor(np.asarray(cv2.imread(str(PICTURE))), cv2.COLOR_BGR2RGB)
    (boxes, scores), (seen, seen_scores) = (NanoDet(rounded=r).detect(image) for r in (False, True))
    sure = scores > 0.5
    overlap = box_iou(boxes[sure], seen)
    assert sure.sum() >= 4
    assert (overlap.max(-1) > 0.85).all()
    assert np.abs(seen_scores[overlap.argmax(-1)] - scores[sure]).max() < 0.15


@needs_sums
def test_only_fast_finders_round() -> None:
    def weights(**how: bool) -> object:
        return weights_of(PersonFinder.default(**how).detector)  # type: ignore[arg-type]

    assert weights(fast=True) == weights_of(NanoDet(rounded=True))
    assert weights(fast=False) == weights(fast=True, exact=True) == weights_of(NanoDet())
    own = NanoDet(weights=shipped("nanodet"), rounded=True)  # of which there are none in eight bits
    assert weights_of(own) == weights_of(NanoDet())
