"""People in boxes: those whom a person detector finds beside the map of centres, and those whom a user names.

The paper's map of centres finds everyone. That of the small weights misses many in filmed pictures, and says little of
others; one run of the embedded detector a frame, whoever is there, finds most of them. What they are like is still read
from the maps, where the map of centres is highest in the middle of the box.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.crops import Placement
from choros.keypoints import box_iou
from choros.trace.config import TraceConfig
from choros.trace.people import SeenPeople

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class BoxRules:
    """How boxes of a detector count; all ours, chosen on made-up scenes that may be tuned on."""

    agree_iou: float = 0.4  # of a box and a person of the map of centres
    height_below: float = 0.15  # of a centre, than a score: .4, which the detector is tuned for, is .25
    min_height_px: float = 40.0  # as of the other systems' finder
    middle: float = 0.5  # share of a box's sides in which a centre is looked for


def places_in_boxes(
    centre_3d: Tensor, boxes_px: Floats, lies: Placement, config: TraceConfig, rules: BoxRules | None = None
) -> Tensor:
    """The cells (m, 3) of people in boxes (m, 4) xyxy px: the highest of one frame's volume in the middle of each."""
    rules = rules or BoxRules()
    corners = lies.to_crop(boxes_px.reshape(-1, 2, 2).astype(np.float64))
    middle, half = corners.mean(1), rules.middle / 2 * (corners[:, 1] - corners[:, 0])
    cell = config.image_size_px / config.map_size
    places = []
    for at, room in zip(middle, half, strict=True):
        low = np.clip((at - room) / cell, 0, config.map_size - 1).astype(int)
        high = np.clip((at + room) / cell, low, config.map_size - 1).astype(int)
        part = centre_3d[:, low[1] : high[1] + 1, low[0] : high[0] + 1]
        z, y, x = np.unravel_index(int(part.argmax()), part.shape)
        places.append([int(z), int(y + low[1]), int(x + low[0])])
    return torch.tensor(places, dtype=torch.long).reshape(-1, 3)


def with_boxed(
    people: SeenPeople,
    boxes_px: Floats,  # (b, 4) xyxy
    scores: Floats,  # (b,)
    in_boxes: Callable[[Floats], SeenPeople],
    lies: Placement,
    config: TraceConfig,
    rules: BoxRules | None = None,
) -> SeenPeople:
    """The ``people`` (m,) of the map of centres, surer where a box agrees, and those in boxes that agree with none.

    ``in_boxes`` tells who is in boxes; ``lies`` is the picture in the square of ``config``.
    """
    rules = rules or BoxRules()
    tall = boxes_px[:, 3] - boxes_px[:, 1] >= rules.min_height_px
    boxes_px, heights = boxes_px[tall], scores[tall] - rules.height_below
    overlap = box_iou(people.boxes_px, boxes_px)  # (m, b)
    at_px = lies.from_crop((people.camera[:, [2, 1]] + 1) * config.image_size_px / 2)
    agree = (overlap >= rules.agree_iou) | _in_middle(at_px, boxes_px, rules.middle)
    # One of those who agree, whose centre is the highest: often two cells beside each other show the same person.
    foremost = np.where(agree, people.height[:, None], -1)
    first = agree & (foremost == foremost.max(0, initial=-1))
    people = people._replace(height=np.maximum(people.height, np.where(first, heights, 0).max(-1, initial=0)))
    alone = ~agree.any(0)
    if not alone.any():
        return people
    more = in_boxes(boxes_px[alone])
    more = more._replace(height=np.maximum(more.height, heights[alone]), boxes_px=boxes_px[alone])
    return SeenPeople._make(np.concatenate(both) for both in zip(people, more, strict=True))


def _in_middle(places_px: Floats, boxes_px: Floats, share: float) -> NDArray[np.bool_]:
    """Which places (m, 2) lie in the middle of which boxes (b, 4), of ``share`` of their sides, (m, b)."""
    middle, half = (boxes_px[:, :2] + boxes_px[:, 2:]) / 2, share / 2 * (boxes_px[:, 2:] - boxes_px[:, :2])
    return np.asarray((np.abs(places_px[:, None] - middle) <= half).all(-1))
