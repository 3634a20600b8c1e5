"""What the tracker knows of each person it follows: one record, from which the next frame goes on.

Beside what the network carries from frame to frame (`people_of`, `remember`) it holds how well detected boxes agreed
with the person, and where that is in the picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from choros.comotion.person_states import PersonStates
from choros.tracking.fitted import FITTED_FIELDS, turn_fitted
from choros.tracking.sights import SIGHT_FIELDS

Floats = NDArray[np.floating]

#: The fields that are the network's.
CARRIED = ("rotations", "betas", "pelvis_cam", "hidden")


def fields(hidden_width: int) -> list[Any]:
    """CoMotion's own fields of a track; times are those of frames, in seconds."""
    return [
        ("apart_s", "f8"),  # last time that no better track was on the same person
        ("agreement", "f8"),  # recent mean of the overlap with boxes, 0 to 1
        ("on_keypoints", "?"),  # put there in this frame, and carried on from there
        # Filled in where keypoints are looked at:
        ("belief", "f8"),  # log odds that this is somebody
        *SIGHT_FIELDS,
        ("rotations", "f4", (24, 3, 3)),
        ("betas", "f4", (10,)),
        ("pelvis_cam", "f4", (3,)),
        ("hidden", "f4", (hidden_width,)),
        *FITTED_FIELDS,
        # Where that is in the picture:
        ("keypoints_px", "f4", (17, 3)),  # x_px, y_px, 1 in front of the camera and 0 behind
        ("box_px", "f8", (4,)),  # xyxy of the whole person in clothes, hidden or beyond the edge
        ("in_picture", "?", (17,)),  # keypoints
    ]


def people_of(tracks: NDArray[np.void], device: torch.device) -> PersonStates:
    """The tracks (n,) as people (1, n, ...) of one frame.

    Always fresh memory of the same layout, on which the last bits of the network's sums can depend.
    """
    everyone = np.ones(len(tracks), bool)
    parts = [np.ascontiguousarray(tracks[name]) for name in CARRIED] + [everyone]
    return PersonStates(*(torch.tensor(part, device=device)[None] for part in parts))


def remember(tracks: NDArray[np.void], people: PersonStates) -> None:
    """Write ``people`` (1, n, ...) into their tracks (n,)."""
    for name in CARRIED:
        tracks[name] = getattr(people, name)[0].cpu().numpy()


def turn_with_camera(tracks: NDArray[np.void], turn: Floats) -> None:
    """The tracks (n,) as a camera sees them for which what was at p is at ``turn`` (3, 3) p."""
    tracks["pelvis_cam"] = tracks["pelvis_cam"] @ turn.T
    tracks["rotations"][:, 0] = turn @ tracks["rotations"][:, 0]
    turn_fitted(tracks, turn)
