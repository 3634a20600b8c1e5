"""What the energies of the global optimisation are made of: squares of residuals with known slopes.

People and camera are varied in the world, R -> Exp(w) R by a small turn w, rad, and by a shift, metres. z is up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.glamr.observations import Observations
from choros.glamr.options import Sigmas
from choros.rotation import cross_matrix, left_jacobian_inverse, rotmat_to_rotvec

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Term:
    """One energy: half the sum of ``cost``, and near where we stand half the sum of squares of residual + J step.

    ``parts``: the variables that k residuals of m numbers hang on: frames (k,), units (k,) (0 is the camera,
    1 + s the person in place s) and slopes (k, m, 6) by a small turn, rad, and shift, metres, in the world.
    """

    name: str
    cost: float
    residual: Floats  # (k, m)
    parts: tuple[tuple[Ints, Ints, Floats], ...]


def frame_weight(observations: Observations, sigmas: Sigmas) -> Floats:
    """(T,) what one frame counts where neighbouring frames err alike: at most 1."""
    return (
        np.minimum(sigmas.independent_per_s * np.gradient(observations.times_s), 1)
        if len(observations.times_s) > 1
        else np.ones(1)
    )


def robust(squared: Floats, outlier: Floats | float) -> tuple[Floats, Floats]:
    """Geman and McClure: the cost of whitened squared residuals (k,), and what to scale the residuals by, (k,).

    Beyond ``outlier`` standard deviations a residual counts less and less; ``inf`` is plain squares.
    """
    limit = np.maximum(np.square(outlier), np.finfo(float).tiny)
    share = 1 / (1 + squared / limit)
    return share * squared, share


def squares(name: str, residual: Floats, *parts: tuple[Ints, Ints, Floats]) -> Term:
    """An energy that is all squares, without robust weights; ``parts`` as of ``Term``."""
    return Term(name, float((residual**2).sum()), residual, parts)


def same_rotation(
    name: str,
    difference: Floats,  # (k, 3, 3) a M b^T, the identity where b = a M
    a: tuple[Ints, Ints],
    b: tuple[Ints, Ints],
    weight: Floats,  # (k,)
    outlier: float = np.inf,
) -> Term:
    """The angle between the rotation of b and that of a M; both are varied by small turns in the world."""
    error = rotmat_to_rotvec(difference)
    slope = left_jacobian_inverse(error)
    cost, trust = robust((error**2).sum(-1) * weight**2, outlier)
    scale = (weight * trust)[:, None]
    by_a, by_b = slope * scale[..., None], -np.swapaxes(slope, -1, -2) * scale[..., None]
    return Term(name, float(cost.sum()), error * scale, ((*a, padded(by_a, 0)), (*b, padded(by_b, 0))))


class Step(NamedTuple):
    """How something moves from one frame to the next."""

    length: Floats  # (k, 3) metres
    by_now: Floats  # (k, 3, 6) its slope by the pose at its beginning
    by_then: Floats  # (k, 3, 6) and at its end

    def of(self, which: Ints | slice) -> Step:
        """Some of these k."""
        return Step(self.length[which], self.by_now[which], self.by_then[which])


def steady(
    name: str,
    observations: Observations,
    sigma_m_s: float,  # per root of a second
    where: tuple[Ints, Ints],  # (k,) frame and unit of the first of three frames
    first: Step,  # to the second frame
    second: Step,  # on to the third
    change_m_s: Floats | float = 0.0,  # (k, 3) by which the speed is to change
    weight: Floats | float = 1.0,  # (k,)
) -> Term:
    """Speeds that change little, or as they should."""
    t, unit = where
    dt = observations.dt_s
    scale = (weight / (sigma_m_s * np.sqrt((dt[t] + dt[t + 1]) / 2)))[:, None]
    of_first, of_second = scale / dt[t, None], scale / dt[t + 1, None]
    return squares(
        name,
        second.length * of_second - first.length * of_first - change_m_s * scale,
        (t, unit, -first.by_now * of_first[..., None]),
        (t + 1, unit, second.by_now * of_second[..., None] - first.by_then * of_first[..., None]),
        (t + 2, unit, second.by_then * of_second[..., None]),
    )


def padded(slope: Floats, start: int) -> Floats:
    """Slopes (..., 3) by turn (start 0) or shift (start 3), zero by the other: (..., 6)."""
    out = np.zeros((*slope.shape[:-1], 6))
    out[..., start : start + 3] = slope
    return out


def lever(arm: Floats) -> Floats:
    """How points (k, 3) from the pelvis move in the world: (k, 3, 6)."""
    return np.concatenate([-cross_matrix(arm), np.broadcast_to(np.eye(3), (*arm.shape, 3))], -1)
