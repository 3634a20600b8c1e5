"""Feet that stand: told from how they move, and held still while legs reach for them."""

import numpy as np
import pytest

from choros.body.kinematics import posed_joints
from choros.glamr.contacts import ContactRules, contact_probability, stances
from choros.glamr.feet import FootRules, plant_feet
from choros.rotation import rotvec_to_rotmat
from choros.scenes.motion.gait import Manner, animate
from choros.scenes.motion.rest_skeleton import JOINT
from choros.scenes.motion.routes import Leg, walk
from choros.training.motion_model.windows import open_skeleton

TIMES = np.arange(90) / 30
FLOOR = np.zeros(90)
POINTS = [JOINT[f"{side}_{joint}"] for side in ("left", "right") for joint in ("ankle", "foot")]
LEG = ("hip", "knee", "ankle", "foot")
UP = np.array([0.0, 0.0, 0.5])
HINGES = [JOINT["left_knee"], JOINT["right_knee"]]


@pytest.fixture(scope="module")
def walker():
    """Somebody who walks ahead for three seconds, known exactly: rotations, pelvis and skeleton."""
    body = open_skeleton()
    poses = animate(walk((Leg(((-3.0, 0.0), (3.0, 0.0))),), 1.1, 5, (0, 0.5, 2.0)), body, Manner(), TIMES)
    turns = np.concatenate([poses.global_orient, poses.body_pose], 1).reshape(-1, 24, 3)
    return rotvec_to_rotmat(turns), body.joints_rest[0] + poses.transl, body


def places(R_local, root_m, body):
    rest = np.broadcast_to(body.joints_rest, (len(root_m), 24, 3))
    turns, joints = posed_joints(R_local, rest, root_m)
    return turns, joints


def soles(R_local, root_m, body):
    turns, joints = places(R_local, root_m, body)
    below = np.zeros((4, 3))
    below[:, 1] = body.sole_m - body.joints_rest[POINTS, 1]
    return joints[:, POINTS] + (turns[:, POINTS] @ below[..., None])[..., 0]


def sliding_cm_s(points_m, stands):
    speed = 30 * np.linalg.norm(np.diff(points_m[..., :2], axis=0), axis=-1)
    return 100 * speed[stands[1:] & stands[:-1]].mean()


def bend(R_local):
    """How far knees are bent, rad."""
    return 2 * np.arcsin(np.linalg.norm(R_local[:, HINGES] - np.eye(3), axis=(-1, -2)) / np.sqrt(8))


def standing(R_local, root_m, body):
    points = soles(R_local, root_m, body)
    return stances(contact_probability(points, points, TIMES, FLOOR), TIMES, ContactRules().shortest_s)


def test_stances_of_a_walker_are_told(walker):
    points = soles(*walker)
    slow = np.linalg.norm(np.gradient(points, TIMES, axis=0), axis=-1) < 0.1
    stands = standing(*walker)
    assert stands[slow].mean() > 0.95
    fast = np.linalg.norm(np.gradient(points, TIMES, axis=0), axis=-1) > 1.0
    assert stands[fast].mean() < 0.05


def test_a_foot_that_walks_on_but_is_said_to_stand_does_not_pull_its_body_down(walker):
    R_local, root_m, body = walker
    stands = standing(*walker)
    stands[:, :2] = True

    def down_m(rules):
        planted = plant_feet(R_local, root_m, stands, FLOOR, body.joints_rest, body.sole_m, TIMES, rules)
        return (root_m - planted[1])[:, 2].max()

    assert down_m(FootRules(slip_m=0.7, lowest_m=np.inf)) > 0.2
    assert down_m(FootRules(slip_m=0.7)) < 0.08 + 0.03  # and what the foot itself is too low or high


def test_probabilities_are_those_of_two_states_by_enumeration():
    """Three frames and two states: eight ways, each with its own probability."""
    rules = ContactRules(span_s=0.0, independent_per_s=1e9, outlier=np.inf)
    times, z = np.array([0.0, 0.1, 0.3]), np.array([0.01, 0.06, 0.1])
    points = np.zeros((3, 1, 3))
    points[:, 0, 2] = z
    speeds = np.array([z[1] - z[0], z[2] - z[0], z[2] - z[1]]) / [0.1, 0.3, 0.2]
    found = contact_probability(points, points, times, np.zeros(3), rules)[:, 0]

    def likely(value, spread, dimensions):
        return np.exp(-0.5 * (value / spread) ** 2) / spread**dimensions

    said = np.stack([
        likely(speeds, rules.swinging_m_s, 2) * likely(z, rules.swinging_m, 1),
        likely(speeds, rules.standing_m_s, 2) * likely(z, rules.standing_m, 1),
    ], 1)  # fmt: skip
    dt = np.gradient(times)
    ends, begins = 1 - np.exp(-dt / rules.stance_s), 1 - np.exp(-dt / rules.swing_s)
    weight = np.zeros((3, 2))
    for way in np.ndindex(2, 2, 2):
        p = (rules.swing_s, rules.stance_s)[way[0]] * said[0, way[0]]
        for t in (1, 2):
            change = (begins, ends)[way[t - 1]][t]
            p *= (change if way[t] != way[t - 1] else 1 - change) * said[t, way[t]]
        for t in range(3):
            weight[t, way[t]] += p
    np.testing.assert_allclose(found, weight[:, 1] / weight.sum(1), rtol=1e-9)


def test_who_glides_does_not_stand_whatever_their_pose_says(walker):
    R_local, root_m, body = walker
    still = np.repeat(R_local[:1], 90, 0)
    gliding = root_m[:1] + np.linspace(0, 1, 90)[:, None] * [12.0, 0, 0]
    own = soles(still, np.repeat(root_m[:1], 90, 0), body)
    found = contact_probability(soles(still, gliding, body), own, TIMES, FLOOR)
    assert (found < 0.5).all()


def test_planted_feet_do_not_move_and_knees_stay(walker):
    R_local, root_m, body = walker
    stands = standing(R_local, root_m, body)
    strayed = root_m + np.stack(
        [0.06 * np.sin(3 * TIMES), 0.05 * np.sin(5 * TIMES), 0.03 * np.sin(4 * TIMES)], 1
    )
    before = soles(R_local, strayed, body)
    assert sliding_cm_s(before, stands) > 10
    again, moved = plant_feet(R_local, strayed, stands, FLOOR, body.joints_rest, body.sole_m, TIMES)
    after = soles(again, moved, body)
    balls = places(again, moved, body)[1][:, [POINTS[1], POINTS[3]]]
    assert sliding_cm_s(balls, stands[:, [1, 3]]) < 1
    assert after[..., 2].min() > -0.005
    assert np.abs((moved - strayed)[:, :2]).max() == 0  # only up and down
    assert np.abs(bend(again) - bend(R_local)).mean() < np.deg2rad(8)
    assert np.abs(np.diff(bend(again), axis=0)).max() < np.abs(
        np.diff(bend(R_local), axis=0)
    ).max() + np.deg2rad(5)
    trunk = [j for name, j in JOINT.items() if not name.endswith(LEG)]
    np.testing.assert_array_equal(again[:, trunk], R_local[:, trunk])


def test_feet_stand_on_the_floor_that_is_theirs(walker):
    R_local, root_m, body = walker
    stands, high = standing(R_local, root_m, body), FLOOR + 2.5
    again, moved = plant_feet(R_local, root_m + 5.2 * UP, stands, high, body.joints_rest, body.sole_m, TIMES)
    assert soles(again, moved, body)[..., 2].min() == pytest.approx(2.5, abs=0.005)


def test_a_foot_that_slips_stands_anew(walker):
    """A stance that is none: the foot goes a metre, in steps."""
    R_local, root_m, body = walker
    still = np.repeat(R_local[:1], 90, 0)
    sliding = root_m[:1] + np.linspace(0, 1, 90)[:, None] * [1.0, 0, 0]
    again, moved = plant_feet(
        still, sliding, np.ones((90, 4), bool), FLOOR, body.joints_rest, body.sole_m, TIMES
    )
    _, joints = places(again, moved, body)
    feet = joints[:, [JOINT["left_foot"], JOINT["right_foot"]], :2]
    raw = places(still, sliding, body)[1][:, [JOINT["left_foot"], JOINT["right_foot"]], :2]
    assert 0.1 < np.linalg.norm(feet - raw, axis=-1).max() < 0.4
    speed = 30 * np.linalg.norm(np.diff(feet, axis=0), axis=-1)
    assert np.median(speed) < 0.01


def test_nobody_without_a_stance_is_touched_but_for_the_floor(walker):
    R_local, root_m, body = walker
    again, moved = plant_feet(
        R_local, root_m + UP, np.zeros((90, 4), bool), FLOOR, body.joints_rest, body.sole_m, TIMES
    )
    np.testing.assert_allclose(moved, root_m + UP, atol=1e-12)
    before, after = (soles(R, root, body) for R, root in ((R_local, root_m + UP), (again, moved)))
    assert np.abs(after - before).mean() < 0.01
