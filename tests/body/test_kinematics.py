"""Forward kinematics against the plain joint-by-joint recursion, and rotations where they are delicate."""

import math

import numpy as np
import pytest
import roma
import torch

from choros.body import least_squares
from choros.body.kinematics import forward_kinematics, joint_places, posed_joints, rotation_matrices
from choros.skeleton import PARENTS


def plain_chain(rotations: torch.Tensor, joints: torch.Tensor) -> torch.Tensor:
    """4x4 global transforms of one body, the textbook way."""
    transforms = []
    for j, parent in enumerate(PARENTS):
        local = torch.eye(4, dtype=joints.dtype)
        local[:3, :3] = rotations[j]
        local[:3, 3] = joints[j] - (joints[parent] if parent >= 0 else 0)
        transforms.append(local if parent < 0 else transforms[parent] @ local)
    return torch.stack(transforms)


def test_equals_the_plain_chain():
    generator = torch.Generator().manual_seed(1)
    joints = torch.randn(6, 24, 3, generator=generator, dtype=torch.float64)
    rotations = rotation_matrices(torch.randn(6, 72, generator=generator, dtype=torch.float64))
    turns, shifts = forward_kinematics(rotations, joints)
    for k in range(6):
        expected = plain_chain(rotations[k], joints[k])
        torch.testing.assert_close(turns[k], expected[:, :3, :3], atol=1e-12, rtol=0)
        torch.testing.assert_close(joints[k] + shifts[k], expected[:, :3, 3], atol=1e-12, rtol=0)


def test_numpy_and_the_compiled_loop_say_what_torch_says():
    generator = torch.Generator().manual_seed(3)
    joints = torch.randn(6, 24, 3, generator=generator, dtype=torch.float64)
    rotations = rotation_matrices(torch.randn(6, 72, generator=generator, dtype=torch.float64))
    turns, shifts = forward_kinematics(rotations, joints)
    turned, places = posed_joints(rotations.numpy(), joints.numpy())
    np.testing.assert_allclose(turned, turns.numpy(), atol=1e-13)
    np.testing.assert_allclose(places, (joints + shifts).numpy(), atol=1e-13)
    for k in range(2):  # as written, not compiled: the same loop
        turned_k, places_k = np.zeros((24, 3, 3)), np.zeros((24, 3))
        pose = getattr(least_squares.pose, "py_func", least_squares.pose)
        pose(np.array(PARENTS), joints[k].numpy(), rotations[k].numpy(), turned_k, places_k)
        np.testing.assert_allclose(turned_k, turned[k], atol=1e-13)
        np.testing.assert_allclose(places_k, places[k], atol=1e-13)


def test_places_are_linear_in_rest_joints_and_broadcast():
    rng = np.random.default_rng(0)
    rest = rng.normal(size=(7, 24, 3))
    rotations = rotation_matrices(torch.from_numpy(rng.normal(size=72))).numpy()
    turned, _ = posed_joints(rotations, rest[0])
    share = rng.normal(size=7)
    whole = joint_places(turned, np.einsum("k,kjc->jc", share, rest))
    np.testing.assert_allclose(np.einsum("k,kjc->jc", share, joint_places(turned, rest)), whole, atol=1e-12)


def test_joints_go_with_the_pelvis_wherever_it_is():
    rng = np.random.default_rng(1)
    rest, transl = rng.normal(size=(24, 3)), rng.normal(size=(5, 3))
    rotations = rotation_matrices(torch.from_numpy(rng.normal(size=(5, 72)))).numpy()
    turned, there = posed_joints(rotations, rest, rest[0] + transl)
    np.testing.assert_allclose(there, posed_joints(rotations, rest)[1] + transl[:, None], atol=1e-12)
    np.testing.assert_array_equal(joint_places(turned, rest, rest[0] + transl), there)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-7, 1e-3, 1.0, math.pi - 1e-3, math.pi - 1e-8, math.pi])
def test_rotations_round_trip(angle):
    axes = torch.nn.functional.normalize(
        torch.randn(50, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64), dim=-1
    )
    matrices = rotation_matrices(angle * axes)[:, 0]
    torch.testing.assert_close(
        matrices @ matrices.mT, torch.eye(3).double().expand(50, 3, 3), atol=1e-12, rtol=0
    )
    back = rotation_matrices(roma.rotmat_to_rotvec(matrices))[:, 0]
    torch.testing.assert_close(back, matrices, atol=1e-6, rtol=0)
    turned = roma.rotmat_geodesic_distance(matrices, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(turned, torch.full((50,), angle, dtype=torch.float64), atol=1e-6, rtol=0)


def test_gradient_at_zero_is_the_cross_product():
    jacobian = torch.autograd.functional.jacobian(rotation_matrices, torch.zeros(3, dtype=torch.float64))
    expected = torch.zeros(1, 3, 3, 3, dtype=torch.float64)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        expected[0, k, j, i], expected[0, j, k, i] = 1, -1
    torch.testing.assert_close(jacobian, expected, atol=1e-9, rtol=0)
