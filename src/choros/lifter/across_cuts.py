"""People of earlier shots, kept so that somebody who looks alike after a cut can get their identity back.

Nothing else is carried over a cut: neither position nor pose, and nothing that was learned of the camera.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.tracking.appearance import Colours, recognised

MOST = 50  # people kept aside, the newest

#: What a track that goes on takes over: who they are, and what was measured of their shape but for its size.
_KEPT = ("id", "shape_information", "shape_pull", "outlines")


def set_aside(left: NDArray[np.void], tracks: NDArray[np.void]) -> NDArray[np.void]:
    """The named tracks of a shot that ended after those ``left`` of earlier ones; the ``MOST`` last of them all."""
    named = tracks[tracks["id"] > 0]
    return np.concatenate([left, named[np.argsort(named["seen_s"], kind="stable")]])[-MOST:]


def go_on(tracks: NDArray[np.void], unnamed: NDArray[np.intp], left: NDArray[np.void]) -> NDArray[np.void]:
    """Give ``unnamed`` tracks, in place, the identity of whom they clearly look like; returns the rest of ``left``."""
    which, who = recognised(_appearance(tracks[unnamed]), _appearance(left))
    for name in _KEPT:
        tracks[name][unnamed[which]] = left[name][who]
    return np.delete(left, who)


def _appearance(tracks: NDArray[np.void]) -> Colours:
    return Colours(tracks["appearance_lab"], tracks["appearance_weight"])
