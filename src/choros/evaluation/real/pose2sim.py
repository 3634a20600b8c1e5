"""One man before four synchronous, calibrated cameras, with true 3D keypoints: the demo of Pose2Sim.

Each view is tracked by itself, as a user would who knows K (and nothing of the lens). The person is the row, among
those that the system says it sees, whose box overlaps the true one best; a frame in which none does by 0.3 counts as
missed. Errors are of the body's own keypoints (its COCO regressor), over COCO's twelve limb points. The truth is
projected with the lens's distortion, so that pixels are those of the video; it is good to 1 to 2 cm. Angles are
between the three points of a limb (hip, knee, ankle; shoulder, elbow, wrist), 0 for a straight one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from choros.body import BodyModel
from choros.camera import project
from choros.datasets.official import Official
from choros.evaluation.bodies import keypoints_m
from choros.evaluation.metrics.pose import mpjpe_mm, pa_mpjpe_mm
from choros.evaluation.real.people import projected
from choros.evaluation.real.pictures import body_of
from choros.evaluation.real.result import Result, ResultPicture, mean_of
from choros.evaluation.sources import ProgressCall
from choros.keypoints import box_iou
from choros.motion import Motion
from choros.options import Matrix, TrackOptions
from choros.skeleton import COCO17
from choros.track_video import track
from choros.tracking.stream import System

Floats = NDArray[np.float64]

VIEWS = 4
#: COCO's shoulders, elbows, wrists, hips, knees and ankles.
LIMBS = list(range(5, 17))
_HIPS = [LIMBS.index(COCO17.index(f"{side}_hip")) for side in ("left", "right")]
_MIN_IOU = 0.3  # of the person's box and the true one


def _triple(*names: str) -> tuple[int, ...]:
    return tuple(COCO17.index(name) for name in names)


#: Limbs whose angles are compared: the joint in the middle bends.
ANGLES = {
    "knee": tuple(_triple(f"{side}_hip", f"{side}_knee", f"{side}_ankle") for side in ("left", "right")),
    "elbow": tuple(
        _triple(f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist") for side in ("left", "right")
    ),
}

_POSE2SIM = Official("Pose2Sim's demo", "pypi.org/project/pose2sim, version 0.10.49", "BSD-3")


@dataclass(frozen=True, eq=False)
class Pose2SimTruth:
    """The man in T frames, and the cameras of V views."""

    keypoints_world: Floats  # (T, 17, 3) metres
    K: Floats  # (V, 3, 3) px
    lens: Floats  # (V, 4) k1, k2, p1, p2
    R: Floats  # (V, 3, 3) camera from world
    t: Floats  # (V, 3) metres
    boxes_px: Floats  # (T, V, 4) xyxy

    @classmethod
    def load(cls, path: Path) -> Pose2SimTruth:
        """Raises `ChorosError` if the file is missing or of another form."""
        keys = ("joints_coco17_m", "K", "dist_k1k2p1p2", "R_cam_world", "t_cam_world_m", "box_px")
        arrays = _POSE2SIM.npz(path, list(keys))
        return cls(*(np.asarray(arrays[key], np.float64) for key in keys))

    def keypoints_cam(self, view: int) -> Floats:  # (T, 17, 3) metres
        """COCO-17 keypoints in the axes of one camera, (T, 17, 3) metres."""
        return np.asarray(self.keypoints_world @ self.R[view].T + self.t[view], np.float64)


def distorted(points_cam: Floats, K: Floats, lens: Floats) -> Floats:  # (..., 3) metres -> (..., 2) px
    """Projection through a lens with radial k1, k2 and tangential p1, p2 (Brown 1966, as OpenCV has it)."""
    k1, k2, p1, p2 = lens
    x, y = np.moveaxis(project(points_cam, np.eye(3)), -1, 0)
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)
    bent_y = y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
    homogeneous = np.stack([bent_x, bent_y, np.ones_like(bent_x)], axis=-1) @ K.T
    return np.asarray(homogeneous[..., :2], np.float64)


def flexion_deg(points: ArrayLike, triple: Sequence[int]) -> Floats:  # (..., K, 3) -> (...)
    """How far the limb through three points is from straight, degrees; NaN where two of them coincide."""
    a, b, c = (np.asarray(points, np.float64)[..., index, :] for index in triple)
    with np.errstate(invalid="ignore", divide="ignore"):
        along = ((b - a) * (c - b)).sum(-1)
        cosine = along / (np.linalg.norm(b - a, axis=-1) * np.linalg.norm(c - b, axis=-1))
        return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))), np.float64)


def person_of_frames(motion: Motion, boxes_px: Floats) -> NDArray[np.intp]:  # (T, 4) -> (T,)
    """The row that is the person of each frame, -1 where the person is missed. Frames go together by number."""
    rows, found = motion.rows, np.full(len(boxes_px), -1, np.intp)
    for frame, box in enumerate(boxes_px):
        mine = np.flatnonzero((rows["frame"] == frame) & rows["visible"])
        if len(mine):
            overlap = box_iou(box[None], rows["box_px"][mine].astype(np.float64))[0]
            if overlap.max() >= _MIN_IOU:
                found[frame] = mine[overlap.argmax()]
    return found


@dataclass(frozen=True, eq=False)
class ViewResult:
    """What one camera's video gave, beside the truth, in the frames (n,) in which the person was found."""

    frames: NDArray[np.intp]  # (n,)
    body_cam: Floats  # (n, 17, 3) metres
    body_px: Floats  # (n, 17, 2)
    eyes_px: Floats  # (n, 17, 2)
    truth_cam: Floats  # (n, 17, 3) metres
    truth_px: Floats  # (n, 17, 2)
    asked: int  # frames with the person in them
    boxes_px: Floats  # (n, 4) the true ones

    def scores(self) -> dict[str, Any]:
        """This view's figures; see the module."""
        if not len(self.frames):
            return {key: float("nan") for key in KEYS} | {"missed": float(self.asked)}
        body, truth = self.body_cam[:, LIMBS], self.truth_cam[:, LIMBS]
        scores: dict[str, Any] = {
            "pa_mpjpe_mm": pa_mpjpe_mm(body, truth).mean(),
            "mpjpe_mm": mpjpe_mm(body, truth, root=_HIPS).mean(),
            "body_px": distance_px(self.body_px, self.truth_px),
            "eyes_px": distance_px(self.eyes_px, self.truth_px),
            "missed": float(self.asked - len(self.frames)),
        }
        for name, limbs in ANGLES.items():
            mine = np.array([flexion_deg(self.body_cam, limb) for limb in limbs])
            true = np.array([flexion_deg(self.truth_cam, limb) for limb in limbs])
            scores[f"{name}_rms_deg"] = rms_deg(mine, true)
            scores[f"{name}_r"] = correlation(mine, true)
            scores[f"{name}_median_deg"] = np.median(mine)
            scores[f"{name}_p5_deg"] = np.percentile(mine, 5)
            scores[f"{name}_true_median_deg"] = np.median(true)
            scores[f"{name}_true_p5_deg"] = np.percentile(true, 5)
        return scores


KEYS = (
    "pa_mpjpe_mm", "mpjpe_mm", "body_px", "eyes_px",
    *(
        f"{name}_{what}"
        for name in ANGLES
        for what in ("rms_deg", "r", "median_deg", "p5_deg", "true_median_deg", "true_p5_deg")
    ),
)  # fmt: skip


def distance_px(points_px: Floats, truth_px: Floats) -> float:
    """Mean distance over the limb points that are shown, px; NaN if none is."""
    apart = np.linalg.norm(points_px[:, LIMBS] - truth_px[:, LIMBS], axis=-1)
    apart = apart[np.isfinite(apart)]
    return float(apart.mean()) if len(apart) else float("nan")


def rms_deg(angles: Floats, truth: Floats) -> float:
    """Root of the mean squared difference over time of each limb (limbs, n), mean over limbs."""
    return float(np.sqrt(((angles - truth) ** 2).mean(-1)).mean())


def correlation(angles: Floats, truth: Floats) -> float:
    """Pearson's correlation over time of each limb (limbs, n), mean over limbs; NaN where one never moves."""
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = (x - x.mean(-1, keepdims=True) for x in (angles, truth))
        return float(((a * b).sum(-1) / np.sqrt((a**2).sum(-1) * (b**2).sum(-1))).mean())


def agreement_deg(views: Sequence[ViewResult], limbs: Sequence[Sequence[int]]) -> float:
    """RMS difference of the limbs' angles between every two views, in frames that both have; NaN without any."""
    courses = []
    for view in views:
        course = np.full(
            (len(limbs), 1 + max((int(v.frames.max(initial=0)) for v in views), default=0)), np.nan
        )
        course[:, view.frames] = [flexion_deg(view.body_cam, limb) for limb in limbs]
        courses.append(course)
    values = []
    for first in range(len(courses)):
        for second in range(first):
            both = np.isfinite(courses[first] + courses[second])
            values.append(((courses[first] - courses[second]) ** 2)[both])
    squared = np.concatenate(values) if values else np.zeros(0)
    return float(np.sqrt(squared.mean())) if len(squared) else float("nan")


def view_of(motion: Motion, truth: Pose2SimTruth, number: int, body: BodyModel) -> ViewResult:
    """The person of a motion of one camera's video."""
    count = min(len(motion), len(truth.keypoints_world))
    found = person_of_frames(motion, truth.boxes_px[:count, number])
    frames = np.flatnonzero(found >= 0)
    rows = motion.rows[found[frames]]
    body_cam = keypoints_m(rows, body)
    eyes = rows["keypoints_px"].astype(np.float64)
    truth_cam = truth.keypoints_cam(number)[frames]
    return ViewResult(
        frames,
        body_cam,
        projected(body_cam, truth.K[number]),
        np.where(eyes[..., 2:] > 0, eyes[..., :2], np.nan),
        truth_cam,
        distorted(truth_cam, truth.K[number], truth.lens[number]),
        count,
        truth.boxes_px[frames, number],
    )


def measure(
    name: str,
    system: System,
    videos: Sequence[Path],
    truth_file: Path,
    progress: ProgressCall,
    tracked: Callable[[str, Motion], None] = lambda clip, motion: None,
    end_s: float | None = None,
) -> Result:
    """The row of the four views, or the first of them: a part for each, their mean, and how well they agree.

    ``end_s`` ends each of them there, seconds.
    """
    truth, body = Pose2SimTruth.load(truth_file), body_of(system)
    views, parts, shots = [], [], []
    for number, video in enumerate(videos):
        progress(f"{name}: {video.name}", number, len(videos))
        K = cast("Matrix", tuple(map(tuple, truth.K[number].tolist())))
        motion = track(video, system, TrackOptions(K=K, end_s=end_s))
        tracked(video.stem, motion)
        view = view_of(motion, truth, number, body)
        views.append(view)
        parts.append({"view": video.stem} | view.scores())
        shots += _shots(video, motion, view)
    metrics = mean_of(parts, KEYS)
    metrics["missed"] = float(sum(part["missed"] for part in parts))
    for limb, triples in ANGLES.items():
        metrics[f"{limb}_agreement_deg"] = agreement_deg(views, triples)
    return Result("pose2sim", "Pose2Sim", name, metrics, parts, shots, views)


def _shots(video: Path, motion: Motion, view: ViewResult, count: int = 6) -> list[ResultPicture]:
    shots, boxes = [], dict(zip(view.frames.tolist(), view.boxes_px, strict=True))
    errors = dict(
        zip(
            view.frames.tolist(),
            pa_mpjpe_mm(view.body_cam[:, LIMBS], view.truth_cam[:, LIMBS]) if len(view.frames) else (),
            strict=True,
        )
    )
    for frame in np.linspace(0, len(motion) - 1, count).astype(int).tolist():
        rows, mm = motion.in_frame(frame), errors.get(frame, float("nan"))
        caption = f"{float(motion.pts[frame]):.2f} s, PA {mm:.0f} mm"
        K = motion.frames["K"][frame]
        shots.append(
            ResultPicture(video, motion.pts[frame], rows[rows["visible"]], K, caption, boxes.get(frame), -mm)
        )
    return shots
