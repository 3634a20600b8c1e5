"""PoseTrack21's ignore regions: predictions where the truth is known to be missing are not counted.

The official rule (Doering et al. 2022) asks for IoU > 0.1 between box and region, which no box reaches in
a large region; CoMotion (appendix A.1) asks for 0.3 of the box to lie inside. Both are here, since both
kinds of figures are published; what is left is scored by ``tracking.py`` and ``hota.py``.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from choros.errors import ChorosError
from choros.evaluation.metrics.tracking import TrackingFrames

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rule = Literal["official", "corrected"]

_EPS = np.finfo(float).eps


def without_ignored(
    frames: TrackingFrames,
    pred_boxes_px: Sequence[ArrayLike],  # F x (n_pred, 4) xyxy px, in the order of frames.pred_ids
    regions_px: Sequence[Sequence[ArrayLike]],  # F x regions x (corners, 2) px
    rule: Rule = "corrected",
) -> TrackingFrames:
    """The frames without predictions that lie in an ignore region and match nobody (at similarity 0.5).

    As in the official evaluation, a frame without any annotated person keeps all its predictions.
    """
    if not len(frames.similarity) == len(pred_boxes_px) == len(regions_px):
        raise ChorosError(
            f"Ignore regions need boxes and regions for each of {len(frames.similarity)} frames, "
            f"not {len(pred_boxes_px)} and {len(regions_px)}."
        )
    keep = [
        _matched(similarity) | ~in_ignore_region(boxes, regions, rule)
        if len(similarity)
        else np.ones(similarity.shape[1], dtype=bool)
        for similarity, boxes, regions in zip(frames.similarity, pred_boxes_px, regions_px, strict=True)
    ]
    return TrackingFrames(
        frames.gt_ids,
        [ids[kept] for ids, kept in zip(frames.pred_ids, keep, strict=True)],
        [similarity[:, kept] for similarity, kept in zip(frames.similarity, keep, strict=True)],
    )


def _matched(similarity: Floats) -> Bools:
    """Which predictions (m,) find a partner of at least 0.5 among the truth, (n, m)."""
    score = np.where(similarity < 0.5 - _EPS, 0, similarity)
    rows, columns = linear_sum_assignment(-score)
    matched = np.zeros(similarity.shape[1], dtype=bool)
    matched[columns] = score[rows, columns] > _EPS
    return matched


def in_ignore_region(boxes_px: ArrayLike, regions_px: Sequence[ArrayLike], rule: Rule = "corrected") -> Bools:
    """Which boxes (n, 4), xyxy px, the rule gives to any of the regions (corners, 2) px.

    "official": IoU with the region > 0.1. "corrected": at least 0.3 of the box lies in the region. Each
    region is judged by itself, as in both evaluations, also where regions overlap.
    """
    boxes = np.asarray(boxes_px, dtype=float).reshape(-1, 4)
    area = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    ignored = np.zeros(len(boxes), dtype=bool)
    for region_px in regions_px:
        region = np.asarray(region_px, dtype=float)
        shared = np.array([polygon_area_px2(_clip(region, box)) for box in boxes])
        if rule == "official":
            ignored |= shared > 0.1 * (area + polygon_area_px2(region) - shared)
        else:
            ignored |= (shared >= 0.3 * area) & (area > 0)
    return ignored


def polygon_area_px2(corners_px: ArrayLike) -> float:
    """Area of a simple polygon (corners, 2), in either direction (shoelace formula)."""
    x, y = np.asarray(corners_px, dtype=float).reshape(-1, 2).T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _clip(polygon: Floats, box: Floats) -> Floats:
    """The part of a polygon (V, 2) inside a box, side by side (Sutherland & Hodgman 1974).

    Parts of a hollow polygon stay joined by lines along the box's sides; those enclose no area.
    """
    for axis, limit, sign in ((0, box[0], 1), (0, box[2], -1), (1, box[1], 1), (1, box[3], -1)):
        depth = sign * (polygon[:, axis] - limit)
        following, next_depth = np.roll(polygon, -1, axis=0), np.roll(depth, -1)
        crosses = (depth >= 0) != (next_depth >= 0)
        share = np.divide(depth, depth - next_depth, out=np.zeros_like(depth), where=crosses)
        crossing = polygon + share[:, None] * (following - polygon)
        polygon = np.stack([polygon, crossing], axis=1)[np.stack([depth >= 0, crosses], axis=1)]
    return polygon
