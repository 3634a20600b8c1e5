"""The pose of everybody at an instant, from their last sights: by the pose transformer, or at constant velocity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from choros.fourdhumans.phalp.tracks import Tracks
from choros.fourdhumans.pose_tracks import PoseTrack
from choros.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from choros.threads import at_most

Floats = NDArray[np.float64]


class Completer(Protocol):
    """What says how people are at instants when nobody saw them; see `PoseTransformer.complete`."""

    def complete(self, tracks: Sequence[PoseTrack], asked_s: Sequence[torch.Tensor]) -> list[PoseTrack]:
        """Everybody at the instants (M,) that are asked for, on their own track's clock."""


def predict_poses(tracks: Tracks, now_s: Floats, network: Completer) -> tuple[Floats, Floats]:
    """Rotations (n, 24, 3, 3) and betas (n, 10) of everybody at their own instants ``now_s`` (n,)."""
    if not len(tracks):
        return np.zeros((0, 24, 3, 3)), np.zeros((0, 10))
    asked = [torch.tensor([time_s]) for time_s in now_s - tracks["sight_s"][:, 0]]
    with at_most(1):  # two threads would add up in another order on some processors
        answers = network.complete([_pose_track(track) for track in tracks], asked)
    rotations = np.stack([answer.rotations[0].double().numpy() for answer in answers])
    betas = np.stack([answer.betas[0].double().numpy() for answer in answers])
    return rotations, betas


def constant_velocity(tracks: Tracks, now_s: Floats, most_s: float) -> tuple[Floats, Floats]:
    """The same for whoever turns every joint on as between their last two sights, for ``most_s`` at most."""
    last, before = (tracks["sight_rotations"][:, k].astype(np.float64) for k in (0, 1))
    step_s = tracks["sight_s"][:, 0] - tracks["sight_s"][:, 1]
    ahead_s = np.minimum(now_s - tracks["sight_s"][:, 0], most_s)
    steps = np.where((tracks["kept"] > 1) & (step_s > 0), ahead_s / np.maximum(step_s, 1e-6), 0.0)
    before = np.where((tracks["kept"] > 1)[:, None, None, None], before, last)
    turned = rotmat_to_rotvec(np.swapaxes(before, -1, -2) @ last)
    on = rotvec_to_rotmat(turned * steps[:, None, None])
    return last @ on, tracks["sight_betas"][:, 0].astype(np.float64)


def _pose_track(track: np.void) -> PoseTrack:
    """The sights of one track in order of time, on a clock that begins with the last."""
    kept = int(track["kept"])
    parts = (
        track[name][:kept][::-1].copy()
        for name in ("sight_s", "sight_rotations", "sight_pelvis", "sight_betas")
    )
    times_s, rotations, pelvis, betas = (torch.from_numpy(part) for part in parts)
    return PoseTrack(times_s - times_s[-1], rotations, pelvis.float(), betas)
