"""What a system says of one frame: its people, its camera if it knows it, and whatever else it has on each person."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.motion.extras import what_is_wrong
from choros.motion.tables import ROW

#: The columns of ``ROW`` that hold real numbers, which are always finite.
FLOATS = tuple(name for name in ROW.names or () if np.issubdtype(ROW[name].base, np.inexact))

NOTHING: Mapping[str, NDArray[Any]] = MappingProxyType({})


class FrameResult(NamedTuple):
    """The people of one frame.

    ``rows`` are in camera axes, sorted by person. ``T_world_camera`` is where the system says that the camera is; None
    where it does not know, which is not the same as a camera that stands still. ``extras`` are named arrays with an
    entry for each row: actions and their scores, an embedding, contact of the feet. Names are identifiers, and no
    columns of ``ROW``; every frame that has people has the same names, types and shapes of an entry.
    """

    rows: NDArray[np.void]  # (n,) ROW
    T_world_camera: NDArray[np.float64] | None = None  # (4, 4) metres
    extras: Mapping[str, NDArray[Any]] = NOTHING  # each (n, ...)


def checked(result: Any, system: Any, frame: int) -> FrameResult:
    """What ``system`` gave for the frame of that number, from 0. Raises ``ChorosError`` if it is no ``FrameResult``.

    The error names the system's class and what is wrong.
    """
    wrong = _wrong(result, frame)
    if wrong is not None:
        raise ChorosError(f"{type(system).__name__} gave no FrameResult that can be kept: {wrong}.")
    given: FrameResult = result
    return given


def _wrong(result: Any, frame: int) -> str | None:
    """What is wrong with a result; None if nothing is."""
    if not isinstance(result, FrameResult):
        return f"frame {frame} has a {type(result).__name__}, not a FrameResult(rows)"
    rows, T = result.rows, result.T_world_camera
    if not isinstance(rows, np.ndarray) or rows.dtype != ROW or rows.ndim != 1:
        return f"its rows in frame {frame} are not an array (n,) of dtype ROW"
    if (rows["frame"] != frame).any():
        return f"its rows in frame {frame} say that they are of frame {rows['frame'].tolist()}"
    if (np.diff(rows["person"]) <= 0).any():
        return f"its rows in frame {frame} are not sorted by person, one for each: {rows['person'].tolist()}"
    if T is not None and (np.shape(T) != (4, 4) or not np.isfinite(np.asarray(T, np.float64)).all()):
        return f"T_world_camera in frame {frame} is not a (4, 4) of finite numbers"
    return what_is_wrong(result.extras, len(rows))
