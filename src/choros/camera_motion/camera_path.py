"""Where a camera was in every frame, and paths that follow from its background alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.camera_motion.evidence import CameraEvidence, GroundEvidence
from choros.rotation import special_procrustes

Floats = NDArray[np.float64]

UP = np.array([0.0, 0.0, 1.0])  # world axes


@dataclass(frozen=True, eq=False)
class CameraPath:
    """Where the camera is in T frames; world axes, z up."""

    R_world_camera: Floats  # (T, 3, 3)
    place_m: Floats  # (T, 3)


def gone_over_ground(camera: CameraPath, ground: GroundEvidence) -> CameraPath:
    """A camera that stands, sent along the way that the ground below it passed; it keeps its height."""
    passed = np.where(ground.weight[:, None] > 0, ground.step, 0)
    step = (camera.R_world_camera[:-1] @ passed[..., None])[..., 0] * camera.place_m[:-1, 2:] * [1, 1, 0]
    return CameraPath(
        camera.R_world_camera, camera.place_m + np.pad(np.cumsum(step, axis=0), ((1, 0), (0, 0)))
    )


def turned_camera(n_frames: int, evidence: CameraEvidence | None) -> Floats:
    """R_first_now (T, 3, 3): turns seen in the background one after the other; where none was seen, none."""
    R = np.tile(np.eye(3), (n_frames, 1, 1))
    if evidence is not None:
        for t, (turn, weight) in enumerate(zip(evidence.turn, evidence.weight, strict=True)):
            R[t + 1] = R[t] @ turn if weight > 0 else R[t]
    return special_procrustes(R)
