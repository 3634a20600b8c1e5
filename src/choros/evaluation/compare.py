"""A predicted motion against the true one: who was found, under which identity, and in which pose.

Brings two ``Motion`` records together and calls the metrics; what ``choros demo`` and ``choros bench``
print. Tracking and pose are judged on the same matches, those of CLEAR.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel, BodyParams
from choros.errors import ChorosError
from choros.evaluation.metrics.hota import hota
from choros.evaluation.metrics.motion_quality import acceleration_error_mm_s2
from choros.evaluation.metrics.pose import joint_errors_mm, mean_where, mpjpe_mm, pa_mpjpe_mm
from choros.evaluation.metrics.tracking import (
    TrackingFrames,
    clear,
    clear_matches,
    frames_from_boxes,
    frames_from_keypoints,
    identity,
)
from choros.keypoints import AREA_OF_BOX, box_area
from choros.motion import Motion

Floats = NDArray[np.float64]
Rows = NDArray[np.void]


def evaluate_motion(
    truth: Motion,
    prediction: Motion,
    body: BodyModel | None = None,
    similarity: Literal["box", "keypoints"] = "box",
) -> dict[str, float]:
    """Scores of a prediction for the same video, NaN where nothing can be measured.

    ``MOTA``, ``IDF1``, ``HOTA`` ... and the counts of ``clear``, ``identity`` and ``hota``, by IoU of boxes
    (or OKS of keypoints), both clipped to the image. Everyone whose box reaches into the image counts, hidden
    or not; predictions count until their identity is last seen, as in ``tracks.txt``.
    ``recall_visible``, ``recall_occluded``: share of true people found, by whether they could be seen.
    ``mpjpe_mm``, ``pa_mpjpe_mm``, ``mpjpe_visible_mm``, ``mpjpe_occluded_mm``: 24 SMPL joints about the
    pelvis, mean over matched people. ``root_error_mm``: distance of the pelvis from where it is, depth
    included. ``accel_mm_s2``: root-relative, over runs of frames in which a person keeps their match.
    Errors are of those who were found: read them beside the recall.

    body: the one that both motions were made with; None takes the embedded body.
    Raises ChorosError if the two are not of the same video, space and body.
    """
    check_comparable(truth, prediction)
    true_rows = in_image(truth)
    said_rows = in_image(prediction, until_last_seen=True)
    frames = bring_together(true_rows, said_rows, similarity)
    scores = clear(frames) | identity(frames) | hota(frames)

    # Rows are sorted by frame, so a detection's number is its row.
    matches = clear_matches(frames)
    visible = true_rows["visible"]
    found = np.zeros(len(true_rows), dtype=bool)
    found[matches.gt] = True
    scores["recall_visible"] = mean_where(found, visible)
    scores["recall_occluded"] = mean_where(found, ~visible)

    body = body or BodyModel.load()
    true, said = true_rows[matches.gt], said_rows[matches.pred]
    true_joints, said_joints = joints_m(true, body), joints_m(said, body)
    everyone = np.ones(len(true), dtype=bool)
    errors = mpjpe_mm(said_joints, true_joints)
    scores["mpjpe_mm"] = mean_where(errors, everyone)
    scores["mpjpe_visible_mm"] = mean_where(errors, true["visible"])
    scores["mpjpe_occluded_mm"] = mean_where(errors, ~true["visible"])
    scores["pa_mpjpe_mm"] = mean_where(pa_mpjpe_mm(said_joints, true_joints), everyone)
    scores["root_error_mm"] = mean_where(joint_errors_mm(said_joints, true_joints, root=None)[:, 0], everyone)
    acceleration = [
        acceleration_error_mm_s2(
            said_joints[run] - said_joints[run, :1], true_joints[run] - true_joints[run, :1], float(truth.fps)
        )
        for run in unbroken_runs(true, said)
    ]
    each = np.concatenate([np.zeros(0), *acceleration])
    scores["accel_mm_s2"] = mean_where(each, np.ones(len(each), dtype=bool))
    return scores


def check_comparable(truth: Motion, prediction: Motion) -> None:
    for what, true, said in (
        ("frames", len(truth), len(prediction)),
        ("px across", truth.width, prediction.width),
        ("px down", truth.height, prediction.height),
    ):
        if true != said:
            raise ChorosError(
                f"The truth has {true} {what} and the prediction {said}; compare motions of the same video."
            )
    if truth.space != prediction.space or truth.header.body != prediction.header.body:
        raise ChorosError(
            f"The truth is in {truth.space} space with the {truth.header.body} body, the prediction in "
            f"{prediction.space} space with the {prediction.header.body} body; bring them to the same first."
        )


def in_image(motion: Motion, until_last_seen: bool = False) -> Rows:
    """Rows whose box has a part in the image, boxes clipped to it; a copy."""
    rows = motion.rows.copy()
    rows["box_px"][:, 0::2] = np.clip(rows["box_px"][:, 0::2], 0, motion.width)
    rows["box_px"][:, 1::2] = np.clip(rows["box_px"][:, 1::2], 0, motion.height)
    keep = box_area(rows["box_px"]) > 0
    if until_last_seen:
        _, person = np.unique(rows["person"], return_inverse=True)
        last_seen = np.full(person.max(initial=-1) + 1, -1)
        np.maximum.at(last_seen, person[rows["visible"]], rows["frame"][rows["visible"]])
        keep &= rows["frame"] <= last_seen[person]
    return rows[keep]


def bring_together(true: Rows, said: Rows, similarity: Literal["box", "keypoints"]) -> TrackingFrames:
    if similarity == "box":
        return frames_from_boxes(
            true["frame"], true["person"], true["box_px"], said["frame"], said["person"], said["box_px"]
        )
    return frames_from_keypoints(
        true["frame"],
        true["person"],
        true["keypoints_px"],
        AREA_OF_BOX * box_area(true["box_px"]),
        said["frame"],
        said["person"],
        said["keypoints_px"],
    )


def joints_m(rows: Rows, body: BodyModel) -> Floats:
    """The 24 joints (n, 24, 3) of rows (n,), metres, in the motion's space."""
    import torch

    names = ("global_orient", "body_pose", "betas", "transl", "kid")
    with torch.inference_mode():
        params = BodyParams(*(torch.from_numpy(np.ascontiguousarray(rows[name])) for name in names))
        return np.asarray(body.joints(params), dtype=np.float64)


def unbroken_runs(true: Rows, said: Rows) -> list[NDArray[np.int64]]:
    """Indices of matched rows cut into runs: one true person, one predicted, every frame."""
    if not len(true):
        return []
    order = np.lexsort((true["frame"], true["person"]))
    breaks = (
        (np.diff(true["person"][order]) != 0)
        | (np.diff(said["person"][order]) != 0)
        | (np.diff(true["frame"][order]) != 1)
    )
    return np.split(order, np.flatnonzero(breaks) + 1)
