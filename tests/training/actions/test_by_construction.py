"""What people do, known by construction: motions whose actions are plain, names, parts in scenes."""

import numpy as np
import pytest

from choros.datasets.mocap.folder import open_body_rest
from choros.fourdhumans.actions.config import SMALL_ACTIONS
from choros.scenes.motion.gestures import Gesture
from choros.scenes.motion.rest_skeleton import RestSkeleton
from choros.scenes.motion.roles import Role
from choros.scenes.motion.routes import stand
from choros.scenes.motion.sitting import Sitting
from choros.training.actions.by_construction import WHICH, Labels, labels_of, named, played
from choros.training.actions.takes import captured, staged
from tests.training.captured import clip

STEP_S = 1 / 30
SKELETON = RestSkeleton(*open_body_rest())
FRAMES = 90


def labels(height_m=None, speed_m_s=0.0, turning=0.0, lying=False, bent=False):
    """Those of the rest pose with its soles on the floor: raised, moved along, turned, laid down or bent over."""
    time = np.arange(FRAMES) * STEP_S
    rest = SKELETON.joints_rest - [0, SKELETON.sole_m, 0]
    body = np.stack([rest[:, 0], -rest[:, 2], rest[:, 1]], -1)  # z up, facing -y
    if lying:
        body = np.stack([body[:, 0], body[:, 2], 0.12 - body[:, 1]], -1)
    if bent:
        above = body[:, 2] > body[0, 2]
        body[above] = body[0] + (body[above] - body[0]) @ np.array([[1, 0, 0], [0, 0, -1], [0, -1, 0.0]])
    places = np.tile(body, (FRAMES, 1, 1))
    places[..., 1] += speed_m_s * time[:, None]
    if height_m is not None:
        places[..., 2] += height_m[:, None]
    ahead = np.stack([np.cos(turning * time), np.sin(turning * time), 0 * time], -1)
    return labels_of(places, ahead, SKELETON.leg_m, STEP_S)


def done(found: Labels, frame=FRAMES // 2):
    return {name for name in SMALL_ACTIONS if found.true[frame, WHICH[name]]}


def leap(top_m=0.3):
    """A parabola of free fall in the middle of three seconds."""
    time = np.arange(FRAMES) * STEP_S - 1.5
    return np.maximum(top_m - 9.81 / 2 * time**2, 0)


@pytest.mark.parametrize(
    ("what", "is_done"),
    [
        ({}, {"stand"}),
        ({"speed_m_s": 1.2}, {"walk"}),
        ({"speed_m_s": 3.5}, {"run"}),
        ({"turning": 1.5}, {"stand", "turn"}),
        ({"height_m": leap()}, {"jump"}),
        ({"height_m": np.full(FRAMES, 1.0)}, {"stand"}),  # on something
        ({"lying": True}, {"lie"}),
        ({"bent": True}, {"bend"}),
        ({"speed_m_s": 0.35}, set()),
    ],
    ids=["stand", "walk", "run", "turn", "jump", "platform", "lie", "bend", "neither"],
)
def test_what_joints_say(what, is_done):
    found = labels(**what)
    assert done(found) == is_done
    assert not (found.true & ~found.known).any()


def test_between_two_actions_nothing_is_known():
    known = labels(speed_m_s=0.35).known[FRAMES // 2]
    assert not known[WHICH["stand"]]
    assert not known[WHICH["walk"]]
    assert known[WHICH["run"]]
    assert not labels().known[:, WHICH["talk"]].any()


def test_getting_up_is_rising_from_below():
    time = np.arange(FRAMES) * STEP_S
    down = -0.6 * SKELETON.leg_m * np.clip((2 - time) / 1.0, 0, 1)
    found = labels(height_m=down)
    assert done(found, 45) == {"get up"}
    assert "get up" not in done(found, 85)
    assert "go down" in done(labels(height_m=down[::-1].copy()), 45)


def test_names_say_what_is_danced_and_fought():
    plain, places = labels(), np.zeros((FRAMES, 24, 3))
    assert "dance" in done(named(plain, "cmu_bvh_subjects_5_to_7/005_02", places))
    assert "dance" not in done(named(plain, "cmu_bvh_subjects_5_to_7/005_01", places))
    assert "fight" in done(named(plain, "deepmimic/motions/humanoid3d_kick", places))
    assert not named(plain, "cmu_expmap/train/soccer/soccer_1", places).known[:, WHICH["fight"]].any()


def test_parts_say_when_somebody_waves_and_sits():
    times_s = np.arange(FRAMES) * STEP_S
    route = stand(np.zeros(2), 0.0, 3.0)
    role = Role(route, gestures=(Gesture("wave", 1.0, 2.0),), sittings=(Sitting(-9.0, 2.9, 0.45),))
    found = played(labels(), role, times_s)
    assert found.true[45, WHICH["wave"]]
    assert not found.known[33, WHICH["wave"]]  # it begins
    assert not found.true[75, WHICH["wave"]]
    assert found.known[75, WHICH["wave"]]
    assert found.true[20, WHICH["sit"]]
    assert found.true[70, WHICH["get up"]]
    assert not (found.true & ~found.known).any()


def test_takes_of_clips_and_scenes():
    ((one,),) = captured([clip("humanoid3d_walk", speed_m_s=1.2)])
    assert done(one.labels, 60) == {"walk"}
    (first,), (again,) = (list(staged(1, seed=3)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.rotations, b.rotations)
        assert a.labels.true.any()
