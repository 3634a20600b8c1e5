"""Between a video's frames and the networks', and across what is missing."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation, Slerp

from choros.body import BodyModel
from choros.glamr.network_inputs import (
    even_times,
    joints_about_pelvis,
    known_neighbours,
    places_at,
    rotations_at,
    straight_way,
    visible_at,
)


def test_rotations_go_along_the_shortest_arc_and_are_held_at_the_ends():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.01, 0.1, 12))
    rotations = Rotation.random(12, random_state=1)
    at = np.linspace(times[0], times[-1], 40)
    expected = Slerp(times, rotations)(at).as_matrix()
    given = torch.tensor(rotations.as_matrix())[:, None].expand(12, 2, 3, 3)
    found = rotations_at(given, torch.tensor(times), torch.tensor(at))
    np.testing.assert_allclose(found[:, 1], expected, atol=1e-9)
    ends = rotations_at(given, torch.tensor(times), torch.tensor([-1.0, 99.0]))
    torch.testing.assert_close(ends, given[[0, -1]], atol=1e-9, rtol=0)


def test_going_to_the_networks_rate_and_back_keeps_frames_that_both_have():
    times = torch.arange(41, dtype=torch.float64) / 60 + 3
    rotations = torch.tensor(Rotation.random(41, random_state=2).as_matrix())
    slow = even_times(times)
    assert len(slow) == 21
    torch.testing.assert_close(slow[-1], times[-1])
    there = rotations_at(rotations, times, slow)
    torch.testing.assert_close(there, rotations[::2], atol=1e-12, rtol=0)
    torch.testing.assert_close(rotations_at(there, slow, times)[::2], rotations[::2], atol=1e-12, rtol=0)


@pytest.mark.parametrize(("seconds", "frames"), [(0, 1), (1 / 30, 2), (0.04, 3), (1, 31)])
def test_even_times_cover_the_video(seconds, frames):
    times = even_times(torch.tensor([5.0, 5.0 + seconds], dtype=torch.float64))
    assert len(times) == frames
    assert times[-1] >= 5 + seconds - 1e-6


def test_places_go_in_a_line():
    found = places_at(
        torch.tensor([[0.0, 2], [4, 2]]), torch.tensor([0.0, 2]), torch.tensor([-1.0, 0.5, 2, 3])
    )
    torch.testing.assert_close(found, torch.tensor([[0.0, 2], [1, 2], [4, 2], [4, 2]]))


def test_seen_is_what_both_frames_saw_that_count():
    visible = torch.tensor([True, True, False, True])
    times = torch.arange(4.0)
    found = visible_at(visible, times, torch.tensor([0, 0.5, 1, 1.5, 2, 2.5, 3]))
    assert found.tolist() == [True, True, True, False, False, False, True]


def test_joints_about_the_pelvis_are_the_bodys_own():
    body = BodyModel.load(detail="light", dtype=torch.float64)
    rng = np.random.default_rng(3)
    params = body.neutral(5)._replace(
        body_pose=torch.tensor(rng.normal(scale=0.4, size=(5, 69))),
        betas=torch.tensor(rng.normal(size=(5, 10))),
    )
    rotations = Rotation.from_rotvec(params.body_pose.reshape(-1, 3)).as_matrix().reshape(5, 23, 3, 3)
    found = joints_about_pelvis(torch.tensor(rotations), body.rest_joints(params.betas))
    joints = body.joints(params)
    torch.testing.assert_close(found, joints - joints[:, :1], atol=1e-9, rtol=0)


def test_neighbours_of_what_is_missing():
    before, after = known_neighbours(torch.tensor([False, True, False, False, True, False]))
    assert before.tolist() == [-1, 1, 1, 1, 4, 4]
    assert after.tolist() == [1, 1, 4, 4, 4, 6]


def test_the_straight_way_passes_what_is_known_and_is_held_beyond():
    poses = torch.tensor([[9.0], [1], [9], [9], [4], [9]])[None]
    known = torch.tensor([[False, True, False, False, True, False]])
    way, clues = straight_way(poses, known)
    torch.testing.assert_close(way[0, :, 0], torch.tensor([1.0, 1, 2, 3, 4, 4]))
    far = clues[0, :, :2]
    ago_s, soon_s = (far / (1 - far)).T
    torch.testing.assert_close(ago_s[[1, 2, 3, 5]] * 30, torch.tensor([0.0, 1, 2, 1]))
    torch.testing.assert_close(soon_s[[0, 1, 2, 3]] * 30, torch.tensor([1.0, 0, 2, 1]))
    assert far[0, 0] == 1
    assert far[5, 1] == 1


def test_clues_say_how_poses_change_at_the_edges_of_a_gap():
    poses = (torch.arange(20.0) ** 2)[None, :, None]
    known = torch.ones(1, 20, dtype=torch.bool)
    known[:, 6:12] = False
    known[:, 18] = False
    changes = straight_way(poses, known)[1][0, :, 2:]
    for frame in (6, 9, 11):
        torch.testing.assert_close(changes[frame], torch.tensor([5.0**2 - 2**2, 15**2 - 12**2]))
    assert changes[18, 1] == 0  # nothing is known three frames after 19
    assert changes[13, 0] == 0  # nor before 13
