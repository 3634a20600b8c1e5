"""Who is where the others are: what pictures of a whole motion are framed by, without strays.

A place far from where somebody mostly is, is a mistake of a moment; a person far from where the others mostly are (a
spectator whose depth is wrong) would make everybody else too small to be seen. ``data/page.js`` goes by the same rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STRAY = 6.0  # times the median distance from the middle: farther off is a stray, but for
PATH_M, GROUP_M = 6.0, 12.0  # metres of one's own path, and from the others


def gathered(places: NDArray[np.floating[Any]], person: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Which of the places (n, 3), metres, of each ``person`` (n,) are where people are on the whole, (n,)."""
    keep = np.isfinite(places).all(1)
    middles: dict[int, NDArray[np.floating[Any]]] = {}
    for one in np.unique(person[keep]).tolist():
        mine = np.flatnonzero(keep & (person == one))
        near, middles[one] = _near(places[mine], PATH_M)
        keep[mine] = near
    if middles:
        near, _ = _near(np.array(list(middles.values())), GROUP_M)
        keep &= np.isin(person, np.array(list(middles))[near])
    return keep


def _near(
    places: NDArray[np.floating[Any]], least_m: float
) -> tuple[NDArray[np.bool_], NDArray[np.floating[Any]]]:
    """Which places are not far from their middle (the median), and that."""
    middle = np.median(places, axis=0)
    away = np.linalg.norm(places - middle, axis=1)
    return away <= max(STRAY * float(np.median(away)), least_m), middle
