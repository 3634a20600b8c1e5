"""The drawn world: grid, shadows and what the camera sees lie where they should; videos, ghosts and refusals."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.camera import intrinsics
from choros.errors import ChorosError
from choros.mesh.colours import colour_of
from choros.mesh.rasteriser import Canvas
from choros.motion import FRAME, ROW, Header, Motion
from choros.video import open_video
from choros.view import world_view
from choros.view.floor_drawing import LINE_M, Shadows, lay_floor, shadows
from choros.view.viewpoint import Viewpoint, looking
from choros.view.world_view import WorldStyle, WorldView, _line, render_world

DARKLESS = Shadows(np.zeros((1, 1), np.float32), (0.0, 0.0))
#: A camera 1.5 m above the origin that looks along y, 10 degrees down.
T_CAMERA = np.eye(4)
T_CAMERA[:3, :3], T_CAMERA[:3, 3] = looking(np.array([0.0, 1.0]), np.radians(10)), (0, 0, 1.5)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load(detail="light")


def from_above(height_m: float = 10.0) -> Viewpoint:
    """40 px a metre on the floor, the origin in the middle of 400 x 400 px."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = looking(np.array([0.0, 1.0]), np.pi / 2), (0, 0, height_m)
    return Viewpoint(intrinsics(400, 400, focal_px=40 * height_m), T, 400, 400)


def walk(count: int, space: str = "world", ghost_from: int = 10**6) -> Motion:
    """Person 2 stands at (-1, 5), person 1 goes from (1, 4) to the right by 0.2 m a frame; pelvis at 0.9 m."""
    frames, rows = np.zeros(count, FRAME), np.zeros(2 * count, ROW)
    frames["pts"] = [(n, 10) for n in range(count)]
    frames["K"], frames["T_world_camera"] = intrinsics(320, 240), T_CAMERA
    frames["camera_known"] = True
    rows["frame"], rows["person"] = np.repeat(np.arange(count), 2), np.tile([1, 2], count)
    rest = np.array([0.0, -0.23, 0.03])
    place = np.tile([[1.0, 4.0, 0.92], [-1.0, 5.0, 0.92]], (count, 1)) - rest
    place[::2, 0] += 0.2 * np.arange(count)
    turn = Rotation.from_euler("x", 90, degrees=True)  # z up
    if space == "camera":
        R = T_CAMERA[:3, :3]
        place = (place + rest - T_CAMERA[:3, 3]) @ R - rest
        turn = Rotation.from_matrix(R.T) * turn
    rows["transl"], rows["global_orient"], rows["visible"] = place, turn.as_rotvec(), True
    rows["visible"][rows["frame"] >= ghost_from] = False
    return Motion(Header(Fraction(10), 320, 240, space=space), frames, rows)


SMALL = WorldStyle(height=180)


def test_lines_of_the_grid_lie_on_whole_metres() -> None:
    view = from_above()
    image = lay_floor(view, DARKLESS, (0, 0), 100, 1.0).astype(int).sum(-1)
    across = image[190]  # a row between two lines
    lines = np.flatnonzero(across < across.max() - 20)
    wide = max(1, 2 * LINE_M * 40)
    centres = 200 + 40 * np.arange(-5, 6)
    assert all(np.abs(centres - (x + 0.5)).min() <= wide for x in lines)
    assert all(np.abs(lines + 0.5 - x).min() <= wide for x in centres[1:-1])
    assert across[200 - 1 : 200 + 1].min() < across[240 - 1 : 240 + 1].min()  # every fifth is stronger


def test_the_floor_fades_and_ends_at_the_horizon() -> None:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = looking(np.array([0.0, 1.0]), 0.1), (0, 0, 2)
    view = Viewpoint(intrinsics(200, 120), T, 200, 120)
    with_grid = lay_floor(view, DARKLESS, (0, 10), 10, 1.0).astype(int)
    without = lay_floor(view, DARKLESS, (0, 10), 10, 0).astype(int)
    lined = (with_grid != without).any(-1)
    beyond = view.to_px(np.array([0.0, 31, 0]))[1]  # twice the reach from the middle
    assert lined[int(beyond) + 3 :].any(1).mean() > 0.9
    assert not lined[: int(beyond) - 1].any()


def test_what_the_camera_sees_is_brighter() -> None:
    view, K = from_above(), intrinsics(300, 200)
    plain = lay_floor(view, DARKLESS, (0, 0), 100, 0).astype(int).sum(-1)
    seen = lay_floor(view, DARKLESS, (0, 0), 100, 0, (K, T_CAMERA, 300, 200)).astype(int).sum(-1) > plain
    camera = Viewpoint(K, T_CAMERA, 300, 200)
    for x in np.arange(-4.5, 4.6, 0.5):
        for y in np.arange(-4.5, 4.6, 0.5):
            u, v = camera.to_px(np.array([x, y, 0.0]))
            inside = camera.to_eye(np.array([x, y, 0.0]))[2] > 0 and min(u, 300 - u, v, 200 - v)
            if abs(inside) > 8:  # the border is soft
                assert seen[int(200 - 40 * y), int(200 + 40 * x)] == (inside > 0)


def test_a_shadow_lies_under_what_throws_it() -> None:
    feet = np.random.default_rng(0).uniform([1, 2, 0], [1.2, 2.2, 0.1], (1, 400, 3))
    dark = lay_floor(from_above(), shadows(feet), (0, 0), 100, 0).astype(int).sum(-1)
    plain = lay_floor(from_above(), DARKLESS, (0, 0), 100, 0).astype(int).sum(-1)
    rows, columns = np.nonzero(dark < plain - 60)
    assert columns.mean() == pytest.approx(200 + 40 * 1.1, abs=2)
    assert rows.mean() == pytest.approx(200 - 40 * 2.1, abs=2)
    assert (dark < plain).sum() < 40 * 40  # and nowhere else


@pytest.mark.parametrize("space", ["world", "camera"])
def test_people_stand_where_they_are(body: BodyModel, space: str) -> None:
    view = WorldView(walk(6, space), body, replace(SMALL, views="top"))
    picture = view.draw(5).astype(float)
    hue = picture / np.maximum(np.linalg.norm(picture, axis=-1, keepdims=True), 1)
    for person, place in ((1, [2.0, 4.0, 1.3]), (2, [-1.0, 5.0, 1.3])):
        colour = np.array(colour_of(person), float)
        u, v = view.viewpoints["top"][5].to_px(np.array(place))
        near = hue[round(v) - 8 : round(v) + 9, round(u) - 8 : round(u) + 9]
        assert (near @ (colour / np.linalg.norm(colour)) > 0.985).sum() > 20


def test_trails_lie_behind_people_and_grow(body: BodyModel) -> None:
    view = WorldView(walk(12), body, replace(SMALL, views="top"))
    first, last = (view.draw(frame).astype(int) for frame in (0, 11))
    for x, drawn in ((1.8, True), (-0.5, False)):  # where person 1 went, and where it never was
        u, v = view.viewpoints["top"][0].to_px(np.array([x, 4.0, 0])).astype(int)
        assert bool((np.abs(last - first)[v - 2 : v + 3, u] > 30).any()) == drawn


def test_trails_end_at_a_cut(body: BodyModel) -> None:
    """Where somebody went in the last shot is a place of another world."""
    motion = walk(12)
    view = WorldView(motion, body, replace(SMALL, views="top"))
    whole = view.draw(11).astype(int)
    motion.frames["cut_before"][9] = True
    cut = WorldView(motion, body, replace(SMALL, views="top")).draw(11).astype(int)
    for x, gone in ((1.8, True), (2.9, False)):
        u, v = view.viewpoints["top"][0].to_px(np.array([x, 4.0, 0])).astype(int)
        assert bool((np.abs(whole - cut)[v - 2 : v + 3, u] > 30).any()) == gone


def test_both_views_have_everybody_and_ghosts_can_be_left_out(body: BodyModel) -> None:
    ghosts = walk(3, ghost_from=2)
    view = WorldView(ghosts, body, SMALL)
    assert view.draw(0).shape == (180, view.width, 3) == (180, 320 + 160, 3)
    solid, faint = view.draw(1).astype(int), view.draw(2).astype(int)
    none = WorldView(ghosts, body, replace(SMALL, ghosts=False))
    assert none.draw(2).shape == solid.shape
    for name, first in (("third", 0), ("top", 320)):
        u, v = view.viewpoints[name][1].to_px(np.array([-1.0, 5.0, 1.0])).astype(int)
        floor = WorldView(ghosts.select([1]), body, SMALL).viewpoints[name][1]
        assert floor.width == view.shape[name][0]
        body_part = np.s_[v - 1 : v + 2, first + u - 1 : first + u + 2]
        assert np.abs(faint[body_part] - solid[body_part]).max() > 25


def test_a_video_has_the_times_of_the_motion(body: BodyModel, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    count = render_world(walk(4), tmp_path / "world.mp4", body, SMALL, lambda *done: calls.append(done))
    assert (count, calls) == (4, [(1, 4), (2, 4), (3, 4), (4, 4)])
    with open_video(tmp_path / "world.mp4") as reader:
        assert [frame.pts for frame in reader] == [Fraction(n, 10) for n in range(4)]


def test_what_says_nothing_of_the_world_is_refused(body: BodyModel, tmp_path: Path) -> None:
    unknown = walk(2, "camera")
    unknown.frames["camera_known"] = False
    with pytest.raises(ChorosError, match="choros world"):
        render_world(unknown, tmp_path / "w.mp4", body)
    with pytest.raises(ChorosError, match="no frames"):
        render_world(walk(2)[:0], tmp_path / "w.mp4", body)
    with pytest.raises(ChorosError, match="smpl body"):
        render_world(replace(walk(2), header=Header(Fraction(10), 320, 240, body="smpl")), tmp_path / "w.mp4")
    assert not list(tmp_path.iterdir())


def test_a_world_whose_camera_is_not_known_is_drawn_without_it(body: BodyModel) -> None:
    """In the frames that do not know it; what stands in their place of a pose is as nothing."""
    alone = walk(2)
    alone.frames["camera_known"][1] = False
    alone.frames["T_world_camera"][1] = np.nan
    view = WorldView(alone, body, SMALL)
    assert view.draw(1).shape == (180, 480, 3)
    u, v = view.viewpoints["top"][0].to_px(np.array([0.0, 0.0, 1.5])).astype(int)
    for frame, drawn in ((0, True), (1, False)):
        patch = view.draw(frame).astype(int)[v - 3 : v + 4, 320 + u - 3 : 320 + u + 4]
        assert bool((patch.sum(-1) < 400).any()) == drawn
    alone.frames["camera_known"] = False
    assert WorldView(alone, body, SMALL).draw(0).shape == (180, 480, 3)


def test_lines_go_behind_people_and_before_them() -> None:
    view, image = from_above(), np.full((400, 400, 3), 200, np.uint8)
    canvas = Canvas(800, 800)
    plate = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])  # 1 m above the floor
    canvas.draw(0, view.to_eye(plate), np.array([[0, 1, 2], [0, 2, 3]]), np.diag([2, 2, 1]) @ view.K)
    for y, z in ((0.5, 0.2), (-0.5, 1.8)):
        line = np.linspace([-3, y, z], [3, y, z], 121)
        _line(image, canvas, view, line, (0, 0, 0), 1)
    for y, z, hidden in ((0.5, 0.2, True), (-0.5, 1.8, False)):
        for x, over in ((-2.0, False), (0.0, True), (2.0, False)):
            u, v = view.to_px(np.array([x, y, z])).astype(int)
            assert (image[v - 1 : v + 2, u].min() < 120) != (hidden and over)


def test_the_cameras_path_is_not_led_over_frames_that_do_not_know_it(
    body: BodyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    motion = walk(9)
    motion.frames["T_world_camera"][:, 0, 3] = 0.1 * np.arange(9)
    motion.frames["camera_known"][4] = False
    paths, notes = [], []
    monkeypatch.setattr(world_view, "_line", lambda image, canvas, view, points, *_: paths.append(points))
    monkeypatch.setattr(world_view, "_note", lambda image, text, *_: notes.append(text))
    view = WorldView(motion, body, replace(SMALL, views="top"))
    view.draw(8)
    np.testing.assert_allclose(paths[0][:, 0], [0, 0.1, 0.2, 0.3])
    np.testing.assert_allclose(paths[1][:, 0], [0.5, 0.6, 0.7, 0.8])
    view.draw(4)
    assert ["camera not known" in note for note in notes] == [False, False, False, True]
