"""What a pose engine gives: the bodies of people in one picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from choros.crops import Floats


class PosedPeople(NamedTuple):
    """The bodies of n people in one picture, in the axes of its camera, OpenCV's; what a pose engine gives."""

    rotations: Floats  # (n, 24, 3, 3) global_orient, then body_pose, each relative to its parent
    betas: Floats  # (n, 10)
    transl: Floats  # (n, 3) metres; the pelvis is at its rest place + transl
    joints_cam: Floats  # (n, 24, 3) metres

    @classmethod
    def nobody(cls) -> PosedPeople:
        """No people."""
        return cls(np.zeros((0, 24, 3, 3)), np.zeros((0, 10)), np.zeros((0, 3)), np.zeros((0, 24, 3)))
