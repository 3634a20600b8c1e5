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


def second_of(instant: str) -> int:
    """The second of the film of a labelled frame, which is numbered from the film's minute 15 on: 905 of "000150"."""
    return int(instant) // FPS + FIRST_SECOND


def rows_at(tracklet: Tracklet, scores: NDArray[np.floating], instant: str) -> AvaRows | None:
    """The person of a tracklet at its labelled frame, of scores (T, actions).

    None if they were not detected there, or not surely, or the second is none that is labelled.
    """
    second = second_of(instant)
    at = next((k for k in range(len(tracklet) - 1, -1, -1) if instant in tracklet.pictures[k]), None)
    if at is None or not tracklet.detected[at] or second not in LABELLED_SECONDS:
        return None
    if tracklet.score[at] < LEAST_SCORE:
        return None
    box = tracklet.box_px[at].astype(np.float64) / np.tile(tracklet.size_px[at], 2)
    around = slice(max(0, at - AROUND), at + AROUND)
    return AvaRows(second, box, scores[around].mean(axis=0).astype(np.float64))
