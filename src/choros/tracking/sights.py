"""What a track keeps of the last sights of its person: box, keypoints within it, appearance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.keypoints import box_iou
from choros.tracking import box_filter
from choros.tracking.appearance import PARTS, Colours, remember
from choros.tracking.box_filter import BOX_STATE, BoxRules
from choros.tracking.likelihood import Observed, shape_of

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Fields of a track.
SIGHT_FIELDS = [
    ("box", BOX_STATE),
    ("shape", "f8", (17, 3)),  # keypoints in the box when last seen, see ``likelihood.shape_of``
    ("appearance_lab", "f8", (len(PARTS), 3)),
    ("appearance_weight", "f8", (len(PARTS),)),
]


def overlap_with_others(boxes_px: Floats) -> Floats:
    """IoU of each box, (n, 4), with the one it overlaps most, (n,); 0 for people alone."""
    overlap = box_iou(boxes_px, boxes_px)
    np.fill_diagonal(overlap, 0)
    return overlap.max(-1, initial=0)


def remember_outlines(
    tracks: NDArray[np.void],
    which: Indices,
    seen: Observed,
    seen_as: Indices,
    rules: BoxRules,
    *,
    first: bool = False,
) -> None:
    """The boxes of the tracks ``which``, and how their keypoints lie in them."""
    boxes_px = seen.boxes_px[seen_as]
    if first:
        tracks["box"][which] = box_filter.begin(boxes_px, rules)
    else:
        tracks["box"][which] = box_filter.update(tracks["box"][which], boxes_px, rules, seen.overlap[seen_as])
    tracks["shape"][which] = shape_of(boxes_px, seen.keypoints[seen_as])


def remember_appearance(
    tracks: NDArray[np.void],
    which: Indices,
    seen: Observed,
    seen_as: Indices,
    share: float,
    max_overlap: float,
) -> None:
    """What the tracks ``which`` look like, unless somebody else may stand before them.

    A sight counts for ``share`` of the memory; none with an overlap above ``max_overlap``, but for the first.
    """
    unknown = tracks["appearance_weight"][which].max(-1) == 0
    counts = (seen.overlap[seen_as] < max_overlap) | unknown
    old = Colours(tracks["appearance_lab"][which], tracks["appearance_weight"][which])
    now = Colours(seen.colours.lab[seen_as], seen.colours.weight[seen_as] * counts[:, None])
    new = remember(old, now, share * counts)
    tracks["appearance_lab"][which], tracks["appearance_weight"][which] = new.lab, new.weight
