"""Where the bodies of a motion's rows are: in the motion's own space, before the camera, and in the world.

Points are made once in a motion's own space and moved from there; which camera shows a prediction to the world
is decided here and nowhere else.
"""

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.body.skinned import params_of
from choros.motion import Motion
from choros.rotation import rotvec_to_rotmat

Floats = NDArray[np.float64]
Rows = NDArray[np.void]


def joints_m(rows: Rows, body: BodyModel) -> Floats:
    """The 24 joints (n, 24, 3) of rows (n,), metres, in the motion's space."""
    return _points(rows, body, "joints")


def vertices_m(rows: Rows, body: BodyModel) -> Floats:
    """The skin (n, V, 3) of rows (n,), metres, in the motion's space."""
    return _points(rows, body, "vertices")


def keypoints_m(rows: Rows, body: BodyModel) -> Floats:
    """The body's COCO-17 keypoints (n, 17, 3) of rows (n,), metres, in the motion's space."""
    return _points(rows, body, "keypoints")


def _points(rows: Rows, body: BodyModel, what: str) -> Floats:
    import torch

    with torch.inference_mode():
        return np.asarray(getattr(body, what)(params_of(rows)), dtype=np.float64)


def root_poses(rows: Rows, joints: Floats) -> Floats:
    """T_space_root (n, 4, 4): SMPL's pelvis of rows (n,) with joints (n, 24, 3) m, in their space."""
    T = np.tile(np.eye(4), (len(rows), 1, 1))
    if len(rows):
        T[:, :3, :3] = rotvec_to_rotmat(rows["global_orient"])
    T[:, :3, 3] = joints[:, 0]
    return T


def moved(T: Floats, points: Floats) -> Floats:
    """Points (n, K, 3), each row by its own transform (n, 4, 4)."""
    return points @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3]


def T_camera_space(motion: Motion) -> Floats:
    """(T, 4, 4) from the motion's space to the camera of each frame."""
    if motion.space == "world":
        return np.asarray(np.linalg.inv(motion.T_world_camera), dtype=np.float64)
    return np.tile(np.eye(4), (len(motion), 1, 1))


def T_world_space(truth: Motion, prediction: Motion) -> tuple[Floats, Floats] | None:
    """(T, 4, 4) from the space of each to a world with z up and the floor at 0; None if the truth knows none.

    A prediction in world space is in its own world already, and one in camera space that tells where its camera
    was (``Motion.tells_camera``) is seen with that camera. One that does not says that the camera stood still: it is
    seen with the true camera of the first frame all along. That is exact for a camera that stands, and for one that
    moves it is the baseline of GLAMR's tables in which everybody's motion includes the camera's.
    """
    if truth.space == "camera" and not truth.tells_camera:
        return None
    in_world = np.tile(np.eye(4), (len(truth), 1, 1))
    true = in_world if truth.space == "world" else truth.T_world_camera
    if prediction.space == "world":
        return true, in_world
    if prediction.tells_camera:
        return true, prediction.T_world_camera
    return true, np.tile(truth.T_world_camera[0], (len(truth), 1, 1))
