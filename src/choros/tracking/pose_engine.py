"""What poses the people of one picture: a part of a system that tracks by 3D bodies, as PHALP' (4DHumans, section 4).

Nothing is inherited or registered here: anything with the method fits, and `choros.systems` knows those that ship by
their names.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.detection import Detections

Floats = NDArray[np.float64]


class Posed(Protocol):
    """n people in the axes of the picture's camera, OpenCV's."""

    @property
    def rotations(self) -> Floats:
        """(n, 24, 3, 3) global_orient, then body_pose, each relative to its parent."""

    @property
    def betas(self) -> Floats:
        """(n, 10) of the engine's body."""

    @property
    def transl(self) -> Floats:
        """(n, 3) metres; the pelvis is at its rest place + transl."""

    @property
    def joints_cam(self) -> Floats:
        """(n, 24, 3) metres."""


@runtime_checkable
class PoseEngine(Protocol):
    """Poses people from one picture and nothing of the past: the same picture always gives the same bodies."""

    @property
    def body(self) -> BodyModel:
        """Whose pose and shape it tells."""

    def pose(self, image: NDArray[np.uint8], people: Detections, K: Floats) -> Posed:
        """The bodies of the ``people`` in an image (H, W, 3) RGB, in their order; ``K`` (3, 3) px of the picture."""
