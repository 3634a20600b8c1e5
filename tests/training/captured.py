"""Motion of our own for tests of training, as if it had been captured."""

import numpy as np
from scipy.spatial.transform import Rotation

from choros.datasets.mocap import MocapClip
from choros.datasets.mocap.folder import open_body_rest
from choros.training.lifter.poses import PoseClip


def swinging(n_frames=90):
    """Somebody walking forward who swings arms and legs: motion of our own."""
    time = np.arange(n_frames) / 30
    rotvec = np.zeros((n_frames, 24, 3))
    phase = 2 * np.pi * 0.9 * time
    for joint, axis, size, shift in ((1, 0, 0.5, 0), (2, 0, 0.5, np.pi), (16, 1, 0.4, 0), (17, 1, 0.4, 0)):
        rotvec[:, joint, axis] = size * np.sin(phase + shift)
    rotvec[:, 16, 2], rotvec[:, 17, 2] = -1.2, 1.2
    rotvec[:, 4, 0] = rotvec[:, 5, 0] = 0.3
    rotations = Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_matrix().reshape(n_frames, 24, 3, 3)
    transl = np.stack([0 * time, 1.1 + 0 * time, 1.2 * time], -1)
    return PoseClip(rotations.astype(np.float32), transl.astype(np.float32))


SWINGING = swinging()


def clip(name="waving_1", seconds=4.0, lying=False, speed_m_s=0.0, height_m=0.0):
    """Somebody of our own who stands and swings the arms, at 30 frames/s."""
    rest, sole_m = open_body_rest()
    time = np.arange(0, seconds, 1 / 30)
    pose = np.zeros((len(time), 24, 3))
    pose[:, 16, 2] = -1.0 + 0.4 * np.sin(3 * time)
    pose[:, 17, 2] = 1.0 + 0.3 * np.sin(2 * time)
    pose[:, 3, 1] = 0.2 * np.sin(1.7 * time)
    transl = np.zeros((len(time), 3))
    transl[:, 1] = -sole_m + height_m
    transl[:, 2] = speed_m_s * time
    if lying:
        pose[:, 0, 0] = -np.pi / 2
        transl[:, 1] = 0.15 - rest[0, 1]
    return MocapClip(
        name, "bvh", False, "ours", 30.0, pose[:, 0].astype(np.float32),
        pose[:, 1:].reshape(-1, 69).astype(np.float32), transl.astype(np.float32),
    )  # fmt: skip
