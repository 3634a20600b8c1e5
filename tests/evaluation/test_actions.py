"""Average precision worked by hand, and AVA's groups."""

import numpy as np
import pytest

from choros.evaluation.metrics.actions import (
    ACTION_GROUPS,
    SCORED_ACTIONS,
    action_average_precisions,
    action_map,
    average_precision,
)

HERE, THERE = [0, 0, 10, 10], [50, 50, 60, 60]


def test_average_precision_by_hand():
    """Right, wrong, right, wrong; three people to find. Precision 1 at recall 1/3, 2/3 at recall 2/3."""
    assert average_precision([True, False, True, False], 3) == pytest.approx((1 + 2 / 3) / 3)
    # Precision is raised to the best beyond: 1/2 at the first hit becomes 2/3.
    assert average_precision([False, True, True], 2) == pytest.approx(2 / 3)
    assert average_precision([], 2) == 0
    assert np.isnan(average_precision([False], 0))


def test_boxes_frames_and_doubles():
    """Two people stand (12) in frame 7. Surest first: right; the same person again, wrong; right place
    in another frame, wrong; the second person, right: AP = (1 + 2/4) / 2."""
    ap = action_average_precisions(
        [7, 7], [HERE, THERE], [12, 12],
        [7, 8, 7, 7], [[0, 0, 9, 10], HERE, HERE, THERE], [12] * 4, [0.9, 0.7, 0.8, 0.1],
        actions=(12, 14),
    )  # fmt: skip
    assert ap[12] == pytest.approx(0.75)
    assert np.isnan(ap[14])


def test_a_box_may_do_several_things_and_be_too_far_off():
    ap = action_average_precisions(
        [0, 0], [HERE, HERE], [12, 80], [0, 0], [HERE, [6, 0, 16, 10]], [12, 80], [1, 1], actions=(12, 80)
    )
    assert ap == {12: 1, 80: 0}


def test_groups():
    assert len(SCORED_ACTIONS) == len(set(SCORED_ACTIONS)) == 60
    assert sorted(i for group in ACTION_GROUPS.values() for i in group) == list(range(1, 81))
    means = action_map({12: 0.5, 14: 1.0, 64: 0.25, 80: float("nan")})
    assert means["mAP"] == pytest.approx(1.75 / 3)
    assert means["mAP_person_movement"] == 0.75
    assert means["mAP_person_interaction"] == 0.25
    assert np.isnan(means["mAP_object_manipulation"])
