"""The one-Euro filter (Casiez, Roussel and Vogel, CHI 2012), for places and for rotations.

A low pass whose cut-off rises with speed: still people do not tremble, fast ones do not lag. Causal, so it
may run in a stream; systems leave it off where they are measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.motion import Motion
from choros.rotation import rotvec_composition, rotvec_slerp

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OneEuro:
    """Cut-off ``min_cutoff_hz + speed_weight * speed``, the speed filtered at ``speed_cutoff_hz``."""

    min_cutoff_hz: float = 1.0
    speed_weight: float = 0.3
    speed_cutoff_hz: float = 1.0


def _share(cutoff_hz: Floats | float, dt_s: float) -> Floats | float:
    """Weight of the new sample in a first-order low pass."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff_hz * dt_s))


def smooth(
    values: Floats,  # (T, ...)
    times_s: Floats,  # (T,) ascending
    settings: OneEuro | None = None,
) -> Floats:
    """Filter each component of ``values`` over time."""
    settings = settings or OneEuro()
    out = np.array(values, np.float64)
    speed = np.zeros_like(out[:1])[0] if len(out) else out
    for t in range(1, len(out)):
        dt = max(float(times_s[t] - times_s[t - 1]), 1e-6)
        speed = speed + _share(settings.speed_cutoff_hz, dt) * ((values[t] - values[t - 1]) / dt - speed)
        cutoff = settings.min_cutoff_hz + settings.speed_weight * np.abs(speed)
        out[t] = out[t - 1] + _share(cutoff, dt) * (values[t] - out[t - 1])
    return out


def smooth_rotations(
    rotvec: Floats,  # (T, J, 3) axis-angle, rad
    times_s: Floats,  # (T,)
    settings: OneEuro | None = None,
) -> Floats:
    """Filter rotations along the geodesic from the last output to the new sample."""
    settings = settings or OneEuro()
    out: Floats = np.array(rotvec, np.float64)
    velocity = np.zeros(out.shape[1:])
    turned = rotvec_composition(-out[:-1], out[1:])  # of the samples, from each to the next
    for t in range(1, len(out)):
        dt = max(float(times_s[t] - times_s[t - 1]), 1e-6)
        velocity = velocity + _share(settings.speed_cutoff_hz, dt) * (turned[t - 1] / dt - velocity)
        speed = np.linalg.norm(velocity, axis=-1)
        share = np.asarray(_share(settings.min_cutoff_hz + settings.speed_weight * speed, dt))
        out[t] = rotvec_slerp(out[t - 1], out[t], share)
    return out


def smooth_motion(motion: Motion, settings: OneEuro | None = None) -> Motion:
    """Everyone's pose and place smoothed over time, in each shot by itself; shape, boxes and keypoints stay."""
    rows = motion.rows.copy()
    one_in_shot = np.stack([rows["person"], motion.shot[rows["frame"]]], -1)
    for one in np.unique(one_in_shot, axis=0):
        mine = (one_in_shot == one).all(-1)
        times_s = motion.pts_s[rows["frame"][mine]]
        turns = np.concatenate([rows["global_orient"][mine], rows["body_pose"][mine]], -1)
        pose = smooth_rotations(turns.astype(np.float64).reshape(-1, 24, 3), times_s, settings)
        pose = pose.reshape(-1, 72)
        rows["global_orient"][mine], rows["body_pose"][mine] = pose[:, :3], pose[:, 3:]
        rows["transl"][mine] = smooth(rows["transl"][mine].astype(np.float64), times_s, settings)
    return Motion(motion.header, motion.frames, rows)
