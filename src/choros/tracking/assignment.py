"""One-to-one assignment of people to people by similarity (the Hungarian method)."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


def assign(
    similarity: NDArray[np.floating],  # (n, m), higher is more alike
    minimum: float,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:  # rows (k,) and their columns (k,)
    """The pairs with the greatest total similarity among those of at least ``minimum``.

    Values below ``minimum``, and NaN, can never be chosen. Rows come in ascending order.
    """
    allowed = similarity >= minimum
    # A pair that is not allowed must never be worth giving up an allowed one for.
    rows, columns = linear_sum_assignment(np.where(allowed, similarity - minimum + 1e-9, 0.0), maximize=True)
    chosen = allowed[rows, columns]
    return rows[chosen], columns[chosen]
