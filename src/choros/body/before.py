"""How people were in an earlier frame, and how far from that they may be in this one: for fits to keypoints."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.body.gauss_newton import FitConfig, Floats, place_information

STEP_S = 1 / 30  # between frames for which the fit's limits on turns hold; they grow with the root of time


class Before(NamedTuple):
    """How n people were in an earlier frame."""

    dt_s: Floats  # (n,) since then; 0 for who was never seen
    rotations: Floats  # (n, 24, 3, 3)
    transl: Floats  # (n, 3) predicted for this frame, metres, camera axes

    @classmethod
    def none(cls, n: int) -> Before:
        """People never seen before."""
        return cls(np.zeros(n), np.broadcast_to(np.eye(3), (n, 24, 3, 3)), np.zeros((n, 3)))

    def of(self, which: NDArray[Any]) -> Before:
        """Some of the people, or each several times."""
        return Before(*(part[which] for part in self))

    def turned(self, rotations: Floats, config: FitConfig) -> tuple[Floats, Floats]:
        """Rotations (n, 24, 3, 3) to stay near and how near, (n,) rad; without a past those given, and not at all."""
        seen = self.dt_s > 0
        std_rad = np.where(seen, config.turn_std_rad_s * np.sqrt(self.dt_s * STEP_S), np.inf)
        return np.where(seen[:, None, None, None], self.rotations, rotations), std_rad

    def placed(self, transl: Floats, information: Floats, config: FitConfig) -> tuple[Floats, Floats]:
        """A place (n, 3) known with ``information`` (n, 3, 3) and where people went, put together: the same of both."""
        seen, dt_s = self.dt_s > 0, np.maximum(self.dt_s, 1e-3)
        drift = dt_s * np.maximum(dt_s, 0.1)
        motion = place_information(
            self.transl + 1e-9, 0.02 + config.depth_std_m_s2 * drift, 0.02 + config.side_std_m_s2 * drift
        )
        motion = motion * seen[:, None, None]
        both = information + motion
        pull = (information @ transl[..., None] + motion @ self.transl[..., None])[..., 0]
        return np.asarray(np.linalg.solve(both, pull[..., None])[..., 0], np.float64), both
