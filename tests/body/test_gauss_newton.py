"""The fit: its Jacobian against finite differences, and poses that it must find again."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros.body import BodyModel, BodyParams
from choros.body import gauss_newton as gn
from choros.body.skeleton import PARENTS


def made_up_body(rng):
    """A body with bones and blended keypoints of no particular animal."""
    joints = np.zeros((24, 3))
    for joint in range(1, 24):
        joints[joint] = joints[PARENTS[joint]] + rng.normal(0, 0.15, 3)
    weights = np.zeros((17, 24))
    for keypoint in range(17):
        weights[keypoint, rng.choice(24, 2, replace=False)] = [0.7, 0.3]
    offset = rng.normal(0, 0.05, (17, 24, 3)) * (weights > 0)[..., None]
    return gn.Points(joints, rng.normal(0, 0.01, (24, 3, 10)), weights, offset, np.zeros((17, 24, 3, 10)))


def target_for(plane, rotations, transl, **changes):
    n = len(plane)
    target = gn.Target(
        plane,
        np.full((n, 17), 0.01),
        rotations,
        np.full((n, 24), 1e3),
        rotations,
        np.full(n, np.inf),
        transl,
        np.zeros((n, 3, 3)),
        np.array([0.0, -1.0, 0.0]),
        np.inf,
    )
    return target._replace(**changes)


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    points = made_up_body(rng)
    rotations = Rotation.from_rotvec(rng.normal(0, 0.4, (2 * 24, 3))).as_matrix().reshape(2, 24, 3, 3)
    transl = np.array([[0.3, -0.2, 4.0], [-0.5, 0.1, 2.5]])
    return points, rng.normal(0, 1, (2, 10)), rotations, transl


@pytest.mark.parametrize(("bend_rad", "apart_m"), [(0.0, 1e-5), (0.4, 6e-3)])
def test_keypoints_are_the_bodys_own_but_for_what_poses_do_to_skin(bend_rad, apart_m):
    body = BodyModel.load(detail="light")
    rng = np.random.default_rng(3)
    pose, betas = rng.normal(0, bend_rad, (2, 24, 3)), rng.normal(0, 1, (2, 10))
    transl = rng.normal(0, 1, (2, 3))
    params = BodyParams(
        *(torch.tensor(part).float() for part in (pose[:, 0], pose[:, 1:].reshape(2, 69), betas, transl))
    )
    rotations = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(2, 24, 3, 3)
    said = gn.Points.of(body).keypoints(betas, rotations, transl)
    np.testing.assert_allclose(said, body.keypoints(params).numpy(), atol=apart_m)


def test_gradient_equals_finite_differences(scene):
    points, betas, rotations, transl = scene
    rng = np.random.default_rng(1)
    plane = rng.normal(0, 0.1, (2, 17, 2))
    # No robust weight: its square root in J makes the gradient an approximation on purpose.
    config = gn.FitConfig(keypoint_robust=1e9)
    target = target_for(plane, rotations, transl)
    rest, offsets = points.shaped(betas)

    def half_squares(turn, shift):
        moved = rotations.copy()
        turns = Rotation.from_rotvec(turn.reshape(-1, 3)).as_matrix().reshape(2, len(gn.FREE), 3, 3)
        moved[:, gn.FREE] = rotations[:, gn.FREE] @ turns
        seen = points.keypoints(betas, moved, transl + shift)
        return 0.5 * (((seen[..., :2] / seen[..., 2:] - plane) / 0.01) ** 2).sum((1, 2))

    _, gradient, _ = gn._normal_equations(
        points, gn.PosePrior.none(), rest, offsets, rotations, transl, target, config
    )
    n_turns = 3 * len(gn.FREE)
    for unknown in range(n_turns + 3):
        step = np.zeros((2, n_turns + 3))
        step[:, unknown] = 1e-6
        ahead = half_squares(step[:, :n_turns], step[:, n_turns:])
        behind = half_squares(-step[:, :n_turns], -step[:, n_turns:])
        np.testing.assert_allclose(gradient[:, unknown], (ahead - behind) / 2e-6, rtol=1e-4, atol=1e-2)


def test_finds_a_pose_again_from_its_keypoints(scene):
    points, betas, rotations, transl = scene
    seen = points.keypoints(betas, rotations, transl)
    plane = seen[..., :2] / seen[..., 2:]
    rng = np.random.default_rng(2)
    start = rotations @ Rotation.from_rotvec(rng.normal(0, 0.1, (48, 3))).as_matrix().reshape(2, 24, 3, 3)
    config = gn.FitConfig(steps=15, damping=1e-4)
    fitted = gn.fit(
        points, gn.PosePrior.none(), betas, start, transl + 0.05, target_for(plane, start, transl), config
    )
    again = points.keypoints(betas, fitted.rotations, fitted.transl)
    np.testing.assert_allclose(again[..., :2] / again[..., 2:], plane, atol=2e-4)
    assert (fitted.error < 0.05).all()
    np.testing.assert_allclose(np.linalg.det(fitted.rotations), 1, atol=1e-9)


def test_without_keypoints_nothing_moves(scene):
    points, betas, rotations, transl = scene
    blind = target_for(np.zeros((2, 17, 2)), rotations, transl, keypoint_std=np.full((2, 17), np.inf))
    fitted = gn.fit(points, gn.PosePrior.none(), betas, rotations, transl, blind, gn.FitConfig())
    np.testing.assert_allclose(fitted.rotations, rotations, atol=1e-12)
    np.testing.assert_allclose(fitted.transl, transl, atol=1e-12)
    assert (fitted.error == 0).all()


def test_nobody_leans_without_reason_but_who_lies_stays_down(scene):
    points, betas, _, transl = scene
    tilt = Rotation.from_rotvec([[0.25, 0, 0], [1.5, 0, 0]]).as_matrix() @ np.diag([1.0, -1, -1])
    rotations = np.tile(np.eye(3), (2, 24, 1, 1))
    rotations[:, 0] = tilt
    blind = target_for(np.zeros((2, 17, 2)), rotations, transl, keypoint_std=np.full((2, 17), np.inf))
    fitted = gn.fit(
        points, gn.PosePrior.none(), betas, rotations, transl,
        blind._replace(rotation_std=np.full((2, 24), 0.2), up_std=0.1), gn.FitConfig(steps=8),
    )  # fmt: skip
    lean = np.arccos(-fitted.rotations[:, 0, 1, 1])
    assert lean[0] < 0.1  # of 0.25 rad, between the network's word and the world's up
    assert lean[1] > 1.3


def test_one_wild_keypoint_is_doubted(scene):
    points, betas, rotations, transl = scene
    seen = points.keypoints(betas, rotations, transl)
    plane = seen[..., :2] / seen[..., 2:]
    plane[:, 3] += 0.5  # fifty standard deviations
    fitted = gn.fit(
        points,
        gn.PosePrior.none(),
        betas,
        rotations,
        transl,
        target_for(plane, rotations, transl, rotation_std=np.full((2, 24), 0.3)),
        gn.FitConfig(steps=10),
    )
    again = points.keypoints(betas, fitted.rotations, fitted.transl)
    others = np.delete(np.arange(17), 3)
    miss = np.abs(again[..., :2] / again[..., 2:] - plane)[:, others]
    assert miss.max() < 0.01


def test_people_do_not_depend_on_who_is_fitted_with_them(scene):
    points, betas, rotations, transl = scene
    plane = np.random.default_rng(3).normal(0, 0.1, (2, 17, 2))
    target = target_for(plane, rotations, transl, rotation_std=np.full((2, 24), 0.5))
    both = gn.fit(points, gn.PosePrior.none(), betas, rotations, transl, target, gn.FitConfig())
    alone = gn.fit(
        points,
        gn.PosePrior.none(),
        betas[1:],
        rotations[1:],
        transl[1:],
        gn.Target(*(part[1:] for part in target[:-2]), *target[-2:]),
        gn.FitConfig(),
    )
    np.testing.assert_allclose(both.rotations[1:], alone.rotations, atol=1e-9)
    np.testing.assert_allclose(both.transl[1:], alone.transl, atol=1e-9)


def test_logarithm_is_scipys():
    rng = np.random.default_rng(4)
    axis = rng.normal(size=(400, 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.concatenate(
        [rng.uniform(0, np.pi, 300), 10.0 ** rng.uniform(-9, 0, 50), np.pi - 10.0 ** rng.uniform(-7, 0, 50)]
    )
    rotvec = axis * angle[:, None]
    again = gn.logarithm(Rotation.from_rotvec(rotvec).as_matrix().reshape(20, 20, 3, 3)).reshape(-1, 3)
    apart = (Rotation.from_rotvec(rotvec).inv() * Rotation.from_rotvec(again)).magnitude()
    assert apart.max() < 1e-7
