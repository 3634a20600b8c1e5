"""The journal: what a kill at any moment leaves is continued to the same bytes."""

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.journal import MotionJournal, folder_of, frames_if_finished
from choros.motion import Motion

from . import test_motion


def make_motion(**options):
    """Everybody in sight all the time: nothing that the end of a video would tell (see ``settling``)."""
    motion = test_motion.make_motion(**options)
    motion.rows["visible"] = True
    return motion


def write(journal, motion, frames):
    for i in frames:
        journal.append(motion.frames[i], motion.in_frame(i))


def test_whole_run_equals_save(tmp_path):
    motion = make_motion()
    with MotionJournal.start(tmp_path / "motion.npz", motion.header) as journal:
        write(journal, motion, range(12))
        journal.finish()
    motion.save(tmp_path / "saved.npz")
    assert (tmp_path / "motion.npz").read_bytes() == (tmp_path / "saved.npz").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["motion.npz", "saved.npz", "tracks.txt"]


@pytest.mark.parametrize("torn_bytes", [0, 1, 500, 5000])
def test_resume_cuts_off_what_was_not_confirmed(tmp_path, torn_bytes):
    motion = make_motion()
    output = tmp_path / "motion.npz"
    journal = MotionJournal.start(output, motion.header)
    write(journal, motion, range(5))
    journal.checkpoint({"memory": np.arange(5.0)})
    write(journal, motion, range(5, 9))
    journal.close()  # killed
    with open(folder_of(output) / "rows.bin", "ab") as file:
        file.write(b"\x7f" * torn_bytes)

    resumed = MotionJournal.resume(output, motion.header)
    assert resumed is not None
    journal, state = resumed
    np.testing.assert_array_equal(state["memory"], np.arange(5.0))
    assert journal.n_frames == 5
    with journal:
        write(journal, motion, range(5, 12))
        journal.finish()
    motion.save(tmp_path / "saved.npz")
    assert output.read_bytes() == (tmp_path / "saved.npz").read_bytes()


def test_finish_early_keeps_the_journal_for_resume(tmp_path):
    motion = make_motion()
    output = tmp_path / "motion.npz"
    with MotionJournal.start(output, motion.header) as journal:
        write(journal, motion, range(4))
        journal.checkpoint({})
        write(journal, motion, range(4, 6))
        journal.finish(keep=True)
    assert len(Motion.load(output)) == 6
    resumed = MotionJournal.resume(output, motion.header)
    assert resumed is not None
    assert resumed[0].n_frames == 4


def test_nothing_to_resume(tmp_path):
    header = make_motion().header
    assert MotionJournal.resume(tmp_path / "motion.npz", header) is None
    MotionJournal.start(tmp_path / "motion.npz", header).close()  # killed before the first checkpoint
    assert MotionJournal.resume(tmp_path / "motion.npz", header) is None


def test_a_journal_of_something_else_is_refused(tmp_path):
    motion = make_motion()
    with MotionJournal.start(tmp_path / "motion.npz", motion.header) as journal:
        journal.checkpoint({})
    other = make_motion(fps=motion.fps * 2).header
    with pytest.raises(
        ChorosError, match=rf"was begun with fps {motion.fps}, this run is with fps {other.fps}"
    ):
        MotionJournal.resume(tmp_path / "motion.npz", other)
    (folder_of(tmp_path / "motion.npz") / "header.json").write_text("{}")
    with pytest.raises(ChorosError, match="another version"):
        MotionJournal.resume(tmp_path / "motion.npz", other)


def test_a_kill_while_the_journal_is_removed_leaves_a_finished_run(tmp_path, monkeypatch):
    motion = make_motion()
    output = tmp_path / "motion.npz"
    journal = MotionJournal.start(output, motion.header)
    write(journal, motion, range(12))
    journal.checkpoint({})
    assert frames_if_finished(output, motion.header) is None
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)  # killed before it
    journal.finish()
    monkeypatch.undo()
    assert MotionJournal.resume(output, motion.header) is None
    assert frames_if_finished(output, motion.header) == 12
    with pytest.raises(ChorosError, match="was begun with fps"):
        frames_if_finished(output, make_motion(fps=motion.fps * 2).header)

    journal = MotionJournal.start(output, motion.header)  # what the kill left over is cleaned away
    journal.finish()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["motion.npz", "tracks.txt"]


def test_a_new_run_never_resumes_an_older_one(tmp_path):
    motion = make_motion()
    output = tmp_path / "motion.npz"
    with MotionJournal.start(output, motion.header) as journal:
        write(journal, motion, range(6))
        journal.checkpoint({})
    MotionJournal.start(output, motion.header).close()  # killed before its first checkpoint
    assert MotionJournal.resume(output, motion.header) is None
    assert frames_if_finished(output, motion.header) is None
