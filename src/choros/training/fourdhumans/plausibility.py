"""Which poses people take: a histogram of each joint's rotation in motion capture (S.2), as the release has it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from choros.skeleton import JOINT_NAMES

#: Joints that have a histogram: all but the root and the hands.
JOINTS = JOINT_NAMES[1:22]

BINS = 100  # along each component of a rotation vector, from -pi to pi (release)
BLUR_BINS = 2.0  # spread of the Gaussian by which the histogram is smoothed (release)

#: The least density, per rad^3, of a rotation that people take (release), by the last word of the joint's name.
LEAST_DENSITY = {
    "hip": 5e-5, "knee": 5e-6, "ankle": 5e-6, "foot": 0.0, "spine1": 2e-3, "spine2": 0.01, "spine3": 0.025,
    "neck": 2e-4, "collar": 4.5e-4, "head": 5e-4, "shoulder": 2e-4, "elbow": 4e-5, "wrist": 1e-3,
}  # fmt: skip


class PosePlausibility:
    """Densities of joints' rotations; 84 MB."""

    def __init__(self, body_pose: NDArray[np.floating]) -> None:
        """Of captured poses (N, 69), axis-angle, rad."""
        edges = np.linspace(-np.pi, np.pi, BINS + 1)
        turns = wrapped(body_pose)
        self._density = np.empty((len(JOINTS), BINS, BINS, BINS), np.float32)
        for joint, density in enumerate(self._density):
            counts, _ = np.histogramdd(turns[:, joint], bins=(edges,) * 3, density=True)
            density[:] = gaussian_filter(counts.astype(np.float32), BLUR_BINS, mode="constant")
        self._least = np.array([LEAST_DENSITY[name.split("_")[-1]] for name in JOINTS])

    def __call__(self, body_pose: NDArray[np.floating]) -> NDArray[np.bool_]:  # (n, 69) rad -> (n,)
        """Whether every joint is turned as people's are."""
        cells = ((wrapped(body_pose) + np.pi) * (BINS / (2 * np.pi))).astype(int).clip(0, BINS - 1)
        found = self._density[(np.arange(len(JOINTS)), *np.moveaxis(cells, -1, 0))]  # (n, 21)
        return (found >= self._least).all(-1)


def wrapped(body_pose: NDArray[np.floating]) -> NDArray[np.float64]:  # (n, 69) -> (n, 21, 3)
    """Rotation vectors of the joints, none longer than half a turn."""
    turns = body_pose[:, : 3 * len(JOINTS)].reshape(-1, len(JOINTS), 3).astype(np.float64)
    angle = np.linalg.norm(turns, axis=-1, keepdims=True)
    short = (angle + np.pi) % (2 * np.pi) - np.pi  # the same turn, perhaps about the opposite axis
    return turns * np.where(angle > np.pi, short / np.where(angle > 0, angle, 1), 1)
