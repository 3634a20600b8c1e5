"""A batch on processes of this machine: whatever befalls a clip, the others are done, and bytes are the same."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from choros.batch import Clip, Limits, State, clips_of, run_batch, write_table
from choros.batch.outcome import (
    CRASHED,
    DONE,
    FAILED,
    STOPPED,
    TOO_LARGE,
    TOO_LONG,
    check_same_batch,
    read_outcome,
)
from choros.batch.pool import run_pool
from choros.batch.run import Standing
from choros.batch.work import Job, Now, track_clip
from choros.errors import ChorosError
from choros.motion import Motion
from choros.options import TrackOptions
from tests.batch.shades import CRASHES, FAULTS, HANGS, SLOW, SWELLS, Shades, film, load, unloadable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def in_turn(clips, job, limits):
    """An engine without processes."""
    for clip in clips:
        yield track_clip(clip, job)


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.name in ("motion.npz", "tracks.txt")
    }


@pytest.fixture
def job(tmp_path):
    return Job(load, TrackOptions(), tmp_path / "out")


def test_outcomes_and_their_table(tmp_path, job):
    film(tmp_path / "in" / "a.mp4", frames=7)
    (tmp_path / "in" / "b.mp4").write_bytes(b"no video at all" * 9)
    clips = clips_of([str(tmp_path / "in")])
    told = []
    outcomes = run_batch(
        clips, job, in_turn, tell=lambda state, outcome: told.append((state.done, state.failed))
    )
    good, bad = outcomes
    assert (good.status, good.frames, good.people, good.gaps) == (DONE, 7, 1, 0)
    assert good.video_s == pytest.approx(6 / 5)
    assert bad.status == FAILED
    assert "not a video" in bad.error
    assert told[-1] == (1, 1)
    motion = Motion.load(job.folder / "a.mp4" / "motion.npz")
    assert motion.header.source == clips[0].source
    table = write_table(outcomes, job.folder)
    if table.suffix == ".parquet":
        from pyarrow.parquet import read_table

        rows = read_table(table).to_pylist()
    else:
        rows = [json.loads(line) for line in table.read_text().splitlines()]
    assert [(row["name"], row["status"], row["frames"]) for row in rows] == [
        ("a.mp4", DONE, 7),
        ("b.mp4", FAILED, 0),
    ]
    assert rows[0]["motion_sha256"] == good.motion_sha256


def test_a_rerun_does_what_is_missing_failed_or_changed(tmp_path, job):
    for name in ("a", "b", "c"):
        film(tmp_path / "in" / f"{name}.mp4")
    film(tmp_path / "in" / "d.mp4", FAULTS)
    clips = clips_of([str(tmp_path / "in")])
    done = []

    def noting(clips, job, limits):
        done.extend(clip.name for clip in clips)
        return in_turn(clips, job, limits)

    assert [one.status for one in run_batch(clips, job, noting)] == [DONE, DONE, DONE, FAILED]
    (job.folder / "b.mp4" / "motion.npz").unlink()
    film(tmp_path / "in" / "c.mp4", frames=9)
    done.clear()
    again = run_batch(clips, job, noting)
    assert sorted(done) == ["b.mp4", "c.mp4", "d.mp4"]
    assert again[2].frames == 9
    assert "ZeroDivisionError" in again[3].error
    done.clear()
    run_batch([replace(clips[0], end_s=0.5)], job, noting)  # something else is asked for
    assert done == ["a.mp4"]
    assert read_outcome(job.folder / "a.mp4").frames < 6


def test_networks_are_loaded_once(tmp_path, job):
    from choros.batch.work import loaded

    loaded.cache_clear()
    before = Shades.loads
    for name in ("a", "b", "c"):
        film(tmp_path / "in" / f"{name}.mp4", frames=2)
    run_batch(clips_of([str(tmp_path / "in")]), job, in_turn)
    assert Shades.loads == before + 1


def test_without_pyarrow_it_is_lines(tmp_path, job, monkeypatch):
    film(tmp_path / "in" / "a.mp4", frames=2)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    job.folder.mkdir()
    table = write_table(run_batch(clips_of([str(tmp_path / "in")]), job, in_turn), job.folder)
    assert table.name == "batch.jsonl"
    assert json.loads(table.read_text())["name"] == "a.mp4"


def test_fetched_clips_are_as_those_at_hand(tmp_path, job):
    fsspec = pytest.importorskip("fsspec")
    film(tmp_path / "a.mp4", frames=4)
    fsspec.filesystem("memory").pipe("/in/a.mp4", (tmp_path / "a.mp4").read_bytes())
    (outcome,) = run_batch(clips_of(["memory://in/a.mp4"]), job, in_turn)
    assert (outcome.status, outcome.frames) == (DONE, 4)
    motion = Motion.load(job.folder / "a.mp4" / "motion.npz")
    assert motion.header.source == outcome.source == "memory://in/a.mp4"
    assert sorted(path.name for path in (job.folder / "a.mp4").iterdir()) == [
        "motion.npz",
        "outcome.json",
        "tracks.txt",
    ]


def test_another_choice_is_refused(tmp_path):
    check_same_batch(tmp_path, {"system": "x", "fast": True})
    check_same_batch(tmp_path, {"system": "x", "fast": True})
    with pytest.raises(ChorosError, match=r"begun with fast true, this batch is with as it comes"):
        check_same_batch(tmp_path, {"system": "x"})


def test_time_left_goes_by_what_is_behind(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    clips = []
    for name, size in (("a", 1000), ("b", 3000)):
        (tmp_path / name).write_bytes(b"x" * size)
        clips.append(Clip(str(tmp_path / name), name))
    state = State(2, began=100.0)
    state.expect(clips)
    assert state.left_s() is None
    clock[0] = 110.0
    state.add(Standing(clips[1], Now(50, 150, 1.0)))  # a third of three quarters in ten seconds
    assert state.left_s() == pytest.approx(30)
    assert state.frames_per_s() == pytest.approx(5)


@pytest.mark.slow
def test_whatever_befalls_a_clip_the_others_are_done(tmp_path, job):
    """Processes: one crashes, one hangs, one takes all memory; and a second run is of these alone."""
    befalls = {"crash": CRASHES, "hang": HANGS, "swell": SWELLS, "fault": FAULTS}
    for name, shade in befalls.items():
        film(tmp_path / "in" / f"{name}.mp4", shade)
    for name in ("one", "two"):
        film(tmp_path / "in" / f"{name}.mp4")
    limits = Limits(workers=2, seconds=10, memory_mb=1000)
    outcomes = {one.name: one for one in run_batch(clips_of([str(tmp_path / "in")]), job, run_pool, limits)}
    said = {name.partition(".")[0]: one.status for name, one in outcomes.items()}
    assert said == {
        "crash": CRASHED,
        "hang": TOO_LONG,
        "swell": TOO_LARGE,
        "fault": FAILED,
        "one": DONE,
        "two": DONE,
    }
    assert "SIGSEGV" in outcomes["crash.mp4"].error
    assert read_outcome(job.folder / "swell.mp4").status == TOO_LARGE
    film(tmp_path / "in" / "crash.mp4")  # mended
    mended = [clip for clip in clips_of([str(tmp_path / "in")]) if clip.name in ("crash.mp4", "one.mp4")]
    again = run_batch(mended, job, run_pool, Limits(workers=1))
    assert [one.status for one in again] == [DONE, DONE]
    alone = replace(job, folder=tmp_path / "alone")
    run_batch(mended, alone, in_turn)
    assert files(alone.folder).items() <= files(job.folder).items()


def test_what_cannot_be_loaded_ends_the_batch(tmp_path):
    film(tmp_path / "in" / "a.mp4")
    job = Job(unloadable, TrackOptions(), tmp_path / "out")
    with pytest.raises(ChorosError, match="no such weights"):
        run_batch(clips_of([str(tmp_path / "in")]), job, run_pool, Limits(workers=1))


SCRIPT = """
import sys
from pathlib import Path
from choros.batch import Limits, clips_of, run_batch
from choros.batch.pool import run_pool
from choros.batch.work import Job
from choros.options import TrackOptions
from tests.batch.shades import load
if __name__ == "__main__":
    job = Job(load, TrackOptions(), Path(sys.argv[2]))
    try:
        run_batch(clips_of([sys.argv[1]]), job, run_pool, Limits(workers=1))
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_what_is_stopped_goes_on_to_the_same_bytes(tmp_path, job, how):
    film(tmp_path / "in" / "slow.mp4", SLOW, frames=60)
    (tmp_path / "run.py").write_text(SCRIPT)
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), str(root / "src"), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, tmp_path / "run.py", tmp_path / "in", job.folder],
        env=os.environ | {"PYTHONPATH": paths},
    )
    journal = job.folder / "slow.mp4" / "motion.npz.journal"
    until = time.monotonic() + 120
    while not (journal / "checkpoint").exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(how)
    assert process.wait(60) == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert journal.exists()
    if how == signal.SIGINT:
        assert read_outcome(job.folder / "slow.mp4").status == STOPPED
    else:  # the worker, who is alone now, has noticed when its lock is free
        until = time.monotonic() + 20
        while (job.folder / "slow.mp4" / "motion.npz.lock").exists() and time.monotonic() < until:
            time.sleep(0.1)
    (outcome,) = run_batch(clips_of([str(tmp_path / "in")]), job, in_turn)
    assert (outcome.status, outcome.frames) == (DONE, 60)
    alone = replace(job, folder=tmp_path / "alone")
    run_batch(clips_of([str(tmp_path / "in")]), alone, in_turn)
    assert files(alone.folder) == files(job.folder)
    shutil.rmtree(alone.folder)
