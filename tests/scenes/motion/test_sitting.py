"""Sitting: on the seat, with feet that stay where they stand."""

import numpy as np
import pytest

from choros.scenes.motion import acts
from choros.scenes.motion.gait import Manner, animate
from choros.scenes.motion.routes import stand
from choros.scenes.motion.sitting import PELVIS_OVER_SEAT, Sitting, back_m
from tests.scenes.motion.test_directing import plan
from tests.scenes.motion.test_gait import joints_of, skeleton, soles

TIMES = np.arange(0, 8, 0.05)
SITS = Sitting(1.0, 7.0, 0.45)


@pytest.fixture(scope="module")
def sitter():
    route = stand(np.array([1.0, 2.0]), 0.6, 8.0)
    return animate(route, skeleton(), Manner(), TIMES, sittings=(SITS,))


def test_the_pelvis_is_over_the_seat_behind_the_feet(sitter):
    body = skeleton()
    _, places = joints_of(sitter, body.joints_rest)
    sat = (TIMES > 2.5) & (TIMES < 5.5)
    np.testing.assert_allclose(places[sat, 0, 2], 0.45 + PELVIS_OVER_SEAT * body.leg_m, atol=0.01)
    behind = [1.0, 2.0] - back_m(body) * np.array([np.cos(0.6), np.sin(0.6)])
    np.testing.assert_allclose(places[sat, 0, :2], np.broadcast_to(behind, (sat.sum(), 2)), atol=0.05)
    knees = places[sat][:, [4, 5], 2]
    np.testing.assert_allclose(knees, 0.45, atol=0.12)  # thighs about level


def test_feet_stay_on_the_floor(sitter):
    points = soles(sitter, skeleton().joints_rest)
    assert np.ptp(points, axis=0).max() < 0.02
    assert np.abs(points[..., 2]).max() < 0.02


def test_who_does_not_sit_yet_or_any_more_stands(sitter):
    standing = animate(stand(np.array([1.0, 2.0]), 0.6, 8.0), skeleton(), Manner(), TIMES)
    early = (TIMES < 1.0) | (TIMES > 7.0)
    np.testing.assert_allclose(sitter.body_pose[early], standing.body_pose[early], atol=1e-9)


def test_sitting_down_is_smooth(sitter):
    _, places = joints_of(sitter, skeleton().joints_rest)
    speed = np.linalg.norm(np.diff(places, axis=0), axis=-1) / 0.05
    assert speed.max() < 2.0


def test_sitters_turn_their_back_to_the_seat():
    """The pelvis is above the seat they brought, whichever way they face."""
    rng, body = np.random.default_rng(0), skeleton()
    for _ in range(8):
        scene = plan()
        proposal = acts.sitting(rng, scene, [body])
        (role,), (seat,) = proposal.roles, proposal.things
        sits = role.sittings[0]
        sat = scene.frames_s[sits.weight(scene.frames_s) > 0.999]
        _, places = joints_of(role.perform(body, sat), body.joints_rest)
        assert seat.distance_m(places[:, 0, :2]).max() < 0.01
