"""Planting feet: those that stand hold still on the floor, legs reach them, good motion is left alone."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body.leg_reach import bend_leg
from choros.rotation import rotmat_about
from choros.scenes.motion.foot_planting import _bridged, _joints, plant
from choros.scenes.motion.gait import Manner, animate
from choros.scenes.motion.rest_skeleton import JOINT, facing
from choros.scenes.motion.routes import Leg, walk
from choros.skeleton import PARENTS
from choros.training.motion_model.windows import open_skeleton

BALLS = [JOINT["left_foot"], JOINT["right_foot"]]
TIMES = np.arange(0, 4, 1 / 30)


def walking():
    """R_local and pelvis of our own gait, whose feet do not slide."""
    body = open_skeleton()
    poses = animate(walk((Leg(((-3.0, 0.0), (3.0, 0.0))),), 1.1, 5, (0, 0.5, 2.0)), body, Manner(), TIMES)
    rotvec = np.concatenate([poses.global_orient, poses.body_pose], axis=1).reshape(-1, 3)
    R_local = Rotation.from_rotvec(rotvec).as_matrix().reshape(-1, 24, 3, 3)
    return R_local, poses.transl + body.joints_rest[0], body


def standing(R_local, pelvis, body):
    """Balls (T, 2, 3), and where they are low and slow."""
    _, places = _joints(R_local, pelvis, body.joints_rest)
    balls = places[:, BALLS]
    pace = np.linalg.norm(np.gradient(balls, axis=0), axis=-1) * 30
    return balls, (pace < 0.2) & (balls[..., 2] < body.joints_rest[BALLS, 1] - body.sole_m + 0.02)


def slide(balls, stands):
    """Speeds of the feet that stand, m/s."""
    pace = np.linalg.norm(np.diff(balls[..., :2], axis=0), axis=-1) * 30
    return pace[stands[1:] & stands[:-1]]


def test_sliding_feet_are_planted():
    R_local, pelvis, body = walking()
    _, stands = standing(R_local, pelvis, body)
    drift = 0.15 * np.stack([np.sin(TIMES), np.cos(1.3 * TIMES), 0.3 * np.sin(2 * TIMES)], axis=1)
    skating, _ = standing(R_local, pelvis + drift, body)
    fixed_R, fixed_pelvis = plant(R_local, pelvis + drift, stands, body, TIMES)
    fixed, _ = standing(fixed_R, fixed_pelvis, body)
    assert slide(skating, stands).mean() > 0.08
    assert slide(fixed, stands).max() < 1e-6
    height = body.joints_rest[BALLS, 1] - body.sole_m
    np.testing.assert_allclose((fixed - [0, 0, height[0]])[stands][:, 2], 0, atol=1e-9)
    assert fixed[..., 2].min() > height.min() - 1e-9


def test_planted_motion_is_hardly_changed():
    R_local, pelvis, body = walking()
    _, stands = standing(R_local, pelvis, body)
    again_R, again_pelvis = plant(R_local, pelvis, stands, body, TIMES)
    _, before = _joints(R_local, pelvis, body.joints_rest)
    _, after = _joints(again_R, again_pelvis, body.joints_rest)
    moved = np.linalg.norm(after - before, axis=-1)
    assert moved.mean() < 0.02
    assert moved.max() < 0.08


def test_somebody_in_the_air_is_only_kept_off_the_floor():
    R_local, pelvis, body = walking()
    lifted = pelvis + np.array([0, 0, 0.5])
    same_R, same = plant(R_local, lifted, np.zeros((len(TIMES), 2), bool), body, TIMES)
    np.testing.assert_allclose(same, lifted, atol=1e-3)
    np.testing.assert_allclose(same_R, R_local, atol=0.02)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_leg_reaches(side):
    body = open_skeleton()
    rng = np.random.default_rng(0)
    R_local = np.tile(np.eye(3), (50, 24, 1, 1))
    R_local[:, 0] = facing(rng.uniform(-3, 3, 50)) @ rotmat_about("x", rng.uniform(-0.5, 0.5, 50))
    pelvis = rng.normal(0, 1, (50, 3)) + np.array([0, 0, 1])
    R_foot = Rotation.random(50, rng=np.random.default_rng(1)).as_matrix()
    turns, places = _joints(R_local, pelvis, body.joints_rest)
    ankle = places[:, JOINT[f"{side}_hip"]] + rng.normal(0, 0.15, (50, 3)) + [0, 0, -0.5]
    knee_to = turns[:, JOINT[f"{side}_hip"], :, 2]
    bend_leg(R_local, pelvis, body.joints_rest, side, ankle, R_foot, knee_to)
    turns, places = _joints(R_local, pelvis, body.joints_rest)
    np.testing.assert_allclose(places[:, JOINT[f"{side}_ankle"]], ankle, atol=1e-9)
    np.testing.assert_allclose(turns[:, JOINT[f"{side}_ankle"]], R_foot, atol=1e-9)


def test_a_walker_whose_contacts_are_missed_now_and_then_still_stands():
    """Stances are drawn out where nobody is said to stand, but not for a jump."""
    stands = np.zeros((40, 2), bool)
    stands[:10, 0] = stands[14:, 1] = True
    low = np.full((40, 2), 0.03)
    bridged = _bridged(stands, low, 1 / 30)
    assert bridged.any(axis=1).all()
    np.testing.assert_array_equal(bridged[:12, 0], True)
    np.testing.assert_array_equal(bridged[12:, 0], False)
    np.testing.assert_array_equal(_bridged(stands, low + 0.2, 1 / 30), stands)
    np.testing.assert_array_equal(_bridged(stands & False, low, 1 / 30), stands & False)


def test_toes_bend_where_the_heel_is_up():
    body = open_skeleton()
    R_local = np.tile(np.eye(3), (30, 24, 1, 1))
    R_local[:, 0] = facing(np.full(30, 0.3))
    for side in ("left", "right"):
        R_local[:, JOINT[f"{side}_hip"]] = rotmat_about("x", -0.6)
        R_local[:, JOINT[f"{side}_knee"]] = rotmat_about("x", 1.2)
    pelvis = np.tile([0.0, 0, 0.8], (30, 1))
    R_local, pelvis = plant(R_local, pelvis, np.ones((30, 2), bool), body, TIMES[:30])
    turns, places = _joints(R_local, pelvis, body.joints_rest)
    for ball in BALLS:
        sole = places[:, ball] + turns[:, ball] @ [0, body.sole_m - body.joints_rest[ball, 1], 0.06]
        heel_up = -np.arcsin(turns[:, PARENTS[ball], 2, 2])
        assert heel_up.min() > 0.3
        np.testing.assert_allclose(sole[:, 2], 0, atol=0.012)
