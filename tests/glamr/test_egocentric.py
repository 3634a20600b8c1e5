"""The egocentric trajectory: both ways exact for anyone, and what each number means."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from choros.glamr.egocentric import (
    HEIGHT,
    N_EGO,
    STEP,
    TILT,
    TURN,
    ego_to_global,
    global_to_ego,
)
from choros.rotation import heading_rad, rotmat_about

#: A person who stands in a world with z up and faces +y.
STANDING = torch.tensor([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]], dtype=torch.float64)
UPSIDE_DOWN = torch.diag(torch.tensor([1.0, -1, -1], dtype=torch.float64)) @ STANDING
LYING = torch.tensor(Rotation.from_euler("x", -90, degrees=True).as_matrix()) @ STANDING


def random_path(seed, n, *lead):
    rng = np.random.default_rng(seed)
    places = torch.tensor(rng.normal(scale=10, size=(*lead, n, 3)))
    rotations = Rotation.random(int(np.prod(lead)) * n, random_state=rng.integers(2**31)).as_matrix()
    return places, torch.tensor(rotations).reshape(*lead, n, 3, 3)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 300))
def test_paths_come_back_as_they_were(seed, n):
    places, rotations = random_path(seed, n, 2)
    ego = global_to_ego(places, rotations)
    assert ego.shape == (2, n, N_EGO)
    back_places, back_rotations = ego_to_global(ego)
    torch.testing.assert_close(back_places, places, atol=1e-9, rtol=0)
    torch.testing.assert_close(back_rotations, rotations, atol=1e-9, rtol=0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 300))
def test_egocentric_trajectories_come_back_as_they_were(seed, n):
    places, rotations = random_path(seed, n)
    rotations = rotations.where(
        (rotations[:, 2, 1] > -0.98)[:, None, None], STANDING
    )  # not quite upside down
    heading = torch.tensor(np.random.default_rng(seed).uniform(-np.pi, np.pi, n))
    ego = torch.cat(
        [
            places,
            torch.stack([heading.cos(), heading.sin()], -1),
            global_to_ego(places, rotations)[:, TILT],
        ],
        -1,
    )
    torch.testing.assert_close(global_to_ego(*ego_to_global(ego)), ego, atol=1e-9, rtol=0)


@pytest.mark.parametrize("pose", [STANDING, UPSIDE_DOWN, LYING], ids=["standing", "upside down", "lying"])
def test_whole_turns_in_any_pose_come_back_as_they_were(pose):
    angle = torch.linspace(
        0, 4 * torch.pi, 41, dtype=torch.float64
    )  # in steps of 18 degrees, through 180 twice
    rotations = rotmat_about("z", angle) @ pose
    places = torch.zeros(41, 3, dtype=torch.float64)
    ego = global_to_ego(places, rotations)
    torch.testing.assert_close(ego_to_global(ego)[1], rotations, atol=1e-9, rtol=0)
    if pose is not UPSIDE_DOWN:
        steady = torch.tensor([np.cos(np.pi / 10), np.sin(np.pi / 10)]).expand(40, 2)
        torch.testing.assert_close(ego[1:, TURN], steady, atol=1e-9, rtol=0)
        torch.testing.assert_close(ego[:, TILT], ego[:1, TILT].expand(41, 6), atol=1e-9, rtol=0)


def test_half_turns_between_frames_come_back_as_they_were():
    angle = torch.tensor([0, torch.pi, 0, -torch.pi, 0.5], dtype=torch.float64)
    places, _ = random_path(0, 5)
    rotations = rotmat_about("z", angle) @ STANDING
    back_places, back_rotations = ego_to_global(global_to_ego(places, rotations))
    torch.testing.assert_close(back_places, places, atol=1e-9, rtol=0)
    torch.testing.assert_close(back_rotations, rotations, atol=1e-9, rtol=0)


def test_a_walk_straight_on_and_to_the_right_reads_so():
    places = torch.tensor([[5.0, 3, 0.9], [5, 4, 0.9], [6, 4, 0.8]], dtype=torch.float64)
    facing = torch.tensor([0.0, -torch.pi / 2, -torch.pi / 2], dtype=torch.float64)  # +y, then +x
    ego = global_to_ego(places, rotmat_about("z", facing) @ STANDING)
    torch.testing.assert_close(ego[1:, STEP], torch.tensor([[0.0, 1], [0, 1]], dtype=torch.float64))
    torch.testing.assert_close(ego[:, HEIGHT], places[:, 2:])
    torch.testing.assert_close(
        ego[:, TURN], torch.tensor([[1.0, 0], [0, -1], [1, 0]], dtype=torch.float64), atol=1e-12, rtol=0
    )
    left_and_up = torch.tensor([-1.0, 0, 0, 0, 0, 1], dtype=torch.float64).expand(3, 6)
    torch.testing.assert_close(ego[:, TILT], left_and_up, atol=1e-12, rtol=0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), angle=st.floats(-np.pi, np.pi), x=st.floats(-50, 50), y=st.floats(-50, 50))
def test_where_in_the_world_it_happens_is_in_the_first_frame_only(seed, angle, x, y):
    places, rotations = random_path(seed, 20)
    turn = rotmat_about("z", torch.tensor(angle, dtype=torch.float64))
    moved = places @ turn.T + torch.tensor([x, y, 0], dtype=torch.float64)
    here, there = global_to_ego(places, rotations), global_to_ego(moved, turn @ rotations)
    safe = rotations[:, 2, 1] > -0.98
    safe = safe & torch.cat([safe[:1], safe[:-1]])
    torch.testing.assert_close(here[1:][safe[1:]], there[1:][safe[1:]], atol=1e-9, rtol=0)


def test_a_start_replaces_the_first_frame():
    places, rotations = random_path(3, 30)
    ego = global_to_ego(places, rotations)
    start = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    moved, turned = ego_to_global(ego, start)
    torch.testing.assert_close(moved[0, :2], start[:2])
    torch.testing.assert_close(moved[:, 2], places[:, 2])
    torch.testing.assert_close(heading_rad(turned[0]), start[2])
    own = torch.cat([places[0, :2], heading_rad(rotations[:1])])
    torch.testing.assert_close(ego_to_global(ego, own)[0], places, atol=1e-9, rtol=0)


def test_gradients_are_those_of_differences_and_finite_upside_down():
    places, rotations = random_path(5, 6)
    ego = global_to_ego(places, rotations).requires_grad_()
    assert torch.autograd.gradcheck(ego_to_global, (ego,))
    turned = UPSIDE_DOWN.repeat(3, 1, 1).requires_grad_()
    global_to_ego(places[:3], turned).sum().backward()
    assert turned.grad.isfinite().all()
