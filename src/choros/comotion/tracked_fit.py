"""Tracks put on keypoints: each goes on from how it was when that was last done, and where it was going."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.body.onto_keypoints import KeypointFitRules
from choros.body.pose_prior import shipped_pose_prior
from choros.comotion.keypoint_fit import put_on_keypoints
from choros.comotion.tracks import people_of, remember
from choros.tracking.fitted import before_of, remember_fit

Tracks = NDArray[np.void]
Floats = NDArray[np.floating]


def fit_tracks(
    tracks: Tracks,
    body: BodyModel,
    keypoints_px: Floats,
    K: NDArray[np.float64],
    now_s: float,
    rules: KeypointFitRules,
) -> None:
    """Move the ``tracks`` (k,) onto their ``keypoints_px`` (k, 17, 3), and learn how fast they go."""
    before = before_of(tracks, now_s)
    people = people_of(tracks, body.device)
    remember(tracks, put_on_keypoints(body, shipped_pose_prior(), people, keypoints_px, K, rules, before))
    remember_fit(tracks, before, tracks["rotations"], tracks["pelvis_cam"], now_s, rules)
    tracks["on_keypoints"] = True
