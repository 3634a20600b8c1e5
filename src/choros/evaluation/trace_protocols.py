"""How TRACE's authors compare systems on DynaCam, Dyna3DPW and MuPoTS, by their program.

Ways in the world, about a similarity that is best for each person, and tracks that match wherever boxes meet at all.
Pitfalls of that program are told instead of hidden: who could not be aligned is named, and so is who was never found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.camera import project_in_front
from choros.datasets.sample import PersonLabel, to_coco17
from choros.errors import ChorosError
from choros.evaluation.bodies import T_camera_space, joints_m, keypoints_m, moved, root_poses
from choros.evaluation.labelled import LabelledVideo, labelled_places, predicted_places
from choros.evaluation.metrics.hota import hota
from choros.evaluation.metrics.pose import apply_similarity, similarity_transform
from choros.evaluation.metrics.tracking import TrackingFrames, clear, identity
from choros.motion import Motion
from choros.rotation import rotvec_to_rotmat

Floats = NDArray[np.float64]

#: What somebody counts who is in no frame of a prediction: metres, and of whole poses.
MISSED_ATE_M, MISSED_APE = 2.0, 4.0
#: Overlap (IoU) from which boxes match; the program's greatest distance is .99.
ANY_OVERLAP = 0.01
#: Nearer than this to the camera a keypoint has no place in the picture, metres.
NEAR_M = 0.1


class TrajectoryErrors(NamedTuple):
    """Of one person's way; both are root mean squares over frames."""

    ate_m: float  # absolute trajectory error
    ape: float  # of whole poses, places in metres and turns together: the Frobenius norm of T_true^-1 T - 1
    aligned: bool  # False: all places lie on a line or in a point, and no similarity is the best


@dataclass
class DynaCamErrors:
    """Of one sequence, by person."""

    ate_m: dict[str, float] = field(default_factory=dict)
    ape: dict[str, float] = field(default_factory=dict)
    unaligned: list[str] = field(
        default_factory=list
    )  # compared as they are, which the published program hides
    missed: list[str] = field(default_factory=list)  # in no frame; they count `MISSED_ATE_M` and `MISSED_APE`


def trajectory_errors(predicted: Floats, truth: Floats) -> TrajectoryErrors:
    """Of poses in the world (T, 4, 4), after the similarity that brings places nearest, by squares (as evo's APE)."""
    if predicted.shape != truth.shape or predicted.shape[1:] != (4, 4) or not len(truth):
        raise ChorosError(f"poses {predicted.shape} and {truth.shape}; give (T, 4, 4) of the same frames.")
    places, true = predicted[:, :3, 3], truth[:, :3, 3]
    about = [some - some.mean(0) for some in (places, true)]
    aligned = bool(np.linalg.matrix_rank(about[0].T @ about[1], tol=1e-9) >= 2)
    ours = predicted.copy()
    if aligned:
        fitted = similarity_transform(places, true)
        ours[:, :3, 3] = apply_similarity(fitted, places)
        ours[:, :3, :3] = fitted[1] @ predicted[:, :3, :3]
    off = np.linalg.norm(ours[:, :3, 3] - true, axis=-1)
    between = np.linalg.inv(truth) @ ours - np.eye(4)
    whole = np.linalg.norm(between, axis=(-1, -2))
    return TrajectoryErrors(float(np.sqrt((off**2).mean())), float(np.sqrt((whole**2).mean())), aligned)


def dynacam_errors(truth: LabelledVideo, prediction: Motion, body: BodyModel | None = None) -> DynaCamErrors:
    """Everybody of a sequence of DynaCam against who is nearest to them in the picture, frame by frame.

    In frames without anybody the last frame's people count (the program's rule; before the first, its people). The
    program turns the truth to the first camera and begins both ways at 0; no figure here depends on that.
    """
    body = body or BodyModel.load()
    samples = [sample for sample in truth.samples if sample.labelled]
    places = predicted_places(truth, prediction)
    if not samples:
        raise ChorosError(f"{truth.video} labels no frame; fetch the set again.")
    said, seen_px = _said(prediction, body)
    shown = _shown_in(prediction, labelled_places(truth, samples), places)
    errors = DynaCamErrors()
    for name in sorted({str(person.identity) for sample in samples for person in sample.people}):
        pairs = [
            (person, frame)
            for sample, frame in zip(samples, shown, strict=True)
            for person in sample.people
            if str(person.identity) == name
        ]
        _one_person(errors, name, pairs, said, seen_px, prediction)
    return errors


def any_overlap_scores(frames: TrackingFrames) -> dict[str, float]:
    """MOTA, IDF1, HOTA and the like, with boxes that meet at all; frames without truth do not count (their program)."""
    some = [frame for frame, ids in enumerate(frames.gt_ids) if len(ids)]
    kept = TrackingFrames(
        [frames.gt_ids[frame] for frame in some],
        [frames.pred_ids[frame] for frame in some],
        [frames.similarity[frame] for frame in some],
    )
    return clear(kept, ANY_OVERLAP) | identity(kept, ANY_OVERLAP) | hota(kept)


def _one_person(
    errors: DynaCamErrors,
    name: str,
    pairs: Sequence[tuple[PersonLabel, int]],
    said: Floats,  # (n, 4, 4) in the world, of all rows
    seen_px: Floats,  # (n, 17, 2)
    prediction: Motion,
) -> None:
    if not len(said):
        errors.ate_m[name], errors.ape[name] = MISSED_ATE_M, MISSED_APE
        errors.missed.append(name)
        return
    ours, true = [], []
    for person, frame in pairs:
        if person.smpl is None or person.smpl.transl is None:
            continue
        here = np.flatnonzero(prediction.rows["frame"] == frame)
        known = to_coco17(person)
        known_px, counts = known[:, :2], known[:, 2] > 0
        away = np.linalg.norm(seen_px[here][:, counts] - known_px[counts], axis=-1).mean(-1)
        ours.append(said[here[int(np.argmin(away))]])
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = rotvec_to_rotmat(person.smpl.global_orient), person.smpl.transl
        true.append(pose)
    one = trajectory_errors(np.array(ours).reshape(-1, 4, 4), np.array(true).reshape(-1, 4, 4))
    errors.ate_m[name], errors.ape[name] = one.ate_m, one.ape
    if not one.aligned:
        errors.unaligned.append(name)


def _said(prediction: Motion, body: BodyModel) -> tuple[Floats, Floats]:
    """Pelves in the world (n, 4, 4), and keypoints in the picture (n, 17, 2) px, of all rows."""
    rows, T_camera = prediction.rows, T_camera_space(prediction)
    T_world = np.tile(np.eye(4), (len(prediction), 1, 1))
    if prediction.space == "camera" and prediction.tells_camera:
        T_world = np.asarray(prediction.T_world_camera, np.float64)
    frame = rows["frame"]
    poses = T_world[frame] @ root_poses(rows, joints_m(rows, body))
    points = moved(T_camera[frame], keypoints_m(rows, body))
    points_px, in_front = project_in_front(points, prediction.K[frame][:, None], NEAR_M)
    return poses, np.where(in_front[..., None], points_px, 1e6)


def _shown_in(prediction: Motion, wanted: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.intp]:
    """For places in the video (m,), the last of the prediction's frames until then with anybody; else the first."""
    with_people = np.unique(prediction.rows["frame"])
    if not len(with_people):
        return np.zeros(len(wanted), np.intp)
    at = np.searchsorted(places[with_people], wanted, side="right") - 1
    return np.asarray(with_people[np.maximum(at, 0)], np.intp)
