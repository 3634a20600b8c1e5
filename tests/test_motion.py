"""The record: what goes in comes out, parts keep their times, and bad files are named."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.errors import ChorosError
from choros.motion import FRAME, ROW, SMPL_PELVIS, Header, Motion, Person


def make_motion(n_frames=12, people=(1, 2, 5), seed=0, fps=Fraction(30000, 1001)):
    rng = np.random.default_rng(seed)
    frames = np.zeros(n_frames, FRAME)
    for i in range(n_frames):
        pts = i / fps
        frames["pts"][i] = pts.numerator, pts.denominator
    frames["number"] = np.arange(n_frames)
    frames["K"], frames["T_world_camera"] = np.diag([500.0, 500, 1]), np.eye(4)
    rows = np.zeros(n_frames * len(people), ROW)
    rows["frame"] = np.repeat(np.arange(n_frames), len(people))
    rows["person"] = np.tile(people, n_frames)
    for name in ("global_orient", "body_pose", "betas", "transl", "keypoints_px"):
        rows[name] = rng.normal(size=rows[name].shape)
    rows["box_px"] = [10, 20, 50, 120]
    rows["confidence"], rows["visible"] = 0.5, rng.random(len(rows)) < 0.8
    header = Header(fps, 640, 480, "clip.mp4", "baseline", provenance={"choros": "test"})
    return Motion(header, frames, rows)


def test_saved_and_loaded_is_the_same(tmp_path):
    motion = make_motion()
    motion.save(tmp_path / "motion.npz")
    again = Motion.load(tmp_path / "motion.npz")
    assert again.header == motion.header
    np.testing.assert_array_equal(again.frames, motion.frames)
    np.testing.assert_array_equal(again.rows, motion.rows)
    assert again.pts[3] == Fraction(3003, 30000)


def test_same_motion_same_bytes_and_no_pickles(tmp_path):
    make_motion().save(tmp_path / "a.npz")
    make_motion().save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as stored:
        assert set(stored.files) == {"header", *FRAME.names, *ROW.names}
        for name in stored.files:
            assert stored[name].dtype != object


def test_a_motion_of_nobody(tmp_path):
    motion = make_motion(people=())
    motion.save(tmp_path / "empty.npz")
    assert len(Motion.load(tmp_path / "empty.npz").people) == 0
    motion.write_mot(tmp_path / "tracks.txt")
    assert (tmp_path / "tracks.txt").read_text() == ""


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "other"])
def test_files_that_are_no_motion_are_named(tmp_path, damage):
    path = tmp_path / "motion.npz"
    make_motion().save(path)
    whole = path.read_bytes()
    if damage == "other":
        np.savez(path, something=np.zeros(3))
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "text": b"hello", "empty": b""}[damage])
    with pytest.raises(ChorosError, match=r"motion\.npz"):
        Motion.load(path)


def test_an_object_array_is_not_unpickled(tmp_path):
    class Canary:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = tmp_path / "motion.npz"
    make_motion().save(path)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    np.savez(path, **(arrays | {"betas": np.array([Canary()], object)}))
    with pytest.raises(ChorosError):
        Motion.load(path)
    assert not (tmp_path / "ran").exists()


def test_parts(tmp_path):
    motion = make_motion()
    part = motion[3:7]
    assert len(part) == 4
    assert part.pts == motion.pts[3:7]
    np.testing.assert_array_equal(part.in_frame(0)["body_pose"], motion.in_frame(3)["body_pose"])
    times = motion.pts_s
    assert motion.between(times[3], times[7]).pts == part.pts
    assert motion.select([2]).ids.tolist() == [2]
    person = motion.person(5)
    assert len(person) == 12
    assert person.body_pose.shape == (12, 69)
    with pytest.raises(ChorosError, match="person 9"):
        motion.person(9)
    with pytest.raises(ChorosError):
        motion[::2]


def numbered(motion, numbers, how):
    frames = motion.frames.copy()
    frames["number"] = numbers
    return replace(motion, header=replace(motion.header, numbers=how), frames=frames)


def first_schema(path, motion):
    """The file as choros wrote it before frames had numbers and cuts."""
    motion.save(path)
    with np.load(path) as stored:
        newer = ("number", "cut_before", "camera_known")
        arrays = {name: stored[name] for name in stored.files if name not in newer}
    header = json.loads(str(arrays["header"]))
    del header["numbers"]
    arrays["header"] = np.array(json.dumps(header | {"version": 1}))
    np.savez(path, **arrays)


def test_files_of_the_first_schema_are_read(tmp_path):
    motion = make_motion()
    first_schema(tmp_path / "motion.npz", motion)
    again = Motion.load(tmp_path / "motion.npz")
    assert again.header == motion.header
    assert again.number.tolist() == list(range(12))
    assert again.number_from_1.tolist() == list(range(1, 13))
    assert not again.cut_before.any()
    np.testing.assert_array_equal(again.rows, motion.rows)
    again.save(tmp_path / "again.npz")
    np.testing.assert_array_equal(Motion.load(tmp_path / "again.npz").frames, motion.frames)


LEVEL = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 1.6], [0, 0, 0, 1]])


def with_camera(motion, known, T=LEVEL, space="camera"):
    frames = motion.frames.copy()
    frames["camera_known"], frames["T_world_camera"] = known, T
    return replace(motion, frames=frames, header=replace(motion.header, space=space))


@pytest.mark.parametrize("T", [LEVEL, np.eye(4)])
def test_whether_the_camera_is_known_is_told_apart_from_where_it_is(tmp_path, T):
    """In the file, in parts, and whatever pose stands there: a still camera is not an unknown one."""
    known = np.arange(12) < 5
    with_camera(make_motion(), known, T).save(tmp_path / "motion.npz")
    motion = Motion.load(tmp_path / "motion.npz")
    assert motion.camera_known.tolist() == known.tolist()
    assert motion[3:8].camera_known.tolist() == [True, True, False, False, False]
    assert motion[:5].tells_camera
    assert not motion.tells_camera  # somebody is where nobody knows it
    assert motion.where(motion.row_frame < 5).tells_camera  # and here nobody is there
    assert not with_camera(make_motion(people=()), False).tells_camera


@pytest.mark.parametrize("space", ["camera", "world"])
def test_files_from_before_cameras_were_known_tell_it_by_the_pose(tmp_path, space):
    T = np.tile(LEVEL, (12, 1, 1))
    T[7:] = np.eye(4)  # how such a file says that it does not know
    first_schema(tmp_path / "motion.npz", with_camera(make_motion(), True, T, space))
    assert Motion.load(tmp_path / "motion.npz").camera_known.tolist() == [True] * 7 + [False] * 5


def test_nothing_lies_between_a_known_camera_and_none():
    """At twice the rate, poses stand between two known ones; the unknown frame's is not mixed into any."""
    T = np.tile(LEVEL, (4, 1, 1))
    T[:, 0, 3] = np.arange(4)
    motion = with_camera(make_motion(4, fps=Fraction(10)), [True, True, True, False], T)
    motion.frames["T_world_camera"][3, 0, 3] = 1000
    even = replace(motion, header=replace(motion.header, fps=Fraction(20))).evenly(filled=True)
    x = even.T_world_camera[even.camera_known, 0, 3]
    np.testing.assert_allclose(x, [0, 0.5, 1, 1.5, 2, 2], atol=1e-9)
    assert even.camera_known.tolist() == [True] * 6 + [False]


def test_rows_are_filtered_by_any_truth_about_them():
    motion = make_motion()
    np.testing.assert_array_equal(motion.row_pts_s, motion.pts_s[motion.row_frame])
    for keep in (motion.visible, motion.row_person == 2, motion.row_pts_s < 0.2):
        part = motion.where(keep)
        np.testing.assert_array_equal(part.rows, motion.rows[keep])
        assert 0 < len(part.rows) < len(motion.rows)
        assert len(part) == 12
    for wrong in (motion.visible[1:], motion.row_person):
        with pytest.raises(ChorosError, match="36 rows"):
            motion.where(wrong)
    for wrong in (motion.visible, 3, slice(0, 8, 2)):
        with pytest.raises(ChorosError, match=r"slice with step 1; rows are chosen by motion\.where"):
            motion[wrong]


def test_people_are_found_by_identity():
    motion = make_motion()
    people = motion.people
    assert [person.id for person in people] == [1, 2, 5]
    assert len(people) == 3
    assert 5 in people
    assert 3 not in people
    for who in (5, np.int32(5)):
        np.testing.assert_array_equal(people[who].rows, motion.rows[motion.row_person == 5])
        np.testing.assert_array_equal(people[who].pts_s, motion.pts_s)
    assert type(people[np.int32(5)].id) is int
    assert repr(people) == "<people 1, 2, 5>"
    for nobody in (0, 3, -1, "1", slice(2)):
        with pytest.raises(ChorosError, match=r"no person .* in this motion; it has 1, 2, 5"):
            people[nobody]
    with pytest.raises(ChorosError, match="it has nobody"):
        make_motion(people=()).person(1)


def test_a_person_is_told_in_one_line():
    rows = np.zeros(3, ROW)
    rows["frame"], rows["person"], rows["visible"] = [0, 1, 2], 7, [True, False, True]
    person = Person(7, rows, np.array([0.0, 0.5, 1.0]))
    assert repr(person) == "<person 7: 3 frames from 0.00 to 1.00 s, seen in 2>"
    assert repr(Person(7, rows[:0], np.zeros(0))) == "<person 7: 0 frames, seen in 0>"


def test_a_person_has_every_column_by_its_name():
    """What completion and type checkers see, without asking an object: properties of the class."""
    person = make_motion().person(2)
    for name in ROW.names:
        assert isinstance(getattr(Person, name), property)
        np.testing.assert_array_equal(getattr(person, name), person.rows[name])
    with pytest.raises(AttributeError, match="pose"):
        _ = person.pose


@pytest.mark.parametrize(("how", "shift"), [("named", 0), ("counted", 1)])
def test_parts_and_mot_text_keep_the_sources_numbers(tmp_path, how, shift):
    numbers = [3, 4, 5, 8, 9, 40]  # a picture was damaged, and some are not there
    motion = numbered(make_motion(n_frames=6, people=(1, 2)), numbers, how)
    motion.rows["visible"] = True
    motion.save(tmp_path / "motion.npz")
    for given, left in (
        (Motion.load(tmp_path / "motion.npz"), numbers),
        (motion[2:5], numbers[2:5]),
        (motion.between(motion.pts_s[4], 99), numbers[4:]),
        (motion.select([2]), numbers),
    ):
        assert given.number.tolist() == left
        assert given.number_from_1.tolist() == [n + shift for n in left]
        given.write_mot(tmp_path / "tracks.txt")
        lines = np.loadtxt(tmp_path / "tracks.txt", delimiter=",", ndmin=2)
        assert lines[lines[:, 1] == 2, 0].tolist() == [n + shift for n in left]


def test_rows_must_be_in_order():
    motion = make_motion()
    for rows in (motion.rows[::-1], np.concatenate([motion.rows, motion.rows[-1:]])):
        with pytest.raises(ChorosError, match="sorted"):
            Motion(motion.header, motion.frames, rows)
    with pytest.raises(ChorosError, match="frame 11"):
        Motion(motion.header, motion.frames[:5], motion.rows)


def test_mot_text_fills_gaps_and_drops_tails(tmp_path):
    motion = make_motion(n_frames=6, people=(1, 2))
    rows = motion.rows.copy()
    rows["visible"] = True
    rows["visible"][(rows["person"] == 1) & (rows["frame"] == 2)] = False  # a gap
    rows["visible"][(rows["person"] == 2) & (rows["frame"] >= 4)] = False  # a tail
    Motion(motion.header, motion.frames, rows).write_mot(tmp_path / "tracks.txt")
    lines = [line.split(",") for line in (tmp_path / "tracks.txt").read_text().splitlines()]
    assert [(int(f), int(p)) for f, p, *_ in lines] == [
        (f + 1, p) for f in range(6) for p in (1, 2) if not (p == 2 and f >= 4)
    ]
    assert lines[0][2:] == ["10.00", "20.00", "40.00", "100.00", "0.5000", "-1", "-1", "-1"]


def test_amass_turns_people_upright_about_their_pelvis():
    motion = make_motion()
    person = motion.person(1)
    amass = motion.to_amass(1)
    assert amass["poses"].shape == (12, 156)
    np.testing.assert_allclose(amass["poses"][:, 3:66], person.body_pose[:, :63], atol=1e-6)
    assert not amass["poses"][:, 66:].any()
    assert amass["betas"].shape == (16,)
    # The pelvis, and a point of the body, go where the camera's axes say: (x, y, z) -> (x, z, -y).
    rest = np.array([0.1, 0.3, -0.2])  # a point from the pelvis, at rest
    before = person.transl + np.array(SMPL_PELVIS) + Rotation.from_rotvec(person.global_orient).apply(rest)
    after = amass["trans"] + np.array(SMPL_PELVIS) + Rotation.from_rotvec(amass["poses"][:, :3]).apply(rest)
    np.testing.assert_allclose(after, before[:, [0, 2, 1]] * [1, 1, -1], atol=1e-5)
