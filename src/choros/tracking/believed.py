"""Who of the people whom a detector and a keypoint network see is somebody: the rules of crop systems, said once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.detection import Detections
from choros.keypoints import AREA_OF_BOX, box_area, oks
from choros.tracking.lifecycle import LifeRules, likely
from choros.tracking.online import Flags, Tracks, seen_as

Floats = NDArray[np.floating]


def likely_at_once(people: Detections, begins_shot: bool, rules: LifeRules) -> Flags:
    """Who of the ``people`` (m,) need not be seen again: in the first frame of a shot alone."""
    clarity = people.keypoints[..., 2].mean(-1)
    return np.asarray(likely(rules, people.scores, clarity) & begins_shot)


def lies_on(people: Detections, keypoints: Floats) -> Floats:
    """How far the skeleton of each of the ``people`` (m,) lies on one of ``keypoints`` (k, 17, 3): OKS, 0 if k is 0."""
    area = AREA_OF_BOX * box_area(people.boxes_px)
    return np.asarray(oks(people.keypoints, keypoints, area).max(-1, initial=0))


def shown_and_staying(
    tracks: Tracks, sure: Flags, likely_now: Flags, given: bool, least_belief: float
) -> tuple[Flags, Flags]:
    """Of all tracks (n,) who may be shown, and who is believed in enough to stay.

    ``sure`` (n,) are confirmed by `lifecycle`, ``likely_now`` (m,) are detections that need not be seen again.
    """
    mine, theirs = seen_as(tracks)
    likely_new = np.zeros(len(tracks), bool)
    likely_new[mine] = (tracks["sights"][mine] == 1) & likely_now[theirs]
    named, belief = tracks["id"] > 0, tracks["belief"]
    shown = named | likely_new | (sure & (given | (belief > 0)))
    return shown, (belief >= least_belief) | ~shown | likely_new
