"""Looks at people who stand or walk, as far as they tell of the lens: where they are, how long, and which way is up.

Everything is as the system said it with the K that it had; ``with_focal`` says it for another focal length. People then
are so many times further away along the camera's axis and turn with the ray to them, so that pictures stay what they
are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from choros.body.leg_reach import reach_of_legs
from choros.camera import project_in_front
from choros.camera_motion.camera_path import UP
from choros.glamr.person_trajectories import PersonTrajectory
from choros.motion import Motion
from choros.rotation import rotvec_between_directions, rotvec_to_rotmat
from choros.skeleton import COCO17

Floats = NDArray[np.float64]

PER_S = 4.0  # at most so many of a person: neighbouring frames err alike
CONFIDENT = 0.3  # keypoints of trunk and legs that are seen
STRAIGHT = 0.85  # of the legs' length: hips are so high over the ankles of who stands or walks
NEAR_M = 0.1  # nothing nearer to the camera is in its picture

_SHOULDERS, _HIPS, _ANKLES = (
    [COCO17.index(f"{side}_{part}") for side in ("left", "right")] for part in ("shoulder", "hip", "ankle")
)


@dataclass(frozen=True, eq=False)
class Looks:
    """n looks at people, in the camera's axes, metres."""

    K: Floats  # (3, 3) px
    person: NDArray[np.intp]  # (n,) counted from 0
    weight: Floats  # (n,) of a look of one second
    pelvis: Floats  # (n, 3)
    R_camera_root: Floats  # (n, 3, 3)
    up_root: Floats  # (n, 3) the world's up in the axes of the root, as predicted from the pose
    sole_root: Floats  # (n, 3) from the pelvis to the lowest sole
    ends_px: Floats  # (n, 2, 2) the middles between ankles and between shoulders

    def __len__(self) -> int:
        return len(self.person)

    @property
    def n_people(self) -> int:
        """Who was looked at."""
        return len(np.unique(self.person))


def with_focal(looks: Looks, times: float) -> Looks:
    """The looks as a camera of so many times the focal length would have them."""
    stretched = np.array([1.0, 1.0, times])
    pelvis, K = looks.pelvis * stretched, looks.K.copy()
    K[:2, :2] *= times
    R = rotvec_to_rotmat(rotvec_between_directions(looks.pelvis, pelvis)) @ looks.R_camera_root
    return replace(looks, pelvis=pelvis, R_camera_root=R, K=K)


def looks_of(motion: Motion, people: Sequence[PersonTrajectory]) -> Looks:
    """Some looks a second at everybody who stands or walks upright and whole in the picture."""
    parts = [_looks_at(motion, one, number) for number, one in enumerate(people)]
    return Looks(motion.K[0], *(np.concatenate(part) for part in zip(*parts, strict=True)))


def _looks_at(motion: Motion, one: PersonTrajectory, number: int) -> tuple[NDArray[np.generic], ...]:
    shown = np.flatnonzero(one.seen)
    shown = shown[np.unique(np.floor(one.times_s[shown] * PER_S + 1e-6), return_index=True)[1]]
    ends_px, whole = _ends(motion, one, shown)
    shown, ends_px = shown[whole], ends_px[whole]
    up_root = np.swapaxes(one.R_path_root[shown], -1, -2) @ UP
    soles = one.skeleton.soles[shown]
    lowest = np.einsum("nki,ni->nk", soles, up_root).argmin(1)
    return (
        np.full(len(shown), number),
        np.full(len(shown), 1 / PER_S),
        one.root_cam_m[shown],
        one.R_camera_root[shown],
        up_root,
        soles[np.arange(len(shown)), lowest],
        ends_px,
    )


def _ends(motion: Motion, one: PersonTrajectory, shown: NDArray[np.intp]) -> tuple[Floats, NDArray[np.bool_]]:
    """Ankles and shoulders (k, 2, 2) px of frames (k,), and in which the person is upright and whole.

    Of a system that names no keypoints, those of its body count.
    """
    seen = motion.keypoints_px[one.row[shown]].astype(np.float64)
    body = one.skeleton.keypoints[shown]
    R, place = one.R_camera_root[shown], one.root_cam_m[shown]
    own_px, in_front = project_in_front(
        body @ np.swapaxes(R, -1, -2) + place[:, None], motion.K[one.frames][shown][:, None], NEAR_M
    )
    inside = in_front & (own_px >= 0).all(-1) & (own_px < [motion.width, motion.height]).all(-1)
    nameless = seen[..., 2].max(1, initial=0) == 0
    points_px = np.where(nameless[:, None, None], np.nan_to_num(own_px), seen[..., :2])
    sure = np.where(nameless[:, None], inside, seen[..., 2] >= CONFIDENT)
    ends_px = np.stack([points_px[:, _ANKLES].mean(1), points_px[:, _SHOULDERS].mean(1)], 1)
    up_root = np.swapaxes(one.R_path_root[shown], -1, -2) @ UP
    below = -(reach_of_legs(one.skeleton.joints[shown]) * up_root[:, None]).sum(-1).mean(-1)
    return ends_px, sure[:, _SHOULDERS + _HIPS + _ANKLES].all(1) & (below > STRAIGHT)
