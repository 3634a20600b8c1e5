"""The normal equations of all energies, by blocks of 6 x 6, and as the bands that LAPACK factors.

A residual hangs on two or three poses, and there are ten thousands of them: sums over them are compiled loops, which
make no arrays of products in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.compiled import compiled
from choros.glamr.observations import Observations
from choros.glamr.residuals import Term

Floats = NDArray[np.float64]

REACH = 2  # frames that an energy ties a frame to, at most


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Sums of J^T J and J^T residual, of U units: 0 is the camera, 1 + s the people.

    ``blocks[lag]`` is (T - lag, U, U, 6, 6): rows of frame t + lag, columns of frame t.
    """

    cost: dict[str, float]
    blocks: list[Floats]
    slope: Floats  # (T, U, 6)

    @property
    def total(self) -> float:
        """Twice the energy of all."""
        return sum(self.cost.values())


def normal_equations(terms: Iterable[Term], observations: Observations) -> NormalEquations:
    """Of all ``terms``, which are of the frames and places of ``observations``."""
    T, S = observations.there.shape
    U = 1 + S
    blocks = [np.zeros((max(T - lag, 0), U, U, 6, 6)) for lag in range(REACH + 1)]
    slope, cost = np.zeros((T, U, 6)), {}
    for term in terms:
        cost[term.name] = term.cost
        if not len(term.residual):
            continue
        residual = np.ascontiguousarray(term.residual)
        parts = [tuple(np.ascontiguousarray(array) for array in part) for part in term.parts]
        for frame, unit, by in parts:
            _add_slopes(slope, frame, unit, by, residual)
            for other_frame, other_unit, other_by in parts:
                lag = int(frame[0] - other_frame[0])
                if lag >= 0:
                    _add_products(blocks[lag], other_frame, unit, other_unit, by, other_by)
    return NormalEquations(cost, blocks, slope)


def lower_band(blocks: list[Floats], units: NDArray[np.intp]) -> Floats:
    """The matrix of some of the units as LAPACK's lower band, (3 * 6 u, 6 u T), by frame and then by unit.

    As LAPACK keeps it, one column after the other, so that it may be factored in place.
    """
    size = 6 * len(units)
    columns = np.zeros((len(blocks[0]) * size, len(blocks) * size))
    for lag, block in enumerate(blocks):
        _fill(columns, block, lag, units)
    return columns.T


@compiled
def _add_slopes(total, frame, unit, by, residual):  # type: ignore[no-untyped-def]
    """Add by^T residual, of (k, m, 6) and (k, m), to ``total`` (T, U, 6)."""
    for k in range(len(frame)):
        place = total[frame[k], unit[k]]
        for row in range(by.shape[1]):
            for column in range(6):
                place[column] += by[k, row, column] * residual[k, row]


@compiled
def _add_products(total, frame, row_unit, column_unit, left, right):  # type: ignore[no-untyped-def]
    """Add left^T right, of (k, m, 6) each, to ``total`` (T, U, U, 6, 6) at (k,) frames and units."""
    for k in range(len(frame)):
        block = total[frame[k], row_unit[k], column_unit[k]]
        for row in range(left.shape[1]):
            for i in range(6):
                share = left[k, row, i]
                if share != 0.0:
                    for j in range(6):
                        block[i, j] += share * right[k, row, j]


@compiled
def _fill(columns, block, lag, units):  # type: ignore[no-untyped-def]
    """Write blocks (T - lag, U, U, 6, 6) to the ``columns`` of a band, from their diagonal down."""
    size = 6 * len(units)
    for t in range(len(block)):
        for across in range(len(units)):
            for j in range(6):
                column = 6 * across + j
                for down in range(len(units)):
                    for i in range(6):
                        below = lag * size + 6 * down + i - column
                        if below >= 0:
                            columns[t * size + column, below] = block[t, units[down], units[across], i, j]
