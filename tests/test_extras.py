"""Extras: what a system adds to people goes wherever their rows go, and what no file can keep is refused."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.journal import MotionJournal
from choros.motion import ROW, FrameResult, Motion
from choros.motion.frame_result import checked
from choros.track_video import track, track_to_file
from choros.tracking.smoothing import smooth_motion
from choros.video import VideoWriter

from .test_motion import make_motion

ACTIONS = np.array(["stands", "walks", "sits"])


def extras_for(rows):
    """Of each row arrays that tell which row they belong to."""
    key = 100 * rows["frame"].astype(np.int64) + rows["person"]
    return {
        "action": ACTIONS[key % 3],
        "score": (key / 7).astype(np.float16),
        "embedding": np.stack([key, -key, 2 * key], -1).astype(np.float32).reshape(-1, 3, 1),
        "contact": (key[:, None] >> np.arange(4)) % 2 == 1,
        "count": key.astype(">u4"),
    }


def motion_with_extras(**options):
    motion = make_motion(**options)
    return motion.with_extras(extras_for(motion.rows))


def assert_in_step(part, frames_before=0):
    """Every row has the extras that were made for it."""
    rows = part.rows.copy()
    rows["frame"] += frames_before
    expected = extras_for(rows)
    assert set(part.extras) == set(expected)
    for name, column in expected.items():
        np.testing.assert_array_equal(part.extras[name], column)
        assert part.extras[name].shape == column.shape


def test_they_go_where_their_rows_go():
    motion = motion_with_extras()
    assert_in_step(motion)
    assert_in_step(motion[3:9], 3)
    assert_in_step(motion.between(0.1, 0.3), int((motion.pts_s < 0.1).sum()))
    assert_in_step(motion.select([1, 5]))
    assert_in_step(motion.where(motion.visible))
    assert_in_step(motion.person(5))
    assert_in_step(motion.settled())
    assert_in_step(smooth_motion(motion))
    frames = motion.frames.copy()
    frames["cut_before"][7] = True
    first, second = replace(motion, frames=frames).shots()
    assert_in_step(first)
    assert_in_step(second, 7)
    assert_in_step(next(iter(second.people)), 7)


def test_resampled_they_are_those_of_the_nearest_frame():
    motion = motion_with_extras(n_frames=5, people=(1,), fps=Fraction(10))
    motion.frames["pts"] = [[0, 100], [13, 100], [20, 100], [34, 100], [40, 100]]
    even = motion.evenly()
    nearest = [0, 1, 2, 3, 4]
    assert len(even) == 5
    assert even.transl[1, 0] != motion.transl[1, 0]  # that is moved, and this is not
    assert even.extras["action"].tolist() == motion.extras["action"][nearest].tolist()
    np.testing.assert_array_equal(even.extras["embedding"], motion.extras["embedding"][nearest])


def test_saved_and_loaded(tmp_path):
    motion = motion_with_extras()
    motion.save(tmp_path / "motion.npz")
    with np.load(tmp_path / "motion.npz", allow_pickle=False) as stored:
        assert stored["extra.action"].tolist() == motion.extras["action"].tolist()
        assert [name for name in stored.files if name.startswith("extra.")] == [
            f"extra.{name}" for name in extras_for(motion.rows)
        ]
    again = Motion.load(tmp_path / "motion.npz")
    assert again.rows.dtype == motion.rows.dtype
    np.testing.assert_array_equal(again.rows, motion.rows)
    again.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "motion.npz").read_bytes()


def test_a_motion_without_has_none(tmp_path):
    motion = make_motion()
    assert motion.extras == motion.person(1).extras == {}
    assert motion.with_extras({}).rows.dtype == ROW


def test_as_a_table():
    pandas = pytest.importorskip("pandas")
    motion = motion_with_extras()
    table = motion.to_pandas()
    assert isinstance(table, pandas.DataFrame)
    names = [name for name in table.columns if name.startswith("extra.")]
    assert names == [
        "extra.action", "extra.score", "extra.embedding.0.0", "extra.embedding.1.0", "extra.embedding.2.0",
        "extra.contact.0", "extra.contact.1", "extra.contact.2", "extra.contact.3", "extra.count",
    ]  # fmt: skip
    np.testing.assert_array_equal(table["extra.embedding.1.0"], motion.extras["embedding"][:, 1, 0])
    np.testing.assert_array_equal(table["extra.action"], motion.extras["action"])


def test_as_an_arrow_table():
    pytest.importorskip("pyarrow")
    motion = make_motion().with_extras({"score": np.arange(36.0), "action": ACTIONS[np.arange(36) % 3]})
    table = motion.to_arrow()
    assert table["extra.score"].to_pylist() == list(range(36))
    assert table["extra.action"][1].as_py() == "walks"


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        ("two words", np.zeros(36), "no identifier"),
        ("extra.x", np.zeros(36), "no identifier"),
        ("transl", np.zeros(36), "as a column that every row has"),
        ("things", np.array([{}] * 36), "not an array of numbers, truths or text"),
        ("table", np.zeros(36, [("a", "f4")]), "not an array of numbers, truths or text"),
        ("plain", [0.0] * 36, "not an array of numbers"),
        ("short", np.zeros(35), r"shape \(35,\), not an entry for each of 36 rows"),
        ("number", np.array(1.0), r"shape \(\), not an entry"),
    ],
)
def test_what_cannot_be_kept_is_refused(name, column, said):
    with pytest.raises(ChorosError, match=said):
        make_motion().with_extras({name: column})


def test_rows_of_another_type_are_refused():
    motion = make_motion()
    rows = np.zeros(len(motion.rows), [*ROW.descr, ("other", "f4")])
    for name in ROW.names:
        rows[name] = motion.rows[name]
    with pytest.raises(ChorosError, match="dtype ROW"):
        replace(motion, rows=rows)


# --- results of a frame ---------------------------------------------------------------------------


class Statue:
    """A system's class, for messages."""


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (np.zeros(1, ROW), r"a ndarray, not a FrameResult\(rows\)"),
        (FrameResult(np.zeros((1, 4))), "not an array .n,. of dtype ROW"),
        (FrameResult(np.zeros((), ROW)), "not an array .n,. of dtype ROW"),
        (FrameResult(np.ones(1, ROW)), r"frame 0 say that they are of frame \[1\]"),
        (FrameResult(np.zeros(2, ROW)), r"not sorted by person, one for each: \[0, 0\]"),
        (FrameResult(np.zeros(0, ROW), np.eye(3)), "T_world_camera in frame 0 is not a .4, 4. of finite"),
        (FrameResult(np.zeros(0, ROW), np.full((4, 4), np.nan)), "T_world_camera in frame 0 is not"),
        (FrameResult(np.zeros(1, ROW), None, {"score": np.zeros(2)}), r"score has shape \(2,\)"),
        (FrameResult(np.zeros(1, ROW), None, {"kid": np.zeros(1)}), "kid, as a column that every row has"),
    ],
)
def test_a_result_that_cannot_be_kept_is_refused(result, said):
    with pytest.raises(ChorosError, match=f"^Statue gave no FrameResult that can be kept: .*{said}"):
        checked(result, Statue(), 0)


# --- through a run --------------------------------------------------------------------------------


class Acting:
    """A system with extras on people, who come late and go, and which knows its camera now and then."""

    name = "acting"

    def __init__(self, stop_at=None, change_at=None):
        self.stop_at, self.change_at = stop_at, change_at

    def stream(self, K=None):
        return ActingStream(self.stop_at, self.change_at)


class ActingStream:
    def __init__(self, stop_at, change_at):
        self.stop_at, self.change_at, self.frame = stop_at, change_at, -1

    def encode(self, image):
        return None

    def step(self, features, time_s):
        self.frame += 1
        if self.frame == self.stop_at:
            raise KeyboardInterrupt
        if self.frame < 5:  # nobody, and nothing is said of anything
            return FrameResult(np.zeros(0, ROW))
        rows = np.zeros(2, ROW)
        rows["frame"], rows["person"], rows["confidence"] = self.frame, [1, 2], 0.9
        rows["visible"] = [not 10 <= self.frame < 14, self.frame < 40]
        rows["transl"], rows["box_px"] = [0, 0, 4], [1, 2, 31, 42]
        extras = extras_for(rows)
        if self.frame == self.change_at:
            extras["score"] = extras["score"].astype(np.float64)
        return FrameResult(rows, camera_at(self.frame) if self.frame % 3 else None, extras)

    def update(self, image, time_s):
        return self.step(self.encode(image), time_s)

    def state(self):
        return {"frame": np.array(self.frame)}

    def restore(self, state):
        self.frame = int(state["frame"])


def camera_at(frame):
    T = np.eye(4)
    T[:3, 3] = frame, 0, 1.5
    return T


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with VideoWriter(path, 64, 48, Fraction(10)) as writer:
        for i in range(60):
            writer.write(np.full((48, 64, 3), 4 * i, np.uint8), Fraction(i, 10))
    return path


def test_a_run_keeps_them(clip):
    motion = track(clip, Acting())
    assert_in_step(motion)
    assert motion.person(1).frame.tolist() == list(range(5, 60))
    assert motion.person(2).frame.tolist() == list(
        range(5, 40)
    )  # rows after the last sight go, and their extras


@pytest.mark.parametrize("stop_at", [0, 3, 22, 45])
def test_stopped_and_resumed_ends_with_the_same_bytes(clip, tmp_path, stop_at):
    track_to_file(clip, tmp_path / "whole.npz", Acting())
    output = tmp_path / "motion.npz"
    with pytest.raises(KeyboardInterrupt):
        track_to_file(clip, output, Acting(stop_at))
    assert_in_step(Motion.load(output)) if stop_at > 5 else None
    track_to_file(clip, output, Acting(), resume=True)
    assert output.read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_a_system_that_changes_its_extras_is_told(clip, tmp_path):
    with pytest.raises(ChorosError, match=r"frame 9 have .*score float64.*those before .*score float16"):
        track_to_file(clip, tmp_path / "motion.npz", Acting(change_at=9))
    assert len(Motion.load(tmp_path / "motion.npz")) == 9  # what was good is there


def test_without_extras_nothing_of_them_is_written(tmp_path):
    motion = make_motion()
    motion.rows["visible"] = True
    with MotionJournal.start(tmp_path / "motion.npz", motion.header) as journal:
        for i in range(12):
            journal.append(motion.frames[i], motion.in_frame(i))
        journal.finish()
    with np.load(tmp_path / "motion.npz") as stored:
        assert not [name for name in stored.files if "extra" in name]


def test_the_camera_that_a_system_tells_is_kept(clip):
    motion = track(clip, Acting())
    known = np.arange(60) % 3 > 0
    known[:5] = False
    assert motion.camera_known.tolist() == known.tolist()
    assert motion.space == "camera"
    np.testing.assert_array_equal(motion.T_world_camera[known], [camera_at(i) for i in np.flatnonzero(known)])
    assert (motion.T_world_camera[~known] == np.eye(4)).all()
    assert (motion.transl == [0, 0, 4]).all()


def test_a_camera_that_is_given_holds(clip):
    from choros.camera.pose import level_pose
    from choros.options import TrackOptions

    motion = track(clip, Acting(), TrackOptions(camera_pose=level_pose(2.0)))
    assert motion.camera_known.all()
    assert motion.space == "world"
    np.testing.assert_allclose(motion.T_world_camera[:, 2, 3], 2.0)
    assert_in_step(motion)
