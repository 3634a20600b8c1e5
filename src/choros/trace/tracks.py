"""The fields of a track of TRACE: what is remembered of somebody, seen or hidden.

The paper keeps a hidden person's feature and regresses them anew; the same feature gives the same pose, so that is
what is kept here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.tracking.fitted import FITTED_FIELDS
from choros.tracking.online import Tracks

Floats = NDArray[np.floating]

FIELDS: list[Any] = [
    ("rotations", "f8", (24, 3, 3)),  # these three: as seen in this frame, else as remembered
    ("betas", "f8", (10,)),
    ("pelvis", "f8", (3,)),  # metres, today's camera
    ("last_cam", "f8", (3,)),  # where it was in the frame before, in the camera of then
    ("told", "f8", (3,)),  # the same two as the maps tell, before anybody was put on keypoints
    ("last_told", "f8", (3,)),
    ("velocity", "f8", (3,)),  # metres a second
    (
        "first_cam",
        "f8",
        (3,),
    ),  # the paper's: its numbers in the first camera, added up; of networks that tell so
    ("box_m", "f8", (4,)),  # xyxy about the pelvis, at its depth
    ("lab", "f8", (3, 3)),  # ours: what they wear, of `choros.tracking.appearance.Colours`
    ("lab_weight", "f8", (3,)),
    *FITTED_FIELDS,  # of who is put on keypoints
    ("height", "f8"),  # of the centre
    ("confidence", "f8"),
]


def remember_boxes(tracks: Tracks, boxes_px: Floats, K: NDArray[np.float64]) -> None:
    """How the boxes (n, 4) xyxy px of the tracks lie about their pelves."""
    pelvis_px, metre_px = _pelvis_px(tracks, K)
    box = boxes_px.reshape(-1, 2, 2) - pelvis_px[:, None]
    tracks["box_m"] = (box / metre_px[:, None]).reshape(-1, 4)


def boxes_of(tracks: Tracks, K: NDArray[np.float64]) -> Floats:
    """Where the boxes of the tracks are, if they only moved with their pelves, (n, 4) xyxy px."""
    pelvis_px, metre_px = _pelvis_px(tracks, K)
    return (pelvis_px[:, None] + tracks["box_m"].reshape(-1, 2, 2) * metre_px[:, None]).reshape(-1, 4)


def _pelvis_px(tracks: Tracks, K: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Pelves (n, 2) px, and how many px a metre is there, (n, 2)."""
    depth = np.maximum(tracks["pelvis"][:, 2:], 0.3)
    focal = K[[0, 1], [0, 1]]
    return tracks["pelvis"][:, :2] / depth * focal + K[:2, 2], focal / depth
