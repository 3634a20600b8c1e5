"""The initial values of the global optimisation (GLAMR, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from choros.camera_motion.camera_path import CameraPath, gone_over_ground
from choros.camera_motion.evidence import CameraEvidence
from choros.glamr.camera_from_people import following_camera, standing_camera
from choros.glamr.observations import Observations, places_of
from choros.glamr.options import CameraMoves
from choros.glamr.person_trajectories import PersonTrajectory
from choros.glamr.variables import WorldVariables
from choros.rotation import heading_rotmat, rotmat_to_rotvec, rotvec_to_rotmat

Floats = NDArray[np.float64]


def first_world(
    people: Sequence[PersonTrajectory],
    observations: Observations,
    kind: CameraMoves,
    evidence: CameraEvidence | None,
    given: CameraPath | None,
    begun: CameraPath | None = None,
) -> WorldVariables:
    """The world that the optimisation starts from: people where the camera of this ``kind`` saw them.

    The camera stands still, or turns and moves as ``given`` or as its background says (``evidence``). Where it moves
    and no background tells how, people walk on their predicted trajectories and tell where it was (equation 15). With
    ``begun`` a camera that moves begins with that path.
    """
    T, S = observations.there.shape
    R, root = np.tile(np.eye(3), (T, S, 1, 1)), np.zeros((T, S, 3))
    if kind == "moving" and begun is not None:
        camera, paths = begun, [_bridged(one, begun) for one in people]
    elif kind == "moving" and evidence is None:
        camera, paths = following_camera(people, observations.times_s)
    else:
        camera = given or standing_camera(people, T, None if kind == "static" else evidence)
        if kind == "moving" and evidence is not None and evidence.ground is not None:
            camera = gone_over_ground(camera, evidence.ground)
        paths = [_bridged(one, camera) for one in people]
    for one, s, (turn, place) in zip(people, places_of(people), paths, strict=True):
        R[one.frames, s], root[one.frames, s] = turn, place
    return WorldVariables(camera.R_world_camera, camera.place_m, R, root)


def _bridged(one: PersonTrajectory, camera: CameraPath) -> tuple[Floats, Floats]:
    """A person as a known camera saw them, and on their predicted path in between, bent to meet both ends."""
    R_wc, eye = camera.R_world_camera[one.frames], camera.place_m[one.frames]
    R = R_wc @ one.R_camera_root
    place = (R_wc @ one.root_cam_m[..., None])[..., 0] + eye
    shown = np.flatnonzero(one.seen)
    for a, b in pairwise(shown):
        if b == a + 1:
            continue
        gap = np.arange(a + 1, b)
        share = ((gap - a) / (b - a))[:, None]
        to_world = heading_rotmat(R[a]) @ heading_rotmat(one.R_path_root[a]).T
        places = (one.path_m[a : b + 1] - one.path_m[a]) @ to_world.T + place[a]
        turns = R[a] @ one.R_path_root[a].T @ one.R_path_root[a : b + 1]
        place[gap] = places[1:-1] + share * (place[b] - places[-1])
        R[gap] = rotvec_to_rotmat(share * rotmat_to_rotvec(R[b] @ turns[-1].T)) @ turns[1:-1]
    return R, place
