"""What poses the people of one picture: a part of a system that tracks by 3D bodies, as PHALP' (4DHumans, section 4).

Nothing is inherited or registered here: anything with the method fits, and `choros.systems` knows those that ship by
their names.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.body.before import Before
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


@runtime_checkable
class FollowingEngine(PoseEngine, Protocol):
    """A pose engine that also says how people are now, where it is known how they were."""

    @property
    def memory_width(self) -> int:
        """How many numbers it remembers of a person."""

    def again(
        self,
        posed: Posed,
        which: NDArray[np.intp],
        people: Detections,
        K: Floats,
        before: Before,
        memory: NDArray[np.float32],
    ) -> tuple[Posed, NDArray[np.float32]]:
        """Of all whom `pose` ``posed`` in this picture, ``people``, those at ``which`` (k,), and what to remember.

        ``before`` is how they were and where they are expected, ``memory`` (k, `memory_width`) what was remembered
        then: 0 of those of whom nothing is known.
        """
