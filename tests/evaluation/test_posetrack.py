"""Ignore regions: areas against counting, and the official rule's bug on a large region."""

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.evaluation.metrics.posetrack import (
    _clip,
    in_ignore_region,
    polygon_area_px2,
    without_ignored,
)
from choros.evaluation.metrics.tracking import TrackingFrames, clear

WHOLE_IMAGE = np.array([[0, 0], [1280, 0], [1280, 720], [0, 720]])


def test_the_official_rule_misses_people_in_a_large_region():
    """80 x 200 px in a region of 1280 x 720: IoU = 16000 / 921600 = 0.017, and all of the box inside."""
    person = [[600, 300, 680, 500]]
    assert not in_ignore_region(person, [WHOLE_IMAGE], "official")[0]
    assert in_ignore_region(person, [WHOLE_IMAGE], "corrected")[0]


def test_thresholds_of_both_rules():
    region = [np.array([[0, 0], [100, 0], [100, 100], [0, 100]])]
    # Of a 100 x 100 box, a share inside; IoU is share / (2 - share): 0.1 at a share of 0.1818.
    boxes = [[100 * (1 - share), 0, 100 * (2 - share), 100] for share in (0.18, 0.185, 0.299, 0.301)]
    np.testing.assert_array_equal(in_ignore_region(boxes, region, "official"), [False, True, True, True])
    np.testing.assert_array_equal(in_ignore_region(boxes, region, "corrected"), [False, False, False, True])
    np.testing.assert_array_equal(in_ignore_region(boxes, [], "corrected"), [False] * 4)


def test_regions_are_judged_one_by_one():
    """A quarter of the box in each of two regions is not three tenths of it in any."""
    halves = [
        np.array([[0, 0], [25, 0], [25, 100], [0, 100]]),
        np.array([[75, 0], [200, 0], [200, 100], [75, 100]]),
    ]
    assert not in_ignore_region([[0, 0, 100, 100]], halves, "corrected")[0]


def star(rng):
    """A simple polygon with inward corners, in either direction."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, size=rng.integers(3, 12)))
    corners = rng.uniform(10, 60, size=len(angle))[:, None] * np.stack(
        [np.cos(angle), np.sin(angle)], axis=-1
    )
    return (corners + 64)[:: rng.choice([-1, 1])]


def inside(points, polygon):
    """Even-odd rule, points (n, 2) -> (n,)."""
    odd = np.zeros(len(points), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        spans = (y0 > points[:, 1]) != (y1 > points[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            odd ^= spans & (points[:, 0] < (x1 - x0) * (points[:, 1] - y0) / (y1 - y0) + x0)
    return odd


def test_shared_area_equals_counting_points():
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(0.125, 128, 0.25)] * 2), axis=-1).reshape(-1, 2)
    for _ in range(20):
        polygon = star(rng)
        box = np.concatenate([rng.uniform(10, 60, size=2), rng.uniform(60, 120, size=2)])
        within = ((grid > box[:2]) & (grid < box[2:])).all(axis=1)
        counted = inside(grid[within], polygon).sum() / 16
        assert polygon_area_px2(_clip(polygon, box)) == pytest.approx(counted, abs=15)


def test_only_unmatched_predictions_are_dropped():
    """Frame 0: id 1 matches, id 2 does not, both in the region. Frame 1 holds no truth: all are kept."""
    boxes = np.array([[100, 100, 200, 300], [400, 100, 500, 300]])
    frames = TrackingFrames(
        [np.array([5]), np.zeros(0, int)],
        [np.array([1, 2])] * 2,
        [np.array([[0.9, 0.1]]), np.zeros((0, 2))],
    )
    left = without_ignored(frames, [boxes] * 2, [[WHOLE_IMAGE]] * 2)
    assert [list(i) for i in left.pred_ids] == [[1], [1, 2]]
    assert left.similarity[0].tolist() == [[0.9]]
    official = without_ignored(frames, [boxes] * 2, [[WHOLE_IMAGE]] * 2, "official")
    assert clear(official)["MOTA"] == 1 - 3
    assert clear(left)["MOTA"] == 1 - 2


def test_regions_for_other_frames_are_refused():
    with pytest.raises(ChorosError, match="each of 0 frames"):
        without_ignored(TrackingFrames([], [], []), [], [[]])
