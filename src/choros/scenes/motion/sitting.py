"""Sitting down, sitting, and standing up again, laid over somebody who stands before a seat.

The feet stay where they stand; the pelvis goes back and down onto the seat while the trunk leans forward for
balance, and the legs follow by the gait's inverse kinematics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from choros.rotation import rotmat_about
from choros.scenes.motion.rest_skeleton import (
    JOINT,
    SIDES,
    Floats,
    RestSkeleton,
    facing,
    turned_toward,
)
from choros.scenes.motion.routes import smoothstep

DOWN_S = 1.4  # of sitting down, and of standing up
PELVIS_OVER_SEAT = 0.195  # of the leg: from the underside of somebody who sits to the pelvis joint
LEAN_RAD = 0.62  # of the trunk, halfway down


@dataclass(frozen=True)
class Sitting:
    """A while on a seat: begins to sit down, has stood up again."""

    start_s: float
    end_s: float
    seat_m: float  # height

    def weight(self, times_s: Floats) -> Floats:
        """0 standing to 1 sitting, (T,)."""
        return smoothstep((times_s - self.start_s) / DOWN_S) * smoothstep((self.end_s - times_s) / DOWN_S)


def back_m(skeleton: RestSkeleton) -> float:
    """How far behind the feet somebody sits, pelvis to ankles, metres."""
    return 0.92 * skeleton.bone_m("left_knee")


def sit(
    R_local: Floats,  # (T, 24, 3, 3), changed in place
    pelvis: Floats,  # (T, 3) metres, world, changed in place
    skeleton: RestSkeleton,
    sitting: Sitting,
    heading_rad: Floats,  # (T,)
    times_s: Floats,
) -> None:
    """Take a standing person down to the seat behind them, hands on the thighs; legs are posed afterwards."""
    weight = sitting.weight(times_s)
    if not weight.any():
        return
    # Hips go back early and down late, so that the knees bend over feet that carry.
    ahead = facing(heading_rad)[..., :2, 2]
    pelvis[:, :2] -= (np.sin(weight * np.pi / 2) * back_m(skeleton))[:, None] * ahead
    height = sitting.seat_m + PELVIS_OVER_SEAT * skeleton.leg_m
    pelvis[:, 2] += (1 - np.cos(weight * np.pi / 2)) * (height - pelvis[:, 2])

    lean = LEAN_RAD * 4 * weight * (1 - weight)
    R_local[:, 0] = R_local[:, 0] @ rotmat_about("x", 0.5 * lean - 0.15 * weight)
    for joint in ("spine1", "spine2", "spine3"):
        R_local[:, JOINT[joint]] = R_local[:, JOINT[joint]] @ rotmat_about("x", 0.17 * lean + 0.05 * weight)
    R_local[:, JOINT["neck"]] = R_local[:, JOINT["neck"]] @ rotmat_about("x", -0.4 * lean)
    for side, sign in SIDES:
        rest = {
            f"{side}_shoulder": rotmat_about("x", -0.25) @ rotmat_about("z", -sign * 1.38),
            f"{side}_elbow": rotmat_about("y", -sign * 0.75),
        }
        for joint, target in rest.items():
            turned_toward(R_local[:, JOINT[joint]], target, weight)
