"""How alike two people are in the image: COCO's object keypoint similarity, and overlap of boxes.

The similarity is the one of the COCO keypoint challenge (cocodataset.org/#keypoints-eval). Detection uses it
to find two skeletons on one person, tracking to join people over time, evaluation to score.
"""

import numpy as np

#: Standard deviation of human annotators per COCO-17 keypoint, as a share of the root of the person's area.
COCO_SIGMAS = np.array([
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087,
    0.089, 0.089,
])  # fmt: skip
COCO_SIGMAS.setflags(write=False)

#: How much coarser or finer than the average each can be told.
RELATIVE_SIGMAS = COCO_SIGMAS / COCO_SIGMAS.mean()
RELATIVE_SIGMAS.setflags(write=False)

#: Area of a person as a share of their box, where no mask is known (the mean of COCO's annotations).
AREA_OF_BOX = 0.53


# How far off MoveNet's keypoints are: see ``keypoint_std``. Per face, shoulders, elbows, wrists, hips, knees,
# ankles, at odds of 12 to 1 that a keypoint is right (confidence .924): size of the core (per axis), its power
# of the odds, misses per hit, and their power.
_GROUP = np.array([0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6])
_CORE = np.array([0.0097, 0.0203, 0.0170, 0.0154, 0.0319, 0.0227, 0.0210])[_GROUP]
_CORE_POWER = np.array([0.360, 0.182, 0.329, 0.367, 0.218, 0.288, 0.321])[_GROUP]
_MISSES = np.exp([-4.59, -3.03, -3.07, -3.01, -3.99, -3.34, -3.47])[_GROUP]
_MISS_POWER = np.array([1.09, 1.00, 0.85, 0.95, 1.00, 1.26, 1.26])[_GROUP]
_TAIL = 1.2  # standard deviation over scale, of a Student t of 4 degrees of freedom within three of them
_CONFIDENCES = 0.096, 0.9935  # least and most that ``MoveNet`` reports


def keypoint_std(confidence: np.ndarray) -> np.ndarray:  # (..., 17) -> (..., 17)
    """Standard deviation per axis of keypoints reported with ``confidence``, as shares of the person's size.

    The size is the longer side of the keypoints' extent. ``1 / std²`` is what a keypoint tells a fit that
    doubts keypoints three standard deviations away: the core's information, times the chance that the
    keypoint is in the core and not a miss. Fitted by maximum likelihood (Student t of 4 degrees of freedom,
    plus misses) to MoveNet Thunder's and Lightning's keypoints of 782 people of COCO val2017 (CC BY 2.0) with
    true joints; joints without truth have the errors that their confidence has on people cut off or covered.
    Thunder alone is up to 10 % better than this and Lightning as much worse. The errors of COCO's annotators are
    in it; that the body's own keypoints lie elsewhere than COCO's is not.
    """
    sure = np.clip(np.asarray(confidence, np.float64), *_CONFIDENCES)
    against = np.exp(2.5) * (1 - sure) / sure  # 1 at odds of 12 to 1
    return _TAIL * _CORE * against**_CORE_POWER * np.sqrt(1 + _MISSES * against**_MISS_POWER)


def oks(
    keypoints_a: np.ndarray,  # (n, 17, 3) x_px, y_px, confidence
    keypoints_b: np.ndarray,  # (m, 17, 3) x_px, y_px, confidence
    areas_a: np.ndarray,  # (n,) px², of the people a
    min_confidence: float = 0.2,
    sigmas: np.ndarray = COCO_SIGMAS,  # (17,)
) -> np.ndarray:  # (n, m) float64 in 0..1
    """Object keypoint similarity of every person of ``a`` with every person of ``b``.

    The mean of ``exp(-d² / (2 area (2 sigma)²))`` over the keypoints that both people show with a confidence
    above ``min_confidence``; 0 where they have none in common. COCO takes the segmented area of the true
    person; for a box, ``AREA_OF_BOX`` of its area comes close.
    """
    a, b = np.asarray(keypoints_a, np.float64), np.asarray(keypoints_b, np.float64)
    area = np.maximum(np.asarray(areas_a, np.float64), np.spacing(1.0))
    squared_px = ((a[:, None, :, :2] - b[None, :, :, :2]) ** 2).sum(-1)  # (n, m, 17)
    likeness = np.exp(-squared_px / (2 * area[:, None, None] * (2 * sigmas) ** 2))
    shared = (a[:, None, :, 2] > min_confidence) & (b[None, :, :, 2] > min_confidence)
    return np.where(shared, likeness, 0.0).sum(-1) / np.maximum(shared.sum(-1), 1)


def on_a_neighbour(
    found: np.ndarray,  # (n, 17, 3) x_px, y_px, confidence
    labelled: np.ndarray,  # (n, 17, 3) x_px, y_px, 1 where labelled, of the same people
    areas: np.ndarray,  # (n,) px², of the people
    sigmas: np.ndarray = COCO_SIGMAS,  # (17,)
) -> np.ndarray:  # (n,) bool
    """Whose keypoints lie on somebody else: more than half alike (OKS) to another's, and by .2 more than to their own.

    All keypoints count, whatever their confidence.
    """
    shown = np.concatenate([found[..., :2], np.ones_like(found[..., 2:])], -1)
    alike = oks(labelled, shown, areas, sigmas=sigmas)  # (labelled, found)
    own = np.diag(alike)
    others = np.where(np.eye(len(own), dtype=bool), 0, alike).max(0, initial=0)
    stolen: np.ndarray = (others > 0.5) & (others > own + 0.2)
    return stolen


def box_of_keypoints(
    keypoints: np.ndarray,  # (..., 17, 3) x_px, y_px, confidence
    min_confidence: float = 0.2,
) -> np.ndarray:  # (..., 4) xyxy px
    """Tightest box around the keypoints above ``min_confidence``; NaN where there are none."""
    shown = keypoints[..., 2:] > min_confidence
    low = np.where(shown, keypoints[..., :2], np.inf).min(-2)
    high = np.where(shown, keypoints[..., :2], -np.inf).max(-2)
    box = np.concatenate([low, high], -1)
    return np.where(np.isfinite(box), box, np.nan)


def box_area(boxes_px: np.ndarray) -> np.ndarray:  # (..., 4) xyxy px -> (...) px²
    """Area of each box; 0 for one turned inside out."""
    side = np.maximum(boxes_px[..., 2:] - boxes_px[..., :2], 0)
    return side[..., 0] * side[..., 1]


def box_overlap(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:  # (n, 4), (m, 4) -> (n, m) px²
    """Area that every box of ``a`` shares with every box of ``b``, both xyxy px."""
    low = np.maximum(boxes_a[:, None, :2], boxes_b[None, :, :2])
    high = np.minimum(boxes_a[:, None, 2:], boxes_b[None, :, 2:])
    return box_area(np.concatenate([low, high], -1))


def box_iou(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:  # (n, 4), (m, 4) -> (n, m) in 0..1
    """Intersection over union of every box of ``a`` with every box of ``b``; 0 when both are empty."""
    shared = box_overlap(boxes_a, boxes_b)
    union = box_area(boxes_a)[:, None] + box_area(boxes_b)[None] - shared
    return shared / np.maximum(union, np.spacing(1.0))
