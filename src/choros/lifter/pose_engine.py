"""The lift as a pose engine (`choros.tracking.pose_engine`): bodies from the keypoints of one picture alone."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros import weights
from choros.body import BodyModel
from choros.body.kinematics import posed_joints
from choros.detection import Detections
from choros.devices import CPU, Device
from choros.lifter.lift import Lifting
from choros.run_identity import Identity, file_identity

Floats = NDArray[np.float64]


class LiftedPeople(NamedTuple):
    """As `choros.tracking.pose_engine.Posed`."""

    rotations: Floats
    betas: Floats
    transl: Floats
    joints_cam: Floats


class LiftEngine:
    """Lifts people whom nothing is known of; it never looks at the picture itself, and runs on the CPU."""

    def __init__(self, body: BodyModel, weights_path: str | Path | None = None) -> None:
        self.body, self._lifting = body, Lifting(body, weights_path)
        self._weights = file_identity(weights_path, weights.shipped("lifter"))

    def identity(self) -> Identity:
        """By what its bodies are decided."""
        return {"weights": self._weights}

    def pose(self, image: NDArray[np.uint8], people: Detections, K: Floats) -> LiftedPeople:
        """As `choros.tracking.pose_engine.PoseEngine`."""
        if not len(people):
            return LiftedPeople(
                np.zeros((0, 24, 3, 3)), np.zeros((0, 10)), *np.zeros((2, 0, 24, 3))
            )._replace(transl=np.zeros((0, 3)))
        lifted = self._lifting(people.keypoints.astype(np.float64), K)
        rest = self._lifting.points.shaped(lifted.betas)[0]
        joints = posed_joints(lifted.rotations, rest)[1] + lifted.transl[:, None]
        return LiftedPeople(lifted.rotations, lifted.betas[:, :10], lifted.transl, joints)


def make(body_path: str | Path | None, weights_path: str | Path | None, device: Device = CPU) -> LiftEngine:
    """With a user's SMPL file and weights, or what ships; for `choros.systems`."""
    return LiftEngine(BodyModel.load(body_path), weights_path)
