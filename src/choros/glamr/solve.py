"""The joint optimisation of people and camera (GLAMR, section 3.3) by damped Gauss-Newton steps.

Every energy ties neighbouring frames, so the normal equations are a band as wide as three frames of people, and a
step costs time and memory in proportion to the length of the video. A camera that stands still is one more
variable beside the band; and people whom no camera that moves ties together have bands of their own, but for those who
touch each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from choros.camera_motion.evidence import CameraEvidence
from choros.glamr.energies import Term, energies
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
    now = _linear(energies(world, observations, sigmas, evidence, path), observations)
    damping = 1e-3
    for step in range(1, max_steps + 1):
        report(step - 1, max_steps)
        moved = _moved(world, _step(now, camera, damping))
        then = _linear(energies(moved, observations, sigmas, evidence, path), observations)
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


REACH = 2  # frames that an energy ties a frame to, at most


@dataclass(frozen=True, eq=False)
class _Linear:
    """Normal equations in blocks of 6 x 6; unit 0 is the camera, 1 + s the people.

    ``blocks[lag]`` is (T - lag, U, U, 6, 6): rows of frame t + lag, columns of frame t.
    """

    cost: dict[str, float]
    blocks: list[Floats]
    slope: Floats  # (T, U, 6)

    @property
    def total(self) -> float:
        return sum(self.cost.values())


def _linear(terms: Iterable[Term], observations: Observations) -> _Linear:
    T, S = observations.there.shape
    U = 1 + S
    blocks = [np.zeros((max(T - lag, 0) * U * U, 36)) for lag in range(REACH + 1)]
    slope, cost = np.zeros((T * U, 6)), {}
    for term in terms:
        cost[term.name] = term.cost
        if not len(term.residual):
            continue
        for frame, unit, by in term.parts:
            turned = np.swapaxes(by, -1, -2)
            _add(slope, frame * U + unit, (turned @ term.residual[..., None])[..., 0])
            for other_frame, other_unit, other_by in term.parts:
                lag = int(frame[0] - other_frame[0])
                if lag >= 0:
                    place = (other_frame * U + unit) * U + other_unit
                    _add(blocks[lag], place, (turned @ other_by).reshape(-1, 36))
    return _Linear(cost, [block.reshape(-1, U, U, 6, 6) for block in blocks], slope.reshape(T, U, 6))


def _add(total: Floats, place: NDArray[np.intp], values: Floats) -> None:
    """Add the rows of values (k, m) to those of ``total`` (n, m) at their place, which several may share."""
    rows, each = np.unique(place, return_inverse=True)
    k = len(place)
    total[rows] += csr_matrix((np.ones(k), (each, np.arange(k))), (len(rows), k)) @ values


def _step(linear: _Linear, camera: CameraIs, damping: float) -> Floats:
    """The step (T, U, 6) in turns and shifts that lowers the damped quadratic most."""
    right = linear.slope[..., None]
    if camera == "static":  # its own variables border the bands; eliminate the people (Schur's complement)
        right = np.concatenate([linear.blocks[0][:, :, 0], right], -1)
    solved = np.zeros_like(right)
    for units in _tied(linear, camera):
        solved[:, units] = _solved(linear, units, damping, right[:, units])
    step = -solved[..., -1]
    if camera == "static":
        corner = linear.blocks[0][:, 0, 0].sum(0)
        for block in linear.blocks[1:]:
            between = block[:, 0, 0].sum(0)
            corner = corner + between + between.T
        border = right[:, 1:, :, :6].reshape(-1, 6).T
        reduced = corner - border @ solved[:, 1:, :, :6].reshape(-1, 6)
        reduced[np.diag_indices(6)] *= 1 + damping
        reduced[np.diag_indices(6)] += 1e-6 * np.trace(corner)
        slope = linear.slope[:, 0].sum(0) - border @ solved[:, 1:, :, 6].ravel()
        step[:, 0] = of_camera = -np.linalg.solve(reduced, slope)
        step[:, 1:] -= solved[:, 1:, :, :6] @ of_camera
    return step


def _tied(linear: _Linear, camera: CameraIs) -> list[NDArray[np.intp]]:
    """The units that are solved for together: all by a camera that moves, else those who touch in some frame."""
    U = linear.slope.shape[1]
    if camera == "moving":
        return [np.arange(U)]
    touch = sum((block[:, 1:, 1:] != 0).any((0, 3, 4)) for block in linear.blocks)
    count, group = connected_components(touch, directed=False)
    return [1 + np.flatnonzero(group == number) for number in range(count)]


def _solved(linear: _Linear, units: NDArray[np.intp], damping: float, right: Floats) -> Floats:
    """What the damped matrix of some units, which nothing ties to others, makes ``right`` (T, u, 6, r) of; so large."""
    size = 6 * len(units)
    blocks = [
        block[:, units][:, :, units].transpose(0, 1, 3, 2, 4).reshape(-1, size, size)
        for block in linear.blocks
    ]
    diagonal = np.einsum("tii->ti", blocks[0])
    diagonal += damping * diagonal + np.where(diagonal == 0, 1.0, 1e-6)  # nobody there: stays
    band = cholesky_banded(_band(blocks), lower=True, overwrite_ab=True, check_finite=False)
    flat = right.reshape(-1, right.shape[-1])
    return np.asarray(cho_solve_banded((band, True), flat, check_finite=False)).reshape(right.shape)


def _band(blocks: list[Floats]) -> Floats:
    """Blocks (T - lag, size, size) of a symmetric matrix as LAPACK's lower band, (3 size, T size)."""
    T, size, _ = blocks[0].shape
    band = np.zeros((len(blocks) * size, T, size))
    row, column = np.tril_indices(size)
    band[row - column, :, column] = blocks[0][:, row, column].T
    row, column = (index.ravel() for index in np.indices((size, size)))
    for lag, block in enumerate(blocks[1:], start=1):
        band[lag * size + row - column, : len(block), column] = block[:, row, column].T
    return band.reshape(len(blocks) * size, T * size)


def _moved(world: WorldVariables, step: Floats) -> WorldVariables:
    turn, shift = rotvec_to_rotmat(step[..., :3]), step[..., 3:]
    return WorldVariables(
        turn[:, 0] @ world.R_world_camera,
        world.camera_m + shift[:, 0],
        turn[:, 1:] @ world.R_world_root,
        world.root_m + shift[:, 1:],
    )
