"""Tracks that follow the same person, and which of them ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.keypoints import AREA_OF_BOX, box_area, oks

Floats = NDArray[np.floating]


def on_one_person(
    keypoints: Floats,  # (n, 17, 3) x_px, y_px, 1 in front of the camera and 0 behind
    boxes_px: Floats,  # (n, 4) xyxy
    pelvis_cam: Floats,  # (n, 3) metres
    min_oks: float,
    near_m: float,
    near_share: float,
) -> NDArray[np.bool_]:  # (n, n)
    """Who looks the same as whom and stands in the same place.

    The same place is one within ``near_m`` and ``near_share`` of the distance: in the image alone, somebody who
    walks behind another, step for step, would be the same person.
    """
    likeness = oks(keypoints, keypoints, AREA_OF_BOX * box_area(boxes_px))
    gap_m = np.linalg.norm(pelvis_cam[:, None] - pelvis_cam[None], axis=-1)
    reach_m = near_m + near_share * np.linalg.norm(pelvis_cam, axis=-1)
    same = (np.maximum(likeness, likeness.T) >= min_oks) & (gap_m <= np.maximum(reach_m[:, None], reach_m))
    np.fill_diagonal(same, False)
    return same


def lesser_of(tracks: NDArray[np.void], same: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of tracks (n,), oldest first, those that share their person (``same``, (n, n)) with a better one.

    Better is who is confirmed, then with whom boxes agreed more of late (a hidden person who was drawn to
    another's pixels has been without boxes), then the older.
    """
    order = np.lexsort((np.arange(len(tracks)), -tracks["agreement"], tracks["id"] == 0))
    rank = np.empty(len(tracks), np.intp)
    rank[order] = np.arange(len(tracks))
    return np.any(same & (rank[:, None] < rank[None]), axis=0)
