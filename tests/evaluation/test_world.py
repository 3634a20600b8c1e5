"""World errors against paths that differ by known turns, drifts and scales."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.evaluation.metrics.world import (
    global_errors_mm,
    relative_errors,
    root_translation_error_percent,
    w_mpjpe_mm,
    wa_mpjpe_mm,
)

# SMPL's axes standing in a z-up world, facing x.
STANDING = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])


def about_z(angle):
    return Rotation.from_rotvec(np.multiply.outer(angle, [0, 0, 1])).as_matrix()


def walk(frames=250, seed=0):
    """Joints (T, 5, 3) and root poses (T, 4, 4) of somebody who walks a curve, z up."""
    rng = np.random.default_rng(seed)
    turns = rng.normal(scale=0.05, size=frames).cumsum()
    T = np.tile(np.eye(4), (frames, 1, 1))
    T[:, :3, :3] = about_z(turns) @ STANDING
    T[:, :2, 3] = np.stack([np.cos(turns), np.sin(turns)], axis=-1).cumsum(axis=0) * 0.04
    T[:, 2, 3] = 0.9
    offsets = rng.normal(scale=0.3, size=(5, 3))
    offsets[0] = 0
    return placed(offsets, T), T


def placed(offsets, T):
    return np.einsum("tij,nj->tni", T[:, :3, :3], offsets) + T[:, None, :3, 3]


def moved(T_ab, joints, T):
    return joints @ T_ab[:3, :3].T + T_ab[:3, 3], T_ab @ T


def test_g_mpjpe_forgives_origin_and_heading():
    joints, T = walk()
    elsewhere = np.eye(4)
    elsewhere[:3, :3], elsewhere[:2, 3] = about_z(2.1), (30, -7)
    errors = global_errors_mm(*interleave(moved(elsewhere, joints, T), (joints, T)), fps=25)
    np.testing.assert_allclose(errors, 0, atol=1e-6)


def interleave(predicted, truth):
    return predicted[0], truth[0], predicted[1], truth[1]


def test_g_mpjpe_counts_height():
    joints, T = walk()
    lifted = np.eye(4)
    lifted[2, 3] = 0.1
    errors = global_errors_mm(*interleave(moved(lifted, joints, T), (joints, T)), fps=25)
    np.testing.assert_allclose(errors, 100)


def test_g_mpjpe_starts_anew_every_window():
    """Drift of 1 cm a frame along x: 0 mm at each window's start, 10 mm more each frame."""
    joints, T = walk(frames=60)
    drift = np.zeros((60, 3))
    drift[:, 0] = 0.01 * np.arange(60)
    drifted_T = T.copy()
    drifted_T[:, :3, 3] += drift
    errors = global_errors_mm(joints + drift[:, None], joints, drifted_T, T, fps=25, window_s=1.0)
    np.testing.assert_allclose(errors, 10 * (np.arange(60) % 25), atol=1e-9)


def test_wham_errors_forgive_any_similarity():
    joints, T = walk(frames=130)
    T_ab = np.eye(4)
    T_ab[:3, :3], T_ab[:3, 3] = 1.7 * Rotation.random(None, np.random.default_rng(4)).as_matrix(), (1, 2, 3)
    elsewhere, _ = moved(T_ab, joints, T)
    np.testing.assert_allclose(w_mpjpe_mm(elsewhere, joints), 0, atol=1e-6)
    np.testing.assert_allclose(wa_mpjpe_mm(elsewhere, joints), 0, atol=1e-6)


def test_w_mpjpe_shows_drift_that_wa_mpjpe_spreads():
    """A straight walk reported 10 % too long, its first two frames exact: the error grows along it."""
    joints, T = walk(frames=100)
    stretched = joints + 0.1 * (T[:, None, :3, 3] - T[1, :3, 3]) * (np.arange(100) > 1)[:, None, None]
    start, whole = w_mpjpe_mm(stretched, joints), wa_mpjpe_mm(stretched, joints)
    np.testing.assert_allclose(
        start, 100 * np.linalg.norm(T[:, :3, 3] - T[1, :3, 3], axis=-1) * (np.arange(100) > 1), atol=1e-6
    )
    assert whole.mean() < start.mean()


def test_last_chunk_of_a_single_frame():
    joints, _ = walk(frames=101)
    np.testing.assert_allclose(w_mpjpe_mm(joints + 1, joints), 0, atol=1e-9)


def test_rte_by_hand():
    """4 m walked along x and back over 3 frames; the middle is 0.6 m short.

    Aligned by the mean the ends are off by 0.2 m and the middle by 0.4 m: (0.2 + 0.4 + 0.2) / 3 of 4 m.
    """
    truth = np.array([[0, 0, 0], [2, 0, 0], [0, 0, 0.0]])
    predicted = np.array([[0, 0, 0], [1.4, 0, 0], [0, 0, 0.0]])
    assert root_translation_error_percent(predicted, truth) == pytest.approx(100 * (0.8 / 3) / 4)
    assert np.isnan(root_translation_error_percent(truth[:1], truth[:1]))


def test_relative_errors_do_not_see_the_world():
    _, a = walk(30, seed=5)
    _, b = walk(30, seed=6)
    people = np.stack([a, b])
    T_ab = np.eye(4)
    T_ab[:3, :3], T_ab[:3, 3] = Rotation.random(None, np.random.default_rng(7)).as_matrix(), (1, 2, 3)
    present = np.ones((2, 30), dtype=bool)
    np.testing.assert_allclose(relative_errors(T_ab @ people, people, present), 0, atol=1e-7)

    farther = people.copy()
    farther[1, :, 2, 3] += 0.5
    translation, rotation = relative_errors(farther, people, present)
    assert translation == pytest.approx(0.5)
    assert rotation == pytest.approx(0, abs=1e-7)

    turned = people.copy()
    turned[1, :, :3, :3] = turned[1, :, :3, :3] @ about_z(0.3)
    assert relative_errors(turned, people, present)[1] == pytest.approx(0.3)
    present[1] = False
    assert np.isnan(relative_errors(turned, people, present)).all()
