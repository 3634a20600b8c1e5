"""How far the work is: one scale for all of it, which only goes up and ends at its total."""

from itertools import pairwise
from threading import Event

import numpy as np
import pytest

from choros.camera_motion import odometry
from choros.camera_motion.evidence import CameraEvidence
from choros.glamr.into_world import world
from choros.glamr.options import WorldOptions
from choros.glamr.pipeline import world_of
from choros.glamr.progress import WHOLE, stages
from choros.glamr.side_by_side import side_by_side

from .test_pipeline import two_shots
from .walkers import Held, Known, camera_path, seen_motion, seen_only, walkers


class Told:
    def __init__(self):
        self.calls = []

    def __call__(self, what, done, total):
        self.calls.append((what, done, total))

    def check(self):
        """All calls are of one total, never less than before, and the last is all; what was told of, in order."""
        assert {total for _, _, total in self.calls} == {WHOLE}
        assert all(before[1] <= after[1] for before, after in pairwise(self.calls))
        assert self.calls[-1][1] == WHOLE
        return list(dict.fromkeys(what for what, _, _ in self.calls))


def test_stages_share_the_whole_as_they_cost():
    told = Told()
    short, long = stages(told, [1, 3])
    first, second = stages(long, [1, 1])
    for stage in (short, first, second):
        stage("", 0, 0)
        stage("", 1, 2)
        stage("", 2, 2)
    assert [done for _, done, _ in told.calls] == [0, 125, 250, 250, 438, 625, 625, 812, 1000]
    told.check()


@pytest.mark.parametrize("camera", ["static", "auto"])
def test_a_world_tells_how_far_it_is_over_shots_gaps_and_cameras(camera):
    T, path = walkers(16), camera_path(16)
    motion = seen_only(two_shots(seen_motion(T, path, hidden=[(0, 5, 9)]), seen_motion(T, path)))
    told = Told()
    world_of(motion, WorldOptions(camera), Held(), Known(T), report=told)
    tried = ["static", "turning", "moving"] if camera == "auto" else ["static"]
    solves = [f"placing everyone, {kind} camera" for kind in tried]
    first, second, *tried_at_once, last = told.check()
    assert (first, second, last) == ("filling gaps", "predicting paths", "planting feet")
    assert sorted(tried_at_once) == sorted(solves)
    assert len({done for _, done, _ in told.calls}) > 20  # steps of the optimisation are told each


def test_the_background_is_part_of_the_whole(monkeypatch):
    T, path = walkers(8), camera_path(8)

    def followed(motion, video, progress):
        for frame in range(1, 9):
            progress(frame, 8)
        return CameraEvidence(np.tile(np.eye(3), (7, 1, 1)), np.ones(7))

    monkeypatch.setattr(odometry, "camera_evidence", followed)
    told = Told()
    world(seen_motion(T, path), "clip.mp4", report=told)
    assert told.check()[:2] == ["following the background", "filling gaps"]
    followed_at = max(done for what, done, _ in told.calls if what == "following the background")
    assert WHOLE / 10 < followed_at < WHOLE


def test_what_is_done_side_by_side_is_in_order_and_ends_together():
    told = Told()

    def squared(number, report):
        report("", 1, 2)
        report("", 2, 2)
        return number**2

    for at_once in (True, False):
        assert side_by_side(squared, [3, 1, 2], told, at_once) == [9, 1, 4]
        told.check()
        told.calls.clear()
    begun, ended = Event(), []

    def endless(fails, report):
        if fails:
            begun.wait(10)
            raise ValueError
        try:
            while True:
                begun.set()
                report("", 0, 1)
        finally:
            ended.append(fails)

    with pytest.raises(ValueError, match=r"^$"):
        side_by_side(endless, [True, False], told)
    assert ended == [False]
