"""What the shell does with a tracker's answers; the laws that all systems keep are in `test_laws`."""

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.tracking.online import COMMON_FIELDS, OnlineStream
from tests.tracking.every_system import Told
from tests.tracking.toy import ToySystem, ToyTracker

PICTURE = np.full((120, 160, 3), 90, np.uint8)
LEFT, RIGHT = (10, 20, 40, 110), (100, 20, 130, 110)


class Telling(ToyTracker):
    """A toy that tells whose row is whose, and ends whom it is told to."""

    unwanted_px = -1.0

    def judge(self, tracks, sure, moment):
        verdict = super().judge(tracks, sure, moment)
        return verdict._replace(stays=tracks["box_px"][:, 0] != self.unwanted_px)

    def describe(self, rows, tracks, shown, moment):
        super().describe(rows, tracks, shown, moment)
        return {"left_px": tracks["box_px"][shown, 0]}


def test_numbers_go_by_who_is_shown_first_and_extras_follow_the_rows():
    detector = Told(LEFT, score=0.5)  # which has to come twice
    stream = OnlineStream(Telling(detector))
    assert len(stream.update(PICTURE, 0.0).rows) == 0
    detector.boxes, detector.score = (RIGHT,), 0.9
    assert stream.update(PICTURE, 0.1).rows["person"].tolist() == [1]
    detector.boxes = (LEFT, RIGHT)
    result = stream.update(PICTURE, 0.2)
    assert stream.state()["tracks"]["id"].tolist() == [2, 1]  # the older track first
    assert result.rows["person"].tolist() == [1, 2]
    assert result.extras["left_px"].tolist() == [RIGHT[0], LEFT[0]]
    assert result.rows["visible"].all()
    detector.boxes = (RIGHT,)
    result = stream.update(PICTURE, 0.3)
    assert result.rows["visible"].tolist() == [True, False]


def test_a_tracker_may_end_whom_the_shell_would_keep():
    tracker = Telling(Told(LEFT, RIGHT))
    stream = OnlineStream(tracker)
    assert stream.update(PICTURE, 0.0).rows["person"].tolist() == [1, 2]
    tracker.unwanted_px = LEFT[0]
    assert stream.update(PICTURE, 0.1).rows["person"].tolist() == [2]
    given = OnlineStream(tracker)
    assert given.begin(PICTURE, np.array([LEFT, RIGHT]), 0.0).rows["person"].tolist() == [1, 2]  # for good


def test_one_detection_is_one_person():
    """Of two tracks that a detection may be, it is the nearer one's; the other is unseen and begins nobody anew."""
    detector = Told(LEFT, tuple(np.add(LEFT, [12, 0, 12, 0])))
    stream = OnlineStream(ToyTracker(detector))
    stream.update(PICTURE, 0.0)
    detector.boxes = (tuple(np.add(LEFT, [11, 0, 11, 0])),)
    stream.update(PICTURE, 0.1)
    assert stream.state()["tracks"]["detection"].tolist() == [-1, 0]


def test_a_state_of_other_fields_is_refused():
    class Other(ToyTracker):
        fields = (*ToyTracker.fields, ("hat", "f4"))

    detector = Told(LEFT)
    stream = OnlineStream(Other(detector))
    stream.update(PICTURE, 0.0)
    assert stream.state()["tracks"].dtype.names[: len(COMMON_FIELDS)] == tuple(n for n, _ in COMMON_FIELDS)
    with pytest.raises(ChorosError, match="other weights"):
        OnlineStream(ToyTracker(detector)).restore(stream.state())


def test_three_hundred_at_once_are_followed_and_there_is_no_cap():
    """A crowd in rows, found in every frame: all are shown, all keep their numbers."""
    y, x = np.mgrid[0:12, 0:25]
    corners = np.stack([20 + 40 * x, 20 + 60 * y], -1).reshape(-1, 2)
    told = Told(*[(a, b, a + 20, b + 45) for a, b in corners.tolist()])
    stream = ToySystem(told).stream()
    image = np.full((760, 1040, 3), 90, np.uint8)
    for i in range(4):
        told.boxes = [(a + i, b, a + 20 + i, b + 45) for a, b in corners.tolist()]
        rows = stream.update(image, i / 10).rows
    assert rows["person"].tolist() == list(range(1, 301))
    assert rows["visible"].all()
    np.testing.assert_allclose(np.sort(rows["box_px"][:, 0]), np.sort(corners[:, 0] + 3), atol=3)
