"""Rotations: round trips, SciPy and RoMa as second opinions, and laws where angles are delicate."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from choros import rotation

#: SMPL's axes of somebody who stands in a world with z up and faces +y.
STANDING = np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]])
DELICATE_RAD = [0.0, 1e-12, 1e-8, 1e-4, 1.0, np.pi - 1e-4, np.pi - 1e-8, np.pi]


def random_rotvecs(*shape, seed=0, longest_rad=3.1):
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=(*shape, 3))
    return axis / np.linalg.norm(axis, axis=-1, keepdims=True) * rng.uniform(0, longest_rad, (*shape, 1))


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3)])
def test_every_form_comes_back_from_every_other(shape):
    rotvec = random_rotvecs(*shape)
    rotmat = rotation.rotvec_to_rotmat(rotvec)
    assert rotmat.shape == (*shape, 3, 3)
    wxyz = rotation.rotvec_to_quat_wxyz(rotvec)
    assert wxyz.shape == (*shape, 4)
    for back in (
        rotation.rotmat_to_rotvec(rotmat),
        rotation.rotmat_to_rotvec_unchecked(rotmat),
        rotation.quat_wxyz_to_rotvec(wxyz),
        rotation.quat_wxyz_to_rotvec(rotation.rotmat_to_quat_wxyz(rotmat)),
        rotation.rotmat_to_rotvec(rotation.quat_wxyz_to_rotmat(-2 * wxyz)),
    ):
        assert back.shape == rotvec.shape
        np.testing.assert_allclose(back, rotvec, atol=1e-9)


def test_quaternions_say_their_real_part_first():
    quarter_about_z = np.array([0, 0, np.pi / 2])
    r = np.sqrt(0.5)
    np.testing.assert_allclose(rotation.rotvec_to_quat_wxyz(quarter_about_z), [r, 0, 0, r])
    np.testing.assert_allclose(
        rotation.quat_wxyz_to_rotmat(np.array([r, 0, 0, r])), [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15
    )


def test_arrays_and_tensors_agree_and_stay_what_they_are():
    rotvec = random_rotvecs(4, 6)
    rotmat = rotation.rotvec_to_rotmat(rotvec)
    skewed = np.random.default_rng(1).normal(size=(4, 6, 6))
    pairs = [
        (rotation.rotvec_to_rotmat, rotvec),
        (rotation.rotmat_to_rotvec, rotmat),
        (rotation.heading_rad, rotmat),
        (rotation.heading_rotmat, rotmat),
        (rotation.rotmat_to_columns, rotmat),
        (rotation.columns_to_rotmat, skewed),
        *((partial(rotation.rotmat_about, axis), rotvec[..., 0]) for axis in "xyz"),
    ]
    for function, given_ in pairs:
        array, tensor = function(given_), function(torch.from_numpy(given_))
        assert isinstance(array, np.ndarray)
        assert isinstance(tensor, torch.Tensor)
        np.testing.assert_allclose(array, tensor.numpy(), atol=1e-9)


@pytest.mark.parametrize("angle", DELICATE_RAD)
def test_the_compiled_logarithm_and_the_angle_are_right_near_both_ends(angle):
    axes = random_rotvecs(200, seed=4)
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    rotmat = Rotation.from_rotvec(angle * axes).as_matrix()
    back = rotation.rotmat_to_rotvec_unchecked(rotmat.reshape(20, 10, 3, 3)).reshape(-1, 3)
    apart = (Rotation.from_rotvec(angle * axes).inv() * Rotation.from_rotvec(back)).magnitude()
    assert apart.max() < 1e-7
    other = rotation.rotvec_to_rotmat(random_rotvecs(200, seed=5))
    angles = rotation.rotmat_geodesic_distance(other, other @ rotmat)
    np.testing.assert_allclose(angles, angle, atol=1e-12 if angle in (0, np.pi) else 1e-7)


def test_composition_is_the_product_of_matrices_and_broadcasts():
    a, b = random_rotvecs(3, seed=1), random_rotvecs(5, 3, seed=2)
    both = rotation.rotvec_to_rotmat(rotation.rotvec_composition(a, b))
    np.testing.assert_allclose(both, rotation.rotvec_to_rotmat(a) @ rotation.rotvec_to_rotmat(b), atol=1e-12)


@given(st.integers(0, 2**31 - 1))
def test_columns_of_a_rotation_give_it_back(seed):
    generator = torch.Generator().manual_seed(seed)
    rotvec = torch.randn(5, 3, generator=generator, dtype=torch.float64) * 2
    rotmat = roma.rotvec_to_rotmat(rotvec)
    columns = rotation.rotmat_to_columns(rotmat)
    torch.testing.assert_close(rotation.columns_to_rotmat(columns), rotmat)
    # The first column's length, and what the second has along the first, say nothing.
    skewed = torch.cat([columns[:, :3] * 3, columns[:, 3:] * 2 - columns[:, :3]], -1)
    torch.testing.assert_close(rotation.columns_to_rotmat(skewed), rotmat)


def test_slerp_is_scipys_of_vectors_and_matrices():
    a, b = random_rotvecs(7, seed=1, longest_rad=1.5), random_rotvecs(7, seed=2, longest_rad=1.5)
    share = np.linspace(0, 1, 7)
    expected = np.stack([
        Slerp([0, 1], Rotation.from_rotvec([x, y]))(s).as_matrix() for x, y, s in zip(a, b, share, strict=True)
    ])  # fmt: skip
    np.testing.assert_allclose(
        rotation.rotvec_to_rotmat(rotation.rotvec_slerp(a, b, share)), expected, atol=1e-12
    )
    ends = [rotation.rotvec_to_rotmat(x) for x in (a, b)]
    np.testing.assert_allclose(rotation.rotmat_slerp(*ends, share), expected, atol=1e-12)
    tensors = map(torch.from_numpy, (*ends, share))
    np.testing.assert_allclose(rotation.rotmat_slerp(*tensors), expected, atol=1e-9)


def test_turns_about_an_axis_are_rotation_vectors_along_it():
    angle = np.linspace(-4, 4, 9)
    for k, axis in enumerate("xyz"):
        expected = rotation.rotvec_to_rotmat(angle[:, None] * np.eye(3)[k])
        np.testing.assert_allclose(rotation.rotmat_about(axis, angle), expected, atol=1e-12)
        np.testing.assert_allclose(rotation.rotmat_about(axis, 1.0), rotation.rotvec_to_rotmat(np.eye(3)[k]))


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1.0, -1.0, None]))
def test_the_shortest_turn_brings_one_direction_to_the_other(seed, along):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=3)
    b = rng.normal(size=3) if along is None else along * a
    R = rotation.rotmat_between(a, 2 * b)
    np.testing.assert_allclose(R @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-9)
    cosine = np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)
    assert rotation.rotmat_geodesic_distance(np.eye(3), R) == pytest.approx(np.arccos(cosine), abs=1e-7)


def test_the_nearest_rotation_is_procrustes():
    rotmat = rotation.rotvec_to_rotmat(random_rotvecs(9))
    np.testing.assert_allclose(rotation.special_procrustes(3.0 * rotmat), rotmat, atol=1e-12)
    assert np.linalg.det(rotation.special_procrustes(np.diag([1.0, 1, -0.1]))) == pytest.approx(1)


@pytest.mark.parametrize("angle", [0.0, 1e-6, 0.5, 3.0])
def test_the_left_jacobian_is_that_of_differences(angle):
    v = angle * np.array([1.0, 2, -2]) / 3
    J = rotation.left_jacobian_inverse(v)
    for axis in range(3):
        small = 1e-6 * np.eye(3)[axis]
        by = (rotation.rotvec_composition(small, v) - rotation.rotvec_composition(-small, v)) / 2e-6
        np.testing.assert_allclose(J[:, axis], by, atol=1e-7)
        other = (rotation.rotvec_composition(v, small) - rotation.rotvec_composition(v, -small)) / 2e-6
        np.testing.assert_allclose(J.T[:, axis], other, atol=1e-7)


def test_heading_is_that_of_the_body_brought_upright():
    """Leaning about any horizontal axis leaves the heading; GLAMR's swing-twist gives the same angle."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        angle, axis = rng.uniform(-3, 3), rng.uniform(0, 2 * np.pi)
        lean = Rotation.from_rotvec(rng.uniform(0, 2.5) * np.array([np.cos(axis), np.sin(axis), 0]))
        R = lean.as_matrix() @ rotation.rotmat_about("z", angle) @ STANDING
        assert rotation.heading_rad(R) == pytest.approx(angle, abs=1e-9)
        R = Rotation.random(None, rng).as_matrix()
        _, _, z, w = Rotation.from_matrix(R @ STANDING.T).as_quat()
        assert np.cos(rotation.heading_rad(R) - 2 * np.arctan2(z, w)) == pytest.approx(1, abs=1e-6)
    assert rotation.heading_rad(np.diag([1.0, -1, -1]) @ STANDING) == 0  # exactly upside down


def test_the_gradient_of_headings_is_that_of_differences():
    R = rotation.rotvec_to_rotmat(random_rotvecs(40, seed=8))
    R = R[R[:, 2, 1] > -0.9]
    gradient = rotation.heading_gradient(R)
    for axis in range(3):
        turn = rotation.rotvec_to_rotmat(1e-6 * np.eye(3)[axis])
        change = rotation.heading_rad(turn @ R) - rotation.heading_rad(turn.T @ R)
        change = (change + np.pi) % (2 * np.pi) - np.pi
        np.testing.assert_allclose(gradient[:, axis], change / 2e-6, atol=1e-6)


def test_arrays_need_no_torch():
    code = (
        "import sys, numpy as np; from choros import rotation as r; "
        "r.rotmat_to_rotvec(r.rotvec_to_rotmat(np.ones(3))); r.heading_rotmat(np.eye(3)); "
        "r.rotmat_slerp(*np.tile(np.eye(3), (2, 1, 1, 1)), np.ones(1)); r.rotmat_about('x', 1.0); "
        "r.columns_to_rotmat(r.rotmat_to_columns(np.eye(3))); "
        "from choros.body.kinematics import posed_joints as pose; "
        "pose(np.tile(np.eye(3), (24, 1, 1)), np.ones((24, 3))); "
        "print([m for m in ('torch', 'numba') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_interleaved_numbers_are_columns_row_by_row():
    """As ROMP, BEV and TRACE lay them out: of each row of the matrix, the first two entries."""
    rotmat = Rotation.from_rotvec([[0.3, -1.2, 0.7], [2.0, 0.1, -0.4]]).as_matrix()
    six = rotation.rotmat_to_interleaved(rotmat)
    np.testing.assert_array_equal(six[0], [rotmat[0, i, j] for i in range(3) for j in range(2)])
    np.testing.assert_allclose(rotation.interleaved_to_rotmat(six), rotmat, atol=1e-12)
    np.testing.assert_allclose(rotation.interleaved_to_rotmat(3 * six), rotmat, atol=1e-12)
    np.testing.assert_allclose(
        rotation.interleaved_to_rotmat(torch.from_numpy(six)).numpy(), rotmat, atol=1e-12
    )
    np.testing.assert_allclose(rotation.interleaved_to_rotmat(np.array([1.0, 0, 0, 1, 0, 0])), np.eye(3))


def test_turns_between_directions_are_the_shortest():
    before, after = random_rotvecs(2, 50, seed=4)
    turn = rotation.rotvec_between_directions(before, after)
    turned = Rotation.from_rotvec(turn).apply(before)
    np.testing.assert_allclose(
        turned / np.linalg.norm(turned, axis=-1, keepdims=True),
        after / np.linalg.norm(after, axis=-1, keepdims=True),
        atol=1e-12,
    )
    np.testing.assert_allclose((turn * before).sum(-1), 0, atol=1e-12)  # about an axis square to both
    np.testing.assert_array_equal(rotation.rotvec_between_directions(before, 2 * before), 0)
