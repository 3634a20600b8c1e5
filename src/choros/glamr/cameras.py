"""Where the camera was: what the picture's background says of it, and what a user says of it in a file.

``CameraEvidence`` is an optional term of the global optimisation (``energies``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CameraEvidence:
    """How the camera turned from each of T frames to the next, as seen in the background."""

    turn: Floats  # (T - 1, 3, 3) R_t_next: rotates from the axes of camera t + 1 to those of camera t
    weight: Floats  # (T - 1,) 0 where the background says nothing, to 1
