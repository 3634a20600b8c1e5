"""A swinging window: the truth lands on the same people, the pictures are the same pixels, whoever leaves is unseen."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from choros.camera import intrinsics, project
from choros.errors import ChorosError
from choros.motion import FRAME, ROW, Header, Motion
from choros.scenes import Scene, SceneConfig, make_scene
from choros.scenes.truth.scene_truth import SceneTruth
from choros.scenes.truth.swinging_window import (
    Swing,
    swinging,
    windowed_motion,
    windowed_truth,
    write_dynamic,
)
from choros.video import open_video

SWING = Swing(width=0.5, height=0.7, reach=0.12, period_s=0.7)


def stander(count: int = 120, width: int = 960, height: int = 500, fps: int = 25) -> Motion:
    """Person 1 in the middle, but for ten frames; person 2 on the left for some."""
    frames = np.zeros(count, FRAME)
    frames["pts"] = [(n, fps) for n in range(count)]
    frames["K"], frames["T_world_camera"] = intrinsics(width, height), np.eye(4)
    first = [n for n in range(count) if not 50 <= n < 60]
    rows = np.zeros(len(first) + 20, ROW)
    rows["frame"], rows["person"] = [*first, *range(20)], [1] * len(first) + [2] * 20
    rows["visible"] = True
    rows["box_px"] = width / 2 - 40, height / 2 - 100, width / 2 + 40, height / 2 + 100
    rows["box_px"][len(first) :] = 100, 100, 160, 300
    rows["keypoints_px"][:, 0] = width / 2, height / 2, 0.8
    return Motion(Header(Fraction(fps), width, height), frames, np.sort(rows, order=["frame", "person"]))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene("easy", 3, SceneConfig(128, 96, Fraction(10), 0.6, people=2, device="cpu", damage=0))


@pytest.fixture(scope="module")
def filmed(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("still") / "scene"
    scene.write(folder)
    return folder


def test_the_window_swings_as_the_appendix_says() -> None:
    motion = stander(height=1000, width=1400)
    swing = Swing()
    assert swing.size(1400, 1000) == (300, 600)
    corners = swinging(motion, swing)
    expected = 700 - 150 + 200 * np.sin(2 * np.pi * np.arange(120) / 25 / 4.8)
    np.testing.assert_allclose(corners[:, 0], expected, atol=0.51)
    assert (corners[:, 1] == 200).all()


def test_the_window_stays_in_the_picture_and_about_whom_one_asks() -> None:
    motion = stander()
    corners = swinging(motion, replace(SWING, reach=3.0))
    assert corners.min() >= 0
    assert (corners + SWING.size(960, 500)).max(axis=0).tolist() <= [960, 500]
    assert set(corners[:, 0]) >= {0, 960 - 250}
    left = swinging(motion, replace(SWING, reach=0.0), person=2)
    assert (left == [130 - 125, 200 - 175]).all()
    with pytest.raises(ChorosError, match="no person 7"):
        swinging(motion, SWING, person=7)


def test_joints_project_to_the_same_people(scene: Scene) -> None:
    truth, size = scene.arrays, SWING.size(128, 96)
    corners = swinging(scene.truth, SWING)
    assert len(np.unique(corners[:, 0])) > 3
    before = project(truth.joints_cam.astype(np.float64), truth.K[:, None, None])
    for K in (windowed_truth(truth, corners, size).K, windowed_motion(scene.truth, corners, size).K):
        after = project(truth.joints_cam.astype(np.float64), K[:, None, None])
        np.testing.assert_allclose(after + corners[:, None, None], before, atol=1e-6)


def test_boxes_keypoints_and_visibility_follow(scene: Scene) -> None:
    truth, size = scene.arrays, SWING.size(128, 96)
    corners = swinging(scene.truth, SWING)
    window = windowed_truth(truth, corners, size)
    assert window.in_frame.any()
    for t, p in np.argwhere(truth.in_frame):
        x0, y0 = corners[t]
        a, b = (
            np.maximum(truth.box_px[t, p, :2], [x0, y0]),
            np.minimum(truth.box_px[t, p, 2:], corners[t] + size),
        )
        share = np.prod(np.maximum(b - a, 0)) / np.prod(truth.box_px[t, p, 2:] - truth.box_px[t, p, :2])
        assert window.visible_fraction[t, p] == pytest.approx(truth.visible_fraction[t, p] * share, abs=1e-5)
        if window.in_frame[t, p]:
            np.testing.assert_allclose(
                window.box_px[t, p], np.concatenate([a, b]) - [x0, y0, x0, y0], atol=1e-4
            )
            points, old = window.keypoints_px[t, p], truth.keypoints_px[t, p]
            np.testing.assert_allclose(points[:, :2] + [x0, y0], old[:, :2], atol=1e-4)
            within = (points[:, :2] >= 0).all(1) & (points[:, :2] < size).all(1)
            np.testing.assert_array_equal(points[:, 2] > 0, (old[:, 2] > 0) & within)
        else:
            assert not window.keypoints_px[t, p].any()
            assert not window.box_px[t, p].any()


def test_whoever_leaves_the_window_stays_in_the_motion_unseen() -> None:
    motion = stander()
    swing = Swing(width=0.2)
    size, corners = swing.size(960, 500), swinging(motion, swing)
    window = windowed_motion(motion, corners, size)
    assert len(window.rows) == len(motion.rows)
    one = window.person(1)
    apart = np.abs(corners[one.frame, 0] + 50 - 480)
    np.testing.assert_array_equal(one.visible, apart < 50 + 40 - 8)  # a tenth of the box is 8 px wide
    assert 0.5 < one.visible.mean() < 0.7
    gone = ~one.visible
    np.testing.assert_allclose(one.box_px[gone, 0], 440 - corners[one.frame[gone], 0])
    nose_px = 480 - corners[one.frame, 0]
    np.testing.assert_array_equal(one.keypoints_px[:, 0, 2] > 0, (nose_px >= 0) & (nose_px < size[0]))
    assert not one.keypoints_px[:, 1:].any()  # what was not known still is not
    assert not window.person(2).visible.any()


def test_the_video_is_the_window_and_everything_belongs_together(
    filmed: Path, scene: Scene, tmp_path: Path
) -> None:
    motion, truth = Motion.load(filmed / "motion.npz"), SceneTruth.load(filmed / "arrays.npz")
    calls: list[tuple[int, int]] = []
    write_dynamic(
        filmed / "video.mp4",
        motion,
        tmp_path / "new",
        SWING,
        truth=truth,
        progress=lambda *now: calls.append(now),
    )
    assert calls[-1] == (6, 6)
    (w, h), corners = SWING.size(128, 96), swinging(motion, SWING)
    with open_video(filmed / "video.mp4") as still, open_video(tmp_path / "new" / "video.mp4") as moving:
        for (x, y), a, b in zip(corners, still, moving, strict=True):
            assert a.pts == b.pts
            assert np.abs(a.image[y : y + h, x : x + w].astype(int) - b.image).mean() < 4  # coded once more
    back, arrays = (
        Motion.load(tmp_path / "new" / "motion.npz"),
        SceneTruth.load(tmp_path / "new" / "arrays.npz"),
    )
    assert (back.width, back.height) == (w, h)
    np.testing.assert_array_equal(back.K, arrays.K)
    number = np.searchsorted(arrays.person, back.row_person)
    np.testing.assert_array_equal(back.visible, arrays.visible[back.row_frame, number])


def test_what_does_not_belong_or_fit_is_refused(filmed: Path, tmp_path: Path) -> None:
    video, motion = filmed / "video.mp4", Motion.load(filmed / "motion.npz")
    with pytest.raises(ChorosError, match=r"video\.mp4 is 128x96 px"):
        write_dynamic(video, stander(), tmp_path / "new")
    with pytest.raises(ChorosError, match="window of 96x192"):
        write_dynamic(video, motion, tmp_path / "new", Swing(width=1.0, height=2.0))
    with pytest.raises(ChorosError, match="nobody in the truth"):
        write_dynamic(video, motion.select([]), tmp_path / "new", SWING)
    assert not (tmp_path / "new").exists()
    with pytest.raises(ChorosError, match="scene holds something"):
        write_dynamic(video, motion, filmed)
