"""Pose variety: limbs that stay whole, legs that straighten without moving the foot, people turned every way."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.body.kinematics import posed_joints
from choros.training.lifter.poses import ARMS, LEGS, NOTHING_MIXED, PoseClip, PoseVariety, poses
from tests.training.captured import SWINGING

ONE_FRAME = np.ones(64, int)


def still(**changes):
    """One frame each of 64 clips of the swinging person."""
    rng = np.random.default_rng(3)
    return poses(rng, [SWINGING], 64, 1, ONE_FRAME, replace(NOTHING_MIXED, **changes))[0][:, 0]


def angle(rotations):
    return Rotation.from_matrix(rotations.reshape(-1, 3, 3)).magnitude().reshape(rotations.shape[:-2])


def test_without_variety_the_clips_are_as_captured():
    rotations, transl = poses(np.random.default_rng(0), [SWINGING], 64, 3, ONE_FRAME, NOTHING_MIXED)
    knees = angle(rotations[:, :, [4, 5]])
    np.testing.assert_allclose(knees, 0.3, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(np.diff(transl, axis=1), axis=-1), 1.2 / 30, atol=1e-5)


def test_straightened_legs_bend_less_and_keep_their_feet_where_they_were():
    before, after = still(), still(straightened=1.0, straightened_rad=(0.3, 0.5))
    left = angle(after[:, [4, 5]]) / angle(before[:, [4, 5]])  # 0.3 rad before
    assert (left > 0.1 - 1e-3).all()  # 0.3 / 0.5 - 0.5
    assert (left < 0.5 + 1e-3).all()  # 0.3 / 0.3 - 0.5
    bent = np.zeros((1, 1, 24, 3))
    bent[..., [4, 5], 0] = 0.9
    swinging = PoseClip(
        Rotation.from_rotvec(bent.reshape(-1, 3)).as_matrix().reshape(1, 24, 3, 3).astype("f4"),
        np.zeros((1, 3)),
    )
    variety = replace(NOTHING_MIXED, straightened=1.0, straightened_rad=(0.3, 0.5))
    kept, _ = poses(np.random.default_rng(0), [swinging], 4, 1, ONE_FRAME[:4], variety)
    np.testing.assert_allclose(angle(kept[:, 0, [4, 5]]), 0.9, atol=1e-4)
    points = Points.of(BodyModel.load(detail="light"))
    rest = np.repeat(points.joint_template[None], len(before), 0)
    (turned, old), (again, new) = (
        posed_joints(before.astype(float), rest),
        posed_joints(after.astype(float), rest),
    )
    for hip, _knee, ankle, _ in LEGS.values():
        was, now = (places[:, ankle] - places[:, hip] for places in (old, new))
        cosine = (was * now).sum(-1) / np.linalg.norm(was, axis=-1) / np.linalg.norm(now, axis=-1)
        assert np.degrees(np.arccos(cosine)).max() < 3  # the foot stays below the hip
        assert (
            angle(turned[:, ankle].swapaxes(-1, -2) @ again[:, ankle]).max() < 0.02
        )  # and as level as it was
        assert (np.linalg.norm(now, axis=-1) > np.linalg.norm(was, axis=-1)).all()


def test_a_limb_of_another_clip_comes_whole():
    """Every arm belongs to one clip, whoever has it."""
    other = PoseClip(np.tile(np.eye(3, dtype=np.float32), (90, 24, 1, 1)), SWINGING.transl)
    variety = replace(NOTHING_MIXED, other_arm=0.5)
    mixed = poses(np.random.default_rng(1), [SWINGING, other], 64, 1, ONE_FRAME, variety)[0][:, 0]
    hanging = {side: angle(mixed[:, joints]) > 0.1 for side, joints in ARMS.items()}
    legs = angle(mixed[:, [4, 5]]) > 0.1
    assert (legs[:, 0] == legs[:, 1]).all()  # nobody's legs were mixed
    changed = np.mean([(arm[:, 1] != legs[:, 0]).mean() for arm in hanging.values()])
    assert 0.1 < changed < 0.4  # a half, of which half is the same clip's


def test_people_lie_and_stand_on_their_heads():
    up = {name: still(**{name: 1.0})[:, 0, 1, 1] for name in ("lying", "head_down", "any_root")}
    assert np.abs(up["lying"]).mean() < 0.3
    assert (up["head_down"] < -0.4).all()
    assert up["any_root"].min() < -0.7
    assert up["any_root"].max() > 0.7


def test_seated_people_bend_hips_and_knees():
    seated = still(seated=1.0)
    assert np.degrees(np.median(angle(seated[:, [1, 2]]))) > 60
    assert np.degrees(np.median(angle(seated[:, [4, 5]]))) > 55


def test_all_rotations_are_rotations():
    rotations, transl = poses(np.random.default_rng(5), [SWINGING], 64, 4, ONE_FRAME, PoseVariety())
    product = rotations @ rotations.swapaxes(-1, -2)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-4)
    assert (np.linalg.det(rotations) > 0.99).all()
    assert np.isfinite(transl).all()
