"""The lift as a pose engine (`choros.tracking.pose_engine`): bodies from the keypoints of one picture alone."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros import weights
from choros.body import BodyModel
from choros.body.before import Before
from choros.body.kinematics import posed_joints
from choros.detection import Detections
from choros.devices import CPU, Device
from choros.lifter.lift import Lifted, Lifting, Past
from choros.run_identity import Identity, file_identity
from choros.tracking.pose_engine import Posed

Floats = NDArray[np.float64]
N_SHAPE = 11  # numbers of memory: betas, and how many sights are behind them


class LiftedPeople(NamedTuple):
    """As `choros.tracking.pose_engine.Posed`."""

    rotations: Floats
    betas: Floats
    transl: Floats
    joints_cam: Floats


class LiftEngine:
    """Lifts people from keypoints; it never looks at the picture itself, and runs on the CPU.

    It remembers what its network does, and everybody's shape with how many sights are behind it.
    """

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
        return self._told(self._lifting(people.keypoints.astype(np.float64), K))

    @property
    def memory_width(self) -> int:
        """How many numbers it remembers of a person."""
        return self._lifting.hidden_width + N_SHAPE

    def again(
        self,
        posed: Posed,
        which: NDArray[np.intp],
        people: Detections,
        K: Floats,
        before: Before,
        memory: NDArray[np.float32],
    ) -> tuple[LiftedPeople, NDArray[np.float32]]:
        """As `choros.tracking.pose_engine.FollowingEngine`."""
        shape = memory[:, -N_SHAPE:].astype(np.float64)
        past = Past(
            before.dt_s, np.ascontiguousarray(memory[:, :-N_SHAPE]), before.rotations,
            shape[:, :-1], shape[:, -1], before.transl,
        )  # fmt: skip
        lifted = self._lifting(people.keypoints[which].astype(np.float64), K, past)
        shape = np.column_stack([lifted.betas[:, :10], lifted.betas_weight])
        return self._told(lifted), np.concatenate([lifted.hidden, shape.astype(np.float32)], -1)

    def _told(self, lifted: Lifted) -> LiftedPeople:
        rest = self._lifting.points.shaped(lifted.betas)[0]
        joints = posed_joints(lifted.rotations, rest)[1] + lifted.transl[:, None]
        return LiftedPeople(lifted.rotations, lifted.betas[:, :10], lifted.transl, joints)


def make(body_path: str | Path | None, weights_path: str | Path | None, device: Device = CPU) -> LiftEngine:
    """With a user's SMPL file and weights, or what ships; for `choros.systems`."""
    return LiftEngine(BodyModel.load(body_path), weights_path)
