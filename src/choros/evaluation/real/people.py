"""Predicted people of one picture matched with labelled ones, and the errors of their keypoints.

A system answers with rows. Scored are the COCO-17 keypoints of the predicted body, projected into the picture, and
beside them ``keypoints_px``, the 2D keypoints that the system detected. All functions take and return arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from choros.body import BodyModel
from choros.camera import project_in_front
from choros.evaluation.bodies import keypoints_m
from choros.keypoints import AREA_OF_BOX, box_area, box_iou, oks
from choros.tracking.assignment import assign

Floats = NDArray[np.float64]

#: Nearer to the camera, or behind it, nothing has an image, metres.
_NEAR_M = 0.05


class Answer(NamedTuple):
    """The people that a system shows in one picture."""

    boxes_px: Floats  # (m, 4) xyxy
    body_px: Floats  # (m, 17, 2) the body's own COCO-17 keypoints; infinite behind the camera
    eyes_px: Floats  # (m, 17, 2) the evidence; infinite where there is none

    def chosen(self, which: ArrayLike) -> Answer:
        """The people at these indices; -1 stands for nobody, who is infinitely far from everything."""
        index = np.asarray(which, np.intp)
        parts = (np.concatenate([part, np.full((1, *part.shape[1:]), np.inf)]) for part in self)
        return Answer(*(part[index] for part in parts))


def answer(rows: NDArray[np.void], K: Floats, body: BodyModel) -> Answer:
    """What rows (m,) ``motion.ROW`` in camera space show with intrinsics K (3, 3), px."""
    eyes = rows["keypoints_px"].astype(np.float64)
    return Answer(
        rows["box_px"].astype(np.float64),
        projected(keypoints_m(rows, body), K),
        np.where(eyes[..., 2:] > 0, eyes[..., :2], np.inf),
    )


def projected(points_cam: Floats, K: Floats) -> Floats:
    """Points (..., 3) metres in the image, (..., 2) px; infinite where they have none."""
    points_px, in_front = project_in_front(points_cam, K, _NEAR_M)
    return np.where(in_front[..., None], points_px, np.inf)


def match(given: Answer, boxes_px: Floats, keypoints_px: Floats, minimum: float = 0.5) -> NDArray[np.intp]:
    """Which of the people shown each labelled one is, (n,), -1 for nobody; boxes (n, 4), keypoints (n, 17, 3).

    Two people may be one if their boxes overlap (IoU), or the body's own keypoints resemble the labelled ones (OKS),
    by ``minimum``; of all pairs the assignment takes the likeliest together.
    """
    who = np.full(len(boxes_px), -1, np.intp)
    if len(who) and len(given.boxes_px):
        shown = np.isfinite(given.body_px).all(-1, keepdims=True)
        bodies = np.concatenate([np.where(shown, given.body_px, 0.0), shown], axis=-1)
        likeness = np.maximum(
            box_iou(boxes_px, given.boxes_px),
            oks(keypoints_px, bodies, AREA_OF_BOX * box_area(boxes_px)),
        )
        mine, theirs = assign(likeness, minimum)
        who[mine] = theirs
    return who


def relative_errors(points_px: Floats, keypoints_px: Floats, size_px: Floats) -> Floats:
    """Distances (n, K) of points (n, K, 2) from labelled keypoints (n, K, 3), as a share of sizes (n,), px.

    NaN where nothing is labelled, infinite where nothing is shown.
    """
    shown = np.asarray(np.isfinite(points_px).all(-1))
    apart = np.where(shown[..., None], points_px, 0.0) - keypoints_px[..., :2]
    errors = np.where(shown, np.linalg.norm(apart, axis=-1), np.inf) / np.asarray(size_px)[..., None]
    return np.where(keypoints_px[..., 2] > 0, errors, np.nan)


def share_within(errors: ArrayLike, threshold: float) -> float:
    """Share of the labelled keypoints whose relative error is below ``threshold``: PCK; NaN if none is labelled."""
    values = np.asarray(errors, np.float64)
    labelled = values[~np.isnan(values)]
    return float((labelled < threshold).mean()) if len(labelled) else float("nan")


def likeness_to(points_px: Floats, keypoints_px: Floats, area_px: Floats) -> Floats:
    """OKS (n,) of points (n, 17, 2) with the labelled keypoints (n, 17, 3) of the same person.

    Over all labelled keypoints, as COCO has it; 0 for who is not shown, NaN for who has no keypoint labelled.
    """
    shown = np.isfinite(points_px).all(-1, keepdims=True)
    points = np.concatenate([np.where(shown, points_px, 1e9), np.ones_like(shown, np.float64)], axis=-1)
    likeness = [
        oks(truth[None], mine[None], area[None])[0, 0]
        for truth, mine, area in zip(keypoints_px, points, np.asarray(area_px, np.float64), strict=True)
    ]
    return np.where((keypoints_px[..., 2] > 0).any(-1), np.array(likeness).reshape(-1), np.nan)
