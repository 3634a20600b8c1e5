"""Similarity of people in the image against COCO's formula written out, and closed forms of box overlap."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choros.keypoints import (
    COCO_SIGMAS,
    box_area,
    box_iou,
    box_of_keypoints,
    box_overlap,
    keypoint_std,
    oks,
)


def person(seed: int, confidence: float = 0.9) -> np.ndarray:
    points = np.random.default_rng(seed).uniform(0, 200, (17, 3))
    points[:, 2] = confidence
    return points


def coco_formula(a: np.ndarray, b: np.ndarray, area: float, min_confidence: float) -> float:
    terms = []
    for k in range(17):
        if a[k, 2] > min_confidence and b[k, 2] > min_confidence:
            squared = (a[k, 0] - b[k, 0]) ** 2 + (a[k, 1] - b[k, 1]) ** 2
            variance = (2 * COCO_SIGMAS[k]) ** 2
            terms.append(math.exp(-squared / variance / area / 2))
    return sum(terms) / len(terms) if terms else 0.0


@given(st.integers(0, 10_000), st.floats(10, 1e6))
def test_oks_is_cocos_formula(seed: int, area: float) -> None:
    a, b = person(seed), person(seed) + np.random.default_rng(seed + 1).normal(0, 4, (17, 3))
    b[:, 2] = np.random.default_rng(seed + 2).uniform(0, 1, 17)
    assert oks(a[None], b[None], np.array([area]), 0.3)[0, 0] == pytest.approx(coco_formula(a, b, area, 0.3))


def test_oks_known_values() -> None:
    people = np.stack([person(1), person(2)])
    areas = np.array([5000.0, 9000.0])
    similarity = oks(people, people, areas)
    assert np.diag(similarity) == pytest.approx(1.0)
    moved = people[:1].copy()
    moved[0, :, 0] += 2 * COCO_SIGMAS * math.sqrt(5000.0)  # one standard deviation of COCO, every keypoint
    assert oks(people[:1], moved, areas[:1])[0, 0] == pytest.approx(math.exp(-0.5))
    assert similarity.shape == (2, 2)


def test_oks_without_shared_keypoints_is_zero() -> None:
    a, b = person(3), person(3)
    a[:9, 2], b[9:, 2] = 0.0, 0.0
    assert oks(a[None], b[None], np.array([1e3]))[0, 0] == 0.0
    assert oks(np.zeros((0, 17, 3)), b[None], np.zeros(0)).shape == (0, 1)


def test_box_of_keypoints() -> None:
    points = person(4)
    points[0] = [-500.0, -500.0, 0.0]  # not shown, so it does not count
    box = box_of_keypoints(points)
    assert box == pytest.approx([*points[1:, :2].min(0), *points[1:, :2].max(0)])
    assert np.isnan(box_of_keypoints(person(4, confidence=0.0))).all()


def test_box_overlaps() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 40], [9, 9, 1, 1]], float)
    assert box_area(boxes) == pytest.approx([100, 100, 200, 0])
    assert box_overlap(boxes[:3], boxes[:3])[0] == pytest.approx([100, 50, 0])
    assert box_iou(boxes[:3], boxes[:3])[0] == pytest.approx([1, 1 / 3, 0])
    assert box_iou(boxes, boxes)[3, 3] == 0.0


def test_the_standard_deviation_falls_with_the_confidence() -> None:
    """The table of Thunder and Lightning on people of COCO: rms error per axis of what is no miss."""
    confidence = np.array([0.29, 0.5, 0.71, 0.86, 0.93, 0.975])
    std = keypoint_std(np.repeat(confidence[:, None], 17, 1))
    assert std.shape == (6, 17)
    assert (np.diff(std, axis=0) < 0).all()
    np.testing.assert_array_equal(std[:, 13], std[:, 14])  # left and right
    measured = {  # trimmed at three standard deviations
        0: [0.056, 0.033, 0.021, 0.014, 0.011, 0.008],
        5: [0.089, 0.057, 0.038, 0.026, 0.024, 0.019],
        9: [0.126, 0.061, 0.034, 0.023, 0.017, 0.014],
        11: [0.101, 0.072, 0.057, 0.042, 0.036, 0.029],
        15: [0.189, 0.084, 0.044, 0.028, 0.023, 0.018],
    }
    for joint, errors in measured.items():
        np.testing.assert_allclose(std[:, joint], errors, rtol=0.3)


def test_no_confidence_is_too_small_or_too_large_for_a_standard_deviation() -> None:
    std = keypoint_std(np.stack([np.zeros(17), np.full(17, 0.05), np.ones(17), np.full(17, 1.2)]))
    assert np.isfinite(std).all()
    assert (std > 0).all()
    np.testing.assert_array_equal(std[0], std[1])
    np.testing.assert_array_equal(std[2], std[3])
