"""Windows of tracks for the pose transformer: motion capture and what the motion model makes up, as tracking sees it.

A batch is a function of the seed and the step alone, so training resumes exactly where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from choros.datasets.mocap import MocapClip, resample
from choros.datasets.mocap.folder import open_body_rest
from choros.fourdhumans.pose_tracks import BETAS, JOINTS, TOKEN, Standpoint, Window, standpoints, tokens_of
from choros.rotation import rotvec_to_rotmat
from choros.scenes.motion.motion_model import improvise
from choros.scenes.motion.rest_skeleton import RestSkeleton
from choros.skeleton import MIRROR_JOINTS
from choros.training.pose_transformer.recipe import PoseTransformerRecipe
from choros.training.pose_transformer.track_noise import (
    BETAS_WRONG,
    DEPTH_WRONG,
    FLICKER,
    LASTING,
    NO_NOISE,
    SIDE_WRONG_M,
    SLOW,
    WRONG_RAD,
    Strength,
    log_uniform,
    seen_and_asked,
    wander,
)

#: (frames a second, tempo): every clip at each of these.
PACES = ((30.0, 1.0), (30.0, 0.85), (30.0, 1.2), (25.0, 1.0))
STRIDES, STRIDE_SHARES = (1, 2, 3), (0.65, 0.2, 0.15)  # frames from one token to the next
SHORTEST = 12  # frames of a clip that is learned from
LENGTH_POWER = 0.7  # a clip is drawn in proportion to its length to this power: rare motions count more

R_CAMERA_Y_UP = np.diag([1.0, -1, -1])  # from a captured clip's world to a camera that looks at it upright
R_CAMERA_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # and from a scene's
_MIRROR = torch.tensor([-1.0, 1, 1])


class Track(NamedTuple):
    """Somebody's motion at even instants, in the axes of an upright camera."""

    rotations: Tensor  # (T, 24, 3, 3)
    pelvis: Tensor  # (T, 3) metres
    step_s: float


def captured(clips: Sequence[MocapClip], paces: Sequence[tuple[float, float]] = PACES) -> Iterator[Track]:
    """Every clip that is long enough, at each of the ``paces``: frames a second and tempo."""
    for clip in clips:
        for fps, tempo in paces:
            paced = resample(clip, fps / tempo)
            if len(paced) >= SHORTEST:
                pose = np.concatenate([paced.global_orient, paced.body_pose], 1)
                place = paced.transl + open_body_rest()[0][0]
                yield _track(pose, place, R_CAMERA_Y_UP, 1 / fps)


def improvised(number: int, seconds: float, seed: int) -> Iterator[Track]:
    """So many tracks of people who act on the spot, each after its own number."""
    skeleton = RestSkeleton(*open_body_rest())
    times_s = np.arange(0, seconds, 1 / 30)
    for k in range(number):
        poses = improvise(np.random.default_rng([seed, 4, k]), skeleton, times_s)
        pose = np.concatenate([poses.global_orient, poses.body_pose], 1)
        yield _track(pose, poses.transl + skeleton.joints_rest[0], R_CAMERA_Z_UP, 1 / 30)


def _track(pose: np.ndarray, place: np.ndarray, R_camera_world: np.ndarray, step_s: float) -> Track:
    rotations = rotvec_to_rotmat(np.asarray(pose, np.float64).reshape(-1, JOINTS, 3))
    rotations[:, 0] = R_camera_world @ rotations[:, 0]
    return Track(
        torch.from_numpy(rotations).float(), torch.from_numpy(place @ R_camera_world.T).float(), step_s
    )


class TrackBatch(NamedTuple):
    """What the pose transformer sees of B windows, and the truth of the M instants that are asked for."""

    window: Window
    here: Standpoint
    row: Tensor  # (M,) the window of each
    truth: Tensor  # (M, TOKEN) as the standpoints see it
    near_s: Tensor  # (M,) to the nearest instant that was seen


def batch_of(tracks: Sequence[Track], recipe: PoseTransformerRecipe, rng: np.random.Generator) -> TrackBatch:
    """A batch of windows of tracks, before cameras that look at them from anywhere."""
    B, T = recipe.sizes[int(rng.integers(len(recipe.sizes)))]
    frames = np.array([len(track.rotations) for track in tracks]) ** LENGTH_POWER
    true = [torch.eye(3).repeat(B, T, JOINTS, 1, 1), torch.zeros(B, T, 3), torch.zeros(B, T, BETAS)]
    noisy = [part.clone() for part in true]
    times = torch.zeros(B, T, dtype=torch.double)
    seen, asked = np.zeros((B, T), bool), np.zeros((B, T), bool)
    for b, chosen in enumerate(rng.choice(len(tracks), B, p=frames / frames.sum())):
        rotations, pelvis, step_s = _stretch(tracks[chosen], T, rng)
        n = len(rotations)
        betas = torch.from_numpy(rng.normal(size=BETAS)).float().expand(n, -1)
        for whole, part in zip(true, (rotations, pelvis, betas), strict=True):
            whole[b, :n] = part
        if rng.random() >= NO_NOISE:
            strength = Strength(log_uniform(rng, *SLOW), log_uniform(rng, *FLICKER))
            rotations, pelvis, betas = tracked(rotations, pelvis, betas, step_s, strength, rng)
        for whole, part in zip(noisy, (rotations, pelvis, betas), strict=True):
            whole[b, :n] = part
        exists = np.arange(T) < n
        seen[b], asked[b] = seen_and_asked(rng, exists, recipe.asked, step_s)
        times[b] = torch.arange(T) * step_s
    shown, wanted = torch.from_numpy(seen), torch.from_numpy(asked)
    here = standpoints(times, noisy[0], noisy[1], shown)
    window = Window(
        (times - here.time_s[:, None]).float(), tokens_of(noisy[0], noisy[1], noisy[2], here), shown, wanted
    )
    truth = tokens_of(true[0], true[1], true[2], here)
    apart = (times[:, :, None] - times[:, None, :]).abs().masked_fill(~shown[:, None, :], torch.inf)
    row = wanted.nonzero(as_tuple=True)[0]
    return TrackBatch(window, here, row, truth[wanted].view(-1, TOKEN), apart.amin(-1)[wanted].float())


def _stretch(track: Track, longest: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, float]:
    """Up to ``longest`` frames of a track, mirrored half of the time and turned in the joints, before any camera."""
    stride = int(rng.choice(STRIDES, p=STRIDE_SHARES))
    if len(track.rotations) < SHORTEST * stride:
        stride = 1
    length = min(longest, (len(track.rotations) - 1) // stride + 1)
    start = int(rng.integers(0, len(track.rotations) - (length - 1) * stride))
    at = slice(start, start + (length - 1) * stride + 1, stride)
    rotations, pelvis = track.rotations[at], track.pelvis[at]
    if rng.random() < 0.5:
        rotations = rotations[:, list(MIRROR_JOINTS)] * (_MIRROR[:, None] * _MIRROR)
        pelvis = pelvis * _MIRROR
    lasting = rng.normal(size=(JOINTS, 3)) * (WRONG_RAD[:, None] / np.sqrt(3)) * log_uniform(rng, *LASTING)
    rotations = rotations @ rotvec_to_rotmat(torch.from_numpy(lasting).float())
    tilt = Rotation.from_euler(
        "yxz", [rng.uniform(0, 2 * np.pi), rng.normal(0.15, 0.25), rng.normal(0, 0.07)]
    )
    turn = torch.from_numpy(tilt.as_matrix()).float()
    rotations = torch.cat([turn @ rotations[:, :1], rotations[:, 1:]], 1)
    depth = log_uniform(rng, 2, 15)
    spot = torch.tensor([rng.normal(0, 0.3) * depth, rng.normal(0, 0.15) * depth, depth])
    pelvis = pelvis @ turn.T
    return rotations, pelvis - pelvis.mean(0) + spot.float(), stride * track.step_s


def tracked(
    rotations: Tensor,
    pelvis: Tensor,
    betas: Tensor,
    step_s: float,
    strength: Strength,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """The same people (T, 24, 3, 3), (T, 3), (T, 10) as a tracker sees them, with errors of a ``strength``."""
    n = len(rotations)
    errors = wander(rng, n, JOINTS * 3 + 3 + BETAS, step_s, strength)
    turns = errors[:, : JOINTS * 3].reshape(n, JOINTS, 3) * (WRONG_RAD[:, None] / np.sqrt(3))
    moved, shaped = errors[:, JOINTS * 3 : JOINTS * 3 + 3], errors[:, JOINTS * 3 + 3 :]
    sideways = torch.from_numpy(moved * [SIDE_WRONG_M, SIDE_WRONG_M, 0]).float()
    depth = torch.from_numpy(np.exp(DEPTH_WRONG * moved[:, 2:])).float()
    return (
        rotations @ rotvec_to_rotmat(torch.from_numpy(turns).float()),
        (pelvis + sideways) * depth,
        betas + torch.from_numpy(BETAS_WRONG * shaped).float(),
    )
