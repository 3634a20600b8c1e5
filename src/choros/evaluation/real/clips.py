"""Clips without truth: agreement with MoveNet Thunder's keypoints, and how steady the bodies are.

Agreement is PCK@.05: of the keypoints that Thunder is sure of, in people that the embedded detector is sure of, the
share within 5 % of the longer side of the person's box of where the body that overlaps that box most has them; a
person whom nobody overlaps by half counts as missed in all. "found" is the share of these people who are overlapped.
Jitter is the median third derivative of all joints about the pelvis, over runs of one person. The lifter sees
keypoints of MoveNet, so agreement favours it; identities are for eyes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.detection import Detections, PersonFinder
from choros.evaluation.bodies import joints_m, keypoints_m
from choros.evaluation.metrics.motion_quality import jitter_m_s3
from choros.evaluation.real.people import projected
from choros.evaluation.real.pictures import body_of
from choros.evaluation.real.result import Result, ResultPicture
from choros.evaluation.sources import ProgressCall
from choros.keypoints import box_iou
from choros.motion import Motion
from choros.options import TrackOptions
from choros.track_video import track
from choros.tracking.stream import System
from choros.video import open_video

#: Below these the other network is not believed.
SURE_PERSON, SURE_KEYPOINT = 0.5, 0.5

_OVERLAP = 0.5  # of a person's box and the row that is taken for them
_NEAR = 0.05  # of the longer side of the box: agreement

FoundPeople = Mapping[Fraction, Detections]


class Agreement(NamedTuple):
    """Counts over a clip."""

    right: int  # keypoints that agree
    asked: int
    found: int  # people overlapped
    people: int


def found_by(clip: Path, finder: PersonFinder, seconds: float, progress: ProgressCall) -> FoundPeople:
    """What ``finder`` (Thunder's) sees in each frame of the first ``seconds`` of a clip, people that are sure only."""
    seen = {}
    with open_video(clip, None, seconds) as video:
        for frame in video:
            progress(f"Thunder: {clip.name}", frame.index, video.info.n_frames_hint)
            people = finder.find(frame.image)
            seen[frame.pts] = people[people.scores >= SURE_PERSON]
    return seen


def agreement(motion: Motion, seen: FoundPeople, body: BodyModel) -> Agreement:
    """How far the bodies of a motion in camera space agree with what was seen at the same time stamps."""
    points_px = projected(keypoints_m(motion.rows, body), motion.K[motion.rows["frame"]][:, None])
    index_of = {pts: index for index, pts in enumerate(motion.pts)}
    right = asked = found = people = 0
    for pts, there in seen.items():
        if (index := index_of.get(pts)) is None:
            continue
        mine = np.flatnonzero(motion.rows["frame"] == index)
        overlap = box_iou(there.boxes_px, motion.rows["box_px"][mine])
        for person, (x0, y0, x1, y1) in enumerate(there.boxes_px):
            sure = there.keypoints[person, :, 2] >= SURE_KEYPOINT
            asked, people = asked + int(sure.sum()), people + 1
            if not len(mine) or overlap[person].max() < _OVERLAP:
                continue
            body_px = points_px[mine[overlap[person].argmax()]]
            error = np.linalg.norm(body_px - there.keypoints[person, :, :2], axis=-1)
            right += int((error[sure] < _NEAR * max(x1 - x0, y1 - y0)).sum())
            found += 1
    return Agreement(right, asked, found, people)


def jitter(motion: Motion, body: BodyModel) -> float:
    """m/s³, joints about the pelvis, over people who were there in four frames one after the other; NaN if nobody."""
    values, shot = [], motion.shot
    for person in np.unique(motion.rows["person"]):
        rows = motion.rows[motion.rows["person"] == person]
        apart = (np.diff(rows["frame"]) != 1) | (np.diff(shot[rows["frame"]]) != 0)
        for run in np.split(rows, np.flatnonzero(apart) + 1):
            if len(run) > 3:
                joints = joints_m(run, body)
                values.append(np.ravel(jitter_m_s3(joints - joints[:, :1], float(motion.fps))))
    return float(np.median(np.concatenate(values))) if values else float("nan")


def measure(
    name: str,
    system: System,
    clip: Path,
    seen: FoundPeople,
    seconds: float,
    progress: ProgressCall,
    tracked: Callable[[str, Motion], None] = lambda clip, motion: None,
) -> Result:
    """The row of one clip, its first ``seconds``."""
    progress(f"{name}: {clip.name}", 0, None)
    motion, body = track(clip, system, TrackOptions(end_s=seconds)), body_of(system)
    tracked(clip.stem, motion)
    counts = agreement(motion, seen, body)
    metrics = {
        "agreement": counts.right / counts.asked if counts.asked else float("nan"),
        "found": counts.found / counts.people if counts.people else float("nan"),
        "ids": float(len(np.unique(motion.rows["person"]))),
        "jitter_m_s3": jitter(motion, body),
        **{key: float(value) for key, value in counts._asdict().items() if key != "found"},
    }
    return Result("clips", clip.name, name, metrics, [], shots_of(clip, motion, 12))


def shots_of(video: Path, motion: Motion, count: int) -> list[ResultPicture]:
    """``count`` frames of a motion, evenly over its time, with whom the system sees in them."""
    shots = []
    for frame in np.linspace(0, len(motion) - 1, count).astype(int).tolist():
        rows: NDArray[np.void] = motion.in_frame(frame)
        caption = f"{video.stem} {float(motion.pts[frame]):.1f} s"
        K = motion.frames["K"][frame]
        shots.append(ResultPicture(video, motion.pts[frame], rows[rows["visible"]], K, caption))
    return shots
