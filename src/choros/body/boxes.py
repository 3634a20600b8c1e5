"""The box of a whole body in the picture, parts that nobody sees too, as a detector would draw it around all of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.camera import project_in_front

Floats = NDArray[np.float64]

#: Metres left, above, right and below the outermost joints: flesh of the open body over the poses of scenes (.05, .14,
#: .05, .05), clothes, and the room that detectors leave.
ROOM_M = np.array([0.1, 0.2, 0.1, 0.08])
NEAR_M = 0.3  # joints nearer than that count as being there


def boxes_of_bodies(joints_cam: Floats, K: Floats) -> Floats:
    """Boxes (n, 4) xyxy px around bodies with joints (n, 24, 3), metres, camera axes; pelvis first.

    ``K`` (3, 3), or (n, 3, 3), px.
    """
    ahead = np.concatenate([joints_cam[..., :2], np.maximum(joints_cam[..., 2:], NEAR_M)], -1)
    at_px, _ = project_in_front(ahead, K[..., None, :, :])
    room_px = ROOM_M * K[..., [0, 1, 0, 1], [0, 1, 0, 1]] / ahead[:, :1, 2]
    return np.concatenate([at_px.min(1) - room_px[:, :2], at_px.max(1) + room_px[:, 2:]], -1)


def whole_boxes(detected_px: NDArray[np.floating], whole_px: Floats, clarity: NDArray[np.floating]) -> Floats:
    """Boxes (n, 4) of people who are detected: of who shows all their keypoints as detected, else nearer the body's.

    A detector draws its box around what it sees. ``clarity`` (n,) is the mean confidence of keypoints, 0 to 1.
    """
    share = clarity[:, None].astype(np.float64)
    return np.asarray(whole_px + share * (detected_px - whole_px))
