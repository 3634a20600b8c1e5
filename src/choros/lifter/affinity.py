"""Detections of one frame, and the affinity between each of them and each predicted track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.detection import Detections
from choros.lifter.config import LifterSystemConfig
from choros.tracking.appearance import Colours
from choros.tracking.likelihood import Observed, Predicted, evidence, log_likelihood_ratio, log_place
from choros.tracking.online import Affinity, Flags
from choros.tracking.sights import overlap_with_others

Floats = NDArray[np.float64]


class FrameDetections(NamedTuple):
    """What one picture shows by itself."""

    people: Detections
    colours: Colours  # of the people
    image: NDArray[np.uint8] | None = None  # for a look at outlines, if wanted

    @property
    def boxes_px(self) -> NDArray[np.float32]:
        """(m, 4) xyxy."""
        return self.people.boxes_px

    @property
    def scores(self) -> NDArray[np.float32]:
        """(m,) 0 to 1."""
        return self.people.scores

    @property
    def keypoints(self) -> Floats:
        """(m, 17, 3) x_px, y_px, confidence."""
        return self.people.keypoints.astype(np.float64)


@dataclass(frozen=True)
class LifterAffinity(Affinity):
    """Log likelihood ratios of the same person against somebody new, and what they were told from."""

    seen: Observed
    bodily: Flags  # (m,) who shows enough keypoints
    same_place: Flags  # (n, m) who stands where the track is expected


def affinity_of(
    expected: Predicted, found: FrameDetections, depth_m: Floats, config: LifterSystemConfig
) -> LifterAffinity:
    """The people of a picture, who stand at depths (m,), beside n people who are expected in it."""
    keypoints, boxes_px = found.keypoints, found.boxes_px.astype(np.float64)
    sure = evidence(found.scores.astype(np.float64), keypoints, config.alike)
    seen = Observed(boxes_px, keypoints, depth_m, found.colours, sure, overlap_with_others(boxes_px))
    bodily = (keypoints[..., 2] >= config.confident).sum(-1) >= config.min_keypoints
    dim = (keypoints[..., 2] >= config.dim).sum(-1) >= config.min_keypoints
    bodily |= dim & (found.scores >= config.life.certain_score)
    ratio = log_likelihood_ratio(expected, seen, config.alike, config.box)
    same_place = log_place(expected, seen, config.alike, config.box) > config.same_place_log
    return LifterAffinity(np.where(bodily, ratio, -np.inf), seen, bodily, same_place)
