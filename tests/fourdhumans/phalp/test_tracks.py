"""What is kept of people: their last sights, no more of them than there is room for, each at its own time."""

import numpy as np
import pytest
import torch

from choros.fourdhumans.phalp.config import SIGHTS
from choros.fourdhumans.phalp.gone import GoneRules, known_again, set_aside
from choros.fourdhumans.phalp.place import PlaceRules
from choros.fourdhumans.phalp.predict import constant_velocity, predict_poses
from choros.fourdhumans.phalp.texture import TextureRules
from choros.fourdhumans.phalp.tracks import (
    expect_places,
    fields,
    from_picture,
    picture_place,
    remember_sight,
    turn,
)
from choros.fourdhumans.pose_tracks import PoseTrack
from choros.fourdhumans.pose_transformer import PoseTransformer
from choros.rotation import rotvec_to_rotmat
from choros.tracking.online import track_type

K = np.array([[300.0, 0, 160], [0, 300.0, 120], [0, 0, 1]])


def tracks_of(n):
    tracks = np.zeros(n, track_type(fields(0)))
    tracks["rotations"] = np.eye(3)
    tracks["pelvis"] = [0, 0, 4]
    return tracks


def seen_at(tracks, times_s, turns_rad=None):
    for k, time_s in enumerate(times_s):
        angle = 0.0 if turns_rad is None else turns_rad[k]
        tracks["rotations"][:, 4] = rotvec_to_rotmat(np.array([angle, 0, 0]))
        tracks["pelvis"] = [0.1 * time_s, 0, 4]
        remember_sight(tracks, np.arange(len(tracks)), time_s)


def test_sights_are_the_last_ones_and_not_too_close():
    tracks = tracks_of(1)
    seen_at(tracks, np.arange(100) / 25)
    assert tracks["kept"][0] == SIGHTS
    np.testing.assert_allclose(tracks["sight_s"][0], np.arange(99, 99 - SIGHTS, -1) / 25)
    fast = tracks_of(1)
    seen_at(fast, np.arange(100) / 240)
    times = fast["sight_s"][0]
    assert times[0] == pytest.approx(99 / 240)
    assert (-np.diff(times[1:]) > 0.02).all()


def test_a_turn_and_its_reverse_change_nothing():
    tracks = tracks_of(2)
    seen_at(tracks, np.arange(5) / 25, 0.1 * np.arange(5))
    before, R = tracks.copy(), rotvec_to_rotmat(np.array([0.1, 0.4, -0.2]))
    turn(tracks, R)
    assert abs(tracks["sight_pelvis"][:, :5] - before["sight_pelvis"][:, :5]).max() > 0.5
    turn(tracks, R.T)
    for name in ("pelvis", "sight_pelvis", "rotations", "sight_rotations"):
        np.testing.assert_allclose(tracks[name], before[name], atol=1e-6)


def test_places_in_the_picture_and_back():
    pelvis = np.array([[0.5, -0.2, 3.0], [-1.0, 0.4, 8.0]])
    place = picture_place(pelvis, K, 320)
    np.testing.assert_allclose(place[0], [(160 + 50) / 320, (120 - 20) / 320, np.log(3)])
    np.testing.assert_allclose(from_picture(place, K, 320), pelvis)


class Clock:
    """Says of everybody when they are asked for, as the first number of their shape."""

    def complete(self, tracks, asked_s):
        return [
            PoseTrack(asked, *(part[:1] for part in track[1:3]), asked[:, None].float().expand(1, 10))
            for track, asked in zip(tracks, asked_s, strict=True)
        ]


def test_everyone_is_asked_for_at_their_own_time():
    """The release reads all people at the time of the first."""
    tracks = tracks_of(3)
    for k, last_s in enumerate((1.0, 2.0, 2.5)):
        one = tracks[k : k + 1]
        seen_at(one, last_s - np.arange(4)[::-1] / 25)
    now_s = np.array([3.0, 3.0, 2.9])
    _, betas = predict_poses(tracks, now_s, Clock())
    np.testing.assert_allclose(betas[:, 0], [2.0, 1.0, 0.4], atol=1e-6)


def test_predictions_of_many_are_those_of_each():
    network = PoseTransformer.load()
    tracks = tracks_of(3)
    for k in range(3):
        seen_at(tracks[k : k + 1], np.arange(3 + 4 * k) / 25 + k, 0.1 * (k + 1) * np.arange(3 + 4 * k))
    now_s = np.array([0.5, 1.5, 3.0])
    together, _ = predict_poses(tracks, now_s, network)
    for k in range(3):
        alone, _ = predict_poses(tracks[k : k + 1], now_s[k : k + 1], network)
        np.testing.assert_allclose(together[k], alone[0], atol=1e-5)
    assert torch.is_grad_enabled()


def test_constant_velocity():
    tracks = tracks_of(2)
    seen_at(tracks, [0.0, 0.1], [0.0, 0.2])
    once = tracks_of(1)
    seen_at(once, [0.1], [0.2])
    rotations, _ = constant_velocity(tracks, np.array([0.2, 9.0]), 1.0)
    np.testing.assert_allclose(rotations[0, 4], rotvec_to_rotmat(np.array([0.4, 0, 0])), atol=1e-6)
    np.testing.assert_allclose(rotations[1, 4], rotvec_to_rotmat(np.array([2.2, 0, 0])), atol=1e-5)
    alone, _ = constant_velocity(once, np.array([0.3]), 1.0)
    np.testing.assert_allclose(alone[0, 4], rotvec_to_rotmat(np.array([0.2, 0, 0])), atol=1e-6)


def test_who_walks_is_expected_ahead():
    tracks = tracks_of(1)
    for k in range(10):
        tracks["pelvis"] = [0.04 * k, 0, 4]
        remember_sight(tracks, np.arange(1), k / 25)
    place = expect_places(tracks, 0.4, K, 320, PlaceRules()).place
    assert from_picture(place, K, 320)[0, 0] == pytest.approx(0.4, abs=0.02)


def lost(*looks, seen_s=0.0):
    tracks = tracks_of(len(looks))
    tracks["id"], tracks["seen_s"] = 1 + np.arange(len(looks)), seen_s
    tracks["texture_weight"] = 1
    tracks["texture_lab"] = np.array(looks, float)[:, None, None]
    return tracks


def test_known_again_are_those_who_look_like_one_of_the_lost_and_like_nobody_else():
    rules, texture = GoneRules(), TextureRules()
    which, who = known_again(lost(20, 62, 90), lost(61, 40), rules, texture)
    assert (which.tolist(), who.tolist()) == ([1], [0])
    which, _ = known_again(lost(60), lost(61, 59), rules, texture)  # either of two
    assert not len(which)
    which, _ = known_again(lost(60, 62), lost(61), rules, texture)
    assert not len(which)


def test_the_lost_are_few_and_forgotten():
    rules = GoneRules()
    gone = tracks_of(0)
    for k in range(100):
        gone = set_aside(gone, lost(50, seen_s=0.01 * k), 0.01 * k, rules)
        assert len(gone) <= rules.people
    assert not len(set_aside(gone, tracks_of(1), 10.0, rules))  # nobody who had a number
