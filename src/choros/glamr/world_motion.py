"""What the global optimisation found, as a ``Motion`` in the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from choros.body.boxes import NEAR_M, boxes_of_bodies
from choros.devices import Device
from choros.glamr.observations import Observations, places_of
from choros.glamr.options import WorldOptions
from choros.glamr.people_in_world import PersonInWorld
from choros.glamr.person_trajectories import PersonTrajectory
from choros.glamr.variables import WorldVariables
from choros.motion import Header, Motion
from choros.motion.extras import with_extras
from choros.rotation import rotmat_to_rotvec

#: Name of the extra (4,) of a world's rows: probability of ``contacts.POINTS``, 0 to 1.
FOOT_CONTACT = "foot_contact"


def motion_of(
    motion: Motion,
    people: Sequence[PersonTrajectory],
    observations: Observations,
    world: WorldVariables,
    found: Sequence[PersonInWorld],
    options: WorldOptions,
    kind: str,
) -> Motion:
    """Everybody from the first to the last frame they were seen in, and the camera, which is known.

    ``found`` are the people where they are now. The extra ``FOOT_CONTACT`` is theirs.
    """
    frames = motion.frames.copy()
    frames["T_world_camera"], frames["camera_known"] = np.eye(4), True
    frames["T_world_camera"][:, :3, :3] = world.R_world_camera
    frames["T_world_camera"][:, :3, 3] = world.camera_m
    tables, contact = [], []
    for one, s, there in zip(people, places_of(people), found, strict=True):
        rows = np.zeros(len(one), motion.rows.dtype)  # extras are empty where nobody followed them
        known = one.row >= 0
        rows[known] = motion.rows[one.row[known]]
        rows["frame"], rows["person"] = np.arange(one.start, one.frames.stop), one.id
        rows["betas"], rows["kid"], rows["visible"] = one.betas, one.kid, one.seen
        turns = rotmat_to_rotvec(there.R_local)
        rows["body_pose"] = turns[:, 1:].reshape(-1, 69)
        rows["global_orient"], rows["transl"] = turns[:, 0], there.root_m - one.skeleton.pelvis_rest
        _tell_unseen(rows, one, observations, world, s)
        tables.append(rows)
        contact.append(there.contact.astype(np.float32))
    rows = with_extras(np.concatenate(tables), {FOOT_CONTACT: np.concatenate(contact)})
    rows = rows[np.lexsort((rows["person"], rows["frame"]))]
    return Motion(_header(motion, options, kind), frames, rows)


def _header(motion: Motion, options: WorldOptions, kind: str) -> Header:
    device = Device(options.device)
    said = {"camera": kind, "seed": options.seed, "keep_visible": options.keep_visible, "feet": options.feet}
    said |= device.identity(str(device.torch_device()))
    return replace(motion.header, space="world", provenance=motion.header.provenance | {"world": said})


def _tell_unseen(
    rows: NDArray[np.void], one: PersonTrajectory, observations: Observations, world: WorldVariables, s: int
) -> None:
    """Boxes, and less and less confidence, for the frames in which nobody saw the person."""
    unseen = np.flatnonzero(~one.seen)
    if not len(unseen):
        return
    shown = np.flatnonzero(one.seen)
    nearest = shown[np.abs(unseen[:, None] - shown).argmin(1)]
    away_s = np.abs(one.times_s[unseen] - one.times_s[nearest])
    rows["confidence"][unseen] = rows["confidence"][nearest] * np.exp(-away_s)
    rows["keypoints_px"][unseen] = 0
    t = one.start + unseen
    joints = one.skeleton.joints[unseen] @ np.swapaxes(world.R_world_root[t, s], -1, -2)
    joints_cam = (joints + (world.root_m[t, s] - world.camera_m[t])[:, None]) @ world.R_world_camera[t]
    ahead = joints_cam[:, 0, 2] > NEAR_M
    rows["box_px"][unseen] = np.where(ahead[:, None], boxes_of_bodies(joints_cam, observations.K[t]), 0)
