"""Where bodies are, worked out from a motion's rows one step at a time, to hold exports against."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from choros.body import BodyModel, BodyParams
from choros.motion import Motion

BODY = BodyModel.load()


def of_one_shape(motion: Motion) -> Motion:
    """Everybody with the betas of their first row, as files with one shape a person can hold them."""
    rows = motion.rows.copy()
    for person in motion.ids:
        mine = rows["person"] == person
        rows["betas"][mine] = rows["betas"][mine][0]
    return replace(motion, rows=rows)


def points(motion: Motion, person: int, of: Callable[[BodyParams], torch.Tensor] = BODY.joints) -> np.ndarray:
    """Points (n, K, 3) of the bodies in a person's rows, metres, in the motion's space."""
    rows = motion.person(person).rows
    names = ("global_orient", "body_pose", "betas", "transl", "kid")
    return of(BodyParams(*(torch.from_numpy(rows[name].copy()) for name in names))).numpy()


def in_world(motion: Motion, person: int, points_cam: np.ndarray) -> np.ndarray:
    """Points (n, K, 3) of a person's rows from camera axes to the world, z up."""
    T = motion.T_world_camera[motion.person(person).frame]
    return np.einsum("nij,nkj->nki", T[:, :3, :3], points_cam) + T[:, None, :3, 3]


def y_up(points_z_up: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(points_z_up, -1, 0)
    return np.stack([x, z, -y], axis=-1)
