"""Keeping the keypoints of people who stand close together apart.

A network for one person, shown two, often finds the wrong one: in a group several skeletons pile onto one
man. Two remedies, in this order: each person is shown to the network with the neighbours painted over, and of
two skeletons that still lie on one another the worse is suppressed.
"""

import numpy as np

from choros.detection.protocols import KeypointEstimator, checked_keypoints
from choros.keypoints import AREA_OF_BOX, box_area, box_iou, box_of_keypoints, box_overlap, oks

_PAINT = 114  # mid grey; black, blur and the mean colour do as well, half-transparent grey does not
_REACH = 0.5  # how far around a box neighbours matter, over the box's longer side
_SAME_PERSON_IOU = 0.6  # boxes overlapping more are two finds of one person, who is not painted over


def estimate_apart(
    estimator: KeypointEstimator,
    image: np.ndarray,  # (H, W, 3) uint8 RGB
    boxes_px: np.ndarray,  # (n, 4) xyxy
) -> np.ndarray:  # (n, 17, 3) float32 x_px, y_px, confidence
    """Keypoints of everyone, each seen without what only the others' boxes hold.

    People with nobody near are estimated in one call on the whole image; each of the others in a call of
    its own, on a copy of the surroundings. An estimator that ``tells_people_apart`` is asked about all at once.
    Raises `ChorosError` where the estimator breaks its protocol.
    """
    if getattr(estimator, "tells_people_apart", False):
        return checked_keypoints(estimator, image, boxes_px)
    keypoints = np.empty((len(boxes_px), 17, 3), np.float32)
    near = _near(boxes_px)
    alone = ~near.any(-1)
    keypoints[alone] = checked_keypoints(estimator, image, boxes_px[alone])
    for person in np.flatnonzero(~alone):
        scene, corner_px = paint_over(image, boxes_px[person], boxes_px[near[person]])
        shifted = boxes_px[person : person + 1] - np.tile(corner_px, 2)
        keypoints[person] = checked_keypoints(estimator, scene, shifted)[0]
        keypoints[person, :, :2] += corner_px
    return keypoints


def paint_over(
    image: np.ndarray,  # (H, W, 3) uint8 RGB
    box_px: np.ndarray,  # (4,) xyxy, of the person to keep
    neighbours_px: np.ndarray,  # (n, 4) xyxy
) -> tuple[np.ndarray, np.ndarray]:
    """The person's surroundings with the neighbours' boxes grey, except where they overlap the person's own.

    Returns the painted copy and the (2,) float32 px where its top-left corner lies in ``image``.
    """
    surroundings = _pixels(_surroundings(box_px), image)
    scene = image[surroundings].copy()
    corner_px = np.array([surroundings[1].start, surroundings[0].start], np.float32)
    own = _pixels(box_px - np.tile(corner_px, 2), scene)
    person = scene[own].copy()
    for neighbour in neighbours_px - np.tile(corner_px, 2):
        scene[_pixels(neighbour, scene)] = _PAINT
    scene[own] = person
    return scene, corner_px


def skeletons_to_keep(
    boxes_px: np.ndarray,  # (n, 4) xyxy
    scores: np.ndarray,  # (n,)
    keypoints: np.ndarray,  # (n, 17, 3)
    similarity: float,
) -> np.ndarray:  # (n,) bool
    """False for a skeleton that a better one resembles by more than ``similarity`` (OKS).

    Better is the one that fills its own box and is seen clearly: the score of the box times the overlap of
    the box with the box around the keypoints times their mean confidence.
    """
    areas = AREA_OF_BOX * box_area(boxes_px)
    alike = oks(keypoints, keypoints, areas)
    alike = np.maximum(alike, alike.T) > similarity
    fits = np.array([
        box_iou(box[None], np.nan_to_num(box_of_keypoints(points))[None])[0, 0]
        for box, points in zip(boxes_px, keypoints, strict=True)
    ])  # fmt: skip
    keep = np.ones(len(boxes_px), bool)
    order = np.argsort(-scores * fits * keypoints[..., 2].mean(-1), kind="stable")
    for rank, person in enumerate(order):
        if keep[person]:
            worse = order[rank + 1 :]
            keep[worse] &= ~alike[person, worse]
    return keep


def _surroundings(boxes_px: np.ndarray) -> np.ndarray:  # (..., 4) -> (..., 4) xyxy px
    reach = _REACH * (boxes_px[..., 2:] - boxes_px[..., :2]).max(-1, keepdims=True)
    return boxes_px + np.concatenate([-reach, -reach, reach, reach], -1)


def _near(boxes_px: np.ndarray) -> np.ndarray:  # (n, 4) -> (n, n) bool: does row see column beside it?
    seen = box_overlap(_surroundings(boxes_px), boxes_px) > 0
    return seen & (box_iou(boxes_px, boxes_px) < _SAME_PERSON_IOU) & ~np.eye(len(boxes_px), dtype=bool)


def _pixels(box_px: np.ndarray, image: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of ``image`` that a box touches, none for a box outside; at least one pixel."""
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(box_px[:2]), 0, [width, height]).astype(int)
    right, bottom = np.clip(np.ceil(box_px[2:]), 0, [width, height]).astype(int)
    return slice(int(top), int(max(top, bottom))), slice(int(left), int(max(left, right)))
