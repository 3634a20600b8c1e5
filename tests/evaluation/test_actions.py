"""Average precision worked by hand, and AVA's groups."""

import numpy as np
import pytest

from choros.evaluation.metrics.actions import (
    ACTION_GROUPS,
    SCORED_ACTIONS,
    action_average_precisions,
    action_map,
    average_precision,
    officially_counted,
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


def test_only_the_surest_of_a_frame_count_officially():
    """Two of each frame: of frame 1 the first of equal scores stays; frame 9 is not in the truth, 2 is not scored."""
    counted = officially_counted(
        [0, 1], [0, 1, 0, 1, 0, 1, 9, 0], [12, 12, 80, 80, 14, 14, 12, 2], [0.1, 0.5, 0.9, 0.7, 0.2, 0.5, 1, 1],
        capacity=2,
    )  # fmt: skip
    assert counted.tolist() == [1, 2, 3, 4]
    everything = officially_counted([0, 1], [0, 9], [12, 12], [0.1, 1], capacity=0)
    assert everything.tolist() == [0]


def test_as_activitynets_program_counts():
    """Its rules by hand. Frame 5 has one who stands (12) and talks (80), and one who stands; nobody acts in frame 6.

    Standing, surest first: the first person (.9) right; in frame 6 (.8) wrong; the first again (.7) wrong; the second
    with half the box (IoU .5, .6) right. Precision 1 at recall 1/2 and 2/4 at 1: AP .75. Talking: somebody elsewhere
    (.95) wrong, then right (.5): AP .5. Frame 7 is not of the truth and does not count. Sitting (11) nobody does: not
    in the mean, which is .625. With two rows a frame the second's standing and the right talking are lost: AP .5 and
    0.
    """
    truth = [5, 5, 5], [HERE, HERE, THERE], [12, 80, 12]
    rows = [
        (5, HERE, 12, 0.9), (6, HERE, 12, 0.8), (5, HERE, 12, 0.7), (5, [50, 50, 60, 55], 12, 0.6),
        (5, [20, 20, 30, 30], 80, 0.95), (5, HERE, 80, 0.5), (7, HERE, 12, 0.99), (5, HERE, 11, 0.3),
    ]  # fmt: skip
    frame, box, action, score = (np.array(column) for column in zip(*rows, strict=True))
    for capacity, expected, mean in ((50, (0.75, 0.5), 0.625), (2, (0.5, 0.0), 0.25)):
        counted = officially_counted([5, 6], frame, action, score, capacity=capacity)
        found = action_average_precisions(
            *truth, frame[counted], box[counted], action[counted], score[counted]
        )
        assert (found[12], found[80]) == pytest.approx(expected)
        assert np.isnan(found[11])
        assert action_map(found)["mAP"] == pytest.approx(mean)
