"""Tracks put on keypoints: each goes on from how it was when that was last done, and where it was going."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.body.before import Before
from choros.body.pose_prior import shipped_pose_prior
from choros.comotion.keypoint_fit import KeypointFitRules, put_on_keypoints
from choros.comotion.tracks import people_of, remember
from choros.tracking.speed import learned_velocity

Tracks = NDArray[np.void]
Floats = NDArray[np.floating]

#: The fields of the last fit to keypoints.
FITTED = ("fitted_s", "fitted_rotations", "fitted_pelvis_cam", "velocity_m_s")


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
    again = before.dt_s > 0
    tracks["velocity_m_s"][again] = learned_velocity(
        tracks["velocity_m_s"][again], before.transl[again], tracks["pelvis_cam"][again].astype(np.float64),
        before.dt_s[again], rules.velocity_memory_s, rules.depth_velocity_share, rules.max_speed_m_s,
    )  # fmt: skip
    tracks["fitted_s"], tracks["on_keypoints"] = now_s, True
    tracks["fitted_rotations"], tracks["fitted_pelvis_cam"] = tracks["rotations"], tracks["pelvis_cam"]


def before_of(tracks: NDArray[np.void], now_s: float) -> Before:
    """How the tracks (n,) were when last put on keypoints, and where their pelvis is expected at ``now_s``."""
    ever = np.isfinite(tracks["fitted_s"])
    dt_s = np.where(ever, now_s - tracks["fitted_s"], 0)
    expected = tracks["fitted_pelvis_cam"] + tracks["velocity_m_s"] * dt_s[:, None]
    return Before(dt_s, tracks["fitted_rotations"].astype(np.float64), expected)
