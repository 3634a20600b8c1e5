"""Those who were followed when a shot ended, so that somebody who looks alike in a later one can go on as they.

Nothing else goes over a cut: neither place nor pose, and nothing that was learned of the camera.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from choros.tracking.appearance import Colours, recognised

MOST = 50  # people kept aside, the newest

#: What a track that goes on takes over: who they are, and what was measured of their shape but for its size.
_KEPT = ("id", "shape_information", "shape_pull", "outlines")


def set_aside(left: NDArray[np.void], tracks: NDArray[np.void]) -> NDArray[np.void]:
    """Those kept so far, the newest last, with the named people of a shot that ended."""
    named = tracks[tracks["id"] > 0]
    return np.concatenate([left, named[np.argsort(named["seen_s"], kind="stable")]])[-MOST:]


def go_on(tracks: NDArray[np.void], unnamed: NDArray[np.intp], left: NDArray[np.void]) -> NDArray[np.void]:
    """Give the tracks ``unnamed`` the identity of whom they are clearly alike; those who are left still."""
    which, who = recognised(_appearance(tracks[unnamed]), _appearance(left))
    for name in _KEPT:
        tracks[name][unnamed[which]] = left[name][who]
    return np.delete(left, who)


def _appearance(tracks: NDArray[np.void]) -> Colours:
    return Colours(tracks["appearance_lab"], tracks["appearance_weight"])
