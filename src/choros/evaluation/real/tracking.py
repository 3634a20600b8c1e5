"""Identities on vtest.avi, which is PETS09-S2L1 of 2D MOT 2015, against its ground truth.

Two readings of one motion: all rows of its file, as ``Motion.write_mot`` writes them (people predicted between two
sights count), and seen rows alone. Rules were tuned on frames 1 to 400, so the other half is told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.detection import PersonFinder
from choros.errors import ChorosError
from choros.evaluation.bodies import joints_m
from choros.evaluation.metrics.hota import hota
from choros.evaluation.metrics.tracking import (
    TrackingFrames,
    clear,
    clear_matches,
    frames_from_boxes,
    identity,
)
from choros.motion import Motion
from choros.video import open_video

VIDEO, TRUTH = Path("clips/vtest.avi"), Path("real/vtest_gt.csv")

#: Frames, counted from 1, of the half that rules may be tuned on, and of the other.
HALVES = {"1_400": (1, 400), "401_795": (401, 795)}

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Boxes(NamedTuple):
    """Boxes of people over time, one row each."""

    frame: Ints  # (N,) from 0
    person: Ints  # (N,)
    box_px: Floats  # (N, 4) xyxy

    def between(self, first: int, last: int) -> Boxes:
        """Those of frames ``first`` to ``last``, counted from 0, both included."""
        inside = (self.frame >= first) & (self.frame <= last)
        return Boxes(self.frame[inside], self.person[inside], self.box_px[inside])


@dataclass(frozen=True, eq=False)
class TrackingTruth:
    """Who is where: boxes, and places on the ground."""

    boxes: Boxes
    ground_m: Floats  # (N, 2)


def read_truth(footage: Path) -> TrackingTruth:
    """The ground truth under a folder of footage. Raises ChorosError if it is missing or something else."""
    path = footage / TRUTH
    try:
        table = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise ChorosError(f"{path} is no table of PETS09-S2L1's truth ({error}).") from error
    if table.shape[1] != 10:
        raise ChorosError(f"{path} has {table.shape[1]} columns, not 10; see docs/benchmarks.md.")
    corner, size = table[:, 2:4], table[:, 4:6]
    frame, person = table[:, 0].astype(np.int64) - 1, table[:, 1].astype(np.int64)
    return TrackingTruth(Boxes(frame, person, np.hstack([corner, corner + size])), table[:, 7:9])


def rows_of_file(motion: Motion) -> NDArray[np.void]:
    """The rows that ``Motion.write_mot`` writes, (n,) ROW: nobody after their last sight."""
    rows = motion.rows
    last = np.full(int(rows["person"].max(initial=0)) + 1, -1)
    seen = rows[rows["visible"]]
    np.maximum.at(last, seen["person"], seen["frame"])
    return rows[rows["frame"] <= last[rows["person"]]]


def boxes_of(rows: NDArray[np.void]) -> Boxes:
    """Boxes of (n,) ``motion.ROW``."""
    return Boxes(
        rows["frame"].astype(np.int64), rows["person"].astype(np.int64), rows["box_px"].astype(np.float64)
    )


def compared(truth: Boxes, said: Boxes) -> TrackingFrames:
    """Truth and answer as the metrics take them."""
    return frames_from_boxes(*truth, *said)


def scores(truth: Boxes, said: Boxes) -> dict[str, float]:
    """HOTA and its parts, IDF1, MOTA and its counts."""
    frames = compared(truth, said)
    whole = hota(frames) | identity(frames) | clear(frames)
    names = (
        "HOTA", "DetA", "AssA", "LocA", "IDF1", "MOTA", "id_switches", "fragmentations", "false_positives",
        "false_negatives",
    )  # fmt: skip
    return {name: float(whole[name]) for name in names}


def vtest_row(motion: Motion, footage: Path) -> dict[str, float]:
    """All measures of a motion of vtest.avi.

    Plain names are of all rows of the file, ``*_seen`` of seen rows, ``*_1_400`` and ``*_401_795`` of the two halves
    (all rows). A motion in the world has ``ground_error_m`` and ``ground_scale`` too, see ``on_the_ground``.
    """
    truth, rows = read_truth(footage), rows_of_file(motion)
    everything = boxes_of(rows)
    measures = scores(truth.boxes, everything)
    parts = {"seen": (truth.boxes, boxes_of(rows[rows["visible"]]))}
    for name, (first, last) in HALVES.items():
        parts[name] = (truth.boxes.between(first - 1, last - 1), everything.between(first - 1, last - 1))
    for name, (true, said) in parts.items():
        measures |= {f"{key}_{name}": value for key, value in scores(true, said).items()}
    if motion.space == "world":
        measures |= on_the_ground(replace(motion, rows=rows), truth)
    return measures


def on_the_ground(motion: Motion, truth: TrackingTruth, body: BodyModel | None = None) -> dict[str, float]:
    """How far people's pelvises stand from the truth on the ground, after one turn and shift for the whole clip.

    Of pairs with an IoU of a half. ``ground_error_m`` is the median, ``ground_mean_m`` the mean; ``ground_scale`` is
    how many metres of the motion one of the truth is, by the similarity that fits best. NaN with fewer than two pairs.
    """
    matches = clear_matches(compared(truth.boxes, boxes_of(motion.rows)))
    # The metrics number detections by frame, in the order of the rows within each.
    true = truth.ground_m[np.argsort(truth.boxes.frame, kind="stable")][matches.gt]
    rows = motion.rows[matches.pred]
    if len(rows) < 2:
        return dict.fromkeys(("ground_error_m", "ground_mean_m", "ground_scale"), float("nan"))
    said = joints_m(rows, body or BodyModel.load())[:, 0, :2].astype(np.float64)
    true_centred, said_centred = true - true.mean(0), said - said.mean(0)
    # In the plane a turn is a complex number of length 1: that of the sum of said times conjugated truth.
    a, b = true_centred @ [1, 1j], said_centred @ [1, 1j]
    inner = (np.conj(a) * b).sum()
    turn = inner / max(abs(inner), 1e-12)
    off_m = abs(turn * a - b)
    return {
        "ground_error_m": float(np.median(off_m)),
        "ground_mean_m": float(off_m.mean()),
        "ground_scale": float(abs(inner) / (abs(a) ** 2).sum()),
    }


# --- bare boxes -----------------------------------------------------------------------------------


class DetectedBoxes(NamedTuple):
    """What a detector found in one frame."""

    boxes_px: NDArray[np.floating]  # (n, 4) xyxy
    scores: NDArray[np.floating]  # (n,)


def found_boxes(
    footage: Path, finder: PersonFinder, progress: Callable[[int], None] = lambda done: None
) -> list[DetectedBoxes]:
    """Everyone whom a finder finds in vtest.avi, frame by frame: what a tracker of boxes is given."""
    found = []
    with open_video(footage / VIDEO) as video:
        for frame in video:
            people = finder.find(frame.image)
            found.append(DetectedBoxes(people.boxes_px, people.scores))
            progress(len(found))
    return found


def box_tracker_row(found: Iterable[DetectedBoxes], footage: Path) -> dict[str, float]:
    """The same measures of C-BIoU (Yang et al., WACV 2023) as ``trackers`` of PyPI has it, on bare boxes.

    Raises ChorosError if ``trackers`` is not installed.
    """
    try:
        from supervision import Detections
        from trackers import CBIoUTracker
    except ImportError as error:
        raise ChorosError(
            "the tracker of bare boxes needs trackers 2.6.1: pip install trackers==2.6.1"
        ) from error
    tracker, parts = CBIoUTracker(), []
    for frame, (boxes_px, confidence) in enumerate(found):
        given = Detections(
            xyxy=np.asarray(boxes_px, np.float32),
            confidence=np.asarray(confidence, np.float32),
            class_id=np.zeros(len(boxes_px), int),
        )
        tracked = tracker.update(given)
        ids = np.full(len(tracked), -1) if tracked.tracker_id is None else tracked.tracker_id
        known = ids >= 0  # the rest are not confirmed
        parts.append(
            Boxes(
                np.full(int(known.sum()), frame),
                ids[known].astype(np.int64),
                tracked.xyxy[known].astype(float),
            )
        )
    said = Boxes(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    truth = read_truth(footage).boxes
    measures = scores(truth, said)
    for name, (first, last) in HALVES.items():
        half = scores(truth.between(first - 1, last - 1), said.between(first - 1, last - 1))
        measures |= {f"{key}_{name}": value for key, value in half.items()}
    return measures
