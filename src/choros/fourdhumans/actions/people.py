"""People of a ``Motion`` as the network that tells actions takes them: at even instants, before an upright camera."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.motion import Motion
from choros.rotation import rotvec_to_rotmat

Floats = NDArray[np.float32]

#: Places are told in these parts of a metre: ahead in 200 (LART's tracklets).
PLACE_UNITS = np.array([1.0, 1.0, 200.0])

#: From a world with z up to a camera that looks at it upright.
R_CAMERA_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


class PersonTokens(NamedTuple):
    """One person; see `windows.TrackOfTokens`."""

    frames: NDArray[np.int64]  # (T,) rising
    pose_shape: Floats  # (T, 229)
    detected: NDArray[np.bool_]  # (T,)
    joints: Floats | None = None
    appearance: Floats | None = None


class TimedPerson(NamedTuple):
    """A person of a motion at the instants of one clock."""

    id: int
    tokens: PersonTokens  # frames are numbers of instants
    instants: NDArray[np.int64]  # (n,) of which of the tokens each of the person's n rows is


def pose_shape(
    rotations: NDArray[np.floating], betas: NDArray[np.floating], place_m: NDArray[np.floating]
) -> Floats:
    """Tokens (T, 229) of rotations (T, 24, 3, 3), betas (T, 10) and places (T, 3) in the axes of a camera."""
    parts = [rotations.reshape(len(rotations), -1), betas[:, :10], place_m / PLACE_UNITS]
    return np.concatenate(parts, 1).astype(np.float32)


def people_of(motion: Motion, fps: float) -> list[TimedPerson]:
    """Everybody at ``fps`` instants a second from the motion's first frame on, each as in the frame next to it.

    Rows in which nobody was seen are as if nothing had been detected. Of a world's z-up axes a camera that looks at
    them upright takes the place.
    """
    found = []
    start = float(motion.pts_s[0]) if len(motion) else 0.0
    for person in motion.people:
        rows = person.rows
        at = np.rint((person.pts_s - start) * fps).astype(np.int64)
        frames, first, instants = np.unique(at, return_index=True, return_inverse=True)
        pose = np.concatenate([rows["global_orient"], rows["body_pose"]], 1)[first].astype(np.float64)
        rotations, place = rotvec_to_rotmat(pose.reshape(-1, 24, 3)), rows["transl"][first].astype(np.float64)
        if motion.space == "world":
            rotations[:, 0] = R_CAMERA_Z_UP @ rotations[:, 0]
            place = place @ R_CAMERA_Z_UP.T
        seen = np.zeros(len(frames), bool)
        np.logical_or.at(seen, instants, rows["visible"])
        tokens = PersonTokens(frames, pose_shape(rotations, rows["betas"][first], place), seen)
        found.append(TimedPerson(person.id, tokens, instants))
    return found
