"""The fit: its Jacobian against finite differences, and poses that it must find again."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros.body import BodyModel, BodyParams, fit_arrays, least_squares
from choros.body import gauss_newton as gn
from choros.body.kinematics import posed_joints
from choros.skeleton import PARENTS


def made_up_body(rng):
    """A body with bones and blended keypoints of no particular animal."""
    joints = np.zeros((24, 3))
    for joint in range(1, 24):
        joints[joint] = joints[PARENTS[joint]] + rng.normal(0, 0.15, 3)
    weights = np.zeros((17, 24))
    for keypoint in range(17):
        weights[keypoint, rng.choice(24, 2, replace=False)] = [0.7, 0.3]
    offset = rng.normal(0, 0.05, (17, 24, 3)) * (weights > 0)[..., None]
    offset_betas = rng.normal(0, 0.005, (17, 24, 3, 10)) * (weights > 0)[..., None, None]
    return gn.Points(joints, rng.normal(0, 0.01, (24, 3, 10)), weights, offset, offset_betas)


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


def slow_logarithm(rotations):
    return Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(rotations.shape[:-1])


def slow_normal_equations(points, prior, betas, rotations, transl, target, config):
    """Whole arrays in NumPy: J^T J (n, 63, 63), J^T r (n, 63) and residuals (n, 17, 2), as ``fit`` has them."""
    rest, offsets = points.shaped(betas)
    n, n_free = len(rest), len(gn.FREE)
    turned, places = posed_joints(rotations, rest)
    shares = gn.place_points(points, offsets, turned, places)
    keypoints = shares.sum(2) + transl[:, None]
    moved = gn.MOVES[gn.FREE] @ shares  # (n, 17, a, 3)
    moved -= (points.weights @ gn.MOVES[gn.FREE].T)[..., None] * places[:, None, gn.FREE]

    # A turn w of joint a about its place moves what hangs on it, q, by w x q; w is in the joint's own axes.
    frames = turned[:, None, gn.FREE]  # (n, 1, a, 3, 3), columns are the joint's axes
    d_turn = np.cross(frames, moved[..., :, None], axisa=-2, axisb=-2, axisc=-2)  # (n, 17, a, 3, 3)
    d_point = np.concatenate([d_turn, np.broadcast_to(np.eye(3), (n, 17, 1, 3, 3))], axis=2)
    d_point = d_point.transpose(0, 1, 3, 2, 4).reshape(n, 17, 3, 3 * (n_free + 1))

    depth = np.maximum(keypoints[..., 2:], 0.1)
    image = keypoints[..., :2] / depth
    d_image = (d_point[:, :, :2] - image[..., None] * d_point[:, :, 2:]) / depth[..., None]
    std = target.keypoint_std[..., None]
    residual = np.where(np.isfinite(std), (image - target.keypoints_plane) / std, 0)
    squared = (residual**2).sum(-1) / config.keypoint_robust**2
    weight = (1 / (1 + squared))[..., None]  # Geman-McClure's: (1 + e^2)^-2, once for r and once for J
    J = np.where(np.isfinite(std)[..., None], d_image * (weight / std)[..., None], 0).reshape(n, 34, -1)
    r = (residual * weight).reshape(n, 34)
    information = J.transpose(0, 2, 1) @ J
    gradient = (J.transpose(0, 2, 1) @ r[..., None])[..., 0]

    # The network and the previous frame: differences of rotations, in the joint's axes, J about 1.
    turns = information[:, :-3, :-3]  # a view
    for reference, std_rad in (
        (target.rotations, target.rotation_std[:, gn.FREE]),
        (target.previous, np.broadcast_to(target.previous_std[:, None], (n, n_free))),
    ):
        difference = reference[:, gn.FREE].swapaxes(-1, -2) @ rotations[:, gn.FREE]
        rotvec = slow_logarithm(difference)
        precision = np.repeat(1 / std_rad**2, 3, axis=1)
        turns[:, np.arange(3 * n_free), np.arange(3 * n_free)] += precision
        gradient[:, :-3] += precision * rotvec.reshape(n, -1)

    # Upright people: the pelvis' y axis against the world's, with little to say of those who lie or bend.
    if np.isfinite(target.up_std):
        lean = turned[:, 0, :, 1] - target.up_cam
        weight = 1 / (target.up_std * (1 + (lean**2).sum(-1) / config.lean_robust_rad**2)) ** 2
        d_lean = np.cross(turned[:, 0], turned[:, 0, :, 1:2], axisa=-2, axisb=-2, axisc=-2)  # (n, 3, 3)
        turns[:, :3, :3] += weight[:, None, None] * d_lean.swapaxes(-1, -2) @ d_lean
        gradient[:, :3] += weight[:, None] * (d_lean.swapaxes(-1, -2) @ lean[..., None])[..., 0]

    # The prior over the 21 joints below the root that have one; J about 1 again.
    body = slow_logarithm(rotations[:, 1:22]).reshape(n, 63)
    rows = np.concatenate([np.arange(3) + 3 * (joint - 1) for joint in gn.FREE if joint])
    root = prior.precision_root[:, rows]
    turns[:, 3:, 3:] += config.prior_weight * (root.T @ root)
    gradient[:, 3:-3] += config.prior_weight * (((body - prior.mean) @ prior.precision_root.T) @ root)

    information[:, -3:, -3:] += target.transl_information
    gradient[:, -3:] += (target.transl_information @ (transl - target.transl)[..., None])[..., 0]
    return information, gradient, residual


def slow_fit(points, prior, betas, rotations, transl, target, config):
    rotations, transl = rotations.copy(), transl.copy()
    for _ in range(config.steps):
        information, gradient, residual = slow_normal_equations(
            points, prior, betas, rotations, transl, target, config
        )
        diagonal = np.einsum("nii->ni", information)
        diagonal += config.damping * diagonal + 1e-9
        step = -np.linalg.solve(information, gradient[..., None])[..., 0]
        turn = step[:, :-3].reshape(-1, 3)
        size = np.linalg.norm(turn, axis=-1, keepdims=True)
        turn *= np.minimum(1, 0.5 / np.maximum(size, 1e-9))  # no joint turns over half a radian at once
        deltas = Rotation.from_rotvec(turn).as_matrix().reshape(len(betas), len(gn.FREE), 3, 3)
        rotations[:, gn.FREE] = rotations[:, gn.FREE] @ deltas
        transl += np.clip(step[:, -3:], -0.5, 0.5)
        transl[:, 2] = np.maximum(transl[:, 2], 0.2)
    return rotations, transl, gn.residual_error(residual, target)


def normal_equations(points, prior, betas, rotations, transl, target, config):
    """The compiled ones, as the slow twin has them."""
    said = fit_arrays.Said.of(rotations, transl)
    upper, gradient = least_squares.normal_equations_all(
        *gn.loop_arguments(points, prior, betas, target, config), said
    )
    return np.triu(upper) + np.triu(upper, 1).swapaxes(1, 2), gradient, said.residual


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    points = made_up_body(rng)
    rotations = Rotation.from_rotvec(rng.normal(0, 0.4, (2 * 24, 3))).as_matrix().reshape(2, 24, 3, 3)
    transl = np.array([[0.3, -0.2, 4.0], [-0.5, 0.1, 2.5]])
    return points, rng.normal(0, 1, (2, 10)), rotations, transl


def crowd(points, rng, n=5):
    """People with everything that a target can say, some of it missing, one joint turned over."""

    def turned(like, by_rad):
        turns = Rotation.from_rotvec(rng.normal(0, by_rad, (n * 24, 3))).as_matrix()
        return like @ turns.reshape(n, 24, 3, 3)

    rotations = turned(np.eye(3), 0.4)
    rotations[0, 4] = Rotation.from_rotvec([0.1, 3.1, -0.2]).as_matrix()
    transl, betas = rng.normal([0, 0, 4], 0.5, (n, 3)), rng.normal(0, 1, (n, 10))
    seen = points.keypoints(betas, rotations, transl)
    keypoint_std = rng.uniform(0.003, 0.02, (n, 17))
    keypoint_std[rng.random((n, 17)) < 0.2] = np.inf
    previous_std = rng.uniform(0.05, 0.2, n)
    previous_std[1] = np.inf
    target = gn.Target(
        seen[..., :2] / seen[..., 2:] + rng.normal(0, 0.01, (n, 17, 2)),
        keypoint_std,
        turned(rotations, 0.2),
        rng.uniform(0.1, 0.4, (n, 24)),
        turned(rotations, 0.1),
        previous_std,
        transl + 0.1,
        gn.place_information(transl, np.full(n, 0.2), np.full(n, 1.0)),
        np.array([0.1, -1.0, 0.0]),
        0.1,
    )
    return betas, rotations, transl + 0.05, target


@pytest.mark.parametrize("real", [False, True])
def test_loops_do_what_whole_arrays_do(real):
    rng = np.random.default_rng(5)
    points = gn.Points.of(BodyModel.load(detail="light")) if real else made_up_body(rng)
    prior = gn.PosePrior(rng.normal(0, 0.1, 63), rng.normal(0, 0.3, (63, 63)))
    betas, *seen = crowd(points, rng)
    if real:
        betas = np.concatenate([betas, rng.uniform(0, 1, (5, 1))], axis=1)  # with kid
    given = (points, prior, betas, *seen)
    for fast, slow in (
        (normal_equations(*given, gn.FitConfig()), slow_normal_equations(*given, gn.FitConfig())),
        (gn.fit(*given, gn.FitConfig(steps=3)), slow_fit(*given, gn.FitConfig(steps=3))),
    ):
        for one, other in zip(fast, slow, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9 * np.abs(other).max())


def test_what_is_given_stays_as_it_was_and_may_be_of_any_kind(scene):
    points, betas, rotations, transl = scene
    rotations = np.broadcast_to(np.eye(3), (2, 24, 3, 3))  # neither contiguous nor writeable
    target = target_for(np.zeros((2, 17, 2), np.float32), rotations, transl)
    before = transl.copy()
    fitted = gn.fit(points, gn.PosePrior.none(), betas, rotations, transl, target, gn.FitConfig())
    np.testing.assert_array_equal(transl, before)
    assert not np.allclose(fitted.transl, before)
    nobody = gn.Target(*(part[:0] for part in target[:8]), *target[8:])
    fitted = gn.fit(points, gn.PosePrior.none(), betas[:0], rotations[:0], transl[:0], nobody, gn.FitConfig())
    assert fitted.rotations.shape == (0, 24, 3, 3)


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

    def half_squares(turn, shift):
        moved = rotations.copy()
        turns = Rotation.from_rotvec(turn.reshape(-1, 3)).as_matrix().reshape(2, len(gn.FREE), 3, 3)
        moved[:, gn.FREE] = rotations[:, gn.FREE] @ turns
        seen = points.keypoints(betas, moved, transl + shift)
        return 0.5 * (((seen[..., :2] / seen[..., 2:] - plane) / 0.01) ** 2).sum((1, 2))

    _, gradient, _ = normal_equations(points, gn.PosePrior.none(), betas, rotations, transl, target, config)
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
        gn.Target(*(part[1:] for part in target[:8]), *target[8:]),
        gn.FitConfig(),
    )
    np.testing.assert_allclose(both.rotations[1:], alone.rotations, atol=1e-9)
    np.testing.assert_allclose(both.transl[1:], alone.transl, atol=1e-9)
