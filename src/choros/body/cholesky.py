"""Damped normal equations solved in place, compiled: one step of ``least_squares``.

Compiled loops are kept on disk with what they call: after a change here, those of ``least_squares`` are stale until
that file changes too.
"""

from __future__ import annotations

import math

from choros.compiled import inner


@inner
def solve(information, gradient, scales, damping):  # type: ignore[no-untyped-def]
    """Damp, factor U^T U in the upper triangle, and leave the step in ``gradient``.

    What is undetermined to rounding stays where it is.
    """
    n = len(gradient)
    for row in range(n):
        information[row, row] += damping * information[row, row] + 1e-9
        scales[row] = information[row, row]
    eliminate(information, gradient, scales)
    for row in range(n - 1, -1, -1):
        diagonal, left = information[row, row], gradient[row]
        for column in range(row + 1, n):
            left += information[row, column] * gradient[column]
        gradient[row] = -left / diagonal if diagonal > 0 else 0.0


@inner
def eliminate(information, gradient, scales):  # type: ignore[no-untyped-def]
    """The Cholesky factor U, and U^-T times the gradient, in place; ``scales`` is the diagonal as it was before."""
    n = len(gradient)
    for row in range(n):
        pivot = information[row, row]
        if not pivot > 1e-11 * scales[row]:  # nothing but rounding is left, so nothing is said of the others
            information[row, row:] = 0.0
            gradient[row] = 0.0
            continue
        inverse = 1 / math.sqrt(pivot)
        for column in range(row, n):
            information[row, column] *= inverse
        gradient[row] *= inverse
        for below in range(row + 1, n):
            factor = information[row, below]
            if factor == 0.0:
                continue
            for column in range(below, n):
                information[below, column] -= factor * information[row, column]
            gradient[below] -= factor * gradient[row]
