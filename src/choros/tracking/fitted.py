"""What a track keeps of its last fit to keypoints, from which the next goes on: poses, place and speed of then."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.body.before import Before
from choros.body.onto_keypoints import KeypointFitRules
from choros.tracking.speed import learned_velocity

Tracks = NDArray[np.void]
Floats = NDArray[np.floating]

#: How somebody was when last put on keypoints, and when: minus infinity for never.
FITTED_FIELDS: list[Any] = [
    ("fitted_s", "f8"),
    ("fitted_rotations", "f4", (24, 3, 3)),
    ("fitted_pelvis_cam", "f4", (3,)),
    ("velocity_m_s", "f8", (3,)),
]
FITTED = tuple(field[0] for field in FITTED_FIELDS)


def before_of(tracks: Tracks, now_s: float) -> Before:
    """How the tracks (n,) were when last put on keypoints, and where their pelvis is expected at ``now_s``."""
    ever = np.isfinite(tracks["fitted_s"])
    dt_s = np.where(ever, now_s - tracks["fitted_s"], 0)
    expected = tracks["fitted_pelvis_cam"] + tracks["velocity_m_s"] * dt_s[:, None]
    return Before(dt_s, tracks["fitted_rotations"].astype(np.float64), expected)


def remember_fit(
    tracks: Tracks,
    before: Before,  # of `before_of`
    rotations: Floats,  # (n, 24, 3, 3)
    pelvis_cam: Floats,  # (n, 3) metres
    now_s: float,
    rules: KeypointFitRules,
) -> None:
    """The tracks (n,) were put there at ``now_s``; how fast they go is learned from where they were expected."""
    again = before.dt_s > 0
    tracks["velocity_m_s"][again] = learned_velocity(
        tracks["velocity_m_s"][again], before.transl[again], pelvis_cam[again].astype(np.float64),
        before.dt_s[again], rules.velocity_memory_s, rules.depth_velocity_share, rules.max_speed_m_s,
    )  # fmt: skip
    tracks["fitted_s"] = now_s
    tracks["fitted_rotations"], tracks["fitted_pelvis_cam"] = rotations, pelvis_cam


def turn_fitted(tracks: Tracks, turn: Floats) -> None:
    """The same before a camera for which what was at p is at ``turn`` (3, 3) p."""
    for name in ("fitted_pelvis_cam", "velocity_m_s"):
        tracks[name] = tracks[name] @ turn.T
    tracks["fitted_rotations"][:, 0] = turn @ tracks["fitted_rotations"][:, 0]
