"""Directing: everybody finds room, friends keep together and others apart, and who shall be hidden is."""

from fractions import Fraction

import numpy as np
import pytest

from choros.scenes import KINDS, SceneConfig, make_scene
from choros.scenes.camera.camera_moves import sample_setup
from choros.scenes.motion import acts
from choros.scenes.motion.directing import direct
from choros.scenes.motion.floor_plan import FloorPlan
from choros.scenes.motion.rest_skeleton import RestSkeleton
from choros.scenes.motion.roles import Proposal, Role
from choros.scenes.motion.visibility import spells_s
from tests.scenes.motion.test_gait import skeleton

SECONDS = 6.0
FRAMES_S = np.arange(0, SECONDS, 0.04)
BODY = skeleton()


def plan(seed=0, travel_m=0.0, depth_m=8.0, **asked) -> FloorPlan:
    setup = sample_setup(np.random.default_rng(seed), 960, 540, 60.0, depth_m, travel_m)
    return FloorPlan(setup, FRAMES_S, **asked)


def distance_m(a: Role, b: Role, times_s=FRAMES_S):
    return np.linalg.norm(a.route.place(times_s) - b.route.place(times_s), axis=1)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize(("people", "seed"), [(1, 1), (3, 2), (12, 3), (20, 4)])
def test_everybody_finds_room_and_keeps_clear(kind, people, seed):
    rng = np.random.default_rng(seed)
    travel_m = 7.0 if "travel" in KINDS[kind].camera else 0.0
    setup = sample_setup(rng, 960, 540, None, KINDS[kind].floor_m(people), travel_m)
    roles, things = direct(rng, KINDS[kind], setup, FRAMES_S, [BODY] * people)
    assert len(roles) == people
    for i, one in enumerate(roles):
        assert all(distance_m(one, other).min() > 0.5 for other in roles[:i])
        for thing in things:
            nearest = thing.distance_m(one.route.place(FRAMES_S)).min()
            assert nearest > (0.0 if one.seat == thing else 0.45)


def test_twelve_find_room_in_any_picture():
    """Tall pictures, narrow and wide lenses."""
    for seed, (width, height, fov) in enumerate([(180, 320, 40.0), (320, 180, 20.0), (320, 180, 110.0)]):
        rng = np.random.default_rng(seed)
        setup = sample_setup(rng, width, height, fov, KINDS["crowd"].floor_m(12))
        assert len(direct(rng, KINDS["crowd"], setup, FRAMES_S, [BODY] * 12)[0]) == 12


def test_same_chance_same_parts():
    def places():
        rng = np.random.default_rng(5)
        setup = sample_setup(rng, 960, 540, None, 6.0)
        return [p.route.place_world for p in direct(rng, KINDS["moving"], setup, FRAMES_S, [BODY] * 4)[0]]

    for one, other in zip(places(), places(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_people_walk_through_each_other_only_if_asked():
    rng = np.random.default_rng(0)
    for collide in (False, True):
        scene = plan(collide=collide)
        while not scene.fits(proposal := acts.passing(rng, scene, [BODY])):
            pass
        scene.accept(proposal)
        assert scene.fits(Proposal(proposal.roles)) == collide


def test_friends_walk_behind_or_beside_each_other():
    rng = np.random.default_rng(1)
    for _ in range(12):
        first, second, third = acts.together(rng, plan(), [BODY] * 3).roles
        for a, b in ((first, second), (second, third)):
            apart = distance_m(a, b)
            assert apart.min() > 0.6
            assert apart.max() < 1.55
            assert np.ptp(apart) < 0.5


def test_people_in_a_circle_face_its_middle():
    rng = np.random.default_rng(2)
    for count in (2, 3, 5):
        roles = acts.circle(rng, plan(), [BODY] * count).roles
        speed = np.array([np.interp(FRAMES_S, p.route.time_s, p.route.speed) for p in roles])
        places = np.array([p.route.place(FRAMES_S) for p in roles])
        all_there = np.flatnonzero((speed < 0.01).all(axis=0))
        for frame in all_there[[0, len(all_there) // 2]] if len(all_there) else []:
            toward = places[:, frame].mean(axis=0) - places[:, frame]
            heading = [p.route.heading(FRAMES_S[frame]) for p in roles]
            ahead = np.stack([np.cos(heading), np.sin(heading)], axis=1)
            cosine = (toward * ahead).sum(axis=1) / np.linalg.norm(toward, axis=1)
            assert np.median(cosine) > 0.9


def test_short_legs_walk_slower():
    """At the same chance a child's pace goes with the root of the leg."""
    child = RestSkeleton(BODY.joints_rest * 0.64, BODY.sole_m * 0.64)
    speeds = []
    for body in (BODY, child):
        role = acts.passing(np.random.default_rng(3), plan(), [body]).roles[0]
        speeds.append(role.route.speed.max())
    assert speeds[1] == pytest.approx(0.8 * speeds[0], rel=0.01)


def test_who_hides_is_gone_for_a_while_and_comes_back():
    rng, scene = np.random.default_rng(4), plan(depth_m=6.5)
    spells = []
    for _ in range(60):
        proposal = acts.hiding(rng, scene, [BODY])
        if scene.fits(proposal):
            spells.append(scene.longest_hidden(proposal))
    assert len(spells) > 10
    assert 0.4 < np.median(spells) < 3.0


def test_people_along_keep_up_with_a_travelling_camera_and_those_towards_come_by():
    rng, scene = np.random.default_rng(5), plan(travel_m=7.5)
    for _ in range(10):
        (role,) = acts.along(rng, scene, [BODY]).roles
        assert np.ptp(role.route.place(scene.times_s)[:, 1] - scene.ahead) < 1.2
        (role,) = acts.towards(rng, scene, [BODY]).roles
        nearer = np.diff(role.route.place(scene.times_s)[:, 1] - scene.ahead)
        assert np.all(nearer < 0)
    roles, _ = direct(rng, KINDS["world"], scene.camera_setup, FRAMES_S, [BODY] * 6)
    for role in roles:
        place = role.route.place(FRAMES_S)
        assert np.hypot(place[:, 0], place[:, 1] - scene.ahead_m(FRAMES_S)).min() > 1.0


def test_longgone_hides_two_for_a_second_or_more():
    """By the truth: less than a tenth is seen of somebody between the picture's sides."""
    config = SceneConfig(width=192, height=108, fps=Fraction(10), seconds=8.0, people=3)
    scene = make_scene("longgone", 3, config)
    truth, gone = scene.truth, []
    for person in range(1, 4):
        rows = truth.row_person == person
        box = truth.box_px[rows]
        inside = (box[:, 0] > 1) & (box[:, 2] < 191)
        hidden = np.zeros(scene.n_frames, bool)
        hidden[truth.row_frame[rows][(scene.visible_fraction[rows] < 0.1) & inside]] = True
        gone.append(max(spells_s(hidden, 0.1), default=0.0))
    assert sum(1 <= spell <= 4 for spell in gone) >= 2
    assert max(gone) <= 4.2


@pytest.mark.parametrize("frames", [1, 16])
def test_clips_of_a_moment_can_be_made(frames):
    for kind in KINDS.values():
        rng = np.random.default_rng(0)
        setup = sample_setup(rng, 512, 512, None, kind.depth_m)
        assert len(direct(rng, kind, setup, FRAMES_S[:frames], [BODY] * kind.people[1])[0]) == kind.people[1]
