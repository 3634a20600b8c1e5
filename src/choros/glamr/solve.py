"""The joint optimisation of people and camera (GLAMR, section 3.3) by damped Gauss-Newton steps.

Every energy ties neighbouring frames, so the normal equations are a band as wide as three frames of people, and a
step costs time and memory in proportion to the length of the video. A camera that stands still is one more
variable beside the band; and people whom no camera that moves ties together have bands of their own, but for those who
touch each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.sparse.csgraph import connected_components

from choros.camera_motion.evidence import CameraEvidence
from choros.glamr.energies import energies
from choros.glamr.normal_equations import NormalEquations, lower_band, normal_equations
from choros.glamr.observations import Observations
from choros.glamr.options import Sigmas
from choros.glamr.variables import WorldVariables
from choros.rotation import rotvec_to_rotmat

Floats = NDArray[np.float64]

CameraIs = Literal["moving", "static", "given"]

MOST_STEPS = 30


@dataclass(frozen=True)
class Solved:
    """Where everything came to be, and each energy there."""

    world: WorldVariables
    cost: dict[str, float] = field(default_factory=dict)
    steps: int = 0

    @property
    def total(self) -> float:
        """Twice the energy of all."""
        return sum(self.cost.values())


def solve(
    world: WorldVariables,
    observations: Observations,
    sigmas: Sigmas,
    camera: CameraIs,
    evidence: CameraEvidence | None = None,
    path: WorldVariables | None = None,
    max_steps: int = MOST_STEPS,
    tolerance: float = 1e-3,
    report: Callable[[int, int], None] = lambda done, most: None,
) -> Solved:
    """Levenberg and Marquardt from ``world`` until a step gains less than ``tolerance`` of the energy.

    ``report(done, most)`` is called before each step and at the end, when all are done that are needed.
    """
    now = normal_equations(energies(world, observations, sigmas, evidence, path), observations)
    damping = 1e-3
    for step in range(1, max_steps + 1):
        report(step - 1, max_steps)
        moved = _moved(world, _step(now, camera, damping))
        then = normal_equations(energies(moved, observations, sigmas, evidence, path), observations)
        if then.total < now.total:
            gain = 1 - then.total / now.total
            world, now, damping = moved, then, damping / 4
            if gain < tolerance:
                break
        elif damping > 1e6:
            break
        else:
            damping *= 10
    report(max_steps, max_steps)
    return Solved(world, now.cost, step)


def _step(equations: NormalEquations, camera: CameraIs, damping: float) -> Floats:
    """The step (T, U, 6) in turns and shifts that lowers the damped quadratic most."""
    right = equations.slope[..., None]
    if camera == "static":  # its own variables border the bands; eliminate the people (Schur's complement)
        right = np.concatenate([equations.blocks[0][:, :, 0], right], -1)
    solved = np.zeros_like(right)
    for units in _tied(equations, camera):
        solved[:, units] = _solved(equations, units, damping, right[:, units])
    step = -solved[..., -1]
    if camera == "static":
        corner = equations.blocks[0][:, 0, 0].sum(0)
        for block in equations.blocks[1:]:
            between = block[:, 0, 0].sum(0)
            corner = corner + between + between.T
        border = right[:, 1:, :, :6].reshape(-1, 6).T
        reduced = corner - border @ solved[:, 1:, :, :6].reshape(-1, 6)
        reduced[np.diag_indices(6)] *= 1 + damping
        reduced[np.diag_indices(6)] += 1e-6 * np.trace(corner)
        slope = equations.slope[:, 0].sum(0) - border @ solved[:, 1:, :, 6].ravel()
        step[:, 0] = of_camera = -np.linalg.solve(reduced, slope)
        step[:, 1:] -= solved[:, 1:, :, :6] @ of_camera
    return step


def _tied(equations: NormalEquations, camera: CameraIs) -> list[NDArray[np.intp]]:
    """The units that are solved for together: all by a camera that moves, else those who touch in some frame."""
    U = equations.slope.shape[1]
    if camera == "moving":
        return [np.arange(U)]
    touch = sum((block[:, 1:, 1:] != 0).any((0, 3, 4)) for block in equations.blocks)
    count, group = connected_components(touch, directed=False)
    return [1 + np.flatnonzero(group == number) for number in range(count)]


def _solved(equations: NormalEquations, units: NDArray[np.intp], damping: float, right: Floats) -> Floats:
    """What the damped matrix of some units, which nothing ties to others, makes ``right`` (T, u, 6, r) of; so large."""
    band = lower_band(equations.blocks, units)
    band[0] += damping * band[0] + np.where(band[0] == 0, 1.0, 1e-6)  # nobody there: stays
    band = cholesky_banded(band, lower=True, overwrite_ab=True, check_finite=False)
    flat = right.reshape(-1, right.shape[-1])
    return np.asarray(cho_solve_banded((band, True), flat, check_finite=False)).reshape(right.shape)


def _moved(world: WorldVariables, step: Floats) -> WorldVariables:
    turn, shift = rotvec_to_rotmat(step[..., :3]), step[..., 3:]
    return WorldVariables(
        turn[:, 0] @ world.R_world_camera,
        world.camera_m + shift[:, 0],
        turn[:, 1:] @ world.R_world_root,
        world.root_m + shift[:, 1:],
    )
