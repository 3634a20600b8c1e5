"""Windows of captured motion for GLAMR's networks: every clip at several tempos and mirrored, gaps as occlusion makes.

A batch is a function of the seed and the step alone, so training resumes exactly where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.datasets.mocap import MocapClip, mirror, resample
from choros.datasets.mocap.folder import open_body_rest
from choros.glamr.config import FPS, InfillerConfig
from choros.glamr.egocentric import global_to_ego
from choros.glamr.infiller import POSE, Window
from choros.glamr.network_inputs import joints_about_pelvis, straight_way
from choros.rotation import columns_to_rotmat, rotmat_to_columns, rotvec_to_rotmat
from choros.training.lifter.poses import PoseVariety, varied

#: From the y-up world of captured clips to one with z up, in which whoever faced +z faces +y.
R_Z_UP = np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]])

SHORTEST = 25  # frames of a clip that is learned from

#: A pelvis above this, metres, is on something: how high cannot be told from the body.
HIGHEST_PELVIS_M = 1.5


class PersonMotion(NamedTuple):
    """One person's motion at ``FPS`` frames a second in a world with z up and the floor at 0."""

    rotations: Tensor  # (T, 23, 3, 3) of joints 1 to 23, local
    R_world_root: Tensor  # (T, 3, 3)
    pelvis: Tensor  # (T, 3) metres

    @classmethod
    def of(cls, clip: MocapClip) -> PersonMotion:
        """A clip that is at ``FPS`` already."""
        body = rotvec_to_rotmat(clip.body_pose.reshape(-1, 23, 3))
        root = R_Z_UP @ rotvec_to_rotmat(clip.global_orient)
        pelvis = (clip.transl + open_body_rest()[0][0]) @ R_Z_UP.T
        return cls(*(torch.from_numpy(part).float() for part in (body, root, pelvis)))

    @property
    def joints(self) -> Tensor:
        """Joints about the pelvis in its own axes, (T, 24, 3) metres, of the open body."""
        return joints_about_pelvis(self.rotations, rest_joints())


def rest_joints() -> Tensor:
    """The open body's joints (24, 3), metres: those clips were retargeted to."""
    return torch.from_numpy(open_body_rest()[0]).float()


def versions(
    clips: Sequence[MocapClip], tempos: Sequence[float], mirrored: bool = True
) -> Iterator[PersonMotion]:
    """Every clip long enough, as if performed ``tempos`` times as fast, and ``mirrored`` too."""
    for clip in clips:
        for tempo in tempos:
            paced = resample(clip, FPS / tempo)
            if len(paced) >= SHORTEST:
                yield PersonMotion.of(paced)
                if mirrored:
                    yield PersonMotion.of(mirror(paced))


class GappedPoses(NamedTuple):
    """What the infiller sees of B windows, and the truth."""

    window: Window
    truth: Tensor  # (B, window, POSE)
    exists: Tensor  # (B, window) bool: within the clip


def gapped(
    tracks: Sequence[Tensor],  # (T, POSE) each
    config: InfillerConfig,
    batch: int,
    noise: float,
    rng: np.random.Generator,
    mixed: float = 0.0,
) -> GappedPoses:
    """A batch of windows with gaps; poses are seen with up to ``noise`` (of columns) of error.

    A share of the windows is ``mixed``: limbs of other windows, legs made straight, joints turned in their reach, as
    the lifter's are (``PoseVariety``).

    Half of the gaps are the paper's, 10 to 40 frames of the window (appendix C); the others go on beyond it,
    as those do which the infiller slides along. At a clip's begin and now and then the context is short.
    """
    length = config.window + config.horizon
    frames = np.array([len(track) for track in tracks])
    truth, exists = torch.zeros(batch, length, POSE), np.zeros((batch, length), bool)
    seen = np.ones((batch, length), bool)
    for row, chosen in enumerate(rng.choice(len(tracks), batch, p=frames / frames.sum())):
        n = frames[chosen]
        at = rng.integers(-config.context, n - SHORTEST + 1) + np.arange(length)
        truth[row] = tracks[chosen][np.clip(at, 0, n - 1)]
        exists[row] = (at >= 0) & (at < n)
        free = config.window - config.context
        if rng.random() < 0.5:
            gap = int(rng.integers(10, free + 1))
            start = config.context + int(rng.integers(0, free - gap + 1))
        else:
            gap = int(rng.integers(free, length))
            start = config.context + int(rng.integers(0, 20))
        seen[row, start : start + gap] = False
        if rng.random() < 0.3:
            start = int(rng.integers(config.context, length))
            seen[row, start : start + int(rng.integers(3, 20))] = False
        if rng.random() < 0.2:
            seen[row, : int(rng.integers(1, config.context))] = False
        seen[row] &= exists[row]
        seen[row, max(0, -at[0])] = True
    truth = _mixed(truth, np.flatnonzero(rng.random(batch) < mixed), rng)
    known = torch.from_numpy(seen)
    blur = torch.from_numpy(rng.normal(size=(batch, length, POSE)) * rng.uniform(0, noise, (batch, 1, 1)))
    poses = truth + blur.float()
    way, clues = straight_way(poses, known)
    inside = slice(0, config.window)
    window = Window(poses[:, inside], known[:, inside], way[:, inside], clues[:, inside])
    return GappedPoses(window, truth[:, inside], torch.from_numpy(exists[:, inside]))


def _mixed(poses: Tensor, which: NDArray[np.intp], rng: np.random.Generator) -> Tensor:
    """Poses (B, T, POSE) of which some are varied, with limbs of the others."""
    if not len(which):
        return poses
    local = columns_to_rotmat(poses.unflatten(-1, (23, 6))).numpy()
    local = np.concatenate(
        [np.broadcast_to(np.eye(3, dtype=np.float32), (*local.shape[:2], 1, 3, 3)), local], 2
    )
    rotations, _ = varied(rng, local[which], local, PoseVariety())
    poses = poses.clone()
    poses[torch.from_numpy(which)] = rotmat_to_columns(torch.from_numpy(rotations[:, :, 1:])).flatten(-2)
    return poses


class Walk(NamedTuple):
    """What the trajectory predictor learns from."""

    joints: Tensor  # (T, 24, 3) metres, about the pelvis in its own axes
    ego: Tensor  # (T, 11)


def walks_of(tracks: Iterator[PersonMotion]) -> list[Walk]:
    """The stretches of the tracks that happen on the floor."""
    found = []
    for track in tracks:
        walk = Walk(track.joints, global_to_ego(track.pelvis, track.R_world_root))
        low = (track.pelvis[:, 2] < HIGHEST_PELVIS_M).numpy()
        edges = np.flatnonzero(np.diff(np.concatenate([[False], low, [False]]).astype(int)))
        for start, stop in edges.reshape(-1, 2):
            if stop - start >= SHORTEST:
                found.append(Walk(walk.joints[start:stop], walk.ego[start:stop]))
    return found


class WalkBatch(NamedTuple):
    """B stretches of T frames of walks."""

    joints: Tensor  # (B, T, 24, 3)
    ego: Tensor  # (B, T, 11)
    lengths: Tensor  # (B,) all T


def stretches(
    walks: Sequence[Walk], batch: int, frames: int, noise_m: float, rng: np.random.Generator
) -> WalkBatch:
    """A batch of stretches of those walks that have so many ``frames``, joints seen with up to ``noise_m`` of error."""
    long = [walk for walk in walks if len(walk.ego) >= frames]
    n = np.array([len(walk.ego) for walk in long])
    joints, ego = [], []
    for chosen in rng.choice(len(long), batch, p=n / n.sum()):
        start = int(rng.integers(0, n[chosen] - frames + 1))
        joints.append(long[chosen].joints[start : start + frames])
        ego.append(long[chosen].ego[start : start + frames])
    blur = rng.normal(size=(batch, frames, 24, 3)) * rng.uniform(0, noise_m, (batch, 1, 1, 1))
    return WalkBatch(
        torch.stack(joints) + torch.from_numpy(blur).float(), torch.stack(ego), torch.full((batch,), frames)
    )


def pose_columns(tracks: Iterator[PersonMotion]) -> list[Tensor]:
    """The body poses of tracks as the infiller takes them, (T, POSE) each."""
    return [rotmat_to_columns(track.rotations).flatten(-2) for track in tracks]
