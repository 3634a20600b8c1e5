"""One camera's motion as the fusion reads it: everybody's track in axes that do not move, asked at any time.

The axes are the world of a motion whose camera is known, and else those of its camera, which is taken to stand still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.body.gauss_newton import Points
from choros.camera import unproject
from choros.keypoints import keypoint_std
from choros.motion import Motion
from choros.rotation import rotmat_slerp, rotvec_to_rotmat
from choros.skeleton import COCO17

Floats = NDArray[np.float64]

LONGEST_STEP_S = 0.15  # between two rows that somebody is led from one to the other
LEAST_CONFIDENCE = 0.15  # of a keypoint that counts
GHOST_WEIGHT = 0.1  # of a row in which the person was not seen, beside one in which they were


#: Pairs of COCO's keypoints that stay as far from each other however the body is posed.
LIMBS = [
    (COCO17.index(f"{side}_{a}"), COCO17.index(f"{side}_{b}"))
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
    for side in ("left", "right")
]


class Samples(NamedTuple):
    """One person of one view at n times; zeros where they are not ``there``."""

    there: NDArray[np.bool_]  # (n,)
    weight: Floats  # (n,) how much the view knows of the pose
    rotations: Floats  # (n, 24, 3, 3) local, the first in the view's axes
    pelvis: Floats  # (n, 3) metres
    plane: Floats  # (n, 17, 2) keypoints on the plane z = 1 before the camera
    std: Floats  # (n, 17) of them, infinite where there is none
    T_camera_space: Floats  # (n, 4, 4)
    limbs_m: Floats  # (n, len(LIMBS)) how long the body's limbs are between its keypoints


@dataclass(frozen=True, eq=False)
class PersonTrack:
    """The rows of one person."""

    id: int
    rows: NDArray[np.void]  # (n,)
    times_s: Floats  # (n,) of the view's own clock
    rotations: Floats  # (n, 24, 3, 3) local, the first in the view's axes
    pelvis: Floats  # (n, 3) metres
    plane: Floats  # (n, 17, 2)
    std: Floats  # (n, 17) on the plane, infinite where there is no keypoint
    T_space_camera: Floats  # (n, 4, 4)
    shot: NDArray[np.int64]  # (n,)
    rest: Floats  # (24, 3) joints of the person's usual shape in T-pose, metres
    limbs_m: Floats  # (len(LIMBS),) how long that shape's limbs are between its keypoints

    def nearest(self, times_s: Floats) -> NDArray[np.intp]:
        """The row nearest to each time, (n,)."""
        middles_s = (self.times_s[1:] + self.times_s[:-1]) / 2
        return np.searchsorted(middles_s, times_s)

    def at(self, times_s: Floats) -> Samples:
        """At times of the view's own clock, (n,); nothing is led over gaps, cuts and ends."""
        after = np.clip(np.searchsorted(self.times_s, times_s), 1, max(len(self.times_s) - 1, 1))
        after = np.minimum(after, len(self.times_s) - 1)
        before = np.maximum(after - 1, 0)
        step_s = self.times_s[after] - self.times_s[before]
        share = np.clip((times_s - self.times_s[before]) / np.where(step_s > 0, step_s, 1), 0, 1)
        inside = (times_s >= self.times_s[0] - 1e-9) & (times_s <= self.times_s[-1] + 1e-9)
        on_row = (share < 1e-6) | (share > 1 - 1e-6)
        there = inside & (on_row | ((step_s <= LONGEST_STEP_S) & (self.shot[before] == self.shot[after])))

        def mixed(values: Floats) -> Floats:
            part = share.reshape(-1, *[1] * (values.ndim - 1))
            return np.asarray((1 - part) * values[before] + part * values[after])

        seen = self.rows["visible"] * (1 - GHOST_WEIGHT) + GHOST_WEIGHT
        nearest = np.where(share > 0.5, after, before)
        # A keypoint between two frames is there where both have it.
        finite = np.isfinite(self.std)
        std = np.where(on_row[:, None], self.std[nearest], mixed(np.where(finite, self.std, 0)))
        both = np.where(on_row[:, None], finite[nearest], finite[before] & finite[after])
        return Samples(
            there,
            np.where(there, mixed(seen * np.maximum(self.rows["confidence"].astype(np.float64), 0.05)), 0),
            rotmat_slerp(self.rotations[before], self.rotations[after], share),
            mixed(self.pelvis),
            mixed(self.plane),
            np.where(both & there[:, None], std, np.inf),
            np.asarray(np.linalg.inv(self.T_space_camera[nearest]), np.float64),
            np.tile(self.limbs_m, (len(times_s), 1)),
        )


@dataclass(frozen=True, eq=False)
class View:
    """A motion, and its people's tracks."""

    name: str
    motion: Motion
    in_world: bool  # whether its axes are those of the world
    tracks: list[PersonTrack]

    @property
    def still(self) -> bool:
        """Whether the camera stays where it is, in the view's axes."""
        T = self.motion.T_world_camera
        return not self.in_world or bool(np.ptp(T, axis=0).max(initial=0) < 1e-6)


def view_of(name: str, motion: Motion, points: Points) -> View:
    """Everybody in a motion who is in two frames at least; ``points`` are the keypoints of its body."""
    in_world = motion.space == "world" or motion.tells_camera
    tracks = [_track(motion, in_world, person, points) for person in motion.ids.tolist()]
    return View(name, motion, in_world, [track for track in tracks if len(track.times_s) > 1])


def _track(motion: Motion, in_world: bool, person: int, points: Points) -> PersonTrack:
    rows = motion.rows[motion.row_person == person]
    frame = rows["frame"]
    pose = np.concatenate([rows["global_orient"], rows["body_pose"]], -1).astype(np.float64)
    rotations = rotvec_to_rotmat(pose.reshape(len(rows), 24, 3))
    shapes = np.concatenate([rows["betas"], rows["kid"][:, None]], -1).astype(np.float64)
    rest, _ = points.shaped(shapes)
    pelvis = rest[:, 0] + rows["transl"]
    T = np.tile(np.eye(4), (len(rows), 1, 1))
    if in_world:
        T = motion.T_world_camera[frame]
        if motion.space == "camera":
            rotations[:, 0] = T[:, :3, :3] @ rotations[:, 0]
            pelvis = (T[:, :3, :3] @ pelvis[..., None])[..., 0] + T[:, :3, 3]
    keypoints = rows["keypoints_px"].astype(np.float64)
    K = motion.K[frame]
    plane = np.stack([
        unproject(points, np.ones(17), one)[:, :2] for points, one in zip(keypoints[..., :2], K, strict=True)
    ])  # fmt: skip
    confidence = keypoints[..., 2]
    size = np.ptp(rows["box_px"].astype(np.float64).reshape(-1, 2, 2), axis=1).max(-1) / K[:, 0, 0]
    std = np.maximum(size, 1e-3)[:, None] * keypoint_std(confidence)
    return PersonTrack(
        person, rows, motion.pts_s[frame], rotations, pelvis, plane,
        np.where(confidence >= LEAST_CONFIDENCE, std, np.inf), T, motion.shot[frame],
        np.median(rest, axis=0), limbs_of(points, np.median(shapes, axis=0)),
    )  # fmt: skip


def limbs_of(points: Points, shape: Floats) -> Floats:  # (11,) -> (len(LIMBS),)
    """How long somebody's limbs are from keypoint to keypoint, metres, in T-pose."""
    stands = points.keypoints(shape[None], np.tile(np.eye(3), (1, 24, 1, 1)), np.zeros((1, 3)))[0]
    return np.array([np.linalg.norm(stands[a] - stands[b]) for a, b in LIMBS])
