"""What a network says of AVA's labelled instants, as rows of a table of detections (LART's evaluation)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.datasets.tracklets import Tracklet

FPS = 30
FIRST_SECOND = 900  # of the films, of which minutes 15 to 30 are labelled
LABELLED_SECONDS = range(902, 1799)
LEAST_SCORE = 0.8  # of a detection
AROUND = 6  # frames before and after an instant over which scores are averaged


class AvaRows(NamedTuple):
    """Rows of one instant of one person, one for each action."""

    second: int
    box: NDArray[np.float64]  # (4,) x0, y0, x1, y1 in shares of the picture
    scores: NDArray[np.float64]  # (actions,)


def second_of(keyframe: int) -> int:
    """The second of the film of a numbered frame from its minute 15 on."""
    return keyframe // FPS + FIRST_SECOND


def rows_at(tracklet: Tracklet, scores: NDArray[np.floating], frame: int, second: int) -> AvaRows | None:
    """The person at a labelled instant, frame number ``frame`` of the tracklet, of scores (T, actions).

    None if they were not detected there, or not surely, or the second is none that is labelled.
    """
    at = int(np.searchsorted(tracklet.frames, frame))
    there = at < len(tracklet) and tracklet.frames[at] == frame and tracklet.detected[at]
    if not there or tracklet.score[at] < LEAST_SCORE or second not in LABELLED_SECONDS:
        return None
    box = tracklet.box_px[at].astype(np.float64) / np.tile(tracklet.size_px[at], 2)
    around = slice(max(0, at - AROUND), at + AROUND)
    return AvaRows(second, box, scores[around].mean(axis=0).astype(np.float64))
