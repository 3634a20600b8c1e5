"""The fields of a lifter track, and what is stored of each detection in it: box, keypoints within it, appearance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.keypoints import box_area, box_iou, box_overlap
from choros.lifter.shape_estimator import FIELDS
from choros.tracking import box_filter
from choros.tracking.appearance import PARTS, Colours, remember
from choros.tracking.box_filter import BOX_STATE, BoxRules
from choros.tracking.likelihood import Observed, shape_of

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


#: Keypoints that tell where a box went, and how much it may change from frame to frame.
FEWEST, STRETCH = 4, 1.25
#: How much the outermost of them tell of each side; the rest is told by the middle one of all, which errs less.
OUTERMOST = 0.7


def fields(hidden_width: int) -> list[Any]:
    """The lifter's own fields of a track; ``hidden_width`` is the network's memory of a person."""
    return [
        ("belief", "f8"),  # log odds that this is somebody
        ("rotations", "f8", (24, 3, 3)),
        *FIELDS,  # of the shape
        ("transl", "f8", (3,)),
        ("velocity_m_s", "f8", (3,)),
        ("confidence", "f8"),
        ("box", BOX_STATE),
        ("shape", "f8", (17, 3)),  # keypoints in the box when last seen, see ``likelihood.shape_of``
        ("appearance_lab", "f8", (len(PARTS), 3)),
        ("appearance_weight", "f8", (len(PARTS),)),
        ("hidden", "f4", (hidden_width,)),
    ]


def boxes_around(
    keypoints: NDArray[np.floating],  # (n, 17, 3) x_px, y_px, confidence
    shape: Floats,  # (n, 17, 3) see `shape_of`, when last seen
    expected_px: NDArray[np.floating],  # (n, 4) xyxy boxes
    confident: float,
) -> NDArray[np.float32]:  # (n, 4)
    """Boxes that lie around keypoints as boxes did when last seen.

    Each side has moved as the outermost keypoint there (`OUTERMOST`), and with all of them. Only keypoints count that
    are ``confident`` now and were then; with fewer than `FEWEST` the box is as expected.
    """
    height = (expected_px[:, 3] - expected_px[:, 1])[:, None, None]
    middle = 0.5 * (expected_px[:, None, :2] + expected_px[:, None, 2:])
    then, now = middle + height * shape[..., :2], keypoints[..., :2]
    sure = (keypoints[..., 2:] >= confident) & (shape[..., 2:] >= confident)
    enough = sure.sum(1, keepdims=True) >= FEWEST
    sure |= ~enough
    low_moved = np.where(sure, now, np.inf).min(1) - np.where(sure, then, np.inf).min(1)
    high_moved = np.where(sure, now, -np.inf).max(1) - np.where(sure, then, -np.inf).max(1)
    outer = np.concatenate([low_moved, high_moved], -1)
    with_all = np.tile(np.ma.median(np.ma.array(now - then, mask=np.tile(~sure, 2)), 1).filled(0), 2)
    told = OUTERMOST * outer + (1 - OUTERMOST) * with_all
    moved = np.where(enough[:, 0], told, 0) + expected_px
    size = expected_px[:, 2:] - expected_px[:, :2]
    half = 0.5 * np.clip(moved[:, 2:] - moved[:, :2], size / STRETCH, size * STRETCH)
    middle = 0.5 * (moved[:, :2] + moved[:, 2:])
    return np.concatenate([middle - half, middle + half], -1).astype(np.float32)


def hidden_share(boxes_px: Floats) -> Floats:
    """Share of each box, (n, 4), that another box covers at most, or that it covers of a smaller one, (n,)."""
    area = np.maximum(box_area(boxes_px), 1.0)
    share = box_overlap(boxes_px, boxes_px) / np.minimum(area[:, None], area)
    np.fill_diagonal(share, 0)
    return share.max(-1, initial=0)


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


def remember_speed(
    tracks: NDArray[np.void],
    dt_s: Floats,  # (n,) since they were seen before
    predicted: Floats,  # (n, 3) where they were expected, metres, camera axes
    memory_s: float,
    depth_share: float,
    max_speed_m_s: float,
) -> None:
    """How fast the tracks go: an alpha-beta filter, in which the prediction's miss corrects the speed that made it.

    Of what is learned of the speed along the ray, which is mostly noise, only ``depth_share`` counts.
    """
    share = 1 - np.exp(-dt_s / memory_s)
    miss = tracks["transl"] - predicted
    ray = tracks["transl"] / np.linalg.norm(tracks["transl"], axis=-1, keepdims=True)
    along = (miss * ray).sum(-1, keepdims=True) * ray
    miss -= (1 - depth_share) * along
    velocity = tracks["velocity_m_s"] + (share / dt_s)[:, None] * miss
    speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
    tracks["velocity_m_s"] = velocity * np.minimum(1, max_speed_m_s / np.maximum(speed, 1e-9))


def coast(tracks: NDArray[np.void], which: Indices, dt_s: float, memory_s: float, rules: BoxRules) -> None:
    """Nobody saw the tracks ``which``: they drift on, ever slower and less sure."""
    keep = np.exp(-dt_s / memory_s)
    tracks["velocity_m_s"][which] *= keep
    tracks["confidence"][which] *= keep
    tracks["box"][which] = box_filter.coast(tracks["box"][which], dt_s, rules)
