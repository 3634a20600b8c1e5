"""Straight lines of the background, and how far they are from pointing to where parallel ones meet.

Many edges of houses, doors and furniture stand upright, and in the picture point to the vertical vanishing point. Which
lines are such edges nobody says: of all lines of a picture, level ones, shadows and trees too, whoever asks them is to
let those count little that point far elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LONG_SIDE_PX = 960  # of the picture that lines are looked for in; larger ones are reduced
SHORTEST = 0.04  # of its long side
MARGIN = 0.1  # around a person's box, share of its larger side
MOST = 300  # the longest


@dataclass(frozen=True, eq=False)
class Lines:
    """m straight lines of one picture."""

    ends_px: Floats  # (m, 2, 2) from one end to the other
    weight: Floats  # (m,) length, in quarters of the picture's long side

    def __len__(self) -> int:
        return len(self.ends_px)


def lines_of(image: NDArray[np.uint8], boxes_px: Floats) -> Lines:
    """Lines of a picture (H, W, 3) outside of the ``boxes_px`` (n, 4) of people."""
    scale = max(max(image.shape[:2]) / LONG_SIDE_PX, 1.0)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if scale > 1:
        grey = cv2.resize(grey, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(grey)[0]
    ends = np.zeros((0, 2, 2)) if found is None else np.asarray(found, np.float64).reshape(-1, 2, 2) * scale
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=-1) / max(image.shape[:2])
    middle = ends.mean(1)
    low, high = boxes_px[:, :2], boxes_px[:, 2:]
    margin = MARGIN * (high - low).max(-1, keepdims=True)
    on_people = ((middle[:, None] > low - margin) & (middle[:, None] < high + margin)).all(-1).any(-1)
    kept = np.flatnonzero((length > SHORTEST) & ~on_people)
    kept = kept[np.argsort(-length[kept], kind="stable")[:MOST]]
    return Lines(ends[kept], 4 * length[kept])


def angles_off(lines: Lines, K: Floats, direction: Floats) -> Floats:
    """How far lines are from pointing to the vanishing point of a ``direction`` (3,) in camera axes: (m,) rad."""
    middle, along = lines.ends_px.mean(1), lines.ends_px[:, 1] - lines.ends_px[:, 0]
    vanishing = K @ direction  # homogeneous px
    to = vanishing[:2] - vanishing[2] * middle
    cross = to[:, 0] * along[:, 1] - to[:, 1] * along[:, 0]
    return np.asarray(np.arctan2(cross, (to * along).sum(-1)) + np.pi / 2) % np.pi - np.pi / 2
