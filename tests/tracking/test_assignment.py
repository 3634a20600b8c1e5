"""Assignment against trying every permutation."""

from itertools import permutations

import numpy as np

from choros.tracking.assignment import assign


def best_total(similarity, minimum):
    n, m = similarity.shape
    if n > m:
        return best_total(similarity.T, minimum)
    totals = [
        sum(similarity[i, j] - minimum for i, j in enumerate(columns) if similarity[i, j] >= minimum)
        for columns in permutations(range(m), n)
    ]
    return max(totals)


def test_equals_brute_force():
    rng = np.random.default_rng(0)
    for _ in range(200):
        similarity = rng.random(rng.integers(1, 5, 2))
        rows, columns = assign(similarity, 0.4)
        assert len(set(rows)) == len(rows) == len(set(columns)) == len(columns)
        assert (similarity[rows, columns] >= 0.4).all()
        np.testing.assert_allclose(
            (similarity[rows, columns] - 0.4).sum(), best_total(similarity, 0.4), atol=1e-6
        )


def test_nothing_below_the_minimum_and_no_nan():
    rows, columns = assign(np.array([[np.nan, 0.1], [0.9, np.nan]]), 0.2)
    assert rows.tolist() == [1]
    assert columns.tolist() == [0]


def test_empty():
    for shape in ((0, 3), (3, 0), (0, 0)):
        rows, columns = assign(np.zeros(shape), 0.1)
        assert len(rows) == len(columns) == 0
