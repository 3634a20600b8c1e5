"""A predicted motion against the true one: who was found, under which identity, in which pose, and where.

``compare`` brings the two together for one clip, ``pooled_scores`` makes one line of a table of any number of
clips; ``evaluate_motion`` is both for one clip. Tracking and pose are judged on the same matches, those of CLEAR
on boxes. What needs a world is in ``world_errors``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.camera import project_in_front
from choros.errors import ChorosError
from choros.evaluation.bodies import (
    T_camera_space,
    T_world_space,
    joints_m,
    keypoints_m,
    moved,
    root_poses,
    vertices_m,
)
from choros.evaluation.metrics.hota import hota
from choros.evaluation.metrics.motion_quality import acceleration_error_mm_s2
from choros.evaluation.metrics.pose import (
    crop_size_px,
    joint_errors_mm,
    mpjpe_mm,
    pa_mpjpe_mm,
    pck,
    pck_3d,
    pve_mm,
)
from choros.evaluation.metrics.tracking import (
    TrackingFrames,
    clear,
    clear_matches,
    concatenate,
    frames_from_boxes,
    frames_from_keypoints,
    identity,
)
from choros.evaluation.world_errors import (
    SKIN_STEP,
    WORLD_MEANS,
    Mean,
    added,
    in_shots,
    mean_of,
    relative_means,
    skin_means,
    unbroken_runs,
    window_frames,
    windows,
    world_means,
)
from choros.keypoints import AREA_OF_BOX, box_area
from choros.motion import Motion

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.void]

#: Scores of poses that are means; see `pooled_scores`.
POSE_MEANS = (
    "recall_visible", "recall_occluded",
    "mpjpe_mm", "mpjpe_visible_mm", "mpjpe_occluded_mm",
    "pa_mpjpe_mm", "pa_mpjpe_visible_mm", "pa_mpjpe_occluded_mm",
    "pve_mm", "pck_05", "pck_10", "pck3d_100", "pck3d_150", "root_error_mm", "accel_mm_s2",
)  # fmt: skip

#: Scores that are also taken on keypoints (OKS), under this name and ``_oks``.
ON_KEYPOINTS = ("HOTA", "DetA", "AssA", "IDF1", "IDP", "IDR", "MOTA", "MOTP", "id_switches", "fragmentations")


@dataclass(frozen=True, eq=False)
class Comparison:
    """One clip: all that its scores are made of, and what plots show."""

    boxes: TrackingFrames  # similarity is the IoU of boxes
    keypoints: TrackingFrames  # similarity is OKS
    means: dict[str, Mean]  # score -> sum and weight, so that clips add up
    n_frames: int
    fps: float
    asked: Rows  # true rows that a prediction was asked for
    true: Rows  # (k,) of those the ones that were found ...
    said: Rows  # (k,) ... and as whom
    mpjpe_mm: Floats  # (k,)
    said_px: Floats  # (k, 17, 2) keypoints of the predicted body in the image
    unmeasured: frozenset[str] = frozenset()  # scores that the truth cannot tell

    def pck(self, threshold: float) -> Mean:
        """Sum and number of the true keypoints that can be seen and are nearer than threshold x crop."""
        present = self.true["keypoints_px"][..., 2] > 0
        size_px = crop_size_px(self.true["box_px"])
        share = pck(self.said_px, self.true["keypoints_px"][..., :2], present, size_px, threshold)
        count = present.sum(axis=-1)
        return float(np.nansum(share * count)), float(count.sum())


def evaluate_motion(truth: Motion, prediction: Motion, body: BodyModel | None = None) -> dict[str, float]:
    """`pooled_scores` of one clip; arguments and errors as in `compare`."""
    return pooled_scores([compare(truth, prediction, body)])


def pooled_scores(clips: Sequence[Comparison]) -> dict[str, float]:
    """Scores of all clips together, NaN where nothing can be measured.

    Clips count as one video whose people are all different: counts add up, HOTA's association is weighted by
    its matches (TrackEval's COMBINED), and pose errors weigh every found person and frame the same.

    By IoU of boxes clipped to the image: the keys of `clear`, `identity` and `hota`; by OKS of keypoints, among
    those who show any, the keys of `ON_KEYPOINTS` with ``_oks`` behind. Everyone whose box reaches into the
    image counts, hidden or not; predictions count until their identity is last seen, as in ``tracks.txt``.
    ``recall_visible``, ``recall_occluded``: share of true people found, by whether they could be seen.
    Of those who were found (errors are to be read beside the recall):
    ``mpjpe_mm``, ``pa_mpjpe_mm`` of all, and ``..._visible_mm``, ``..._occluded_mm``: 24 SMPL joints about the
    pelvis, camera axes. ``pve_mm``: vertices about the pelvis, in every fifth frame.
    ``pck_05``, ``pck_10``: share of the true keypoints that can be seen and to which the predicted body's,
    projected with the prediction's K, come nearer than 0.05, 0.1 of the person's crop (4DHumans, supplement S.5).
    ``pck3d_100``, ``pck3d_150``: share of joints within 100, 150 mm about the pelvis (CoMotion A.2's 3D@0.1;
    MPI-INF-3DHP). ``root_error_mm``: distance of the pelvis from where it is seen from the camera, depth included.
    ``accel_mm_s2``: root-relative, over runs of frames in which a person keeps their match.
    In the world: `world_errors.world_means`; between people: `world_errors.relative_means`.
    """
    boxes = concatenate([clip.boxes for clip in clips])
    keypoints = concatenate([clip.keypoints for clip in clips])
    scores = clear(boxes) | identity(boxes) | hota(boxes)
    by_oks = clear(keypoints) | identity(keypoints) | hota(keypoints)
    scores |= {f"{name}_oks": by_oks[name] for name in ON_KEYPOINTS}
    means = added([clip.means for clip in clips])
    for name in (*POSE_MEANS, *WORLD_MEANS):
        total, weight = means.get(name, (0.0, 0.0))
        scores[name] = total / weight if weight else float("nan")
    for name in frozenset.intersection(*(clip.unmeasured for clip in clips)):
        scores[name] = float("nan")
    return scores


def compare(
    truth: Motion, prediction: Motion, body: BodyModel | None = None, *, given: bool = False
) -> Comparison:
    """Match a prediction with the truth of its video, frame by frame, and take all errors.

    Either motion may be in camera or in world space. given: the prediction was told who is who, so people are
    matched by their identity, wherever they are said to be (the unrolled-oracle protocol).
    body: the one that both motions were made with; None takes the embedded body.
    Raises ChorosError if the two are not of the same video and body.
    """
    check_comparable(truth, prediction)
    body = body or BodyModel.load()
    asked = in_image(truth)
    answered = in_image(prediction, until_last_seen=not given)
    boxes, keypoints = _by_boxes(asked, answered), _by_keypoints(asked, answered)
    if given:
        answered = prediction.rows
        _, gt, pred = np.intersect1d(_who_and_when(asked), _who_and_when(answered), return_indices=True)
    else:
        matches = clear_matches(boxes)  # rows are sorted by frame, so a detection's number is its row
        gt, pred = matches.gt, matches.pred
    true, said = asked[gt], answered[pred]
    found = np.zeros(len(asked), dtype=bool)
    found[gt] = True
    means, errors_mm, said_px = _errors(truth, prediction, true, said, body)
    means["recall_visible"] = mean_of(found, asked["visible"])
    means["recall_occluded"] = mean_of(found, ~asked["visible"])
    comparison = Comparison(
        boxes, keypoints, means, len(truth), float(truth.fps), asked, true, said, errors_mm, said_px
    )
    means["pck_05"], means["pck_10"] = comparison.pck(0.05), comparison.pck(0.1)
    return comparison


def _errors(
    truth: Motion, prediction: Motion, true: Rows, said: Rows, body: BodyModel
) -> tuple[dict[str, Mean], Floats, Floats]:
    """Means of the matched rows (k,), MPJPE of each in mm, and the predicted keypoints (k, 17, 2) px."""
    fps = float(truth.fps)
    true_joints, said_joints = joints_m(true, body), joints_m(said, body)
    true_root, said_root = root_poses(true, true_joints), root_poses(said, said_joints)
    true_T, said_T = T_camera_space(truth)[true["frame"]], T_camera_space(prediction)[said["frame"]]

    true_cam, said_cam = moved(true_T, true_joints), moved(said_T, said_joints)
    errors_mm, pa_mm = mpjpe_mm(said_cam, true_cam), pa_mpjpe_mm(said_cam, true_cam)
    visible, apart = true["visible"], in_shots(true, prediction.shot[said["frame"]])
    means = {
        "mpjpe_mm": mean_of(errors_mm),
        "mpjpe_visible_mm": mean_of(errors_mm, visible),
        "mpjpe_occluded_mm": mean_of(errors_mm, ~visible),
        "pa_mpjpe_mm": mean_of(pa_mm),
        "pa_mpjpe_visible_mm": mean_of(pa_mm, visible),
        "pa_mpjpe_occluded_mm": mean_of(pa_mm, ~visible),
        "pck3d_100": mean_of(pck_3d(said_cam, true_cam, 100)),
        "pck3d_150": mean_of(pck_3d(said_cam, true_cam, 150)),
        "root_error_mm": mean_of(joint_errors_mm(said_cam, true_cam, root=None)[:, 0]),
        "accel_mm_s2": mean_of(_acceleration_errors(apart, said, true_cam, said_cam, fps)),
        **relative_means(true, true_T @ true_root, said_T @ said_root),
    }
    worlds = T_world_space(truth, prediction)
    if worlds:
        true_world, said_world = worlds[0][true["frame"]], worlds[1][said["frame"]]
        roots = true_world @ true_root, said_world @ said_root
        joints = moved(true_world, true_joints), moved(said_world, said_joints)
        means |= world_means(apart, said, *joints, *roots, fps)
    skins = []
    for window in windows(apart, window_frames(fps)):  # a whole video of skin would fill the memory
        some = window[::SKIN_STEP]
        true_skin, said_skin = vertices_m(true[some], body), vertices_m(said[some], body)
        skin_cam = moved(said_T[some], said_skin), moved(true_T[some], true_skin)
        skins.append({"pve_mm": mean_of(pve_mm(*skin_cam, said_cam[some, 0], true_cam[some, 0]))})
        if worlds:
            skin_world = moved(true_world[some], true_skin), moved(said_world[some], said_skin)
            skins[-1] |= skin_means(*skin_world, roots[0][some], roots[1][some], fps)
    means |= added(skins)
    points_cam = moved(T_camera_space(prediction)[said["frame"]], keypoints_m(said, body))
    points_px, _ = project_in_front(points_cam, prediction.K[said["frame"]][:, None])
    return means, errors_mm, points_px


def _acceleration_errors(true: Rows, said: Rows, true_m: Floats, said_m: Floats, fps: float) -> Floats:
    """Of every run of frames in which a person keeps their match, joints (k, 24, 3) m, root-relative; mm/s²."""
    true_m, said_m = true_m - true_m[:, :1], said_m - said_m[:, :1]
    runs = unbroken_runs(true, said)
    return np.concatenate(
        [np.zeros(0), *(acceleration_error_mm_s2(said_m[run], true_m[run], fps) for run in runs)]
    )


def check_comparable(truth: Motion, prediction: Motion) -> None:
    """Raise ``ChorosError`` unless both motions have as many frames and the same width and height."""
    for what, true, said in (
        ("frames", len(truth), len(prediction)),
        ("px across", truth.width, prediction.width),
        ("px down", truth.height, prediction.height),
    ):
        if true != said:
            raise ChorosError(
                f"The truth has {true} {what} and the prediction {said}; compare motions of the same video."
            )
    if truth.header.body != prediction.header.body:
        raise ChorosError(
            f"The truth has the {truth.header.body} body, the prediction the {prediction.header.body} body; "
            f"track with the body that the truth was made with."
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


def _by_boxes(true: Rows, said: Rows) -> TrackingFrames:
    return frames_from_boxes(
        true["frame"], true["person"], true["box_px"], said["frame"], said["person"], said["box_px"]
    )


def _by_keypoints(true: Rows, said: Rows) -> TrackingFrames:
    """As PoseTrack's annotations: who shows no keypoint is not asked for, nor is it held against anybody."""
    true, said = (rows[(rows["keypoints_px"][..., 2] > 0).any(axis=-1)] for rows in (true, said))
    return frames_from_keypoints(
        true["frame"],
        true["person"],
        true["keypoints_px"],
        AREA_OF_BOX * box_area(true["box_px"]),
        said["frame"],
        said["person"],
        said["keypoints_px"],
    )


def _who_and_when(rows: Rows) -> NDArray[np.int64]:
    return rows["frame"].astype(np.int64) * 2**32 + rows["person"]
