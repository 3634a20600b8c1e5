"""The unrolled-oracle protocol: who is given, what counts, and what a system that mixes people up gets."""

from dataclasses import replace

import numpy as np
import pytest

from choros.body import BodyModel
from choros.errors import ChorosError
from choros.evaluation import benchmark
from choros.evaluation.benchmark import Recorded, run_benchmark
from choros.evaluation.compare import compare, pooled_scores
from choros.evaluation.oracle import unroll
from choros.evaluation.sources import open_data
from choros.motion import FrameResult, Motion

from .truths import FPS, FRAMES, Told, changed, standing, write_clip

GREY = 90


class Follower:
    """A system that follows the people it is given through ``motion``, and looks up the frame by its time."""

    name = "follower"

    def __init__(self, motion: Motion):
        self.motion = motion

    def stream(self, K=None):
        return Following(self.motion)


class Following:
    cut_before = False

    def __init__(self, motion):
        self.motion = motion

    def begin(self, image, boxes_px, time_s):
        rows = self.motion.in_frame(round(time_s * FPS))
        nearest = np.abs(rows["box_px"][:, None] - boxes_px).sum(-1).argmin(axis=0)
        self.people = rows["person"][nearest]
        return self.update(image, time_s)

    def update(self, image, time_s):
        rows = self.motion.in_frame(round(time_s * FPS))
        number = {person: i + 1 for i, person in enumerate(self.people)}
        rows = rows[np.isin(rows["person"], self.people)].copy()
        rows["person"] = [number[person] for person in rows["person"]]
        return FrameResult(rows)

    def encode(self, image): ...

    def step(self, features, time_s): ...

    def state(self): ...

    def restore(self, state): ...


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load()


@pytest.fixture(scope="module")
def truth(body) -> Motion:
    return standing(3, body)


@pytest.fixture(scope="module")
def clip(tmp_path_factory, truth):
    return write_clip(tmp_path_factory.mktemp("oracle") / "clip", truth, GREY)


def test_windows_and_who_is_given(clip, truth):
    """12 frames in windows of 4; person 2 is hidden in frames 4 to 7. Windows of 5: two frames are left out."""
    pairs = unroll(Follower(truth), clip / "video.mp4", truth, 4)
    assert [pair[0].ids.tolist() for pair in pairs] == [[1, 2, 3], [1, 3], [1, 2, 3]]
    assert [pair[1].ids.tolist() for pair in pairs] == [[1, 2, 3], [1, 3], [1, 2, 3]]
    for start, (true, said) in zip((0, 4, 8), pairs, strict=True):
        assert len(true) == len(said) == 4
        people = truth.select(true.ids)[start : start + 4]
        for name in ("frame", "person", "transl", "body_pose"):
            np.testing.assert_array_equal(said.rows[name], people.rows[name])
    assert len(unroll(Follower(truth), clip / "video.mp4", truth, 5)) == FRAMES // 5


def test_given_identities_are_what_counts(clip, truth, body):
    """People 1 and 3 change bodies and places: tracking finds everyone, but under the other's name."""
    rows = truth.rows.copy()
    late = (rows["frame"] >= FRAMES // 2) & (rows["person"] != 2)
    rows["person"][late] = 4 - rows["person"][late]
    mixed = changed(truth, rows)
    (pair,) = unroll(Follower(mixed), clip / "video.mp4", truth, FRAMES)
    given, free = compare(*pair, body, given=True), compare(*pair, body)
    scores = pooled_scores([given])
    assert scores["mpjpe_mm"] > 20
    assert pooled_scores([free])["mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    assert scores["IDF1"] == pooled_scores([free])["IDF1"] == pytest.approx(24 / 36)
    assert len(given.true) == 36  # nobody is lost, wherever they are said to be
    assert pooled_scores([compare(truth, truth, body, given=True)])["pck3d_100"] == 1


def test_a_record_of_the_protocol(clip, truth, monkeypatch):
    monkeypatch.setitem(benchmark.PROTOCOLS, "oracle4", 4)
    sources = {"data": open_data(str(clip))}
    (run,) = run_benchmark({"follower": Follower(truth)}, sources, protocol="oracle4")
    record = run.record()
    assert (record["protocol"], record["clips"], record["frames"]) == ("oracle4", 1, 12)
    assert record["metrics"]["IDF1"] == record["metrics"]["pck_05"] == 1
    assert record["metrics"]["g_mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    with pytest.raises(ChorosError, match="cannot be given the boxes"):
        run_benchmark({"told": Told({GREY: truth})}, sources, protocol="oracle4")
    with pytest.raises(ChorosError, match="was recorded"):
        run_benchmark({"file": Recorded(clip.parent)}, sources, protocol="oracle4")


def test_a_video_that_is_too_short_is_refused(clip, truth):
    frames = np.concatenate([truth.frames, truth.frames])
    longer = replace(truth, frames=frames)
    with pytest.raises(ChorosError, match="ends before its truth"):
        unroll(Follower(longer), clip / "video.mp4", longer, 16)
