"""Bodies on their keypoints: poses found again, what is wild or unseen left aside, when the first word is doubted."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros.body import BodyModel, BodyParams
from choros.body.fit import doubted, fit_to_keypoints, misfit, of_some
from choros.body.gauss_newton import Fit, Target
from choros.camera import intrinsics, project
from choros.errors import ChorosError

K = intrinsics(1280, 720, fov_deg=60)
K[0, 1] = 3.0  # skew


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


def standing(n, seed=0):
    """People upright three to five metres off, in some pose."""
    rng = np.random.default_rng(seed)
    upright = Rotation.from_euler("x", np.pi) * Rotation.from_rotvec(rng.normal(0, 0.3, (n, 3)))
    return BodyParams(
        torch.tensor(upright.as_rotvec(), dtype=torch.float32),
        torch.tensor(rng.normal(0, 0.15, (n, 69)), dtype=torch.float32),
        torch.tensor(rng.normal(0, 0.5, (n, 10)), dtype=torch.float32),
        torch.tensor(rng.uniform([-1, -0.3, 3], [1, 0.3, 5], (n, 3)), dtype=torch.float32),
    )


def off(params, seed=1, pose_rad=0.12, place=0.05):
    """The same people as a network might say them."""
    rng = np.random.default_rng(seed)
    return params._replace(
        body_pose=params.body_pose + torch.tensor(rng.normal(0, pose_rad, params.body_pose.shape)).float(),
        transl=params.transl * (1 + torch.tensor(rng.normal(0, place, (len(params.transl), 1))).float()),
    )


def seen(body, params):
    """Keypoints (n, 17, 3) of people, all of them sure, px."""
    points_px = project(body.keypoints(params, "coco17").double().numpy(), K)
    return np.concatenate([points_px, np.ones_like(points_px[..., :1])], -1)


def miss_px(body, params, keypoints_px):
    return np.linalg.norm(seen(body, params)[..., :2] - keypoints_px[..., :2], axis=-1)


def test_people_are_put_on_their_keypoints(body):
    true = standing(4)
    said, keypoints_px = off(true), seen(body, true)
    found = fit_to_keypoints(body, said, keypoints_px, K)
    before, after = miss_px(body, said, keypoints_px), miss_px(body, found.params, keypoints_px)
    assert before.mean() > 10
    assert after.mean() < 1.5
    assert after.max() < 6
    assert (found.error < 0.5).all()
    assert found.params.betas is said.betas
    assert found.params.body_pose.dtype == torch.float32
    held = [joint - 1 for joint in (10, 11, 22, 23)]  # toes and hands
    before, after = (params.body_pose.unflatten(-1, (23, 3))[:, held] for params in (said, found.params))
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_a_wild_keypoint_and_one_that_nobody_saw_do_not_pull(body):
    true = standing(3)
    keypoints_px = seen(body, true)
    keypoints_px[:, 9, :2] += 150  # a wrist
    keypoints_px[:, 16] = [0, 0, 0]  # an ankle
    found = fit_to_keypoints(body, off(true, pose_rad=0.05, place=0.02), keypoints_px, K)
    others = [k for k in range(17) if k not in (7, 9, 14, 16)]
    assert miss_px(body, found.params, keypoints_px)[:, others].max() < 8


def test_who_shows_nothing_stays_as_said(body):
    said = standing(2)
    found = fit_to_keypoints(body, said, np.zeros((2, 17, 3)), K)
    for name in ("global_orient", "body_pose", "transl"):
        np.testing.assert_allclose(getattr(found.params, name), getattr(said, name), atol=2e-5)
    assert (found.error == 0).all()


def test_children_keep_their_kid_axis(body):
    true = standing(2)._replace(kid=torch.tensor([0.0, 1.0]))
    keypoints_px = seen(body, true)
    found = fit_to_keypoints(body, off(true), keypoints_px, K)
    assert miss_px(body, found.params, keypoints_px).mean() < 1.5
    assert found.params.kid is true.kid


def test_what_cannot_be_fitted_is_said(body):
    said = standing(2)
    with pytest.raises(ChorosError, match="one row for each"):
        fit_to_keypoints(body, said, np.zeros((3, 17, 3)), K)
    with pytest.raises(ChorosError, match="in front of the camera"):
        fit_to_keypoints(body, said._replace(transl=-said.transl), np.zeros((2, 17, 3)), K)


def said_of(n, **changes):
    """Nothing but the network's word, to 0.2 rad, on n people in the T-pose, seen by 10 keypoints."""
    rest = np.tile(np.eye(3), (n, 24, 1, 1))
    keypoint_std = np.full((n, 17), np.inf)
    keypoint_std[:, :10] = 0.01
    target = Target(
        np.zeros((n, 17, 2)), keypoint_std, rest, np.full((n, 24), 0.2), rest, np.full(n, np.inf),
        np.zeros((n, 3)), np.zeros((n, 3, 3)), np.array([0.0, -1.0, 0.0]), np.inf,
    )  # fmt: skip
    return target._replace(**changes)


def turned(rotations, joint, rotvec):
    rotations = rotations.copy()
    rotations[:, joint] = rotations[:, joint] @ Rotation.from_rotvec(rotvec).as_matrix()
    return rotations


def test_the_network_is_doubted_where_keypoints_pull_joints_far_from_it_and_there_alone():
    target = said_of(2)
    said = doubted(target, turned(target.rotations, 4, [[0.6, 0, 0], [0, -0.3, 0.4]]), 1.5)
    expected = np.full((2, 24), 0.2)
    expected[:, 4] = 0.2 * np.sqrt(1 + (np.array([0.6, 0.5]) / (1.5 * 0.2)) ** 2)
    np.testing.assert_allclose(said.rotation_std, expected, rtol=1e-9)
    for name in set(Target._fields) - {"rotation_std"}:
        assert getattr(said, name) is getattr(target, name)


def test_of_equal_fits_the_one_nearer_to_the_past_misfits_less_and_by_how_much():
    rest = said_of(3).rotations
    past = turned(rest, 4, [[0.1, 0, 0], [0, 0.2, 0], [0, 0, 2.0]])
    target = said_of(3, previous=past, previous_std=np.full(3, 0.1))
    found = misfit(Fit(rest, np.zeros((3, 3)), np.array([1.5, 1.5, 1.5])), target)
    of_keypoints, of_past = 2 * 10 * 1.5**2, np.array([1, 4, 9])  # three standard deviations are the most
    np.testing.assert_allclose(found, of_keypoints + of_past, rtol=1e-9)


def test_without_a_past_keypoints_and_network_say_which_fit_is_best():
    target = said_of(2)
    fitted = Fit(turned(target.rotations, 4, [0.4, 0, 0]), np.zeros((2, 3)), np.array([2.0, 100.0]))
    np.testing.assert_allclose(misfit(fitted, target), [2 * 10 * 4 + 4, 2 * 10 * 16 + 4], rtol=1e-9)


def test_some_of_the_people_are_those_of_every_part():
    target = said_of(4, previous_std=np.arange(4.0))
    some = of_some(target, np.array([3, 1]))
    np.testing.assert_array_equal(some.previous_std, [3, 1])
    assert some.rotations.shape == (2, 24, 3, 3)
    assert some.up_std == target.up_std
