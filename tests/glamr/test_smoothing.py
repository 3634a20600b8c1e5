"""Smoothing that leaves what is fast: a kick keeps its speed, a joint that rests loses its tremble."""

import numpy as np
import pytest

from choros.glamr.smoothing import smoothed
from choros.rotation import rotmat_geodesic_distance, rotvec_to_rotmat

X = np.array([1.0, 0.0, 0.0])


def joints(fps):
    """Times, and rotations (n, 3, 3, 3) of a knee that kicks, one that rests and a hip that walks."""
    t = np.arange(3 * fps) / fps
    kick = 1.6 / (1 + np.exp(-(t - 1.2) / 0.05)) / (1 + np.exp((t - 1.5) / 0.06))
    angle = np.stack([kick, 0 * t + 0.2, 0.5 * np.sin(2 * np.pi * t)], 1)
    return t, angle


def peak_rad_s(rotations, fps):
    return fps * rotmat_geodesic_distance(rotations[1:, 0], rotations[:-1, 0]).max()


@pytest.mark.parametrize("fps", [25, 30, 60])
def test_a_kick_keeps_its_speed_and_tremble_goes(fps):
    t, angle = joints(fps)
    true = rotvec_to_rotmat(angle[..., None] * X)
    kept, tremble = [], []
    for seed in range(5):
        noise = 0.03 * np.random.default_rng(seed).normal(size=(len(t), 3, 3))
        said = rotvec_to_rotmat(angle[..., None] * X + noise)
        made = smoothed(said, np.ones(len(t), bool), t, 0.07)
        kept.append(peak_rad_s(made, fps) / peak_rad_s(true, fps))
        before, after = (rotmat_geodesic_distance(R[:, 1:], true[:, 1:]).mean(0) for R in (said, made))
        tremble.append(after / before)
    assert 0.95 < np.mean(kept) < 1.12  # what is left of the tremble is in it
    assert np.mean(tremble) < 0.9


def test_what_does_not_tremble_stays_as_it_is():
    t, angle = joints(30)
    true = rotvec_to_rotmat(angle[..., None] * X)
    made = smoothed(true, np.ones(len(t), bool), t, 0.07)
    assert rotmat_geodesic_distance(made, true).max() < np.deg2rad(3)
    assert peak_rad_s(made, 30) == pytest.approx(peak_rad_s(true, 30), rel=0.01)
    np.testing.assert_array_equal(smoothed(true, np.ones(len(t), bool), t, 0.0), true)


def test_what_nobody_saw_counts_for_nothing():
    t, angle = joints(30)
    said = rotvec_to_rotmat(angle[..., None] * X + 0.03 * np.random.default_rng(0).normal(size=(90, 3, 3)))
    seen = np.ones(90, bool)
    seen[20:35] = False
    other = said.copy()
    other[20:35] = np.eye(3)
    made, again = smoothed(said, seen, t, 0.07), smoothed(other, seen, t, 0.07)
    np.testing.assert_allclose(made[seen], again[seen], atol=1e-12)
