"""What a video's background says of how its camera turned and went, frame by frame: what ``odometry`` finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GroundEvidence:
    """How the camera went from each of T frames to the next over the ground it saw, in its heights above it.

    Metres come with the people who stand on that ground, so the length of a way is as wrong as their heights are.
    It is also as wrong as the focal length is: what moves ahead by a metre looks alike through a lens twice as
    long in a camera that goes twice as far.
    """

    step: Floats  # (T - 1, 3) to the next frame, axes of the camera in this one; its height in this one is 1
    up: Floats  # (T - 1, 3) unit, square to the ground, in those axes
    weight: Floats  # (T - 1,) 0 where no ground was seen to pass, to 1


@dataclass(frozen=True, eq=False)
class CameraEvidence:
    """How the camera turned, and went, from each of T frames to the next, as seen in the background."""

    turn: Floats  # (T - 1, 3, 3) R_t_next: rotates from the axes of camera t + 1 to those of camera t
    weight: Floats  # (T - 1,) 0 where the background says nothing, to 1
    #: (T - 1,) where it cannot be that the camera only turned; None: not known
    went: NDArray[np.bool_] | None = None
    ground: GroundEvidence | None = None
    #: First frames of shots whose camera stands where it stood at the end of an earlier one: that frame, R_then_now
    again: Mapping[int, tuple[int, Floats]] = field(default_factory=dict)
