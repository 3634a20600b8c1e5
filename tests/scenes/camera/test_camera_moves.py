"""Cameras of scenes: what each move does to lens and place, and that people's floor is in the picture."""

import numpy as np
import pytest

from choros.camera import project
from choros.scenes.camera.camera_moves import HALF_WIDTH_M, HEADROOM_M, MOVES, sample_cameras, sample_setup

TIMES = np.arange(0, 6, 0.04)


def view_of(seed=0, fov=None, size=(960, 540), travel_m=0.0):
    return sample_setup(np.random.default_rng(seed), *size, fov, 6.0, travel_m)


def filmed(move, seed=0, **options):
    return sample_cameras(np.random.default_rng(seed), view_of(seed, **options), TIMES, move)


@pytest.mark.parametrize("size", [(960, 540), (540, 960), (512, 512), (800, 200)])
@pytest.mark.parametrize("fov", [10.0, 25.0, 53.0, 90.0, 120.0])
def test_people_are_in_the_picture_from_head_to_foot(fov, size):
    for seed in range(5):
        setup = view_of(seed, fov, size)
        assert setup.half_width_m(setup.near_m) >= HALF_WIDTH_M
        ends = np.array([[0, setup.near_m, 0], [0, setup.far_m, HEADROOM_M], [0, setup.far_m, 0]])
        T = np.linalg.inv(setup.T_world_camera)
        points = ends @ T[:3, :3].T + T[:3, 3]
        assert points[:, 2].min() > 0
        rows = project(points, setup.K)[:, 1]
        assert rows.min() > -1e-6
        assert rows.max() < size[1] + 1e-6


def test_field_of_view_is_the_lens():
    setup = view_of(fov=40.0)
    assert 2 * np.rad2deg(np.arctan(480 / setup.K[0, 0])) == pytest.approx(40)


@pytest.mark.parametrize("move", MOVES)
def test_cameras_are_rigid_and_drawn_by_seed(move):
    one = filmed(move, travel_m=8.0)
    again = filmed(move, travel_m=8.0)
    np.testing.assert_array_equal(one.T_world_camera, again.T_world_camera)
    R = one.T_world_camera[:, :3, :3]
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(R), 1)
    assert one.still == (move == "static")
    steps = np.linalg.norm(np.diff(one.T_world_camera[:, :3, 3], axis=0), axis=1) / 0.04
    assert steps.max() < 2.0  # m/s


def test_pan_turns_about_the_vertical_and_stays():
    one = filmed("pan")
    assert np.ptp(one.T_world_camera[:, :3, 3], axis=0).max() == 0
    # The vertical, and with it the horizon, stays where it is in camera axes.
    np.testing.assert_allclose(one.T_world_camera[:, 2, :3], one.T_world_camera[:1, 2, :3].repeat(150, 0))
    assert np.ptp(one.T_world_camera[:, 0, 0]) > 0
    assert np.ptp(one.K, axis=0).max() == 0


def test_zoom_scales_the_lens_about_its_centre():
    one, setup = filmed("zoom"), view_of()
    scale = one.K[:, 0, 0] / setup.K[0, 0]
    np.testing.assert_allclose(one.K[:, 1, 1] / setup.K[1, 1], scale)
    np.testing.assert_array_equal(one.K[:, :2, 2], np.broadcast_to(setup.K[:2, 2], (150, 2)))
    assert scale.min() >= 1 - 1e-12
    assert 1.1 < scale.max() <= 1.8
    assert np.ptp(one.T_world_camera, axis=0).max() == 0


@pytest.mark.parametrize("travel_m", [4.0, 10.0])
def test_travel_goes_as_far_as_it_is_told(travel_m):
    along = filmed("travel", travel_m=travel_m).T_world_camera[:, 1, 3]
    assert along[-1] - along[0] == pytest.approx(travel_m)
    np.testing.assert_allclose(np.diff(along), travel_m / 149, atol=1e-9)


def test_swing_turns_about_the_vertical_at_sixty_degrees_a_second():
    one = filmed("swing")
    assert np.ptp(one.T_world_camera[:, :3, 3], axis=0).max() == 0
    np.testing.assert_allclose(one.T_world_camera[:, 2, :3], one.T_world_camera[:1, 2, :3].repeat(150, 0))
    R = one.T_world_camera[:, :3, :3]
    cosine = (np.einsum("tij,tij->t", R[1:], R[:-1]) - 1) / 2
    assert np.rad2deg(np.arccos(cosine)).max() / 0.04 == pytest.approx(60, abs=1)


def test_shake_turns_every_way_at_once():
    R = filmed("shake").T_world_camera[:, :3, :3]
    way = R[:-1].mT @ R[1:]
    turns = np.rad2deg(np.stack([way[:, 2, 1], way[:, 0, 2], way[:, 1, 0]])) / 0.04  # nod, look, roll, deg/s
    assert (np.ptp(turns, axis=1) > 10).all()


def test_handheld_trembles_and_a_dolly_rides_level():
    assert np.abs(np.diff(filmed("handheld").T_world_camera[:, 2, 0])).min() > 0  # it rolls
    dolly = filmed("dolly").T_world_camera
    np.testing.assert_allclose(dolly[:, 2, 0], 0, atol=1e-12)
    np.testing.assert_array_equal(dolly[:, 2, 3], np.full(150, dolly[0, 2, 3]))
    assert np.ptp(dolly[:, 0, 3]) > 0.1
