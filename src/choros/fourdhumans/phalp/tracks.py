"""The fields of a track of PHALP', and its last sights: what everything that is predicted of somebody comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.camera import project_in_front, unproject
from choros.fourdhumans.phalp.config import SIGHTS, SIGHTS_APART_S
from choros.fourdhumans.phalp.place import Expected, PlaceRules, expected
from choros.fourdhumans.phalp.texture import PATCHES

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Tracks = NDArray[np.void]

NEAR_M = 0.3  # nobody is thought to be nearer to the camera

#: Sights are newest first; those from ``kept`` on are none.
_FIELDS: list[Any] = [
    ("belief", "f8"),  # log odds that this is somebody
    ("kept", "i4"),
    ("sight_s", "f8", (SIGHTS,)),
    ("sight_rotations", "f4", (SIGHTS, 24, 3, 3)),
    ("sight_pelvis", "f8", (SIGHTS, 3)),  # metres, axes of today's camera
    ("sight_betas", "f4", (SIGHTS, 10)),
    ("rotations", "f8", (24, 3, 3)),  # these four: as seen in this frame, else as predicted
    ("betas", "f8", (10,)),
    ("pelvis", "f8", (3,)),
    ("confidence", "f8"),
    ("place", "f8", (3,)),  # predicted, as of `Expected`
    ("half_width", "f8", (3,)),
    ("texture_lab", "f4", (PATCHES, 3)),
    ("texture_weight", "f4", (PATCHES,)),
]


def fields(memory_width: int) -> list[Any]:
    """PHALP's own fields of a track; ``memory_width`` is what the pose engine remembers of a person."""
    return [*_FIELDS, ("memory", "f4", (memory_width,))]


def remember_sight(tracks: Tracks, which: Indices, time_s: float) -> None:
    """The bodies of the tracks ``which`` are what was seen of them now."""
    some = tracks[which]
    near = (some["kept"] > 1) & (some["sight_s"][:, 0] - some["sight_s"][:, 1] < 0.8 * SIGHTS_APART_S)
    for name, now in (
        ("sight_s", np.full(len(some), time_s)),
        ("sight_rotations", some["rotations"]),
        ("sight_pelvis", some["pelvis"]),
        ("sight_betas", some["betas"]),
    ):
        shifted = np.concatenate([some[name][:, :1], some[name][:, :-1]], 1)
        keep = near.reshape(-1, *[1] * (shifted.ndim - 1))
        some[name] = np.where(keep, some[name], shifted)
        some[name][:, 0] = now
    some["kept"] = np.minimum(some["kept"] + ~near, SIGHTS)
    tracks[which] = some


def turn(tracks: Tracks, R: Floats) -> None:
    """The camera turned: everybody is and was, and faces and faced, where ``R`` (3, 3) takes them."""
    for name in ("sight_pelvis", "pelvis"):
        tracks[name] = tracks[name] @ R.T
    tracks["sight_rotations"][:, :, 0] = R @ tracks["sight_rotations"][:, :, 0]
    tracks["rotations"][:, 0] = R @ tracks["rotations"][:, 0]


def picture_place(pelvis: Floats, K: Floats, side_px: int) -> Floats:
    """Pelves (..., 3) metres as the picture has them, (..., 3): x and y in its longer side, and log metres."""
    ahead = np.concatenate([pelvis[..., :2], np.maximum(pelvis[..., 2:], NEAR_M)], -1)
    at_px, _ = project_in_front(ahead, K)
    return np.concatenate([at_px / side_px, np.log(ahead[..., 2:])], -1)


def from_picture(place: Floats, K: Floats, side_px: int) -> Floats:
    """`picture_place` undone, (..., 3) metres."""
    return unproject(place[..., :2] * side_px, np.maximum(np.exp(place[..., 2]), NEAR_M), K)


def expect_places(tracks: Tracks, time_s: float, K: Floats, side_px: int, rules: PlaceRules) -> Expected:
    """Where everybody will be in the picture at ``time_s``, by their last sights."""
    values = picture_place(tracks["sight_pelvis"], K, side_px)
    there = np.arange(SIGHTS) < tracks["kept"][:, None]
    return expected(values, tracks["sight_s"], there, np.full(len(tracks), time_s), rules)
