"""What a system says of one frame: its people, its camera if it knows it, and whatever else it has on each person."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NOTHING: Mapping[str, NDArray[Any]] = MappingProxyType({})


class FrameResult(NamedTuple):
    """The people of one frame.

    ``T_world_camera`` is where the system says that the camera is; None where it does not know, which is not the same
    as a camera that stands still. ``extras`` are named arrays with an entry for each row: actions and their scores, an
    embedding, contact of the feet.
    """

    rows: NDArray[np.void]  # (n,) ROW
    T_world_camera: NDArray[np.float64] | None = None  # (4, 4) metres
    extras: Mapping[str, NDArray[Any]] = NOTHING  # each (n, ...)
