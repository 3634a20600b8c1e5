"""Motions whose actions are known by construction: captured clips, and people who play their parts in made-up scenes.

Nothing is filmed: poses, places and labels are all that the network that tells actions is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.body.kinematics import posed_joints
from choros.datasets.mocap import MocapClip, resample
from choros.datasets.mocap.folder import open_body_rest
from choros.rotation import rotvec_to_rotmat
from choros.scenes.camera.camera_moves import sample_setup
from choros.scenes.motion import acts
from choros.scenes.motion.floor_plan import FloorPlan
from choros.scenes.motion.rest_skeleton import RestSkeleton
from choros.training.actions.by_construction import Labels, labels_of, named, played

Floats = NDArray[np.float64]

#: Frames a second of takes.
FPS = 30
SHORTEST_S = 1.0
SECONDS = 8.0  # of a scene

#: From a captured clip's world to one with z up.
R_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])

#: How often what is played, and by how many.
ACTS = (
    (3, acts.passing, 1), (2, acts.strolling, 1), (3, acts.standing, 1), (1, acts.together, 2), (1, acts.together, 3),
    (2, acts.circle, 2), (2, acts.circle, 3), (4, acts.sitting, 1),
)  # fmt: skip


class Somebody(NamedTuple):
    """One person's motion, T frames, in a world with z up and its floor at 0."""

    rotations: NDArray[np.float32]  # (T, 24, 3, 3) local, the root's first
    pelvis: NDArray[np.float32]  # (T, 3) metres
    labels: Labels


#: People who move at the same time and in the same world.
Take = tuple[Somebody, ...]


def captured(clips: Sequence[MocapClip]) -> Iterator[Take]:
    """Takes of one person each. What a clip's name says counts; so it must be called as in the archives."""
    skeleton = RestSkeleton(*open_body_rest())
    for clip in clips:
        if clip.seconds < SHORTEST_S:
            continue
        clip = resample(clip, FPS)
        turns = rotvec_to_rotmat(np.concatenate([clip.global_orient, clip.body_pose], 1).reshape(-1, 24, 3))
        turns[:, 0] = R_Z_UP @ turns[:, 0]
        pelvis = (clip.transl + skeleton.joints_rest[0]).astype(np.float64) @ R_Z_UP.T
        somebody, places = _somebody(turns, pelvis, skeleton)
        yield (somebody._replace(labels=named(somebody.labels, clip.name, places)),)


def staged(number: int, seed: int) -> Iterator[Take]:
    """So many takes of acts of scenes; each follows from the seed and its own number."""
    skeleton = RestSkeleton(*open_body_rest())
    shares = np.array([share for share, _, _ in ACTS], float)
    for k in range(number):
        rng = np.random.default_rng([seed, k])
        _, act, people = ACTS[int(rng.choice(len(ACTS), p=shares / shares.sum()))]
        times_s = np.arange(round(SECONDS * FPS)) / float(Fraction(FPS))
        plan = FloorPlan(sample_setup(rng, 960, 540, None, 6.0), times_s)
        proposal = act(rng, plan, [skeleton] * people)
        take = []
        for role in proposal.roles:
            poses = role.perform(skeleton, times_s)
            turns = rotvec_to_rotmat(
                np.concatenate([poses.global_orient, poses.body_pose], 1).reshape(-1, 24, 3)
            )
            somebody, _ = _somebody(turns, poses.transl + skeleton.joints_rest[0], skeleton)
            take.append(somebody._replace(labels=played(somebody.labels, role, times_s)))
        yield tuple(take)


def _somebody(turns: Floats, pelvis: Floats, skeleton: RestSkeleton) -> tuple[Somebody, Floats]:
    """Somebody with what their joints say, and where those are, (T, 24, 3)."""
    world, places = posed_joints(turns, skeleton.joints_rest, pelvis)
    labels = labels_of(places, world[:, 0, :, 2], skeleton.leg_m, 1 / FPS)
    return Somebody(turns.astype(np.float32), pelvis.astype(np.float32), labels), places
