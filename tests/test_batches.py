"""Streams that look at several frames at once: batches of any size give the same file, and so does frame by frame."""

import threading
from fractions import Fraction

import cv2
import numpy as np
import pytest

from choros.motion import ROW, FrameResult, Motion
from choros.options import TrackOptions
from choros.track_video import track_to_file
from choros.tracking.stream import BatchStream
from choros.video import VideoWriter, open_video

FRAMES = 50


class Pairs:
    """Says how each frame's grey differs from those of the frames before it, and adds that up."""

    name = "pairs"

    def __init__(self, batch=1, overlap=1, stop_at=None):
        self.batch, self.overlap, self.stop_at = batch, overlap, stop_at
        self.asked, self.lock = [], threading.Lock()

    def stream(self, K=None):
        return PairsStream(self)


class PairsStream:
    def __init__(self, system):
        self.system, self.batch, self.overlap = system, system.batch, system.overlap
        self.frame, self.total, self.before = -1, 0.0, []

    def encode_many(self, images, before):
        with self.system.lock:
            self.system.asked.append((len(before), [grey(image) for image in images]))
        seen = [*before, *images]
        features = []
        for place in range(len(before), len(seen)):
            past = seen[max(place - self.overlap, 0) : place]
            features.append((seen[place], [grey(seen[place]) - grey(image) for image in past]))
        return features

    def encode(self, image):
        return self.encode_many([image], [])[0]

    def step(self, features, time_s):
        image, differences = features
        self.frame += 1
        if self.frame == self.system.stop_at:
            raise KeyboardInterrupt
        self.before = [*self.before, image][-self.overlap :] if self.overlap else []
        self.total = 0.9 * self.total + grey(image) + sum(differences)
        rows = np.zeros(1, ROW)
        rows["frame"], rows["person"], rows["visible"] = self.frame, 1, True
        rows["transl"], rows["box_px"] = (self.total, sum(differences), 4), (1, 2, 31, 42)
        past = np.array([np.pad(differences, (0, self.overlap - len(differences)))], np.float32)
        return FrameResult(rows, extras={"past": past})

    def update(self, image, time_s):
        return self.step(self.encode_many([image], self.before)[0], time_s)

    def state(self):
        before = np.array(self.before, np.uint8)
        return {"frame": np.array(self.frame), "total": np.array(self.total), "before": before}

    def restore(self, state):
        self.frame, self.total, self.before = int(state["frame"]), float(state["total"]), [*state["before"]]


def grey(image):
    return float(image.mean())


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    rng = np.random.default_rng(0)
    with VideoWriter(path, 64, 48, Fraction(10)) as writer:
        for i in range(FRAMES):
            writer.write(np.full((48, 64, 3), rng.integers(256), np.uint8), Fraction(i, 10))
    return path


@pytest.fixture(scope="module")
def whole(clip, tmp_path_factory):
    """The file of a run one frame at a time, for 0 to 3 frames of overlap."""
    folder = tmp_path_factory.mktemp("whole")
    for overlap in range(4):
        track_to_file(clip, folder / f"{overlap}.npz", Pairs(1, overlap))
    return folder


@pytest.mark.parametrize("overlap", [0, 1, 3])
@pytest.mark.parametrize("batch", [2, 7, 50, 64])
def test_the_size_of_batches_changes_nothing(clip, whole, tmp_path, batch, overlap):
    system = Pairs(batch, overlap)
    track_to_file(clip, tmp_path / "motion.npz", system)
    assert (tmp_path / "motion.npz").read_bytes() == (whole / f"{overlap}.npz").read_bytes()
    sizes = [len(greys) for _, greys in sorted(system.asked, key=lambda asked: (asked[0], -len(asked[1])))]
    assert sum(sizes) == FRAMES
    assert sorted(sizes, reverse=True)[: FRAMES // batch] == [batch] * (FRAMES // batch)
    assert {n_before for n_before, _ in system.asked} <= {0, min(batch, overlap), overlap}


@pytest.mark.parametrize("overlap", [0, 1, 3])
def test_frame_by_frame_is_the_same(clip, whole, overlap):
    system = Pairs(7, overlap)
    stream = system.stream()
    assert isinstance(stream, BatchStream)
    motion = Motion.load(whole / f"{overlap}.npz")
    with open_video(clip) as reader:
        for frame in reader:
            if frame.index == 20:
                state, stream = stream.state(), system.stream()
                stream.restore(state)
            result = stream.update(frame.image, frame.pts_s)
            here = motion.in_frame(frame.index)
            np.testing.assert_array_equal(result.rows, here[list(ROW.names)].astype(ROW))
            np.testing.assert_array_equal(result.extras["past"], here["extra.past"])


@pytest.mark.parametrize("stop_at", [3, 20, 33, 49])
@pytest.mark.parametrize(("batch", "overlap"), [(1, 2), (4, 0), (7, 3)])
def test_a_run_that_goes_on_asks_for_the_same_batches(clip, whole, tmp_path, stop_at, batch, overlap):
    """So that it ends with the same bytes even where a network rounds otherwise in another batch."""
    output = tmp_path / "motion.npz"
    with pytest.raises(KeyboardInterrupt):
        track_to_file(clip, output, Pairs(batch, overlap, stop_at))
    again, first = Pairs(batch, overlap), Pairs(batch, overlap)
    track_to_file(clip, output, again, resume=True)
    assert output.read_bytes() == (whole / f"{overlap}.npz").read_bytes()
    track_to_file(clip, tmp_path / "whole.npz", first)
    assert 0 < len(again.asked) <= len(first.asked)
    assert all(asked in first.asked for asked in again.asked)


def test_photographs_have_none_before_them(tmp_path, clip):
    folder = tmp_path / "photos"
    folder.mkdir()
    with open_video(clip, end_s=0.25) as reader:
        for frame in reader:
            cv2.imwrite(str(folder / f"{frame.index}.png"), frame.image)
    system = Pairs(4, 2)
    track_to_file(folder, tmp_path / "motion.npz", system, TrackOptions(photos=True))
    assert [(n_before, len(greys)) for n_before, greys in system.asked] == [(0, 1)] * 3
