"""Unseen tracks beside seen ones: which of them are ghosts, and which are hidden behind somebody.

A ghost is a track whose person is detected again under another track, while it goes on where nobody is any more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.keypoints import box_iou

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


class Ghosts(NamedTuple):
    """Tracks that are one person: the unseen ``ghost`` (k,) of whoever is ``seen`` (k,), each ghost once."""

    ghost: Indices
    seen: Indices


def ghosts_of_the_seen(
    ratio: Floats,  # (n, m) log likelihood ratios of all tracks and all people who stand where they are expected
    together: NDArray[np.bool_],  # (n, n) tracks that were ever seen in one frame
    mine: Indices,  # (k,) tracks seen in this frame
    theirs: Indices,  # (k,) the people they are
    min_ratio: float,
) -> Ghosts:
    """Unseen tracks that would explain the person whom another track is, and were never seen beside that one.

    Two tracks that are never there at once and fit one and the same person are that person, who would otherwise
    take turns between them.
    """
    unseen = np.setdiff1d(np.arange(len(ratio)), mine)
    fits = np.where(together[np.ix_(unseen, mine)], -np.inf, ratio[np.ix_(unseen, theirs)])
    best = fits.argmax(-1) if len(mine) else np.zeros(len(unseen), np.intp)
    one = fits.max(-1, initial=-np.inf) > min_ratio
    return Ghosts(unseen[one], mine[best[one]])


def hand_on_ids(tracks: NDArray[np.void], ghosts: Ghosts) -> None:
    """Who has no number yet takes over that of their ghost."""
    for ghost, one in zip(*ghosts, strict=True):
        if tracks["id"][one] == 0 and tracks["id"][ghost] > 0:
            tracks["id"][one] = tracks["id"][ghost]


def end(tracks: NDArray[np.void], ghosts: Ghosts) -> None:
    """Ghosts count as never seen, and so end with this frame."""
    tracks["seen_s"][ghosts.ghost], tracks["id"][ghosts.ghost] = -np.inf, 0


def pushed_behind(
    boxes_px: Floats,  # (n, 4) xyxy, of all tracks as expected
    depth_m: Floats,  # (n,)
    seen: NDArray[np.bool_],  # (n,)
    min_iou: float,
    gap_m: float,
) -> Floats:  # (n,)
    """Depths at which nobody who is unseen stands before, or inside of, somebody seen in the same place."""
    covers = (box_iou(boxes_px, boxes_px) >= min_iou) & seen & ~seen[:, None]
    behind = np.where(covers, depth_m + gap_m, 0).max(-1, initial=0)
    return np.maximum(depth_m, behind)
