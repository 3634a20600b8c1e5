"""A small motion with all that exporters must keep: who comes late, who is gone for a while, who is not seen."""

from fractions import Fraction

import numpy as np
from scipy.spatial.transform import Rotation

from choros.camera import intrinsics
from choros.motion import FRAME, ROW, Header, Motion

FRAMES, FPS = 30, 25
WIDTH, HEIGHT = 640, 480
#: Frames in which each person is there, and those of them in which they are not seen.
THERE = {1: range(30), 2: range(8, 30), 5: [*range(10), *range(16, 24)]}
UNSEEN = {2: range(12, 15), 5: range(20, 24)}


def walkers(space: str = "camera", *, camera_moves: bool = True, first_s: Fraction = Fraction(2)) -> Motion:
    """Persons 1, 2 and 5, each of another shape, wave and walk before a camera that turns and rides."""
    frames = np.zeros(FRAMES, FRAME)
    frames["number"] = np.arange(FRAMES)
    frames["K"] = intrinsics(WIDTH, HEIGHT, focal_px=600)
    frames["T_world_camera"] = np.eye(4)
    for i in range(FRAMES):
        pts = first_s + Fraction(i, FPS)
        frames["pts"][i] = pts.numerator, pts.denominator
    if camera_moves:
        frames["camera_known"] = True
        turn = np.linspace(0, 0.4, FRAMES)
        level = Rotation.from_matrix(
            [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
        )  # z forward, y down -> y forward, z up
        frames["T_world_camera"][:, :3, :3] = (Rotation.from_euler("z", turn[:, None]) * level).as_matrix()
        frames["T_world_camera"][:, :3, 3] = np.stack([turn, -0.5 * turn, 1.6 + 0.1 * turn], axis=1)

    rng = np.random.default_rng(6)
    rows = []
    for person, there in THERE.items():
        betas, wave = rng.normal(0, 0.8, 10), rng.normal(0, 0.2, (3, 66))
        heading = rng.uniform(-np.pi, np.pi)
        for frame in there:
            row = np.zeros((), ROW)
            t = frame / FPS
            row["frame"], row["person"], row["confidence"] = frame, person, 0.9
            row["visible"] = frame not in UNSEEN.get(person, ())
            row["betas"] = betas + rng.normal(0, 0.02, 10)
            row["kid"] = 0.3 if person == 5 else 0
            pose = wave[0] + wave[1] * np.sin(4 * t) + wave[2] * np.cos(7 * t)
            row["body_pose"][:63] = pose[3:66]  # hands rest, as systems leave them
            turned = Rotation.from_euler("xyz", [np.pi, heading + 3 * t, 0.1])
            row["global_orient"] = turned.as_rotvec()
            row["transl"] = {1: -1.2, 2: -0.1, 5: 1}[person] + 0.3 * t, 0.4, 4 + np.sin(t + person)
            rows.append(row)
    rows.sort(key=lambda row: (int(row["frame"]), int(row["person"])))
    table = np.array(rows, ROW)
    if space == "world":
        T = frames["T_world_camera"][table["frame"]]
        table["global_orient"] = (
            Rotation.from_matrix(T[:, :3, :3]) * Rotation.from_rotvec(table["global_orient"])
        ).as_rotvec()
        table["transl"] = (T[:, :3, :3] @ table["transl"][..., None])[..., 0] + T[:, :3, 3]
    header = Header(Fraction(FPS), WIDTH, HEIGHT, source="walkers.mp4", space=space)
    return Motion(header, frames, table)


CUT, AWAY_M = 12, 50.0


def walkers_after_a_cut() -> Motion:
    """The same walkers and their camera; from frame ``CUT`` on another shot, ``AWAY_M`` to the side."""
    motion = walkers()
    motion.frames["cut_before"][CUT] = True
    motion.frames["T_world_camera"][CUT:, 0, 3] += AWAY_M
    return motion


LOST = range(10, 14)


def walkers_whose_camera_is_lost() -> Motion:
    """The same walkers in the world; in the frames ``LOST`` nobody knows where the camera was: a guess is far away."""
    motion = walkers("world")
    motion.frames["camera_known"][LOST] = False
    motion.frames["T_world_camera"][LOST] = np.eye(4)
    motion.frames["T_world_camera"][LOST, 0, 3] = AWAY_M
    return motion
