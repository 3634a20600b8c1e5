"""Motion in the picture is the camera's and the people's, and its blur is as long as the way."""

import numpy as np
import pytest

from choros.camera import intrinsics
from choros.mesh.rasteriser import Canvas
from choros.scenes.render.motion_blur import inter_frame_motion, motion_blur, optical_flow

K60 = intrinsics(160, 90, fov_deg=60)


def edge(speed_px: float) -> np.ndarray:
    """One row of a white thing, left of column 60 and moving right, before black that is still."""
    light = np.zeros((40, 120, 3), np.float32)
    depth = np.full((40, 120), 9.0, np.float32)
    motion = np.zeros((40, 120, 2), np.float32)
    light[:, :60], depth[:, :60], motion[:, :60, 0] = 1.0, 3.0, speed_px
    return motion_blur(light, depth, motion)[20, :, 0]


@pytest.mark.parametrize("speed", [4.0, 8.0, 12.0])
def test_a_moving_edge_becomes_a_ramp_as_long_as_its_way(speed):
    row = edge(speed)
    half = int(speed / 2)
    np.testing.assert_array_equal(row[: 60 - half - 1], 1)
    np.testing.assert_array_equal(row[60 + half + 1 :], 0)
    assert np.all(np.diff(row) <= 1e-6)
    ramp = row[60 - half : 60 + half]
    np.testing.assert_allclose(ramp, 1 - (np.arange(speed) + 0.5) / speed, atol=1.01 / speed)
    assert row.sum() == pytest.approx(60, abs=1)  # light is neither won nor lost


def test_what_is_still_stays_sharp():
    row = edge(0.0)
    np.testing.assert_array_equal(row, (np.arange(120) < 60).astype(np.float32))


def test_what_stands_in_front_of_a_panned_world_stays_sharp():
    light, depth = np.zeros((40, 120, 3), np.float32), np.full((40, 120), 9.0, np.float32)
    motion = np.zeros((40, 120, 2), np.float32)
    motion[..., 0] = 10
    light[:, ::2] = 1.0
    light[:, 50:70], depth[:, 50:70], motion[:, 50:70] = 5.0, 3.0, 0.0
    row = motion_blur(light, depth, motion)[20, :, 0]
    np.testing.assert_array_equal(row[50:70], 5.0)
    np.testing.assert_allclose(row[10:38], 0.5, atol=1e-6)  # stripes as long as the way are grey


def motion_seen(T_after, points=((0, 0, 9.0),) * 3, after=None, K=K60):
    """Motion in the picture of a wall 5 m away, with one triangle in front of it if it is nearer."""
    canvas, before = Canvas(160, 90), np.array(points, np.float32)
    faces = np.array([[0, 1, 2]], np.int32)
    canvas.depth[:] = 5.0
    canvas.draw(0, before, faces, K)
    later = before if after is None else np.array(after, np.float32)
    T = np.stack([np.eye(4), T_after])
    return canvas, optical_flow(
        canvas, inter_frame_motion((before, later), np.stack([K, K]), T), np.zeros(1, np.int32), faces
    )


def test_motion_of_the_world_is_the_cameras():
    """Turned by an angle, the middle of the picture moves by focal length times its tangent; shifted, all of it by
    focal length times the way over the depth."""
    c, s = np.cos(0.02), np.sin(0.02)
    T = np.eye(4)
    T[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]  # to the right
    _, motion = motion_seen(T)
    assert motion[45, 80, 0] == pytest.approx(-K60[0, 0] * np.tan(0.02), rel=1e-2)
    T = np.eye(4)
    T[0, 3] = 0.1
    _, motion = motion_seen(T)
    np.testing.assert_allclose(motion[..., 0], -K60[0, 0] * 0.1 / 5, rtol=1e-5)
    np.testing.assert_allclose(motion[..., 1], 0, atol=1e-4)


def test_motion_of_people_is_their_own():
    points = np.array([(-0.5, -0.5, 2.0), (0.5, -0.5, 2.0), (0.0, 0.5, 2.0)])
    canvas, motion = motion_seen(np.eye(4), points, points + np.array([0.05, -0.1, 0]))
    inside = canvas.mesh == 0
    assert inside.sum() > 500
    expected = K60[0, 0] / 2 * np.array([0.05, -0.1])
    np.testing.assert_allclose(motion[inside], np.broadcast_to(expected, (inside.sum(), 2)), rtol=1e-4)
    np.testing.assert_array_equal(motion[~inside], 0)
