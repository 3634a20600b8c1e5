"""The record of one live track, and what it remembers of a sight: box, keypoints in it, clothes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.keypoints import box_iou
from choros.lifter.shape import FIELDS
from choros.tracking import box_filter
from choros.tracking.appearance import PARTS, Colours, remember
from choros.tracking.box_filter import BOX_STATE, BoxRules
from choros.tracking.likelihood import Seen, shape_of

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def track_type(hidden_width: int) -> np.dtype[np.void]:
    """The fields of a track; ``hidden_width`` is the network's memory of a person."""
    return np.dtype(
        [
            ("id", "i4"),  # 0 until confirmed
            ("sights", "i4"),
            ("belief", "f8"),  # log odds that this is somebody
            ("score", "f8"),  # best detection so far
            ("crowded", "?"),  # first seen where somebody else was
            ("born_s", "f8"),
            ("seen_s", "f8"),
            ("inside_s", "f8"),
            ("rotations", "f8", (24, 3, 3)),
            *FIELDS,  # of the shape
            ("transl", "f8", (3,)),
            ("velocity_m_s", "f8", (3,)),
            ("confidence", "f8"),
            ("box", BOX_STATE),
            ("shape", "f8", (17, 3)),  # keypoints in the box when last seen, see ``likelihood.shape_of``
            ("dress_lab", "f8", (len(PARTS), 3)),
            ("dress_weight", "f8", (len(PARTS),)),
            ("hidden", "f4", (hidden_width,)),
        ],
        align=True,  # torch takes no field that lies across its own size
    )


def overlap_with_others(boxes_px: Floats) -> Floats:
    """IoU of each box, (n, 4), with the one it overlaps most, (n,); 0 for people alone."""
    overlap = box_iou(boxes_px, boxes_px)
    np.fill_diagonal(overlap, 0)
    return overlap.max(-1, initial=0)


def remember_outlines(
    tracks: NDArray[np.void],
    which: Indices,
    seen: Seen,
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


def remember_clothes(
    tracks: NDArray[np.void], which: Indices, seen: Seen, seen_as: Indices, share: float, max_overlap: float
) -> None:
    """What the tracks ``which`` wear, unless somebody else may stand before them.

    A sight counts for ``share`` of the memory; none with an overlap above ``max_overlap``, but for the first.
    """
    unknown = tracks["dress_weight"][which].max(-1) == 0
    counts = (seen.overlap[seen_as] < max_overlap) | unknown
    old = Colours(tracks["dress_lab"][which], tracks["dress_weight"][which])
    now = Colours(seen.colours.lab[seen_as], seen.colours.weight[seen_as] * counts[:, None])
    new = remember(old, now, share * counts)
    tracks["dress_lab"][which], tracks["dress_weight"][which] = new.lab, new.weight


def coast(tracks: NDArray[np.void], which: Indices, dt_s: float, memory_s: float, rules: BoxRules) -> None:
    """Nobody saw the tracks ``which``: they drift on, ever slower and less sure."""
    keep = np.exp(-dt_s / memory_s)
    tracks["velocity_m_s"][which] *= keep
    tracks["confidence"][which] *= keep
    tracks["box"][which] = box_filter.coast(tracks["box"][which], dt_s, rules)
