"""The learning rate: a line up, half a cosine down."""

import numpy as np
import pytest

from choros.training.schedule import warmup_cosine


def test_it_rises_in_a_line_and_falls_along_half_a_cosine():
    shares = [warmup_cosine(step, 100, 10) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[4] == pytest.approx(0.5 * 0.5 * (1 + np.cos(0.04 * np.pi)))
    assert shares[50] == pytest.approx(0.5)
    assert np.all(np.diff(shares[10:]) < 0)


def test_it_never_falls_below_what_is_asked():
    assert warmup_cosine(0, 100, 1000, least=0.01) == 0.01
    assert warmup_cosine(99, 100, 10, least=0.01) == 0.01
    assert warmup_cosine(99, 100, 10, least_fall=0.05) == 0.05
    assert warmup_cosine(0, 100, 10, least_fall=0.05) == pytest.approx(0.1)
