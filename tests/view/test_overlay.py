"""The overlay: bodies where they are, labels in the frame, ghosts, panels, and whole videos."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.skinned import vertices_of
from choros.camera import intrinsics, project
from choros.errors import ChorosError
from choros.mesh.colours import colour_of
from choros.motion import FRAME, ROW, Header, Motion
from choros.video import VideoWriter, open_video
from choros.view.marks import dashed, tag
from choros.view.overlay import Overlay, OverlayStyle, draw, render_video
from choros.view.panel import PanelBox

W, H = 256, 192
K = intrinsics(W, H)
PLAIN = OverlayStyle(opacity=1.0, labels=False)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load(detail="light")


def row(person: int, x: float, y: float, z: float, *, visible: bool = True, turn_deg: float = 0) -> np.void:
    """An upright person with the pelvis near (x, y, z) of the camera, facing it."""
    one = np.zeros(1, ROW)
    one["person"], one["visible"], one["transl"], one["confidence"] = person, visible, (x, y, z), 0.9
    upright = Rotation.from_euler("x", 180, degrees=True) * Rotation.from_euler("y", turn_deg, degrees=True)
    one["global_orient"] = upright.as_rotvec()
    return one[0]


def frame(*rows: np.void) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros(0, ROW)


def grey() -> np.ndarray:
    return np.full((H, W, 3), 90, np.uint8)


def changed(picture: np.ndarray) -> np.ndarray:
    return (picture[:, :W] != 90).any(-1)


def extent(mask: np.ndarray) -> np.ndarray:  # x0, y0, x1, y1 px
    y, x = np.nonzero(mask)
    return np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])


@pytest.mark.parametrize("smooth", [True, False])
def test_a_body_is_drawn_where_it_projects(body: BodyModel, smooth: bool) -> None:
    rows = frame(row(1, 0.3, 0.3, 4, turn_deg=40))
    image = grey()
    picture = draw(image, rows, K, body, replace(PLAIN, smooth=smooth))
    points = project(vertices_of(rows, body)[0], K)
    expected = np.concatenate([points.min(0), points.max(0)])
    np.testing.assert_allclose(extent(changed(picture)), expected, atol=1.1)
    assert (image == 90).all()  # what was given stays


def test_who_is_nearer_is_in_front_in_any_order(body: BodyModel) -> None:
    near, far = row(2, 0, 0.3, 3.5), row(1, 0.1, 0.3, 5)
    picture = draw(grey(), frame(near, far), K, body, PLAIN)
    np.testing.assert_array_equal(picture, draw(grey(), frame(far, near), K, body, PLAIN))
    alone = draw(grey(), frame(near), K, body, PLAIN)
    inside = changed(draw(grey(), frame(near), K, body, PLAIN))
    inside[:-1] &= inside[1:]
    inside[1:] &= inside[:-1]
    inside[:, :-1] &= inside[:, 1:]
    inside[:, 1:] &= inside[:, :-1]
    same = (picture == alone).all(-1)[inside]
    assert same.mean() > 0.97  # all but the line where the two meet


def test_ghosts_are_faint_and_can_be_left_out(body: BodyModel) -> None:
    seen, ghost = frame(row(1, 0, 0.3, 4)), frame(row(1, 0, 0.3, 4, visible=False))
    solid = draw(grey(), seen, K, body, PLAIN).astype(int)
    faint = draw(grey(), ghost, K, body, PLAIN).astype(int)
    trunk = (slice(int(H / 2 - 12), int(H / 2 + 12)), slice(W // 2 - 4, W // 2 + 5))
    ratio = np.abs(faint[trunk] - 90).mean() / np.abs(solid[trunk] - 90).mean()
    assert ratio == pytest.approx(0.25, abs=0.05)
    outline = np.abs(faint - 90).sum(-1) > 80
    assert outline.sum() > 60  # the dashes
    np.testing.assert_array_equal(draw(grey(), ghost, K, body, replace(PLAIN, ghosts=False)), grey())


def test_an_outline_runs_around_a_shape_but_not_along_the_border() -> None:
    image = grey()
    dashed(image, np.ones((100, 60), bool), (0, 40), (250, 250, 250))  # cut off by the left border
    mask = changed(image)
    assert mask[60:120, 57:62].any(1).mean() > 0.4
    assert mask[38:43, 10:50].any(0).mean() > 0.4
    assert not mask[50:130, :50].any()


def test_labels_stay_inside_and_apart(body: BodyModel) -> None:
    bodies = frame(
        *[row(i + 1, x, y, 4.0) for i, (x, y) in enumerate([(0, 0.3), (0.02, 0.3), (0, -1.4), (-2.2, 0.3)])]
    )
    without = draw(grey(), bodies, K, body, PLAIN)
    labelled = draw(grey(), bodies, K, body, replace(PLAIN, labels=True))
    assert (without != labelled).any(-1).sum() > 4 * 150

    image, taken = grey(), []
    for place in [(0, 0), (W, 0), (W / 2, H), (W / 2, H), (W / 2, H), (-50, H + 50)]:
        taken.append(tag(image, "12", place, (200, 30, 30), True, taken))
    for i, (x0, y0, x1, y1) in enumerate(taken):
        assert 0 <= x0 < x1 <= W
        assert 0 <= y0 < y1 <= H
        for a0, b0, a1, b1 in taken[:i]:
            assert x1 <= a0 or a1 <= x0 or y1 <= b0 or b1 <= y0


@pytest.mark.parametrize("place", [(0, 0.3, -3), (40, 0, 4), (0, 0.2, 0.05), (0, 0.3, 1e6)])
def test_people_out_of_view_do_no_harm(body: BodyModel, place: tuple[float, float, float]) -> None:
    picture = draw(grey(), frame(row(1, *place)), K, body, OverlayStyle(keypoints=True, panels="both"))
    assert picture.dtype == np.uint8
    assert draw(grey(), frame(), K, body, OverlayStyle()).shape == (H, W, 3)


def test_world_space_is_drawn_as_camera_space(body: BodyModel) -> None:
    one = row(3, 0.2, 0.4, 4, turn_deg=30)
    turn = Rotation.from_euler("zyx", [20, 35, -80], degrees=True)
    T_world_camera = np.eye(4)
    T_world_camera[:3, :3], T_world_camera[:3, 3] = turn.as_matrix(), (1.5, -2, 1.4)
    with torch.inference_mode():
        pelvis = body.joints(body.neutral(1))[0, 0].numpy()
    world = one.copy()
    world["global_orient"] = (turn * Rotation.from_rotvec(one["global_orient"])).as_rotvec()
    world["transl"] = turn.apply(one["transl"] + pelvis) + T_world_camera[:3, 3] - pelvis
    from_world = Overlay(body, W, H, PLAIN, space="world")
    picture = from_world.draw(grey(), frame(world), K, T_world_camera).astype(int)
    expected = draw(grey(), frame(one), K, body, PLAIN).astype(int)
    assert (np.abs(picture - expected).max(-1) > 3).mean() < 1e-3
    with pytest.raises(ChorosError, match="T_world_camera"):
        from_world.draw(grey(), frame(world), K)


def test_the_top_panel_shows_people_where_they_stand(body: BodyModel) -> None:
    stage = PanelBox((-4, 2, -2), (4, 10, 2))
    overlay = Overlay(body, W, H, replace(PLAIN, panels="top"), stage=stage)
    assert overlay.width == W + 2 * (H // 3)
    picture = overlay.draw(grey(), frame(row(7, -1, 0.3, 4), row(6, 2, 0.3, 8)), K)
    panel = picture[:, W:].astype(int)
    px_per_m = 2 * (H // 3) / 8  # the narrower side decides
    for person, x, z in ((7, -1, 4), (6, 2, 8)):
        colour = np.array(colour_of(person))
        hue = panel / np.maximum(np.linalg.norm(panel, axis=-1, keepdims=True), 1)
        alike = (hue @ (colour / np.linalg.norm(colour)) > 0.985) & (panel.max(-1) > 80)
        v, u = np.nonzero(alike)
        assert np.median(u) == pytest.approx(panel.shape[1] / 2 + x * px_per_m, abs=2.5)
        assert np.median(v) == pytest.approx(H / 2 - (z - 6) * px_per_m, abs=2.5)


def test_keypoints_are_drawn_only_where_they_are_sure(body: BodyModel) -> None:
    rows = frame(row(1, 0, 0, -5))  # the body itself is behind the camera
    rows["keypoints_px"][0, 5] = 60.5, 50.5, 0.9
    rows["keypoints_px"][0, 6] = 100.5, 50.5, 0.9
    rows["keypoints_px"][0, 9] = 200.5, 150.5, 0.05
    mask = changed(draw(grey(), rows, K, body, OverlayStyle(keypoints=True)))
    assert mask[50, 60:101].all()
    assert extent(mask)[2] < 110


# --- whole videos -----------------------------------------------------------------------------------

#: Uneven, as a telephone films.
PTS = [Fraction(n, 600) for n in (0, 20, 41, 60, 85, 100, 121, 140)]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "grey.mp4"
    with VideoWriter(path, W, H, Fraction(30)) as writer:
        for pts in PTS:
            writer.write(grey(), pts)
    return path


def motion_of(pts: list[Fraction], width: int = W, height: int = H) -> Motion:
    """One person who steps to the right by 20 px a frame."""
    frames, rows = np.zeros(len(pts), FRAME), np.zeros(len(pts), ROW)
    frames["number"] = np.arange(len(pts))
    frames["pts"] = np.array([(p.numerator, p.denominator) for p in pts]).reshape(-1, 2)
    frames["K"], frames["T_world_camera"] = K, np.eye(4)
    for i in range(len(pts)):
        rows[i] = row(1, -1 + 20 * i * 4 / K[0, 0], 0.3, 4, turn_deg=90)
        rows[i]["frame"] = i
    return Motion(Header(Fraction(30), width, height, source="grey.mp4"), frames, rows)


def test_people_of_a_world_without_a_camera_are_not_drawn_over_the_video(tmp_path: Path) -> None:
    motion = motion_of([Fraction(0), Fraction(1, 30)])
    world = replace(motion, header=replace(motion.header, space="world"))
    with pytest.raises(ChorosError, match="does not tell where its camera was"):
        render_video(world, tmp_path / "grey.mp4", tmp_path / "over.mp4")


def middles(path: Path) -> tuple[list[Fraction], list[float]]:
    with open_video(path) as reader:
        frames = list(reader)
    masks = [np.abs(f.image.astype(int) - 90).max(-1) > 40 for f in frames]
    return [f.pts for f in frames], [float(np.nonzero(m)[1].mean()) if m.any() else np.nan for m in masks]


def test_frames_are_matched_by_time_not_by_number(body: BodyModel, video: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    count = render_video(
        motion_of(PTS[2:6]), video, tmp_path / "out.mp4", body, PLAIN, lambda *done: calls.append(done)
    )
    assert count == 4
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    pts, x = middles(tmp_path / "out.mp4")
    assert pts == [p - PTS[2] for p in PTS[2:6]]
    np.testing.assert_allclose(np.diff(x), 20, atol=1)


def test_a_frame_that_the_motion_lacks_is_shown_without_people(
    body: BodyModel, video: Path, tmp_path: Path
) -> None:
    render_video(motion_of([PTS[1], PTS[3]]), video, tmp_path / "out.mp4", body, PLAIN)
    pts, x = middles(tmp_path / "out.mp4")
    assert len(pts) == 3
    assert list(np.isnan(x)) == [False, True, False]


def test_a_video_that_does_not_belong_is_refused(body: BodyModel, video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    users = Header(Fraction(30), W, H, body="smpl")
    with pytest.raises(ChorosError, match=r"256x192 px.*320x200 px"):
        render_video(motion_of(PTS, 320, 200), video, out, body)
    with pytest.raises(ChorosError, match=r"none of the time stamps.*grey\.mp4"):
        render_video(motion_of([p + Fraction(1, 7001) for p in PTS[:4]]), video, out, body)
    with pytest.raises(ChorosError, match="smpl body"):
        render_video(replace(motion_of(PTS), header=users), video, out)
    with pytest.raises(ChorosError, match="smpl body"):
        render_video(replace(motion_of(PTS), header=users), video, out, body)
    with pytest.raises(ChorosError, match="no frames"):
        render_video(motion_of([]), video, out, body)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_a_playable_file(body: BodyModel, video: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_video(motion_of(PTS), video, tmp_path / "out.mp4", body, OverlayStyle(panels="both"), stop)
    with open_video(tmp_path / "out.mp4") as reader:
        assert len(list(reader)) == 3
        assert (reader.info.width, reader.info.height) == (W + 2 * (H // 3), H)
