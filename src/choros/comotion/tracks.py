"""What the tracker knows of each person it follows: one record, from which the next frame goes on.

Beside what the network carries from frame to frame (`people_of`, `remember`) it holds when and how well detected
boxes agreed with the person. Also here: which of two tracks that are on the same person is to go.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from choros.comotion.person_states import PersonStates
from choros.keypoints import AREA_OF_BOX, box_area, oks

Floats = NDArray[np.floating]

#: The fields that are the network's.
CARRIED = ("rotations", "betas", "pelvis_cam", "hidden")


def track_type(hidden_width: int) -> np.dtype[np.void]:
    """A track's record; times are those of frames, in seconds."""
    return np.dtype(
        [
            ("id", "i4"),  # 0 until confirmed
            ("sights", "i4"),  # frames with a box
            ("score", "f8"),  # of the best box so far
            ("crowded", "?"),  # began where somebody else was
            ("born_s", "f8"),
            ("seen_s", "f8"),  # last time with a box
            ("inside_s", "f8"),  # last time in view
            ("apart_s", "f8"),  # last time that no better track was on the same person
            ("agreement", "f8"),  # recent mean of the overlap with boxes, 0 to 1
            ("rotations", "f4", (24, 3, 3)),
            ("betas", "f4", (10,)),
            ("pelvis_cam", "f4", (3,)),
            ("hidden", "f4", (hidden_width,)),
        ],
        align=True,  # torch takes no field that lies across its own size
    )


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


def turned(tracks: NDArray[np.void], turn: Floats) -> NDArray[np.void]:
    """The tracks (n,) as a camera sees them for which what was at p is at ``turn`` (3, 3) p; a copy."""
    tracks = tracks.copy()
    tracks["pelvis_cam"] = tracks["pelvis_cam"] @ turn.T
    tracks["rotations"][:, 0] = turn @ tracks["rotations"][:, 0]
    return tracks


def alike(
    keypoints: Floats,  # (n, 17, 3) x_px, y_px, 1 in front of the camera and 0 behind
    boxes_px: Floats,  # (n, 4) xyxy
    pelvis_cam: Floats,  # (n, 3) metres
    min_oks: float,
    near_m: float,
    near_share: float,
) -> NDArray[np.bool_]:  # (n, n)
    """Who looks the same as whom and stands in the same place.

    The same place is one within ``near_m`` and ``near_share`` of the distance: in the image alone, somebody who
    walks behind another, step for step, would be the same person.
    """
    likeness = oks(keypoints, keypoints, AREA_OF_BOX * box_area(boxes_px))
    gap_m = np.linalg.norm(pelvis_cam[:, None] - pelvis_cam[None], axis=-1)
    reach_m = near_m + near_share * np.linalg.norm(pelvis_cam, axis=-1)
    same = (np.maximum(likeness, likeness.T) >= min_oks) & (gap_m <= np.maximum(reach_m[:, None], reach_m))
    np.fill_diagonal(same, False)
    return same


def outdone(tracks: NDArray[np.void], same: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of tracks (n,), oldest first, those that share their person (``same``, (n, n)) with a better one.

    Better is who is confirmed, then with whom boxes agreed more of late (a hidden person who was drawn to
    another's pixels has been without boxes), then the older.
    """
    order = np.lexsort((np.arange(len(tracks)), -tracks["agreement"], tracks["id"] == 0))
    rank = np.empty(len(tracks), np.intp)
    rank[order] = np.arange(len(tracks))
    return np.any(same & (rank[:, None] < rank[None]), axis=0)
