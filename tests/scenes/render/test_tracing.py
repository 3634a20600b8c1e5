"""Surroundings traced through a camera: depth and solids are where they are."""

import numpy as np

from choros.camera import intrinsics
from choros.scenes.place.places import sample_surroundings
from choros.scenes.place.solids import BOX, FLOOR, SKY, Solid
from choros.scenes.render.tracing import trace_backdrop, trace_depth
from tests.scenes.place.test_surroundings import walls


def camera(eye_m=2.0):
    T = np.eye(4)
    T[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    T[2, 3] = eye_m
    return intrinsics(120, 80, fov_deg=60), T


def test_depth_alone_is_the_depth_of_the_picture():
    K, T = camera()
    for seed in range(2):
        surroundings = sample_surroundings(np.random.default_rng(seed), 9.0)
        seen = trace_backdrop(surroundings, K, T, 120, 80)
        np.testing.assert_array_equal(trace_depth(surroundings, K, T, 120, 80), seen.depth)
        np.testing.assert_array_equal(trace_backdrop(surroundings, K, T, 120, 80, 3).depth, seen.depth)


def test_floor_and_wall_are_where_they_are():
    K, T = camera()
    seen = trace_backdrop(walls(Solid(BOX, (0.0, 10.5, 1.0), (50.0, 0.5, 1.0), 0.0, 1, 1.0)), K, T, 120, 80)
    rows = np.arange(80) + 0.5
    floor = 2.0 * K[1, 1] / np.maximum(rows - 40, 1e-9)
    wall = (floor > 10) & (rows > 40)
    np.testing.assert_allclose(seen.depth[wall], 10, rtol=1e-6)
    near = (floor < 10) & (rows > 40)
    np.testing.assert_allclose(seen.depth[near], floor[near, None].repeat(120, axis=1), rtol=1e-5)
    assert set(np.unique(seen.solid)) == {SKY, FLOOR, 0}
