"""Windows of tracks: the truth in cameras' axes, what tracking loses, errors of the size that is said."""

import numpy as np
import pytest
import torch

from choros.fourdhumans.pose_tracks import MOVING, POSE, people_of
from choros.training.pose_transformer.losses import completion_loss, joints_of
from choros.training.pose_transformer.recipe import PoseTransformerRecipe
from choros.training.pose_transformer.track_noise import Strength, seen_and_asked, wander
from choros.training.pose_transformer.track_windows import batch_of, captured, improvised, tracked
from tests.training.captured import clip

RECIPE = PoseTransformerRecipe(sizes=((6, 40),), asked=10)
WALK = [clip(seconds=6.0, speed_m_s=1.0)]


def test_tracks_stand_upright_before_a_camera():
    (track,) = captured(WALK, paces=((30.0, 1.0),))
    head, pelvis = 15, 0
    joints = joints_of(torch.cat([track.rotations[..., 0], track.rotations[..., 1]], -1).flatten(-2))[1]
    assert (joints[:, head, 1] < joints[:, pelvis, 1] - 0.4).all()  # y points down
    torch.testing.assert_close(
        track.pelvis[-1, 2] - track.pelvis[0, 2], torch.tensor(-179 / 30)
    )  # y-up's z is -z
    slow, fast = captured(WALK, paces=((30.0, 0.85), (25.0, 1.0)))
    assert slow.step_s == pytest.approx(1 / 30)
    assert len(slow.pelvis) > len(track.pelvis) > len(fast.pelvis)
    (made_up,) = improvised(1, 2.0, seed=0)
    joints = joints_of(torch.cat([made_up.rotations[..., 0], made_up.rotations[..., 1]], -1).flatten(-2))[1]
    assert (joints[:, head, 1] < joints[:, pelvis, 1]).all()


def test_a_batch_follows_from_its_seed_and_its_truth_is_people():
    tracks = list(captured(WALK))
    batch, again = (batch_of(tracks, RECIPE, np.random.default_rng(3)) for _ in range(2))
    for one, other in zip(batch.window, again.window, strict=True):
        assert torch.equal(one, other)
    M = int(batch.window.asked.sum())
    assert batch.truth.shape[0] == len(batch.row) == len(batch.near_s) == M > 0
    assert not (batch.window.asked & batch.window.seen).any()
    assert batch.window.seen.any(1).all()
    assert batch.window.asked.sum(1).max() <= 10
    here = batch.here
    rotations, pelvis, _ = people_of(batch.truth, here.R_camera_heading[batch.row], here.pelvis[batch.row])
    assert (pelvis[:, 2] > 0).float().mean() > 0.9  # before the camera
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(M, 24), atol=1e-4, rtol=0)
    for k in (0, M - 1):
        row = batch.row[k]
        seen_s = batch.window.times_s[row][batch.window.seen[row]]
        asked_s = batch.window.times_s[row][batch.window.asked[row]]
        near = (asked_s[:, None] - seen_s).abs().amin(1)
        assert any(abs(float(batch.near_s[k]) - float(n)) < 1e-5 for n in near)


def test_some_of_everything_is_hidden():
    rng = np.random.default_rng(0)
    exists = np.arange(60) < 50
    last_seen, longest = [], []
    for _ in range(400):
        seen, asked = seen_and_asked(rng, exists, 24, 1 / 30)
        assert seen.any()
        assert 1 <= asked.sum() <= 24
        assert not (seen | asked)[50:].any()
        last_seen.append(np.flatnonzero(seen)[-1] < np.flatnonzero(asked)[0])
        edges = np.flatnonzero(np.diff(np.concatenate([[True], seen[:50], [True]]).astype(int)))
        longest.append(max(stop - start for start, stop in edges.reshape(-1, 2)))
    assert 0.3 < np.mean(last_seen) < 0.6  # predictions
    assert np.percentile(longest, 10) <= 4
    assert np.percentile(longest, 90) >= 25


def test_errors_are_as_large_and_as_slow_as_is_said():
    rng = np.random.default_rng(0)
    slow = wander(rng, 3000, 20, 1 / 30, Strength(0.5, 0.0))
    assert slow.std() == pytest.approx(0.5, rel=0.1)
    assert np.diff(slow, axis=0).std() < 0.1
    flicker = wander(rng, 3000, 20, 1 / 30, Strength(0.0, 0.2))
    assert flicker.std() == pytest.approx(0.2, rel=0.05)
    assert np.diff(flicker, axis=0).std() == pytest.approx(0.2 * 2**0.5, rel=0.05)
    (track,) = captured(WALK, paces=((30.0, 1.0),))
    betas = torch.zeros(len(track.pelvis), 10)
    same = tracked(track.rotations, track.pelvis, betas, 1 / 30, Strength(0.0, 0.0), rng)
    for one, other in zip(same, (track.rotations, track.pelvis, betas), strict=True):
        torch.testing.assert_close(one, other)


def test_a_perfect_answer_costs_nothing_and_near_errors_count_more():
    batch = batch_of(list(captured(WALK)), RECIPE, np.random.default_rng(0))
    total, terms = completion_loss(batch.truth, batch.truth, batch.near_s, RECIPE)
    assert total == 0
    assert set(terms) == {"joints", "oriented", "place", "columns", "shape"}

    def off(which):
        said = batch.truth.clone()
        said[which, POSE:MOVING] += 0.1
        return completion_loss(said, batch.truth, batch.near_s, RECIPE)[0]

    order = batch.near_s.argsort()
    assert off(order[:1]) > off(order[-1:]) > 0
    _, terms = completion_loss(batch.truth + torch.tensor([0.0] * POSE + [0, 0, 0.3] + [0] * 10), batch.truth,
                               batch.near_s, RECIPE)  # fmt: skip
    assert terms["place"] == pytest.approx(0.3, abs=2e-3)
    assert terms["joints"] == 0
