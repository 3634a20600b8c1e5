"""Intervals of actions from scores in rows."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.motion import Motion
from choros.motion.actions import IntervalRules, action_intervals, with_actions
from tests.test_motion import make_motion


def scored(spells, names=("walk", "wave"), frames=50):
    """Two people at 25 frames/s; ``spells`` says of person 1 (action, first, last frame, score)."""
    motion = make_motion(frames, people=(1, 2), fps=Fraction(25))
    scores = np.zeros((len(motion.rows), len(names)))
    for action, first, last, score in spells:
        mine = (motion.row_person == 1) & (motion.row_frame >= first) & (motion.row_frame <= last)
        scores[mine, names.index(action)] = score
    return with_actions(motion, names, scores)


def test_intervals_by_hand():
    motion = scored(
        [("walk", 0, 19, 0.8), ("wave", 10, 19, 0.9), ("wave", 24, 40, 0.7), ("walk", 45, 47, 1.0)]
    )
    start = float(motion.pts_s[0])
    found = action_intervals(motion)
    assert [(one.person, one.action) for one in found] == [
        (1, "walk"),
        (1, "wave"),
    ]  # three frames are too short
    walk, wave = found
    assert (walk.start_s - start, walk.end_s - start) == pytest.approx((0, 0.8))
    assert walk.score == pytest.approx(0.8)
    # A break of a fifth of a second is none; the mean is over all of it.
    assert (wave.start_s - start, wave.end_s - start) == pytest.approx((0.4, 1.64))
    assert wave.score == pytest.approx((10 * 0.9 + 17 * 0.7) / 31)
    assert len(action_intervals(motion, IntervalRules(joined_s=0.1))) == 3
    assert [one.action for one in action_intervals(motion, IntervalRules(sure=0.75))] == ["walk", "wave"]


def test_they_stay_in_the_file(tmp_path):
    motion = scored([("walk", 0, 19, 0.8)])
    motion.save(tmp_path / "motion.npz")
    assert action_intervals(Motion.load(tmp_path / "motion.npz")) == action_intervals(motion)


def test_nothing_is_told_of_a_motion_without_scores():
    assert action_intervals(make_motion()) == []
    motion = scored([("walk", 0, 19, 0.8)])
    nameless = replace(motion, header=replace(motion.header, provenance={}))
    with pytest.raises(ChorosError, match="choros actions"):
        action_intervals(nameless)
