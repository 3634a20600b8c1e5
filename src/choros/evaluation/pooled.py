"""The scores of a whole data set: many clips, each a true and a predicted motion, as one line of a table.

Clips are joined end to end with people all different, so that counts add up and HOTA's association is weighted
by its matches (TrackEval's COMBINED), and pose errors weigh every found person and frame the same.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.body import BodyModel, BodyParams
from choros.body.skeleton import JOINT_NAMES
from choros.camera import project
from choros.errors import ChorosError
from choros.evaluation.compare import (
    bring_together,
    check_comparable,
    evaluate_motion,
    in_image,
    joints_m,
    unbroken_runs,
)
from choros.evaluation.metrics.motion_quality import foot_contact, foot_sliding_cm_s
from choros.evaluation.metrics.pose import crop_size_px, pck
from choros.evaluation.metrics.tracking import clear_matches
from choros.evaluation.metrics.world import global_errors_mm
from choros.motion import Motion

Floats = NDArray[np.float64]
Rows = NDArray[np.void]

#: What a table can hold, in its order.
METRICS = (
    "HOTA", "IDF1", "MOTA", "id_switches",
    "mpjpe_mm", "pa_mpjpe_mm", "mpjpe_occluded_mm", "pck_05", "accel_mm_s2",
    "g_mpjpe_mm", "foot_slide_cm_s",
)  # fmt: skip

FEET = [JOINT_NAMES.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("ankle", "foot")]


def pooled_scores(pairs: Sequence[tuple[Motion, Motion]], body: BodyModel | None = None) -> dict[str, float]:
    """``METRICS`` over clips, each (truth, prediction) in camera space; NaN where nothing can be measured.

    The first eight keys but ``pck_05`` are those of ``evaluate_motion``. Of those who were found:
    ``pck_05``: share of the true keypoints that can be seen and to which the predicted body's, projected with
    the prediction's K, come nearer than 0.05 of the person's crop (4DHumans, supplement S.5).
    ``g_mpjpe_mm``: ``global_errors_mm`` over each run of frames in which a person keeps their match.
    ``foot_slide_cm_s``: speed of ankles and feet in the world while the true ones rest.
    The last two need a world: a camera that the prediction tells, or a true one that stands still, which is
    then taken for the prediction too.

    body: the one all motions were made with; None takes the embedded body.
    Raises ChorosError if a prediction is not of its truth's video, or spaces or frame rates of clips differ.
    """
    body = body or BodyModel.load()
    for truth, said in pairs:
        check_comparable(truth, said)
    if {truth.space for truth, _ in pairs} != {"camera"} or len({truth.fps for truth, _ in pairs}) != 1:
        raise ChorosError(
            "Clips of one data set are all in camera space and of one frame rate; take them apart."
        )
    scores = evaluate_motion(joined([truth for truth, _ in pairs]), joined([said for _, said in pairs]), body)
    samples = [_samples(truth, said, body) for truth, said in pairs]
    for name in ("pck_05", "g_mpjpe_mm", "foot_slide_cm_s"):
        every = np.concatenate([part for clip in samples for part in clip[name]] or [np.zeros(0)])
        scores[name] = float(every.mean()) if len(every) else float("nan")
    return {name: scores[name] for name in METRICS}


def joined(motions: Sequence[Motion]) -> Motion:
    """Motions one after another, nobody of one being anybody of another; boxes end where their image does."""
    tables, first_frame, last_person = [], 0, 0
    for motion in motions:
        rows = motion.rows.copy()
        rows["box_px"] = np.clip(rows["box_px"], 0, [motion.width, motion.height] * 2)
        rows["frame"] += first_frame
        rows["person"] += last_person
        tables.append(rows)
        first_frame += len(motion)
        last_person = int(rows["person"].max(initial=last_person))
    header = replace(
        motions[0].header,
        width=max(motion.width for motion in motions),
        height=max(motion.height for motion in motions),
        source=", ".join(motion.header.source for motion in motions),
    )
    return Motion(header, np.concatenate([motion.frames for motion in motions]), np.concatenate(tables))


def _samples(truth: Motion, said: Motion, body: BodyModel) -> dict[str, list[Floats]]:
    """What the means of pck_05, g_mpjpe_mm and foot_slide_cm_s are taken over; matches as in compare."""
    true_rows, said_rows = in_image(truth), in_image(said, until_last_seen=True)
    matches = clear_matches(bring_together(true_rows, said_rows, "box"))
    true, found = true_rows[matches.gt], said_rows[matches.pred]
    samples: dict[str, list[Floats]] = {"g_mpjpe_mm": [], "foot_slide_cm_s": []}
    samples["pck_05"] = [_near_keypoints(true, found, said.K, body)]

    cameras = _world_cameras(truth, said)
    if cameras is None:
        return samples
    fps = float(truth.fps)
    true_world, true_root = _in_world(true, truth.T_world_camera, body)
    said_world, said_root = _in_world(found, cameras, body)
    for run in unbroken_runs(true, found):
        samples["g_mpjpe_mm"].append(
            global_errors_mm(said_world[run], true_world[run], said_root[run], true_root[run], fps)
        )
        resting = foot_contact(true_world[run][:, FEET], fps)
        slide = foot_sliding_cm_s(said_world[run][:, FEET], resting, fps)
        samples["foot_slide_cm_s"].append(np.full(resting.sum(), slide))  # every resting step counts once
    return samples


def _near_keypoints(true: Rows, found: Rows, K: Floats, body: BodyModel) -> Floats:
    """One number per true keypoint that can be seen, whose mean is PCK @ 0.05."""
    import torch

    names = ("global_orient", "body_pose", "betas", "transl", "kid")
    with torch.inference_mode():
        params = BodyParams(*(torch.from_numpy(np.ascontiguousarray(found[name])) for name in names))
        points_cam = np.asarray(body.keypoints(params, "coco17"), dtype=np.float64)
    points_px = project(points_cam, K[found["frame"]][:, None])
    present = true["keypoints_px"][..., 2] > 0
    share = pck(points_px, true["keypoints_px"][..., :2], present, crop_size_px(true["box_px"]), 0.05)
    return np.repeat(share, present.sum(axis=-1))


def _world_cameras(truth: Motion, said: Motion) -> Floats | None:
    """T_world_camera (T, 4, 4) to see the prediction with; None where no world is known."""
    unknown = np.eye(4)
    if (truth.T_world_camera == unknown).all():
        return None
    if (said.T_world_camera != unknown).any():
        return said.T_world_camera
    still = (truth.T_world_camera == truth.T_world_camera[0]).all()
    return truth.T_world_camera if still else None


def _in_world(rows: Rows, T_world_camera: Floats, body: BodyModel) -> tuple[Floats, Floats]:
    """Joints (n, 24, 3) and pelvis poses (n, 4, 4) in the world, metres, of rows in camera axes."""
    T = T_world_camera[rows["frame"]]
    joints = joints_m(rows, body) @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3]
    root = np.tile(np.eye(4), (len(rows), 1, 1))
    if len(rows):
        root[:, :3, :3] = T[:, :3, :3] @ Rotation.from_rotvec(rows["global_orient"]).as_matrix()
    root[:, :3, 3] = joints[:, 0]
    return joints, root
