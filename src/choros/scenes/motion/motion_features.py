"""A person's motion as rows of numbers that a model can learn, and back.

A row says how the pelvis moves and stands in the axes of the heading (where the pelvis faces on the floor), how
each joint is turned (two columns of its rotation matrix, Zhou et al. 2019, "On the Continuity of Rotation
Representations", section 4) and which feet stand. Lengths are in leg lengths, so that a motion fits any body.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.ndimage import median_filter

from choros.body.kinematics import forward_kinematics
from choros.rotation import columns_to_rotmat, rotmat_about, rotmat_to_columns
from choros.scenes.motion.rest_skeleton import JOINT, SIDES, Floats, RestSkeleton, facing
from choros.skeleton import JOINT_NAMES, MIRROR_JOINTS

FPS = 15.0  # of the rows
STILL = ("left_foot", "right_foot", "left_hand", "right_hand")  # not learned: captures barely know them
MOVED = tuple(j for j, name in enumerate(JOINT_NAMES) if name not in STILL)  # the pelvis is the first
N_FEATURES = 4 + 6 * len(MOVED) + 2
STANDS_M = 0.04  # a standing ball of the foot is at most that far from the floor
STANDS_M_S = 0.35  # and moves no faster
RELAXED_HAND_RAD = 0.45


class Acting(NamedTuple):
    """A motion in the world (z up, floor at 0) before its feet are planted."""

    R_local: Floats  # (T, 24, 3, 3), the first is the pelvis in the world
    pelvis: Floats  # (T, 3) metres
    stands: Floats  # (T, 2) how sure the left and right foot stand, about 0..1


def encode(R_local: Floats, pelvis: Floats, skeleton: RestSkeleton) -> Floats:
    """Rows (T - 1, N_FEATURES) of a motion at ``FPS`` in a world with y up.

    ``R_local`` (T, 24, 3, 3), ``pelvis`` (T, 3) metres with the floor at y = 0.
    """
    # Where the pelvis itself faces: the shipped weights know this heading, not that of who is first brought upright.
    yaw = np.unwrap(np.arctan2(R_local[:, 0, 0, 2], R_local[:, 0, 2, 2]))
    R_heading_world = rotmat_about("y", -yaw)
    step = np.einsum("tij,tj->ti", R_heading_world[:-1], np.diff(pelvis, axis=0)) * FPS / skeleton.leg_m
    turns = R_local[:, MOVED].copy()
    turns[:, 0] = R_heading_world @ turns[:, 0]
    columns = rotmat_to_columns(turns).reshape(len(turns), -1)
    root = np.stack([step[:, 0], step[:, 2], np.diff(yaw) * FPS, pelvis[:-1, 1] / skeleton.leg_m], -1)
    return np.concatenate([root, columns[:-1], feet_standing(R_local, pelvis, skeleton)[:-1]], axis=1)


def feet_standing(R_local: Floats, pelvis: Floats, skeleton: RestSkeleton) -> Floats:
    """1 where the ball of the left, right foot stands (T, 2), in a world with y up at ``FPS``."""
    rest = skeleton.joints_rest
    joints = torch.from_numpy(rest).expand(len(pelvis), 24, 3)
    _, shifts = forward_kinematics(torch.from_numpy(np.asarray(R_local, np.float64)), joints)
    balls = [JOINT[f"{side}_foot"] for side, _ in SIDES]
    places = rest[balls] - rest[0] + shifts.numpy()[:, balls] + pelvis[:, None]
    speed = np.linalg.norm(np.gradient(places[..., [0, 2]], axis=0), axis=-1) * FPS
    low = np.abs(places[..., 1] - (rest[balls, 1] - skeleton.sole_m)) < STANDS_M
    return median_filter((low & (speed < STANDS_M_S)).astype(np.float64), size=(3, 1), mode="nearest")


def decode(rows: Floats, times_s: Floats, skeleton: RestSkeleton) -> Acting:
    """The motion of rows (N, N_FEATURES), at times (T,) since its first row, facing +y above the origin.

    Between rows it is a cubic spline.
    """
    heading, place = path(rows)
    pelvis = np.concatenate([place, rows[:, 3:4]], axis=1) * skeleton.leg_m
    over_time = np.concatenate([heading[:, None], pelvis, rows[:, 4:]], axis=1)
    spline = CubicSpline(np.arange(len(rows)) / FPS, over_time)(times_s)

    turns = columns_to_rotmat(spline[:, 4:-2].reshape(-1, len(MOVED), 6))
    R_local = np.tile(np.eye(3), (len(times_s), 24, 1, 1))
    R_local[:, MOVED] = turns
    R_local[:, 0] = facing(spline[:, 0]) @ turns[:, 0]
    for side, sign in SIDES:
        R_local[:, JOINT[f"{side}_hand"]] = rotmat_about("z", -sign * RELAXED_HAND_RAD)
    return Acting(R_local, spline[:, 1:4], spline[:, -2:])


def path(rows: Floats) -> tuple[Floats, Floats]:
    """Heading (..., N) rad and place (..., N, 2) in leg lengths of rows (..., N, F), from +y and the origin."""
    start = np.zeros((*rows.shape[:-2], 1))
    heading = np.pi / 2 + np.concatenate([start, np.cumsum(rows[..., :-1, 2], axis=-1)], axis=-1) / FPS
    c, s = np.cos(heading), np.sin(heading)
    left, ahead = rows[..., 0], rows[..., 1]
    step = np.stack([c * ahead - s * left, s * ahead + c * left], axis=-1) / FPS
    return heading, np.concatenate(
        [start[..., None] + [0, 0], np.cumsum(step[..., :-1, :], axis=-2)], axis=-2
    )


def mirrored(rows: Floats) -> Floats:
    """The same rows with left and right exchanged."""
    out = rows.copy()
    out[:, [0, 2]] *= -1
    columns = rows[:, 4:-2].reshape(len(rows), len(MOVED), 2, 3)
    swap = [MOVED.index(MIRROR_JOINTS[j]) for j in MOVED]
    sign = np.outer([-1, 1], [-1, 1, 1])  # M R M with M = diag(-1, 1, 1)
    out[:, 4:-2] = (columns[:, swap] * sign).reshape(len(rows), -1)
    out[:, -2:] = rows[:, [-1, -2]]
    return out
