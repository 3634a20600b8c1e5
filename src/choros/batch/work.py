"""One clip, done: fetched where it is far away, tracked, gone on with where it was stopped, and told of.

This is all that a worker does, whoever started it, so that the same clip gives the same bytes in any of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from choros.batch.clips import Clip
from choros.batch.outcome import (
    BEGUN,
    DONE,
    FAILED,
    MOTION,
    STOPPED,
    TOO_LARGE,
    Outcome,
    read_outcome,
    state_of,
)
from choros.batch.sources import at_hand
from choros.errors import ChorosError
from choros.options import TrackOptions
from choros.outputs import claimed
from choros.run_identity import sha256_of
from choros.threads import at_most
from choros.track_video import Progress, Tracked, track_to_file
from choros.tracking.stream import System
from choros.video import Gap

PATIENCE_S = 30.0  # with another process that still has a clip

#: Loads the system of the batch, with the statures of a clip's people; one that can be sent to another process.
Load = Callable[..., System]


class Now(NamedTuple):
    """Where a clip stands; sent along while it is tracked."""

    frames: int
    frames_hint: int | None
    memory_mb: float


@dataclass(frozen=True)
class Job:
    """What every worker needs besides the clips."""

    load: Load
    options: TrackOptions
    folder: Path


def track_clip(clip: Clip, job: Job, tell: Callable[[Now], None] = lambda _: None) -> Outcome:
    """Track a clip into its folder of the batch and write its outcome there.

    Whatever is wrong with it stands in the outcome. ``KeyboardInterrupt`` comes through, when what was done until then
    is written and the outcome says so.
    """
    folder = job.folder / clip.name
    began = time.monotonic()
    before = read_outcome(folder)
    outcome = Outcome(clip.name, clip.source, BEGUN, clip.request(), input=state_of(clip.source))
    same = before is not None and (before.request, before.input) == (outcome.request, outcome.input)
    try:
        with _claimed_in_time(folder / MOTION):
            outcome.write(folder)
            outcome = _tracked(clip, job, outcome, same, tell)
    except ChorosError as error:
        outcome = replace(outcome, status=FAILED, error=str(error))
    except MemoryError:
        outcome = replace(
            outcome, status=TOO_LARGE, error=f"{clip.source}: there was not memory enough for it."
        )
    except KeyboardInterrupt:
        replace(outcome, status=STOPPED, took_s=_since(began), memory_mb=peak_mb()).write(folder)
        raise
    except OSError as error:
        why = f"{error.filename or folder}: {error.strerror or type(error).__name__}"
        outcome = replace(outcome, status=FAILED, error=f"{why}; check the path and the space left.")
    except Exception as error:  # a fault of ours in one clip is no reason to leave out the others
        outcome = replace(outcome, status=FAILED, error=f"{clip.source}: {type(error).__name__}: {error}")
    outcome = replace(outcome, took_s=_since(began), memory_mb=peak_mb())
    outcome.write(folder)
    return outcome


@contextmanager
def _claimed_in_time(output: Path) -> Iterator[None]:
    """As `claimed`, but whoever was given up and is only about to notice is waited for."""
    until = time.monotonic() + PATIENCE_S
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(claimed(output))
                break
            except ChorosError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        yield


def _tracked(clip: Clip, job: Job, outcome: Outcome, resume: bool, tell: Callable[[Now], None]) -> Outcome:
    motion = job.folder / clip.name / MOTION
    options = clip.options(job.options)

    def progress(now: Progress) -> None:
        tell(Now(now.n_frames, now.info.n_frames_hint, peak_mb()))

    with at_hand(clip.source, motion.parent) as source, at_most(1):
        system = loaded(job.load, clip.subjects)

        def track(on: bool) -> Tracked:
            return track_to_file(
                source, motion, system, options, resume=on, called=clip.source, progress=progress
            )

        try:
            done = track(resume)
        except ChorosError:
            if not resume:
                raise
            done = track(False)  # what was begun is of something else by now
    return _told(outcome, done, motion)


@lru_cache(maxsize=1)
def loaded(load: Load, subjects: tuple[tuple[int, float], ...]) -> System:
    """The system of this process; networks are loaded once, unless people's statures are told clip by clip."""
    with at_most(1):  # detectors have as many threads as there are when they are made
        return load(heights_m=dict(subjects)) if subjects else load()


def _told(outcome: Outcome, done: Tracked, motion: Path) -> Outcome:
    with np.load(motion, allow_pickle=False) as stored:
        pts = stored["pts"].astype(np.float64)
    lost = [f"{gap.start_s:.3f} s to {_end(gap)}: {gap.reason}" for gap in done.gaps]
    return replace(
        outcome,
        status=DONE,
        frames=done.n_frames,
        people=_people(motion) if done.n_people is None else done.n_people,
        video_s=round(float(pts[-1, 0] / pts[-1, 1] - pts[0, 0] / pts[0, 1]), 6) if len(pts) else 0.0,
        gaps=len(lost),
        lost="; ".join(lost),
        warnings="; ".join(done.notes),
        motion_sha256=sha256_of(motion),
        tracks_sha256=sha256_of(motion.with_name("tracks.txt")),
    )


def _end(gap: Gap) -> str:
    return "the end" if gap.end_s is None else f"{gap.end_s:.3f} s"


def _people(motion: Path) -> int:
    """Who was seen, of a run that had come to its end before."""
    from choros.motion import Motion

    made = Motion.load(motion)
    return len(np.unique(made.rows["person"][made.rows["visible"]]))


def peak_mb() -> float:
    """The most memory that this process ever had, MB; 0 where nobody knows."""
    try:
        import resource
    except ImportError:
        return 0.0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1e6 if sys.platform == "darwin" else 1e3)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
