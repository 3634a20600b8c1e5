"""What the global optimisation moves (GLAMR, section 3.3): where the camera and everybody's root are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WorldVariables:
    """The variables: where camera (T frames) and people (S places) are. World axes, z up, metres."""

    R_world_camera: Floats  # (T, 3, 3)
    camera_m: Floats  # (T, 3)
    R_world_root: Floats  # (T, S, 3, 3)
    root_m: Floats  # (T, S, 3) the pelvis
