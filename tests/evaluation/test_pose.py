"""Pose errors against closed forms, SciPy, and the mistake that is known from the literature."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from choros.errors import ChorosError
from choros.evaluation.metrics.pose import (
    auc_3d,
    best_of_samples,
    crop_size_px,
    joint_errors_mm,
    mean_where,
    mpjpe_mm,
    pa_mpjpe_mm,
    pck,
    pck_3d,
    procrustes,
    pve_mm,
    similarity_transform,
)


def similar(rng, shape, scale=None):
    """Poses, and the same poses scaled, turned and moved, each in its own way."""
    poses = rng.normal(size=(*shape, 24, 3))
    turns = Rotation.random(int(np.prod(shape)), rng).as_matrix().reshape(*shape, 3, 3)
    scale = rng.uniform(0.5, 2, size=shape) if scale is None else np.full(shape, scale)
    offset = rng.normal(size=(*shape, 3))
    moved = scale[..., None, None] * poses @ np.swapaxes(turns, -1, -2) + offset[..., None, :]
    return poses, moved, scale, turns, offset


def test_mpjpe_by_hand():
    """Roots agree after alignment, one joint is off by 3-4-0 cm: 50 mm over two joints."""
    truth = np.array([[0, 0, 0], [0, 1, 0]])
    predicted = np.array([[5, 5, 5], [5.03, 6.04, 5]])
    np.testing.assert_allclose(joint_errors_mm(predicted, truth), [0, 50])
    assert mpjpe_mm(predicted, truth) == pytest.approx(25)
    assert mpjpe_mm(predicted, truth, root=(0, 1)) == pytest.approx(25)
    assert mpjpe_mm(truth + np.array([0.3, 0, 0.4]), truth, root=None) == pytest.approx(500)


@given(seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_procrustes_undoes_any_similarity(seed):
    poses, moved, scale, turns, offset = similar(np.random.default_rng(seed), (4, 5))
    found = similarity_transform(poses, moved)
    for ours, true in zip(found, (scale, turns, offset), strict=True):
        np.testing.assert_allclose(ours, true, atol=1e-9)
    assert pa_mpjpe_mm(poses, moved).max() < 1e-6


def test_rotation_is_scipys_best_rotation():
    rng = np.random.default_rng(0)
    for _ in range(20):
        source, target = rng.normal(size=(2, 9, 3))
        source, target = source - source.mean(0), target - target.mean(0)
        expected = Rotation.align_vectors(target, source)[0].as_matrix()
        scale, rotation, _ = similarity_transform(source, target)
        np.testing.assert_allclose(rotation, expected, atol=1e-7)
        # The best scale given the rotation is the least-squares one.
        assert scale == pytest.approx((target * (source @ rotation.T)).sum() / (source**2).sum())


def test_a_mirrored_person_is_not_forgiven():
    pose = np.random.default_rng(1).normal(size=(24, 3))
    assert np.linalg.det(similarity_transform(pose * [-1, 1, 1], pose)[1]) == pytest.approx(1)
    assert pa_mpjpe_mm(pose * [-1, 1, 1], pose) > 100


@pytest.mark.parametrize("people", [1, 2, 3, 4])
@pytest.mark.parametrize("joints", [2, 3, 24])
def test_a_batch_of_people_is_never_taken_for_coordinates(people, joints):
    """TRACE's erratum: with 2 or 3 people the batch passed for a transposed point set.

    Every person by themselves must give what the batch gives; and the faulty reading gives less.
    """
    truth, predicted = np.random.default_rng(2).normal(size=(2, people, joints, 3))
    one_by_one = [pa_mpjpe_mm(p, t) for p, t in zip(predicted, truth, strict=True)]
    np.testing.assert_allclose(pa_mpjpe_mm(predicted, truth), one_by_one, atol=1e-9)
    if joints == 24:
        faulty = np.swapaxes(procrustes(*(np.swapaxes(p, 0, 1) for p in (predicted, truth))), 0, 1)
        if people > 1:
            assert joint_errors_mm(faulty, truth, None).mean() < np.mean(one_by_one)


def test_transposed_points_are_refused():
    with pytest.raises(ChorosError, match=r"\(\.\.\., N, 3\)"):
        pa_mpjpe_mm(np.zeros((5, 3, 24)), np.zeros((5, 3, 24)))


def test_degenerate_poses_stay_finite():
    assert pa_mpjpe_mm(np.zeros((5, 3)), np.ones((5, 3))) == 0
    line = np.outer(np.arange(5), [0, 0, 1.0])
    assert pa_mpjpe_mm(line, line[:, ::-1]) == pytest.approx(0, abs=1e-9)


def test_pve_aligns_the_pelvis():
    mesh = np.random.default_rng(3).normal(size=(2, 100, 3))
    assert pve_mm(mesh + 7, mesh, np.full((2, 3), 7), np.zeros((2, 3))) == pytest.approx(0, abs=1e-9)
    assert pve_mm(mesh + np.array([0, 0, 0.01]), mesh, np.zeros((2, 3)), np.zeros((2, 3))) == pytest.approx(
        10
    )


def test_pck_counts_annotated_keypoints_relative_to_the_person():
    """Box of 100 x 200 px: 0.05 of it is 10 px. Errors 0, 9, 11 and an unannotated one."""
    truth = np.zeros((2, 4, 2))
    predicted = truth.copy()
    predicted[0, :, 0] = 0, 9, 11, 0
    present = np.array([[True, True, True, False], [False] * 4])
    size = crop_size_px([[0, 0, 100, 200], [0, 0, 100, 200]])
    share = pck(predicted, truth, present, size, 0.05)
    assert share[0] == pytest.approx(2 / 3)
    assert np.isnan(share[1])
    assert pck(predicted, truth, present, size, 0.1)[0] == 1


def test_pck_3d_and_its_area():
    """Root right, one joint 100 mm off: 11 of the 31 thresholds (100, 105, .. 150) allow it."""
    truth = np.zeros((2, 3))
    predicted = np.array([[0, 0, 0], [0, 0.1, 0]])
    assert pck_3d(predicted, truth) == 1
    assert pck_3d(predicted, truth, threshold_mm=99) == 0.5
    assert auc_3d(predicted, truth) == pytest.approx((1 + 11 / 31) / 2)


def test_parts_and_samples():
    errors = np.array([[1.0, 5.0], [3.0, 2.0]])
    assert mean_where(errors, errors > 2) == 4
    assert np.isnan(mean_where(errors, errors > 9))
    np.testing.assert_array_equal(best_of_samples(errors), [1, 2])
