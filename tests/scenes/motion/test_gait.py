"""Gaits: planted feet stand still, nobody sinks into the floor, routes keep their clock."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.rotation import rotmat_about
from choros.scenes.motion.gait import Manner, animate
from choros.scenes.motion.gestures import Gesture
from choros.scenes.motion.rest_skeleton import RestSkeleton, facing
from choros.scenes.motion.routes import Leg, nearest_m, walk
from choros.skeleton import JOINT_NAMES, PARENTS

HEEL_M = np.array([0.0, -0.085, -0.05])  # of the sole, from the ankle


def skeleton() -> RestSkeleton:
    """A skeleton of SMPL's proportions, made up."""
    offsets = {
        "left_hip": (0.09, -0.09, 0.0), "left_knee": (0.03, -0.38, 0.0), "left_ankle": (-0.01, -0.41, -0.04),
        "left_foot": (0.03, -0.055, 0.125), "spine1": (0, 0.11, -0.02), "spine2": (0, 0.135, 0),
        "spine3": (0, 0.055, 0.01), "neck": (0, 0.21, -0.03), "head": (0, 0.08, 0.05),
        "left_collar": (0.08, 0.12, -0.02), "left_shoulder": (0.11, 0.03, -0.01), "left_elbow": (0.26, 0, 0),
        "left_wrist": (0.25, 0, 0), "left_hand": (0.085, -0.01, 0),
    }  # fmt: skip
    joints = np.zeros((24, 3))
    for j, name in enumerate(JOINT_NAMES[1:], 1):
        offset = np.array(offsets[name.replace("right", "left")])
        joints[j] = joints[PARENTS[j]] + offset * ([-1, 1, 1] if name.startswith("right") else [1, 1, 1])
    return RestSkeleton(joints, joints[JOINT_NAMES.index("left_ankle"), 1] - 0.085)


def joints_of(poses, rest):
    """Global rotations (T, 24, 3, 3) and joints (T, 24, 3), by the plain chain."""
    rotvec = np.concatenate([poses.global_orient, poses.body_pose], axis=1).reshape(-1, 3)
    turns = Rotation.from_rotvec(rotvec).as_matrix().reshape(-1, 24, 3, 3)
    places = np.zeros((len(turns), 24, 3))
    places[:, 0] = rest[0] + poses.transl
    for j in range(1, 24):
        parent = PARENTS[j]
        turns[:, j] = turns[:, parent] @ turns[:, j]
        places[:, j] = places[:, parent] + turns[:, parent] @ (rest[j] - rest[parent])
    return turns, places


def soles(poses, rest):
    """Heel and ball of both feet, (T, 4, 3)."""
    turns, places = joints_of(poses, rest)
    points = []
    for side in ("left", "right"):
        ankle, ball = JOINT_NAMES.index(f"{side}_ankle"), JOINT_NAMES.index(f"{side}_foot")
        points.append(places[:, ankle] + turns[:, ankle] @ HEEL_M)
        points.append(places[:, ball] + turns[:, ball] @ [0, -0.03, 0])
    return np.stack(points, axis=1)


STRAIGHT = (Leg(((-4.0, 0.0), (4.0, 0.0))),)
STOPPING = (Leg(((-2.0, 0.0), (0.5, 0.2)), pause_s=2.0), Leg(((0.5, 0.2), (-2.0, 1.0))))
CURVED = (Leg(((-3.0, 0.0), (0.0, 0.8), (3.0, 0.0))),)


@pytest.mark.parametrize("legs", [STRAIGHT, STOPPING, CURVED])
@pytest.mark.parametrize("speed", [0.8, 1.3, 1.6])
def test_a_foot_that_stands_does_not_slide(legs, speed):
    times = np.arange(0, 5, 0.01)
    body = skeleton()
    points = soles(animate(walk(legs, speed, 5, (0, 0.6, 1.5)), body, Manner(), times), body.joints_rest)
    pace = np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1) / 0.01
    # In every moment some point of some sole stands: 2 cm/s at most, and far less on the whole.
    slowest = pace.min(axis=1)
    assert slowest.max() < 0.02
    assert slowest.mean() < 0.002


@pytest.mark.parametrize("legs", [STRAIGHT, STOPPING, CURVED])
def test_soles_neither_sink_nor_float(legs):
    times = np.arange(0, 5, 0.02)
    body = skeleton()
    poses = animate(walk(legs, 1.3, 5, (0, 0.6, 1.5)), body, Manner(), times)
    lowest = soles(poses, body.joints_rest)[..., 2].min(axis=1)
    assert lowest.min() > -0.02
    assert lowest.max() < 0.02


def test_walking_is_smooth_and_upright():
    times = np.arange(0, 4, 0.02)
    body = skeleton()
    _, places = joints_of(
        animate(walk(STRAIGHT, 1.35, 4, (0, 0.5, 2.0)), body, Manner(), times), body.joints_rest
    )
    pelvis, head = places[:, 0], places[:, JOINT_NAMES.index("head")]
    assert np.ptp(pelvis[:, 2]) < 0.08
    assert np.linalg.norm((head - pelvis)[:, :2], axis=1).max() < 0.15
    jolt = np.linalg.norm(np.diff(places, 2, axis=0), axis=-1) / 0.02**2
    assert jolt[:, 0].max() < 15  # the pelvis; a walker's stays near 5 m/s^2
    assert jolt.max() < 120


def test_standing_still_is_still():
    times = np.arange(2.5, 4.5, 0.02)
    body = skeleton()
    poses = animate(
        walk((Leg(((-2.0, 0.0), (0.0, 0.0)), 30.0),), 1.2, 5, (0, 1.0, 1.0)), body, Manner(), times
    )
    assert np.ptp(soles(poses, body.joints_rest), axis=0).max() < 1e-3


def test_wave_raises_the_hand_over_the_shoulder():
    times = np.arange(0, 3, 0.1)
    body = skeleton()
    route = walk((Leg(((-2.0, 0.0), (0.0, 0.0)), 30.0),), 1.2, 3, (0, 1.0, 0.0))
    _, places = joints_of(
        animate(route, body, Manner(), times, (Gesture("wave", 0.5, 3.5),)), body.joints_rest
    )
    wrist, shoulder = (places[:, JOINT_NAMES.index(f"right_{j}"), 2] for j in ("wrist", "shoulder"))
    assert wrist[0] < shoulder[0] - 0.3
    assert wrist[20] > shoulder[20] + 0.1


def test_route_is_at_its_place_at_its_time_and_at_its_speed():
    route = walk(STRAIGHT, 1.25, 4, (0, 0.5, 2.0))
    np.testing.assert_allclose(route.place(np.array([2.0, 3.0])), [[0, 0], [1.25, 0]], atol=1e-3)
    np.testing.assert_allclose(route.speed, 1.25, atol=0.02)
    np.testing.assert_allclose(route.heading(np.array([0.0, 4.0])), 0, atol=1e-6)


def test_pause_stops_and_turns_the_shorter_way():
    route = walk(STOPPING, 1.2, 6, (0, 1.0, 2.0))
    np.testing.assert_allclose(route.place(np.array([2.0, 3.0, 4.0])), [[0.5, 0.2]] * 3, atol=1e-3)
    assert np.interp([2.2, 3.0, 3.8], route.time_s, route.speed).max() < 0.01
    assert np.ptp(route.heading_rad) < np.pi + 0.5


def test_nearest_of_two_who_cross():
    a = walk(STRAIGHT, 1.0, 4, (0, 0.5, 2.0))
    b = walk((Leg(((0.0, -4.0), (0.0, 4.0))),), 1.0, 4, (0, 0.5, 3.0))
    # At x = t - 2, y = t - 3 their distance is least halfway: sqrt(1/2).
    assert nearest_m(a, b, np.arange(0, 5, 0.01)) == pytest.approx(np.sqrt(0.5), abs=1e-3)


def test_axes():
    np.testing.assert_allclose(facing(np.array(0.0)) @ [0, 0, 1], [1, 0, 0], atol=1e-12)  # forward along x
    np.testing.assert_allclose(facing(np.array(0.0)) @ [1, 0, 0], [0, 1, 0], atol=1e-12)  # left along y
    np.testing.assert_allclose(
        rotmat_about("y", np.pi / 2) @ [0, 0, 1], [1, 0, 0], atol=1e-12
    )  # a turn to the left
