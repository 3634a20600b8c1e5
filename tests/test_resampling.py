"""A motion at a constant rate: what already is stays, anything else is where it was at the grid's times."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.motion import Motion
from tests.test_motion import make_motion

FPS = Fraction(25)


def at_times(pts, people=(1,)) -> Motion:
    """People who ride and turn at a constant speed before a camera that does so too, in frames at ``pts``."""
    motion = make_motion(len(pts), people, fps=FPS)
    motion.frames["pts"] = [Fraction(t).as_integer_ratio() for t in pts]
    t = np.array([float(t) for t in pts])
    motion.frames["T_world_camera"][:, :3, :3] = Rotation.from_rotvec(
        np.outer(0.5 * t, [0, 0, 1])
    ).as_matrix()
    motion.frames["T_world_camera"][:, :3, 3] = np.outer(t, [0, 2, 0])
    motion.frames["camera_known"] = True
    t = t[motion.rows["frame"]]
    motion.rows["visible"], motion.rows["body_pose"] = True, 0
    # From 3.4 rad on, past half a turn.
    motion.rows["global_orient"] = np.outer(3.0 + 2 * t, [0, 1, 0])
    motion.rows["transl"] = np.outer(t, [1, -2, 3])
    return motion


def assert_rides_on(motion: Motion) -> None:
    """Everything is at its time, to within what floats hold."""
    t = motion.pts_s
    T = motion.T_world_camera
    np.testing.assert_allclose(T[:, :3, 3], np.outer(t, [0, 2, 0]), atol=1e-9)
    np.testing.assert_allclose(
        T[:, :3, :3], Rotation.from_rotvec(np.outer(0.5 * t, [0, 0, 1])).as_matrix(), atol=1e-9
    )
    t = t[motion.row_frame]
    np.testing.assert_allclose(motion.transl, np.outer(t, [1, -2, 3]), atol=1e-4)
    error = Rotation.from_rotvec(np.outer(3.0 + 2 * t, [0, 1, 0])).inv() * Rotation.from_rotvec(
        motion.global_orient
    )
    assert error.magnitude().max() < 1e-4


def grid(start: Fraction, count: int) -> list[Fraction]:
    return [start + k / FPS for k in range(count)]


def test_what_is_even_stays_the_very_same():
    rng = np.random.default_rng(0)
    pts = [k / FPS + Fraction(int(rng.integers(-4, 5)), 1000) for k in range(40)]
    motion = at_times([pts[0] - pts[0], *(p - pts[0] for p in pts[1:])])
    assert motion.evenly() is motion
    assert motion.evenly(filled=True) is motion
    timeless = replace(motion, frames=np.zeros_like(motion.frames))
    assert timeless.evenly(filled=True) is timeless
    empty = make_motion(0, ())
    assert empty.evenly() is empty


@pytest.mark.parametrize("rate", [Fraction(30), Fraction(12), Fraction(26), Fraction(24000, 1001)])
def test_another_rate_than_the_header_says(rate):
    motion = at_times([Fraction(3) + k / rate for k in range(60)], people=(1, 4))
    even = motion.evenly()
    assert even.pts == grid(Fraction(3), round(59 / rate * FPS) + 1)
    assert abs(even.pts[-1] - motion.pts[-1]) <= 1 / FPS / 2
    inside = even[: int(59 / rate * FPS) + 1]
    assert_rides_on(inside)
    assert even.visible.all()
    assert len(even.rows) == 2 * len(even)


def test_variable_rate():
    rng = np.random.default_rng(1)
    pts = np.cumsum([0, *rng.choice([Fraction(1, 60), Fraction(1, 25), Fraction(1, 5)], 50)])
    motion = at_times(pts)
    even = motion.evenly()
    assert_rides_on(even[:-1])
    assert even.visible.all()
    assert even.confidence == pytest.approx(0.5)
    # Numbers are those of the frames about a sample.
    near = np.abs(even.pts_s[:, None] - motion.pts_s[None]).argmin(1)
    assert (np.diff(even.number) >= 0).all()
    assert np.abs(even.number - motion.number[near]).max() <= 1
    twice = even.evenly()
    assert twice is even


def test_places_without_a_frame_are_made_and_frames_stay_as_they_were():
    """A screen that stands still sends nothing: people are led on. Lost frames: they are absent, or filled."""
    pts = [k / FPS for k in (0, 1, 2, 7, 8, 12, 13)]
    motion = at_times(pts)
    motion.frames["gap_before"][5] = True
    motion.frames["number"] = [0, 1, 2, 7, 8, 12, 13]
    even = motion.evenly()
    assert even.number.tolist() == list(range(14))
    assert even.row_frame.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13]
    given = [0, 1, 2, 7, 8, 12, 13]
    own = even.rows[np.isin(even.row_frame, given)]
    for name in ("transl", "global_orient", "body_pose", "betas", "box_px", "keypoints_px", "confidence"):
        np.testing.assert_array_equal(own[name], motion.rows[name])
    assert np.flatnonzero(even.gap_before).tolist() == [
        11
    ]  # the sample that the frame after the gap is nearest to
    assert_rides_on(even)

    filled = motion.evenly(filled=True)
    assert filled.row_frame.tolist() == list(range(14))
    assert np.flatnonzero(~filled.visible).tolist() == [9, 10, 11]
    assert not filled.confidence[9:12].any()
    assert_rides_on(filled)


def test_who_is_away_is_filled_only_where_that_is_asked_for():
    motion = at_times([k / FPS for k in range(10)], people=(1, 2))
    away = (motion.row_person == 2) & (motion.row_frame >= 3) & (motion.row_frame < 6)
    motion = replace(motion, rows=motion.rows[~away])
    assert motion.evenly() is motion
    filled = motion.evenly(filled=True)
    two = filled.person(2)
    assert two.frame.tolist() == list(range(10))
    assert np.flatnonzero(~two.visible).tolist() == [3, 4, 5]
    assert_rides_on(filled)


def test_nothing_is_led_over_a_cut():
    """Frames 0 and 1 are of one shot, 2 and 3 of another, a fifth of a second later."""
    motion = at_times([Fraction(0), Fraction(1, 50), Fraction(11, 50), Fraction(12, 50)])
    motion.frames["cut_before"][2] = True
    motion.rows["transl"][2:] += 100
    motion.frames["T_world_camera"][2:, :3, 3] += 100
    for even in (motion.evenly(), motion.evenly(filled=True)):
        assert len(even) == 7
        first = int(np.flatnonzero(even.cut_before)[0])
        assert even.cut_before.sum() == 1
        assert even.pts_s[first] >= 0.12
        after = even.transl[:, 0] > 50
        np.testing.assert_array_equal(after, even.row_frame >= first)
        assert not ((even.transl[:, 0] > 1) & (even.transl[:, 0] < 99)).any()
        x = even.T_world_camera[:, 0, 3]
        np.testing.assert_array_equal(x > 50, np.arange(7) >= first)
    a, b = motion.shots()
    assert (len(a), len(b)) == (2, 2)
    assert a.number.tolist() + b.number.tolist() == [0, 1, 2, 3]


def test_an_unknown_camera_stays_unknown():
    motion = at_times([Fraction(k, 10) for k in range(9)])
    motion.frames["T_world_camera"] = np.eye(4)
    assert (motion.evenly().T_world_camera == np.eye(4)).all()
