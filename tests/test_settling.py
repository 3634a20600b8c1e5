"""What the end of a video tells: tails go, gaps lead to the next sight, short sights are tentative."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from choros.journal import MotionJournal, folder_of
from choros.motion import Motion
from choros.motion.settling import seen_spans

from .test_motion import make_motion


def walk(seen, person=1, speed=2.0, predicted=1.5):
    """Somebody who walks at ``speed`` px a frame, predicted at another one whenever they are not seen."""
    motion = make_motion(len(seen), (person,), fps=Fraction(25))
    rows = motion.rows
    rows["visible"], rows["transl"] = seen, 0
    x = last = 0.0
    for frame, visible in enumerate(seen):
        x += speed if visible else predicted
        x = speed * frame if visible else last + predicted
        last = x
        rows["box_px"][frame] = [x, 0, x + 50, 100]
        rows["transl"][frame, 0] = x / 100
    return motion


def file_of(motion, tmp_path, kill_at=None):
    output = tmp_path / "motion.npz"
    journal = MotionJournal.start(output, motion.header)
    for i in range(len(motion)):
        if i == kill_at:
            journal.checkpoint({})
            journal.append(motion.frames[i], motion.in_frame(i))
            journal.close()
            journal, _ = MotionJournal.resume(output, motion.header)
        journal.append(motion.frames[i], motion.in_frame(i))
    with journal:
        journal.finish()
    return output


def test_nobody_after_their_last_sight(tmp_path):
    motion = make_motion(12)
    motion.rows["visible"] = True
    motion.rows["visible"][(motion.rows["person"] == 2) & (motion.rows["frame"] >= 7)] = False
    motion.rows["visible"][motion.rows["person"] == 5] = False
    said = Motion.load(file_of(motion, tmp_path))
    assert said.ids.tolist() == [1, 2]
    assert said.person(2).frame.tolist() == list(range(7))
    assert len(said) == 12
    assert not folder_of(tmp_path / "motion.npz").exists()


@pytest.mark.parametrize("kill_at", [3, 6, 9, 11])
def test_resume_ends_with_the_same_bytes(tmp_path, kill_at):
    motion = walk([True] * 5 + [False] * 3 + [True, True] + [False] * 2)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, resumed = file_of(motion, tmp_path / "a"), file_of(motion, tmp_path / "b", kill_at)
    assert whole.read_bytes() == resumed.read_bytes()
    assert whole.with_name("tracks.txt").read_bytes() == resumed.with_name("tracks.txt").read_bytes()


def test_a_gap_leads_to_the_next_sight(tmp_path):
    """The prediction fell behind by half a px a frame; all is as if it had known."""
    seen = [True] * 5 + [False] * 6 + [True] * 5
    said = Motion.load(file_of(walk(seen), tmp_path))
    np.testing.assert_allclose(said.box_px[:, 0], 2.0 * np.arange(16), atol=1e-4)
    np.testing.assert_allclose(said.transl[:, 0], 0.02 * np.arange(16), atol=1e-5)
    assert said.visible.tolist() == seen


def test_pieces_change_nothing(tmp_path, monkeypatch):
    seen = [True] * 5 + [False] * 6 + [True] * 5 + [False]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = file_of(walk(seen), tmp_path / "a").read_bytes()
    monkeypatch.setattr("choros.motion.settling.CHUNK", 3)
    assert file_of(walk(seen), tmp_path / "b").read_bytes() == whole


@pytest.mark.parametrize(("n_seen", "doubtful"), [(1, [1]), (4, [1]), (5, []), (20, [])])
def test_less_than_a_fifth_of_a_second_is_tentative(tmp_path, n_seen, doubtful):
    """At 25 frames a second five frames are .2 s. The file has them, MOT text has not."""
    seen = np.arange(30) < n_seen
    said = Motion.load(file_of(walk(seen), tmp_path))
    assert said.tentative == doubtful
    assert said.ids.tolist() == [1]
    assert said.settled().ids.tolist() == ([] if doubtful else [1])
    lines = (tmp_path / "tracks.txt").read_text().splitlines()
    assert len(lines) == (0 if doubtful else n_seen)


def test_nobody_is_tentative_in_a_picture_or_a_slow_clip():
    assert make_motion(1, (1, 2)).tentative == []
    motion = walk([True] + [False] * 9)
    frames = motion.frames.copy()
    frames["pts"] = [[i, 1] for i in range(10)]  # one frame a second: who is in it was there for one
    assert Motion(replace(motion.header, fps=Fraction(1)), frames, motion.rows).tentative == []


def test_sights():
    motion = walk([False, True, False, True, False])
    assert seen_spans(motion.rows) == {1: (1, 3)}


def test_nobody_is_led_over_a_cut(tmp_path):
    """Person 1 is lost before the cut at frame 8 and goes on after it, elsewhere; nobody was where they would pass."""
    motion = walk([True] * 5 + [False] * 3 + [False] * 2 + [True] * 3)
    motion.frames["cut_before"][8] = True
    motion.rows["transl"][8:, 0] += 5
    said = Motion.load(file_of(motion, tmp_path))
    assert said.cut_before.tolist() == motion.cut_before.tolist()
    assert said.person(1).frame.tolist() == [*range(5), *range(8, 13)]
    np.testing.assert_array_equal(said.person(1).transl[:5], motion.rows["transl"][:5])
    assert (said.person(1).transl[5:, 0] > 5).all()
