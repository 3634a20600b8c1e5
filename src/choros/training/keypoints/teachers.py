"""Labels from two keypoint networks: a joint is taught where they agree, and is nowhere where neither sees it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.detection import KeypointEstimator
from choros.detection.protocols import checked_keypoints
from choros.keypoints import AREA_OF_BOX, COCO_SIGMAS, box_area
from choros.skeleton import MIRROR_COCO17

Floats = NDArray[np.float64]

#: Confidence from which a teacher is believed, and below which neither has seen a joint.
SEEN, UNSEEN = 0.35, 0.15
#: How far apart two answers may be that agree, in COCO's standard deviations (2 sigma times the root of the area).
AGREE = 1.0


class Taught(NamedTuple):
    """What n people's 17 joints are taught as."""

    keypoints_px: Floats  # (n, 17, 3) x, y, 1 where the teachers agree, else 0
    absent: NDArray[np.bool_]  # (n, 17) both have seen nothing


def taught(
    teachers: tuple[KeypointEstimator, KeypointEstimator],
    image: NDArray[np.uint8],  # (H, W, 3) RGB
    boxes_px: Floats,  # (n, 4) xyxy
) -> Taught:
    """Both teachers' answers about the people in the boxes, each the mean of two looks, as one set of labels."""
    a, b = (two_looks(teacher, image, boxes_px) for teacher in teachers)
    return agreed(a, b, AREA_OF_BOX * box_area(boxes_px))


def two_looks(teacher: KeypointEstimator, image: NDArray[np.uint8], boxes_px: Floats) -> Floats:
    """A network's keypoints (n, 17, 3) of the picture and of its mirror image, averaged.

    Where the two looks are far apart it is not sure, whatever it says: confidence is the lower one times how alike they
    are (COCO's similarity of one keypoint).
    """
    width = image.shape[1]
    mirrored = np.stack([width - boxes_px[:, 2], boxes_px[:, 1], width - boxes_px[:, 0], boxes_px[:, 3]], -1)
    one = checked_keypoints(teacher, image, boxes_px).astype(np.float64)
    other = checked_keypoints(teacher, np.ascontiguousarray(image[:, ::-1]), mirrored).astype(np.float64)
    other = other[:, MIRROR_COCO17]
    other[..., 0] = width - other[..., 0]
    alike = np.exp(-0.5 * _apart(one, other, AREA_OF_BOX * box_area(boxes_px)) ** 2)
    sure = np.minimum(one[..., 2], other[..., 2]) * alike
    return np.concatenate([(one[..., :2] + other[..., :2]) / 2, sure[..., None]], -1)


def agreed(a: Floats, b: Floats, area_px: Floats) -> Taught:
    """Two networks' keypoints (n, 17, 3) of people of areas (n,), px²: the mean, weighed by confidence."""
    near = _apart(a, b, area_px) <= AGREE
    both = (np.minimum(a[..., 2], b[..., 2]) >= SEEN) & near
    weights = np.stack([a[..., 2], b[..., 2]])[..., None] + 1e-9
    mean = (np.stack([a[..., :2], b[..., :2]]) * weights).sum(0) / weights.sum(0)
    absent = np.maximum(a[..., 2], b[..., 2]) < UNSEEN
    return Taught(np.concatenate([mean * both[..., None], both[..., None]], -1), absent)


def _apart(a: Floats, b: Floats, area_px: Floats) -> Floats:  # (n, 17)
    """Distances in COCO's standard deviations."""
    spread = 2 * COCO_SIGMAS * np.sqrt(np.maximum(area_px, 1.0))[:, None]
    return np.asarray(np.linalg.norm(a[..., :2] - b[..., :2], axis=-1) / spread)
