"""Who of those seen is somebody: rules that crop systems share."""

import numpy as np
import pytest

from choros.detection import Detections
from choros.tracking.believed import lies_on, likely_at_once, shown_and_staying
from choros.tracking.lifecycle import LifeRules
from choros.tracking.online import track_type


def people(*places):
    """Skeletons of one form, 100 px tall, at these x; all seen clearly."""
    form = np.random.default_rng(0).uniform(0, 100, (17, 2))
    keypoints = np.stack([np.c_[form[:, 0] + x, form[:, 1], np.ones(17)] for x in places]).astype(np.float32)
    boxes = np.stack([[x, 0, x + 100, 100] for x in places]).astype(np.float32)
    return Detections(boxes, np.full(len(places), 0.4, np.float32), keypoints)


def test_a_skeleton_lies_wholly_on_itself_and_not_on_one_far_away():
    both = people(0, 400)
    assert lies_on(both, both.keypoints[:1]) == pytest.approx([1, 0], abs=1e-6)


def test_nobody_lies_on_nobody():
    assert lies_on(people(0), np.zeros((0, 17, 3))).tolist() == [0]


def test_the_likely_are_shown_at_once_in_the_first_frame_of_a_shot_alone():
    clear = people(0)
    assert likely_at_once(clear, True, LifeRules()).tolist() == [True]
    assert likely_at_once(clear, False, LifeRules()).tolist() == [False]
    faint = Detections(clear.boxes_px, clear.scores, clear.keypoints * [1, 1, 0.01])
    assert likely_at_once(faint, True, LifeRules()).tolist() == [False]


def test_who_is_shown_and_who_stays():
    """By number, confirmation, belief, and first sight; one track for each case."""
    cases = {  # id, sights, belief, sure -> shown, stays
        "named and believed": ((1, 9, 2.0, True), (True, True)),
        "named, no longer believed": ((2, 9, -9.0, True), (True, False)),
        "confirmed and believed": ((0, 3, 1.0, True), (True, True)),
        "confirmed, not believed": ((0, 3, -1.0, True), (False, True)),
        "not confirmed": ((0, 2, 1.0, False), (False, True)),
        "likely at first sight": ((0, 1, -9.0, False), (True, True)),
        "likely, but seen before": ((0, 2, -9.0, False), (False, True)),
    }
    tracks = np.zeros(len(cases), track_type([("belief", "f8")]))
    given = [case for case, _ in cases.values()]
    tracks["id"], tracks["sights"], tracks["belief"] = (
        list(column) for column in list(zip(*given, strict=True))[:3]
    )
    tracks["detection"] = [-1, -1, -1, -1, -1, 0, 1]
    sure = np.array([case[3] for case in given])
    shown, stays = shown_and_staying(tracks, sure, np.array([True, True]), False, -3.0)
    assert list(zip(shown.tolist(), stays.tolist(), strict=True)) == [answer for _, answer in cases.values()]
    shown, _ = shown_and_staying(tracks, sure, np.array([True, True]), True, -3.0)
    assert shown[3]  # given people are shown whatever is believed
