"""Forward kinematics against the plain joint-by-joint recursion, and rotations where they are delicate."""

import math

import pytest
import roma
import torch

from choros.body.kinematics import forward_kinematics, rotation_matrices
from choros.body.skeleton import PARENTS


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
