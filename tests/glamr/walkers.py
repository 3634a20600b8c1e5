"""People who walk about and a camera that sees them, all known exactly, for the tests of the global stage."""

from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.leg_reach import bend_leg
from choros.camera import intrinsics, project
from choros.glamr.egocentric import global_to_ego
from choros.glamr.network_inputs import even_times, places_at, rotations_at
from choros.glamr.posed_skeleton import pose_skeleton
from choros.motion import FRAME, ROW, Header, Motion
from choros.rotation import rotmat_to_rotvec
from choros.skeleton import JOINT_NAMES

FPS = 30
UPRIGHT = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])  # SMPL's axes in the world, facing along x


@cache
def standing():
    """The skeleton of the mean shape in its rest pose; its soles are at one height."""
    return pose_skeleton(BodyModel.load(), np.tile(np.eye(3), (1, 23, 1, 1)), np.zeros(10), 0.0)


def about_z(angle):
    return Rotation.from_rotvec(np.asarray(angle)[..., None] * [0, 0, 1]).as_matrix()


def walkers(frames, people=2, radius_m=1.2):
    """Roots of people who go round in circles, each with a centre and pace of their own: (P, T, 4, 4).

    Their legs do not move: they skate, so that only their paths are known, not their feet.
    """
    t = np.arange(frames) / FPS
    T = np.tile(np.eye(4), (people, frames, 1, 1))
    for p in range(people):
        angle = (0.6 + 0.2 * p) * t + p
        T[p, :, :3, :3] = about_z(angle + np.pi / 2) @ UPRIGHT
        T[p, :, 0, 3] = 3.2 * p - 1.6 + radius_m * np.cos(angle)
        T[p, :, 1, 3] = 6 + radius_m * np.sin(angle)
        T[p, :, 2, 3] = -standing().soles[..., 1].min()
    return T


def camera_path(frames, turn_rad=0.0, ahead_m=0.0):
    """T_world_camera (T, 4, 4) at 1.6 m, looking along y and a little down, turning left and going on steadily."""
    share = np.linspace(0, 1, frames)
    T = np.tile(np.eye(4), (frames, 1, 1))
    level = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    down = Rotation.from_rotvec([-0.1, 0, 0]).as_matrix()
    T[:, :3, :3] = about_z(turn_rad * share) @ level @ down
    T[:, 1, 3], T[:, 2, 3] = ahead_m * share, 1.6
    return T


RISE_M, TREAD_M, STEP_S = 0.17, 0.3, 0.6
LIFT_S = 0.4  # that a foot is in the air
RIGHT = np.array([0.0, -0.1, 0.0])  # of somebody who faces along x


def climber(frames, floor_steps, flight):
    """Somebody who walks along x, and after ``floor_steps`` up a ``flight`` of stairs, each foot whole on its step.

    Local rotations (T, 24, 3, 3), first of the pelvis in the world, the pelvis (T, 3), the height (T, 2) of the step
    that the left and the right foot are on, and whether they stand (T, 2).
    """
    u = np.arange(frames) / FPS / STEP_S  # in steps; foot k goes to hold n, of its own parity, until u = n
    rest, sole = standing().joints_rest, standing().sole_m

    def step_m(n):
        return RISE_M * np.clip(n - floor_steps, 0, flight)

    R_local = np.tile(np.eye(3), (frames, 24, 1, 1))
    R_local[:, 0] = UPRIGHT
    high = 0.9 * (rest[0, 1] - sole)
    pelvis = np.stack(
        [TREAD_M * u, 6 + 0 * u, high + np.interp(u, np.arange(99), step_m(np.arange(99) - 0.5))], 1
    )
    height, stands = np.zeros((frames, 2)), np.zeros((frames, 2), bool)
    for k, side in enumerate(("left", "right")):
        n = 2 * np.floor((u - k) / 2) + k  # the hold it came to last
        swing = np.clip((u - n - 2) * STEP_S / LIFT_S + 1, 0, 1)
        going = swing * swing * (3 - 2 * swing)
        ankle_j = JOINT_NAMES.index(f"{side}_ankle")
        hold = [
            TREAD_M * (n + 2 / 3 + 2 * going),
            6 + 0 * u,
            step_m(n) + (step_m(n + 2) - step_m(n)) * np.sqrt(swing),
        ]
        ankle = np.stack(hold, 1) + (1 - 2 * k) * -RIGHT
        ankle[:, 2] += rest[ankle_j, 1] - sole + 0.08 * np.sin(np.pi * swing)
        bend_leg(
            R_local,
            pelvis,
            rest,
            side,
            ankle,
            np.tile(UPRIGHT, (frames, 1, 1)),
            np.tile([1.0, 0, 0], (frames, 1)),
        )
        height[:, k], stands[:, k] = step_m(n), swing == 0
    return R_local, pelvis, height, stands


def seen_motion(T_world_root, T_world_camera, hidden=(), poses=None):
    """What a perfect system says of them in camera space; ``hidden`` are (person from 0, first, end frame).

    ``poses`` are body rotations (T, 23, 3, 3) of some, by person from 0; the others stand.
    """
    people, frames = T_world_root.shape[:2]
    K = intrinsics(640, 480)
    header = Header(Fraction(FPS), 640, 480, "walkers.mp4")
    table = np.zeros(frames, FRAME)
    table["number"] = np.arange(frames)
    table["pts"] = [(n, FPS) for n in range(frames)]
    table["K"], table["T_world_camera"] = K, np.eye(4)
    T = np.linalg.inv(T_world_camera) @ T_world_root
    rows = np.zeros((frames, people), ROW)
    rows["frame"], rows["person"] = np.arange(frames)[:, None], np.arange(people) + 1
    T = np.swapaxes(T, 0, 1)
    rows["global_orient"] = (
        Rotation.from_matrix(T[..., :3, :3].reshape(-1, 3, 3)).as_rotvec().reshape(frames, people, 3)
    )
    rows["transl"] = T[..., :3, 3] - standing().pelvis_rest
    rows["confidence"], rows["visible"] = 1, True
    keypoints = np.tile(standing().keypoints, (frames, people, 1, 1))
    for person, turns in (poses or {}).items():
        keypoints[:, person] = pose_skeleton(BodyModel.load(), turns, np.zeros(10), 0.0).keypoints
        rows["body_pose"][:, person] = rotmat_to_rotvec(turns).reshape(frames, 69)
    points = keypoints @ np.swapaxes(T[..., :3, :3], -1, -2) + T[..., None, :3, 3]
    rows["keypoints_px"][..., :2], rows["keypoints_px"][..., 2] = project(points, K), 1
    for person, first, end in hidden:
        rows["visible"][first:end, person] = False
    return Motion(header, table, rows.ravel())


def seen_only(motion):
    """Without the rows of people whom nobody saw."""
    return replace(motion, rows=motion.rows[motion.visible])


class Held:
    """An infiller that holds the pose last seen."""

    def infill(self, rotations, visible, samples=1, seed=0, keep_visible=True):
        shown = visible.nonzero()[:, 0]
        last = (torch.searchsorted(shown, torch.arange(len(visible)), right=True) - 1).clamp_min(0)
        return rotations[shown[last]].expand(samples, -1, -1, -1, -1)


class Known:
    """A predictor that knows the true paths (P, T, 4, 4), or what ``strays_m_s`` makes of them."""

    def __init__(self, T_world_root, strays_m_s=0.0):
        self.T = torch.from_numpy(T_world_root)
        self.strays = strays_m_s

    def predict_all(self, people):
        times = torch.arange(self.T.shape[1], dtype=torch.float64) / FPS
        at = even_times(times)
        egos = [
            global_to_ego(places_at(T[:, :3, 3], times, at), rotations_at(T[:, :3, :3], times, at))
            for T in self.T
        ]
        for ego in egos:
            ego[1:, 1] += self.strays / FPS
        return egos
