"""The loop around a system: online, constant, and safe against being stopped at any frame."""

from fractions import Fraction

import numpy as np
import pytest

from choros import systems
from choros.errors import ChorosError
from choros.journal import folder_of
from choros.motion import ROW, Motion
from choros.systems import TrackOptions, load, track, track_to_file
from choros.video import VideoWriter, open_video


class Counter:
    """A system whose answer depends on every frame before: it adds up what it sees."""

    name = "counter"

    def __init__(self, stop_at=None):
        self.stop_at = stop_at

    def stream(self, K=None):
        return CounterStream(self.stop_at, K)


class CounterStream:
    def __init__(self, stop_at, K):
        self.stop_at, self.K = stop_at, K
        self.total, self.frame = np.float64(0), -1
        self.cut_before = False

    def look(self, image):
        return float(image.mean())

    def follow(self, look, time_s):
        self.frame += 1
        if self.frame == self.stop_at:
            raise KeyboardInterrupt
        self.total = 0.9 * self.total + look + time_s
        self.cut_before = self.frame % 7 == 5
        rows = np.zeros(2, ROW)
        rows["frame"], rows["person"], rows["visible"] = self.frame, [1, 2], True
        rows["transl"], rows["box_px"] = self.total, [1, 2, 11, 22]
        return rows

    def update(self, image, time_s):
        return self.follow(self.look(image), time_s)

    def state(self):
        return {"total": np.array(self.total), "frame": np.array(self.frame)}

    def restore(self, state):
        self.total, self.frame = np.float64(state["total"]), int(state["frame"])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    rng = np.random.default_rng(0)
    with VideoWriter(path, 64, 48, Fraction(10)) as writer:
        for i in range(70):
            writer.write(np.full((48, 64, 3), rng.integers(256), np.uint8), Fraction(i, 10))
    return path


def test_file_call_equals_frame_by_frame(clip, tmp_path):
    track_to_file(clip, tmp_path / "motion.npz", Counter())
    motion = Motion.load(tmp_path / "motion.npz")
    stream = Counter().stream()
    with open_video(clip) as reader:
        rows = np.concatenate([stream.update(frame.image, frame.pts_s) for frame in reader])
    np.testing.assert_array_equal(motion.rows, rows)
    assert motion.pts == [Fraction(i, 10) for i in range(70)]
    assert (motion.K == [[64, 0, 32], [0, 64, 24], [0, 0, 1]]).all()
    assert np.flatnonzero(motion.cut_before).tolist() == list(range(5, 70, 7))


@pytest.mark.parametrize("stop_at", [0, 1, 20, 21, 45, 69])
def test_stopped_and_resumed_ends_with_the_same_bytes(clip, tmp_path, stop_at):
    track_to_file(clip, tmp_path / "whole.npz", Counter())
    output = tmp_path / "motion.npz"
    with pytest.raises(KeyboardInterrupt):
        track_to_file(clip, output, Counter(stop_at))
    assert len(Motion.load(output)) == stop_at  # what was done is there, and valid
    done = track_to_file(clip, output, Counter(), resume=True)
    assert done.n_frames == 70
    assert output.read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert not folder_of(output).exists()


def test_resume_does_again_at_most_two_seconds(clip, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        track_to_file(clip, tmp_path / "motion.npz", Counter(50))
    resumed = []
    track_to_file(
        clip, tmp_path / "motion.npz", Counter(), resume=True, progress=lambda p: resumed.append(p.n_resumed)
    )
    assert 50 - resumed[0] <= 20  # frames at 10 a second


def test_a_finished_run_is_not_done_again(clip, tmp_path):
    output = tmp_path / "motion.npz"
    track_to_file(clip, output, Counter())
    before = output.read_bytes()
    assert track_to_file(clip, output, Counter(stop_at=0), resume=True).n_frames == 70
    assert output.read_bytes() == before
    with pytest.raises(KeyboardInterrupt):
        track_to_file(clip, output, Counter(stop_at=0))  # without resume it is


@pytest.mark.parametrize("time_s", [float("nan"), float("inf")])
def test_times_that_are_none_are_refused(time_s):
    with pytest.raises(ChorosError, match="seconds"):
        TrackOptions(start_s=time_s)
    with pytest.raises(ChorosError, match="seconds"):
        TrackOptions(end_s=time_s)


def test_resume_with_other_options_is_refused(clip, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        track_to_file(clip, tmp_path / "motion.npz", Counter(30))
    with pytest.raises(ChorosError, match="other options"):
        track_to_file(clip, tmp_path / "motion.npz", Counter(), TrackOptions(fov_deg=70), resume=True)


def test_part_of_a_video_keeps_its_times(clip, tmp_path):
    motion = Motion.load(
        track_to_file(clip, tmp_path / "part.npz", Counter(), TrackOptions(start_s=2, end_s=4)).path
    )
    assert motion.pts[0] == 2
    assert motion.pts[-1] == Fraction(39, 10)
    assert motion.row_frame[0] == 0


def test_track_gives_a_motion(clip):
    motion = track(clip, Counter(), TrackOptions(focal_px=100))
    assert motion.ids.tolist() == [1, 2]
    assert motion.header.system == "counter"
    assert motion.K[0, 0, 0] == 100


def test_an_error_of_the_system_reaches_the_caller_and_loses_nothing(clip, tmp_path):
    class Broken(Counter):
        def stream(self, K=None):
            stream = super().stream(K)
            follow = stream.follow
            stream.follow = lambda look, t: follow(look, t) if t < 3 else 1 / 0
            return stream

    with pytest.raises(ZeroDivisionError):
        track_to_file(clip, tmp_path / "motion.npz", Broken())
    assert len(Motion.load(tmp_path / "motion.npz")) == 30


def test_fast_and_accurate_exclude_each_other():
    with pytest.raises(ChorosError, match="fast and accurate"):
        load(fast=True, accurate=True)


def test_unknown_system_and_missing_video(tmp_path):
    with pytest.raises(ChorosError, match="lifter, comotion"):
        load("clairvoyant")
    with pytest.raises(ChorosError, match=r"nothing\.mp4"):
        track_to_file(tmp_path / "nothing.mp4", tmp_path / "motion.npz", Counter())
    assert not (tmp_path / "motion.npz").exists()


def test_looks_run_ahead_but_never_out_of_order(clip):
    class Late(CounterStream):
        def look(self, image):
            return super().look(image)

    with open_video(clip) as reader:
        pairs = list(systems._look_ahead(reader, Late(None, None), 5))
    assert [frame.index for frame, _ in pairs] == list(range(5, 70))
    assert all(look == frame.image.mean() for frame, look in pairs)


def test_the_lifter_system_answers_to_its_old_name():
    assert load("baseline").name == "lifter"
