"""Windows of tracklets: whose frames stand where, who is a neighbour, what is said of a whole one, rows for AVA."""

import numpy as np
import pytest
import torch

from choros.fourdhumans.actions.ava import rows_at, second_of
from choros.fourdhumans.actions.config import ActionConfig
from choros.fourdhumans.actions.network import ActionTransformer
from choros.fourdhumans.actions.windows import STEP, action_scores, neighbours, window_tokens
from tests.fourdhumans.tracklet import tracklet

MEAN, STD = torch.zeros(226), torch.ones(226)
TINY = ActionConfig(
    people=3, frames=48, pose=16, joints=0, appearance=8, appearance_in=6, appearance_hidden=8,
    pose_hidden=16, depth=1, heads=2, head_width=8, feedforward=16, longest=(48, 3),
)  # fmt: skip


def test_neighbours_are_those_in_sight_in_some_frame():
    frames = np.arange(10, 20)
    before_to_after = tracklet(first=0, frames=40)  # whom the released code leaves out
    till_just_before, from_the_last = tracklet(first=0, frames=10), tracklet(first=19, frames=10)
    not_detected = tracklet(first=5, frames=20, missed=range(10, 20))
    others = [before_to_after, till_just_before, from_the_last, not_detected]
    assert neighbours(frames, others) == [0, 2]


def test_frames_stand_where_the_clips_clock_says():
    frames = np.arange(10, 16)
    ego, other = tracklet(first=0, frames=30), tracklet(first=13, frames=9, seed=1, missed=[14])
    tokens = window_tokens(frames, [ego, other], ActionConfig(appearance_in=6, people=3), MEAN, STD)
    assert tokens.detected[0].T.tolist() == [
        [True] * 6,
        [False, False, False, True, False, True],
        [False] * 6,
    ]
    np.testing.assert_allclose(tokens.pose_shape[0, 2, 0], ego.pose_shape[12], atol=1e-6)
    np.testing.assert_allclose(tokens.pose_shape[0, 5, 1], other.pose_shape[2], atol=1e-6)
    np.testing.assert_allclose(tokens.joints[0, 5, 1], other.joints[2])
    np.testing.assert_allclose(tokens.appearance[0, 3, 1], other.appearance[0])
    assert (tokens.pose_shape[0, :3, 1] == 0).all()


def test_poses_are_normalised_and_cameras_are_not():
    one = tracklet(frames=5)
    mean, std = torch.full((226,), 2.0), torch.full((226,), 4.0)
    tokens = window_tokens(np.arange(5), [one], TINY, mean, std)
    np.testing.assert_allclose(tokens.pose_shape[0, :, 0, :226], (one.pose_shape[:, :226] - 2) / 4, atol=1e-6)
    np.testing.assert_allclose(tokens.pose_shape[0, :, 0, 226:], one.pose_shape[:, 226:], atol=1e-6)


@pytest.mark.parametrize("length", [20, 48, 150])
def test_every_frame_of_a_tracklet_is_told(length):
    torch.manual_seed(0)
    network = ActionTransformer(TINY)
    one = tracklet(frames=length)
    scores = action_scores(network, one, [tracklet(first=3, frames=9, seed=2)], MEAN, STD)
    assert scores.shape == (length, 60)
    assert ((scores > 0) & (scores < 1)).all()
    first = max(0, min(STEP - 8, length - 48))  # of the window of the second step
    if length > 48:
        frames = np.arange(first, first + 48)
        with torch.no_grad():
            alone = network(window_tokens(frames, [one], TINY, MEAN, STD)).actions[0, :, 0].sigmoid()
        torch.testing.assert_close(scores[STEP : 2 * STEP], alone[STEP - first : 2 * STEP - first])


def test_rows_for_ava():
    assert second_of("000150") == 905
    one = tracklet(first=140, frames=20)
    scores = np.zeros((20, 60))
    scores[4:16, 3] = 1  # frames 144 to 155
    scores[4, 5] = 1.2
    row = rows_at(one, scores, "000150")
    assert row.second == 905
    np.testing.assert_allclose(row.box, [10 / 400, 20 / 300, 110 / 400, 220 / 300])
    assert row.scores[3] == 1
    assert row.scores[5] == pytest.approx(0.1)
    assert rows_at(one, scores, "000180") is None
    assert rows_at(tracklet(first=0, frames=20), scores, "000010") is None  # second 900 is not labelled
    assert rows_at(tracklet(first=140, missed=[150]), scores, "000150") is None
    one.score[10] = 0.7
    assert rows_at(one, scores, "000150") is None
