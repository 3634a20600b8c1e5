"""Tracks as tokens: there and back, which observations count, and whose questions are whose."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros.errors import ChorosError
from choros.fourdhumans.config import PoseTransformerConfig
from choros.fourdhumans.pose_tracks import (
    TOKEN,
    PoseTrack,
    people_of,
    questions,
    standpoints,
    tokens_of,
    window_of,
)

CONFIG = PoseTransformerConfig(tokens=16)


def track(times_s, seed=0):
    rng = np.random.default_rng(seed)
    n = len(times_s)
    rotations = Rotation.random(n * 24, rng=rng).as_matrix().reshape(n, 24, 3, 3)
    return PoseTrack(
        torch.as_tensor(times_s, dtype=torch.double),
        torch.from_numpy(rotations).float(),
        torch.from_numpy(rng.normal(size=(n, 3))).float() + torch.tensor([0, 0, 5.0]),
        torch.from_numpy(rng.normal(size=(n, 10))).float(),
    )


def test_tokens_are_people_and_back():
    times, rotations, pelvis, betas = (part[None] for part in track(np.arange(7) / 30))
    seen = torch.tensor([[True, True, False, True, True, False, False]])
    here = standpoints(times, rotations, pelvis, seen)
    tokens = tokens_of(rotations, pelvis, betas, here)
    assert tokens.shape == (1, 7, TOKEN)
    assert here.time_s.tolist() == pytest.approx([4 / 30])
    torch.testing.assert_close(tokens[0, 4, 144:147], torch.zeros(3))  # where they were last seen
    back = people_of(tokens, here.R_camera_heading[:, None], here.pelvis[:, None])
    for part, expected in zip(back, (rotations, pelvis, betas), strict=True):
        torch.testing.assert_close(part, expected, atol=1e-5, rtol=0)


def test_whoever_stands_upright_faces_ahead_in_tokens():
    """Upright in a camera's axes, turned by 40 degrees: the root's columns are its left, which is -x, and up."""
    turn = Rotation.from_euler("y", 40, degrees=True).as_matrix() @ np.diag([1.0, -1, -1])
    one = track([0.0])
    rotations = one.rotations.clone()
    rotations[:, 0] = torch.from_numpy(turn).float()
    here = standpoints(
        one.times_s[None], rotations[None], one.pelvis[None], torch.ones(1, 1, dtype=torch.bool)
    )
    token = tokens_of(rotations[None], one.pelvis[None], one.betas[None], here)[0, 0]
    torch.testing.assert_close(token[:6], torch.tensor([-1.0, 0, 0, 0, 0, 1]), atol=1e-6, rtol=0)


def test_the_nearest_observations_answer_and_none_too_close():
    """60 frames/s: every other one; 16 tokens of which one asks leave 15, the nearest."""
    fast = track(np.arange(120) / 60)
    (question,) = questions([fast], [torch.tensor([2.0])], CONFIG)
    assert question.observed.tolist() == list(range(91, 120, 2))
    (question,) = questions([fast], [torch.tensor([1.0])], CONFIG)
    assert len(question.observed) == 15
    assert 60 in question.observed
    slow = track(np.arange(10) / 10)
    (question,) = questions([slow], [torch.tensor([1.5])], CONFIG)
    assert question.observed.tolist() == list(range(10))
    even = track(np.arange(12) / 30)
    (question,) = questions([even], [torch.tensor([0.5])], CONFIG)
    assert question.observed.tolist() == list(range(12))


def test_many_questions_make_several_windows():
    asked = torch.linspace(1, 0, 20, dtype=torch.double)
    found = questions([track([0.0, 0.5])], [asked], CONFIG)
    assert [len(question.asked) for question in found] == [8, 8, 4]
    assert sorted(i for question in found for i in question.asked.tolist()) == list(range(20))
    first = asked[found[0].asked]
    assert (first.diff() > 0).all()
    assert first[0] == 0


def test_windows_are_in_order_of_time_and_end_with_nothing():
    tracks = [track([0.0, 0.2, 0.4]), track([5.0], seed=1)]
    asked = [torch.tensor([0.3, 0.1], dtype=torch.double), torch.tensor([5.0], dtype=torch.double)]
    window, here = window_of(tracks, asked, questions(tracks, asked, CONFIG))
    np.testing.assert_allclose(here.time_s, [0.4, 5.0])
    np.testing.assert_allclose(window.times_s[0], [-0.4, -0.3, -0.2, -0.1, 0], atol=1e-6)
    assert window.seen.tolist() == [[True, False, True, False, True], [True, False, False, False, False]]
    assert window.asked.tolist() == [[False, True, False, True, False], [False, True, False, False, False]]


@pytest.mark.parametrize("bad", ["nobody", "shapes"])
def test_what_is_no_track_is_refused(bad):
    one = track([0.0, 0.1])
    broken = (
        PoseTrack(*(part[:0] for part in one)) if bad == "nobody" else one._replace(betas=one.betas[:, :3])
    )
    with pytest.raises(ChorosError, match=r"A track is \(N,\) times"):
        questions([broken], [torch.tensor([1.0])], CONFIG)
