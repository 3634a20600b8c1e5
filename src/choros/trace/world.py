"""Where camera and people go in the world, which is the first frame's camera (TRACE 3.2), in metres.

The network says of everybody how they went since the last frame. The paper sums that up from where the first frame saw
them, and leaves the camera alone. Here the camera's own path comes of it: people are seen before the camera and known
in the world, and it is where the two agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.rotation import special_procrustes

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class WorldRules:
    """What is ours is marked so."""

    stretched: float = (
        2.0  # release: the motion across, as the published weights have learned it, counts so much
    )
    stands: bool = True  # ours: where the background does not move, neither does the camera


#: Where the first camera is in choros's world, which has z up: level, looking along y.
LEVEL = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def mean_turn(turns: Floats, weights: Floats) -> Floats:
    """The rotation (3, 3) nearest to several (n, 3, 3), by squares; no turn at all of none."""
    if not len(turns) or not np.any(weights > 0):
        return np.eye(3)
    return special_procrustes(np.einsum("n,nab->ab", np.asarray(weights, np.float64), turns))


def camera_step(
    T_world_before: Floats,  # (4, 4)
    turn: Floats,  # (3, 3) of the camera since then: its axes now in those of before
    before_cam: Floats,  # (n, 3) metres, people before the camera then
    now_cam: Floats,  # (n, 3) and now
    ways_cam: Floats,  # (n, 3) metres, how they went in the world since, in the axes of now
) -> NDArray[np.float64]:
    """Where the camera is now, (4, 4): it turned, and went so that people went as they are said to.

    Of each of the people there is a place, and the middle one of all is taken; where there is nobody, it only turned.
    """
    R_before, eye = T_world_before[:3, :3], T_world_before[:3, 3]
    now = np.eye(4)
    now[:3, :3] = special_procrustes(R_before @ turn)
    places = eye + before_cam @ R_before.T + (ways_cam - now_cam) @ now[:3, :3].T
    now[:3, 3] = np.median(places, axis=0) if len(places) else eye
    return now


def camera_from_people(
    R_world_root: Floats,  # (n, 3, 3)
    R_camera_root: Floats,  # (n, 3, 3)
    place_world: Floats,  # (n, 3) metres
    pelvis_cam: Floats,  # (n, 3)
    weights: Floats,  # (n,)
) -> NDArray[np.float64]:
    """The camera (4, 4) from which people who are somewhere in the world are seen as they are; of one or more.

    Its turn is the mean of what each says, its place the middle one.
    """
    T = np.eye(4)
    T[:3, :3] = mean_turn(R_world_root @ np.swapaxes(R_camera_root, -1, -2), weights)
    T[:3, 3] = np.median(place_world - pelvis_cam @ T[:3, :3].T, axis=0)
    return T
