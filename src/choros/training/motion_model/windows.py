"""What the motion model learns from: windows of captured motion of people on their feet who do not travel far.

Every window also mirrored, slower and faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from choros.datasets.mocap import MocapClip, resample
from choros.datasets.mocap.folder import open_body_rest
from choros.datasets.mocap.mocap_clip import activity
from choros.rotation import rotvec_to_rotmat
from choros.scenes.motion.motion_features import FPS, N_FEATURES, encode, mirrored, path
from choros.scenes.motion.motion_model import MotionModelConfig
from choros.scenes.motion.rest_skeleton import Floats, RestSkeleton
from choros.training.motion_model.recipe import MotionModelRecipe


class MotionWindows(NamedTuple):
    """All windows to learn from."""

    rows: Tensor  # (N, window, N_FEATURES) float32
    chance: Floats  # (N,) of each to be drawn


def open_skeleton() -> RestSkeleton:
    """The body that captured motion was retargeted to."""
    rest, sole_m = open_body_rest()
    return RestSkeleton(np.asarray(rest, np.float64), float(sole_m))


def windows_of(
    clips: Sequence[MocapClip], config: MotionModelConfig, recipe: MotionModelRecipe
) -> MotionWindows:
    """Every window of the clips on which somebody is on their feet, at each tempo, and mirrored.

    Long activities are drawn less often than their length says: by its square root.
    """
    skeleton = open_skeleton()
    found: dict[str, list[Floats]] = {}
    for clip in clips:
        for tempo in recipe.tempos:
            rows = rows_of(clip, skeleton, tempo)
            for version in (rows, mirrored(rows)):
                for start in range(len(version) - config.window + 1):
                    window = version[start : start + config.window]
                    if usable(window, recipe):
                        found.setdefault(activity(clip.name), []).append(window.astype(np.float32))
    if not found:
        return MotionWindows(torch.zeros(0, config.window, N_FEATURES), np.zeros(0))
    chance = np.concatenate([np.full(len(group), len(group) ** -0.5) for group in found.values()])
    rows = np.concatenate([np.stack(group) for group in found.values()])
    return MotionWindows(torch.from_numpy(rows), chance / chance.sum())


def rows_of(clip: MocapClip, skeleton: RestSkeleton, tempo: float = 1.0) -> Floats:
    """A clip as rows (T, N_FEATURES), as if it had been performed ``tempo`` times as fast."""
    slow = resample(clip, FPS / tempo)
    rotvec = np.concatenate([slow.global_orient, slow.body_pose], axis=1).astype(np.float64)
    if len(rotvec) < 2:
        return np.zeros((0, N_FEATURES))
    R_local = rotvec_to_rotmat(rotvec.reshape(-1, 24, 3))
    return encode(R_local, slow.transl + skeleton.joints_rest[0], skeleton)


def usable(window: Floats, recipe: MotionModelRecipe) -> bool:
    """Whether in a window (n, N_FEATURES) somebody is on their feet and does not travel far."""
    up = window[:, 8]  # of the pelvis' own up axis
    travelled = np.linalg.norm(path(window)[1], axis=1).max()
    return bool(
        window[:, 3].min() > recipe.lowest_pelvis
        and up.min() > np.cos(recipe.largest_tilt_rad)
        and travelled < recipe.travel
        and window[:, -2:].max(axis=1).mean() >= recipe.grounded
    )
