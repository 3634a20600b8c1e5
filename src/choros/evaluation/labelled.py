"""A predicted motion against what a public set tells of its people: boxes, keypoints or joints, whatever it has.

The same `Comparison` as of two motions comes out, so that the same tables are made of it; what a set does not
tell is not measured (None in the records): of joints without SMPL no skin, of pictures no identities, and where
not everybody is labelled, nothing that counts people who were found for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.camera import project, project_in_front
from choros.datasets.sample import PersonLabel, Sample, to_coco17
from choros.errors import ChorosError
from choros.evaluation.bodies import T_camera_space, joints_m, keypoints_m, moved
from choros.evaluation.compare import ON_KEYPOINTS, Comparison
from choros.evaluation.metrics.motion_quality import acceleration_error_mm_s2
from choros.evaluation.metrics.pose import joint_errors_mm, mpjpe_mm, pa_mpjpe_mm, pck_3d
from choros.evaluation.metrics.posetrack import in_ignore_region
from choros.evaluation.metrics.tracking import (
    TrackingFrames,
    clear_matches,
    frames_from_boxes,
    frames_from_keypoints,
)
from choros.evaluation.world_errors import Mean, mean_of, unbroken_runs
from choros.keypoints import AREA_OF_BOX, box_area, box_iou
from choros.motion import ROW, Motion
from choros.skeleton import JOINT_NAMES
from choros.video import picture
from choros.video.images import pictures_in
from choros.video.numbering import numbering_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.void]

#: Joints that every set has under these names: the pelvis and the limbs. Sets place them a little apart from SMPL's
#: joints (Human3.6M's hips are wider): tables of papers take other joints, by a regressor that we do not have.
JOINTS13 = (
    "pelvis", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip

#: What cannot be said where not everybody is labelled, and of pictures that have nothing to do with each other.
_OF_EVERYBODY = ("HOTA", "DetA", "AssA", "IDF1", "IDP", "IDR", "MOTA")
_OF_IDENTITY = ("HOTA", "AssA", "IDF1", "IDP", "IDR", "id_switches", "fragmentations")

#: Overlap (IoU) at which a prediction is one that is neither right nor wrong, as at which it is right.
_MATCH = 0.5


@dataclass(frozen=True, eq=False)
class LabelledVideo:
    """The frames of one video that a set labels, in order, and what can be measured on them."""

    video: Path  # a film, a folder of its pictures, or a picture
    samples: Sequence[Sample]
    fps: Fraction = Fraction(30)
    everybody: bool = True  # all who are to be seen are labelled, or lie in regions to ignore
    identities: bool = True  # who is who is known from frame to frame

    @property
    def unmeasured(self) -> frozenset[str]:
        """Scores of people and identities that this set has no truth for."""
        names = (() if self.everybody else _OF_EVERYBODY) + (() if self.identities else _OF_IDENTITY)
        return frozenset(names) | {f"{name}_oks" for name in names if name in ON_KEYPOINTS}


@dataclass(frozen=True, eq=False)
class _Truth:
    """All people of the labelled frames as rows, their joints beside them."""

    rows: Rows  # (n,) frame, person, box_px, keypoints_px; ``visible`` throughout
    joints_cam: Floats  # (n, J, 3) metres, NaN where the set tells none
    names: tuple[str, ...]  # J of them
    boxed: bool  # boxes are the set's own, not made from points


def compare_labelled(truth: LabelledVideo, prediction: Motion, body: BodyModel | None = None) -> Comparison:
    """Match a prediction with the labels of its video, in the frames that have any, and take what errors there are.

    People are matched by IoU of boxes, which are not cut at the edge. Where a set has no boxes they are those around
    its points, and of a prediction around its body's same joints. body: the prediction's; None takes the open one.
    Frames are told by the source's own numbers, so that one which could not be read shifts no others; whoever is
    labelled in it was not found. Raises ChorosError if the labels go on after the prediction's last frame.
    """
    body = body or BodyModel.load()
    samples = [sample for sample in truth.samples if sample.labelled]
    frames, places = labelled_places(truth, samples), predicted_places(truth, prediction)
    n_frames = int(places.max(initial=-1)) + 1
    if frames.max(initial=-1) >= n_frames:
        raise ChorosError(
            f"{truth.video} is labelled as far as frame {frames.max()}, and the prediction "
            f"has {n_frames} frames; compare motions of the same video."
        )
    true = _truth(samples, frames)
    said = _answers(prediction, places, frames)
    K, T_cam = prediction.K, T_camera_space(prediction)

    def frame_of(rows: Rows) -> NDArray[np.intp]:
        """The prediction's frame of each row (n,)."""
        return np.searchsorted(places, rows["frame"])

    joints_cam = moved(T_cam[frame_of(said)], joints_m(said, body))
    names = [JOINT_NAMES.index(name) for name in true.names]
    joints_px, in_front = project_in_front(joints_cam[:, names], K[frame_of(said)][:, None])
    if not true.boxed and len(said):
        said["box_px"] = np.concatenate([joints_px.min(1), joints_px.max(1)], -1)
        said, joints_cam = said[in_front.all(-1)], joints_cam[in_front.all(-1)]
    keep = _counted(true.rows, said, samples, frames, truth.everybody)
    said, joints_cam = said[keep], joints_cam[keep]

    boxes = _by_boxes(true.rows, said)
    matches = clear_matches(boxes)
    found = np.zeros(len(true.rows), bool)
    found[matches.gt] = True
    a, b = true.rows[matches.gt], said[matches.pred]
    errors_mm, means = _errors(
        true.joints_cam[matches.gt], joints_cam[matches.pred][:, names], a, b, truth.fps
    )
    means["recall_visible"] = mean_of(found)
    points_cam = moved(T_cam[frame_of(b)], keypoints_m(b, body))
    points_px, _ = project_in_front(points_cam, K[frame_of(b)][:, None])
    comparison = Comparison(
        boxes, _by_keypoints(true.rows, said), means, n_frames, float(truth.fps), true.rows, a, b, errors_mm,
        points_px, truth.unmeasured,
    )  # fmt: skip
    means["pck_05"], means["pck_10"] = comparison.pck(0.05), comparison.pck(0.1)
    return comparison


def labelled_places(truth: LabelledVideo, samples: Sequence[Sample]) -> NDArray[np.int64]:
    """Where in the video each sample is: a film's own numbers, or places among the pictures of a folder, from 0."""
    if not truth.video.is_dir():
        single = truth.video.suffix.lower() in picture.SUFFIXES
        return np.array([0 if single else sample.frame for sample in samples], np.int64)
    place = {path.name: number for number, path in enumerate(pictures_in(truth.video))}
    try:
        return np.array([place[sample.image.name] for sample in samples if sample.image], np.int64)
    except KeyError as error:
        raise ChorosError(
            f"{truth.video} lacks the picture {error}; fetch the set's pictures again."
        ) from error


def predicted_places(truth: LabelledVideo, prediction: Motion) -> NDArray[np.int64]:
    """Where in the video each of the prediction's frames is, (T,), ascending.

    Numbers that were counted are such places; of those in the names of pictures the folder tells.
    """
    if prediction.header.numbers != "named" or not len(prediction):
        return prediction.number
    if not truth.video.is_dir():  # a single picture, or a film whose frames were tracked as pictures
        return prediction.number - prediction.number[0]
    named = np.array(numbering_of([path.name for path in pictures_in(truth.video)]).numbers)
    if not np.isin(prediction.number, named).all():
        raise ChorosError(
            f"the prediction has pictures by numbers that {truth.video} lacks; compare motions of the same video."
        )
    return np.searchsorted(named, prediction.number)


def _truth(samples: Sequence[Sample], frames: NDArray[np.int64]) -> _Truth:
    """The people who have a box, or points to make one from."""
    boxed = any(person.box_px is not None for sample in samples for person in sample.people)
    told = {name for sample in samples for person in sample.people for name in person.joint_names}
    names = JOINT_NAMES if told.issuperset(JOINT_NAMES) else tuple(name for name in JOINTS13 if name in told)
    numbers: dict[str, int] = {}
    rows: list[NDArray[np.void]] = []
    joints: list[Floats] = []
    for sample, frame in zip(samples, frames, strict=True):
        for person in sample.people:
            joints_cam = _joints(sample, person, names)
            box = person.box_px if boxed else _box_of(sample, person, joints_cam)
            if box is None:
                continue
            row = np.zeros((), ROW)
            name = f"{frame} {len(rows)}" if person.identity is None else str(person.identity)
            row["person"] = numbers.setdefault(name, len(numbers) + 1)
            row["frame"], row["visible"], row["box_px"] = frame, True, box
            row["keypoints_px"] = to_coco17(person)
            rows.append(row)
            joints.append(joints_cam)
    table = np.array(rows, ROW)
    order = np.argsort(table["frame"], kind="stable")
    return _Truth(table[order], np.array(joints).reshape(len(rows), len(names), 3)[order], names, boxed)


def _joints(sample: Sample, person: PersonLabel, names: tuple[str, ...]) -> Floats:  # (J, 3) camera axes, NaN
    joints = np.full((len(names), 3), np.nan)
    if person.joints_m is None:
        return joints
    places = dict(zip(person.joint_names, person.joints_m, strict=True))
    joints = np.array([places.get(name, np.full(3, np.nan)) for name in names]).reshape(-1, 3)
    if sample.space == "world":
        if sample.T_world_camera is None:
            return np.full((len(names), 3), np.nan)
        T = np.linalg.inv(sample.T_world_camera)
        joints = joints @ T[:3, :3].T + T[:3, 3]
    return joints


def _box_of(sample: Sample, person: PersonLabel, joints_cam: Floats) -> Floats | None:
    """Around the joints in the picture: projected, or as the set has them in 2D under the same names."""
    if sample.K is not None and len(joints_cam) and np.isfinite(joints_cam).all():
        points = project(joints_cam, sample.K)
    elif person.keypoints_px is not None and person.joints_m is not None:
        named = zip(person.keypoint_names, person.keypoints_px, strict=True)
        points = np.array([point[:2] for name, point in named if name in JOINTS13 and point[2] > 0]).reshape(
            -1, 2
        )
    else:
        return None
    return np.concatenate([points.min(0), points.max(0)]) if len(points) else None


def _answers(prediction: Motion, places: NDArray[np.int64], frames: NDArray[np.int64]) -> Rows:
    """What is said of the labelled frames: rows until their person is last seen, as in ``tracks.txt``.

    Their ``frame`` is the place in the video.
    """
    rows = prediction.rows.copy()
    rows["frame"] = places[rows["frame"]]
    last = {
        person: frame
        for person, frame in zip(*(rows[rows["visible"]][k] for k in ("person", "frame")), strict=True)
    }
    until = np.array([last.get(person, -1) for person in rows["person"]], np.int64)
    return rows[(rows["frame"] <= until) & np.isin(rows["frame"], frames)]


def _counted(
    true: Rows, said: Rows, samples: Sequence[Sample], frames: NDArray[np.int64], everybody: bool
) -> Bools:
    """Which answers (n,) are right or wrong: not who matches a person that is neither, nor lies in a region to ignore.

    As MOTChallenge's and PoseTrack's own evaluations do, answers are first matched with all boxes, people's and
    others', as well as can be in each frame. Where not everybody is labelled, who matches nobody is not counted.
    """
    keep = np.ones(len(said), bool)
    for sample, frame in zip(samples, frames, strict=True):
        here = np.flatnonzero(said["frame"] == frame)
        people = true["box_px"][true["frame"] == frame].astype(np.float64)
        neither = np.reshape(sample.neither_px, (-1, 4))
        likeness = box_iou(np.concatenate([people, neither]), said["box_px"][here])
        partner = _partners(likeness)
        unmatched = partner < 0
        ignored = partner >= len(people)
        if sample.ignore_px and unmatched.any():
            ignored |= unmatched & in_ignore_region(said["box_px"][here], sample.ignore_px)
        if not everybody:
            ignored |= unmatched
        keep[here] = ~ignored
    return keep


def _partners(likeness: Floats) -> NDArray[np.int64]:  # (n, m) -> (m,) row of each column's match, else -1
    from scipy.optimize import linear_sum_assignment

    score = np.where(likeness >= _MATCH - 1e-9, likeness, 0)
    rows, columns = linear_sum_assignment(-score)
    good = score[rows, columns] > 0
    partner = np.full(likeness.shape[1], -1)
    partner[columns[good]] = rows[good]
    return partner


def _errors(
    true: Floats, said: Floats, true_rows: Rows, said_rows: Rows, fps: Fraction
) -> tuple[Floats, dict[str, Mean]]:
    """MPJPE (k,) mm, NaN where there is no truth, and the means; joints (k, J, 3) in camera axes."""
    errors = np.full(len(true), np.nan)
    if true.shape[1] < 3:
        return errors, {}
    known = np.isfinite(true).all((1, 2))
    a, b = true[known], said[known]
    errors[known] = mpjpe_mm(b, a)
    runs = unbroken_runs(true_rows[known], said_rows[known])
    about = [(p[:, 1:] - p[:, :1]) for p in (a, b)]
    jerks = [acceleration_error_mm_s2(about[1][run], about[0][run], float(fps)) for run in runs]
    means = {
        "mpjpe_mm": mean_of(errors[known]),
        "mpjpe_visible_mm": mean_of(errors[known]),
        "pa_mpjpe_mm": mean_of(pa_mpjpe_mm(b, a)),
        "pck3d_100": mean_of(pck_3d(b, a, 100)),
        "pck3d_150": mean_of(pck_3d(b, a, 150)),
        "root_error_mm": mean_of(joint_errors_mm(b, a, root=None)[:, 0]),
        "accel_mm_s2": mean_of(np.concatenate([np.zeros(0), *jerks])),
    }
    return errors, means


def _by_boxes(true: Rows, said: Rows) -> TrackingFrames:
    return frames_from_boxes(
        true["frame"], true["person"], true["box_px"], said["frame"], said["person"], said["box_px"]
    )


def _by_keypoints(true: Rows, said: Rows) -> TrackingFrames:
    true, said = (rows[(rows["keypoints_px"][..., 2] > 0).any(-1)] for rows in (true, said))
    return frames_from_keypoints(
        true["frame"], true["person"], true["keypoints_px"], AREA_OF_BOX * box_area(true["box_px"]),
        said["frame"], said["person"], said["keypoints_px"],
    )  # fmt: skip
