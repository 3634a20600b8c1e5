"""Which frames are searched for people, and that nobody is lost in those that are not."""

from fractions import Fraction

import numpy as np
import pytest

from choros.detection import PersonFinder
from choros.errors import ChorosError
from choros.lifter.config import LifterSystemConfig
from choros.lifter.system import LifterSystem
from choros.systems import load
from choros.track_video import track
from choros.tracking.pace import Pace
from choros.tracking.stream import PacedStream
from choros.video import VideoWriter, open_video
from tests.scenery import scenery
from tests.tracking.every_system import Bright, Painted, Standing, Told, paced, system_of, walkers

SEARCH_S = 0.2
BOX = (60, 30, 100, 110)


class Counting:
    """A detector that counts how often it is asked."""

    def __init__(self, detector):
        self.detector, self.asked = detector, 0

    def detect(self, image):
        self.asked += 1
        return self.detector.detect(image)


def lifter_of(detector, keypoints=None, search_s=SEARCH_S):
    return LifterSystem(
        LifterSystemConfig(search_s=search_s), finder=PersonFinder(detector, keypoints or Standing())
    )


def searched(times_s, every_s=SEARCH_S):
    pace = Pace(every_s)
    return [time_s for time_s in times_s if pace.due(time_s)]


@pytest.mark.parametrize(
    ("fps", "every"), [(2, 1), (4, 1), (10, 3), (25, 6), (30, 7), (50, 11), (60, 13), (120, 25)]
)
def test_frames_are_searched_by_the_clock(fps, every):
    times_s = [i / fps for i in range(40 * every)]
    assert searched(times_s) == times_s[::every]
    assert searched([round(time_s, 3) for time_s in times_s]) == [round(t, 3) for t in times_s[::every]]


@pytest.mark.parametrize("fps", [4, 7, 10, 15, 24, 25, 30, 60])
def test_nobody_is_found_more_than_that_later(fps):
    """Whoever can first be found in a frame is, in the next that is searched; where frames are lost, with the next."""
    rng = np.random.default_rng(fps)
    even_s = np.arange(300) / fps
    for times_s, late_s in ((even_s, 0), (even_s[rng.random(300) > 0.3], np.inf)):
        when_s, step_s = np.array(searched(times_s)), np.diff(times_s).max()
        for first_s in times_s[times_s <= when_s[-1]]:
            found_s = when_s[when_s >= first_s][0]
            assert found_s - first_s <= SEARCH_S + min(late_s, step_s) + 1e-6


def test_without_a_pace_every_frame_is_searched():
    assert searched([0.0, 0.0, 0.01, 0.02, 0.02], 0.0) == [0.0, 0.0, 0.01, 0.02, 0.02]


@pytest.mark.parametrize("name", ["lifter", "comotion"])
def test_a_stream_searches_by_its_pace_and_in_every_new_shot(name):
    detector = Counting(Told(BOX))
    stream = paced(name, detector, SEARCH_S).stream()
    asked = []
    for i in range(18):
        stream.update(scenery(1 if i < 10 else 9, 160, 120), i / 10)
        assert stream.cut_before == (i == 10)
        asked.append(detector.asked)
    assert np.flatnonzero(np.diff([0, *asked])).tolist() == [0, 3, 6, 9, 10, 12, 15]


@pytest.mark.parametrize("name", ["lifter", "comotion"])
def test_systems_search_every_frame_unless_they_are_told_otherwise(name):
    for every_s, told in ((0.0, {}), (0.3, {"search_s": 0.3}), (0.3, {"search_s": 0.3, "accurate": True})):
        system = load(name, detector=Told(BOX), keypoints=Standing(), **told)
        assert system.stream().pace().every_s == every_s
    for wrong in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ChorosError, match="give seconds, or 0 for every frame"):
            load(name, search_s=wrong)


def test_a_crowd_is_searched_in_every_frame():
    """While two overlap, from the frame after that is seen; before that by the clock."""
    told = Told()
    detector = Counting(told)
    stream = lifter_of(detector).stream()
    searched_in, close = [], []
    for i in range(45):
        left = 110 - np.clip(i - 6, 0, 28)
        told.boxes = (BOX, (left, 30, left + 40, 110))
        asked = detector.asked
        close.append(stream.pace().next)
        stream.update(walkers(0), i / 20)
        searched_in.append(detector.asked > asked)
    assert searched_in == [now or i % 5 == 0 for i, now in enumerate(close)]
    assert not any(close[:9])
    assert all(close[36:])


@pytest.mark.parametrize("name", ["lifter", "comotion"])
def test_what_was_asked_ahead_does_not_matter(name):
    """To the last bit, whichever of `encode` and `glance` was asked of a frame."""
    system = paced(name, Bright(), SEARCH_S)
    streams = [system.stream() for _ in range(3)]
    assert all(isinstance(stream, PacedStream) for stream in streams)
    n_rows = 0
    for i in range(12):
        image = scenery(9, 160, 120) if 6 <= i < 8 else walkers(3 * i)
        looks = (streams[1].encode, streams[2].glance)
        expected = streams[0].update(image, i / 15).rows
        for stream, look in zip(streams[1:], looks, strict=True):
            np.testing.assert_array_equal(stream.step(look(image), i / 15).rows, expected)
        n_rows += len(expected)
    assert n_rows > 10


def test_a_file_is_searched_no_oftener_than_a_stream(tmp_path):
    with VideoWriter(tmp_path / "clip.mp4", 160, 120, Fraction(25)) as writer:
        for i in range(20):
            writer.write(walkers(i), Fraction(i, 25))
    detector = Counting(Bright())
    motion = track(tmp_path / "clip.mp4", lifter_of(detector, Painted(else_faint=True)))
    assert detector.asked == 4  # frames 0, 6, 12, 18
    assert len(motion) == 20
    assert (motion.rows["visible"].sum(), len(motion.ids)) == (40, 2)


def test_a_file_of_people_who_meet_is_tracked_as_a_stream_is(tmp_path):
    """To the last bit, though those who run ahead do not know yet that frames will be searched; seen rows."""
    with VideoWriter(tmp_path / "clip.mp4", 160, 120, Fraction(25)) as writer:
        for i in range(14):
            writer.write(walkers(2 * i), Fraction(i, 25))
    system = lifter_of(Bright(), Painted())
    stream, rows = system.stream(), []
    with open_video(tmp_path / "clip.mp4") as reader:
        for frame in reader:
            rows.append(stream.update(frame.image, frame.pts_s).rows)
    assert stream.pace().next  # they stand before one another
    expected = np.concatenate(rows)
    seen = track(tmp_path / "clip.mp4", system).rows
    expected, seen = expected[expected["visible"]], seen[seen["visible"]]
    for name in ("frame", "person", "box_px", "keypoints_px"):
        np.testing.assert_array_equal(seen[name], expected[name])


@pytest.mark.parametrize("fps", [10, 25, 60])
def test_birth_is_at_most_so_much_later(fps):
    """Of somebody who comes at any moment, with a detector that is sure of them."""
    for comes in range(1, round(0.4 * fps) + 2):
        born_s = []
        for search_s in (0.0, SEARCH_S):
            told = Told()
            stream = lifter_of(told, search_s=search_s).stream()
            for i in range(2 * fps):
                told.boxes = (BOX,) if i >= comes else ()
                if len(stream.update(walkers(0), i / fps).rows):
                    born_s.append(i / fps)
                    break
        assert 0 <= born_s[1] - born_s[0] <= SEARCH_S + 1e-6


@pytest.mark.parametrize("fps", [10, 25, 60])
def test_who_walks_is_seen_in_every_frame(fps):
    """One who walks at a third of their height a second, and whose keypoints only their pixels tell."""
    told = Told()
    stream = lifter_of(told, Painted(else_faint=True)).stream()
    for i in range(2 * fps):
        image = np.full((240, 480, 3), 60, np.uint8)
        left = 30 + 50 * i / fps
        image[60:210, round(left) : round(left) + 55] = [220, 20, 20]
        told.boxes = ((left, 60, left + 55, 210),)
        rows = stream.update(image, i / fps).rows
        assert rows["person"].tolist() == [1]
        assert rows["visible"].all()
        middle = rows["box_px"][0, [0, 2]].mean()
        assert abs(middle - (left + 27)) < (8 if i < 0.6 * fps else 4)


def test_who_has_gone_is_not_seen_until_the_next_search():
    """Nothing where somebody is expected is nobody, though the detector was not asked."""
    told = Told((60, 30, 100, 190))
    stream = lifter_of(told, Painted(else_faint=True)).stream()
    seen = []
    for i in range(9):
        image = np.full((240, 320, 3), 60, np.uint8)
        if i < 4:
            image[30:190, 60:100] = [220, 20, 20]
        else:
            told.boxes = ()
        seen.append(bool(stream.update(image, i / 10).rows["visible"].any()))
    assert seen == [True] * 4 + [False] * 5


def test_a_tracker_that_cannot_read_is_not_paced():
    stream = system_of("toy", Told(BOX)).stream()
    assert stream.pace().every_s == 0


def test_paced_streams_refuse_what_is_no_next_frame():
    stream = lifter_of(Told(BOX)).stream()
    for i in range(2):
        stream.update(walkers(0), i / 10)
    before = stream.state()
    with pytest.raises(ChorosError, match="must not go back"):
        stream.step(stream.glance(walkers(0)), 0.0)
    for name, values in stream.state().items():
        np.testing.assert_array_equal(values, before[name])
