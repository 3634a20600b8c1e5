"""Scenes: the same seed gives the same bytes, and the truth is that of the pictures."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from choros.body import BodyModel, BodyParams
from choros.camera import project
from choros.errors import ChorosError
from choros.motion import Motion
from choros.scenes import Scene, SceneConfig, make_scene
from choros.scenes.place.solids import BOX, Solid
from choros.scenes.truth.measurement import measure
from choros.video import open_video

SMALL = SceneConfig(width=320, height=180, fps=Fraction(10), seconds=1.2, people=3)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene("crossing", 3, SMALL)


def test_same_seed_same_bytes(scene):
    again = make_scene("crossing", 3, SMALL)
    for frame in (0, 7):
        assert again.frame(frame).tobytes() == scene.frame(frame).tobytes()
    assert again.truth.rows.tobytes() == scene.truth.rows.tobytes()
    # Nor does it matter which frames were asked for before.
    assert again.frame(0).tobytes() == scene.frame(0).tobytes()


def test_other_seed_other_scene(scene):
    assert make_scene("crossing", 4, SMALL).frame(0).tobytes() != scene.frame(0).tobytes()


def test_frames_are_what_video_readers_give(scene):
    images = list(scene.frames())
    assert len(images) == 12
    assert all(i.shape == (180, 320, 3) and i.dtype == np.uint8 and i.flags.c_contiguous for i in images)


def test_truth_is_the_body_models(scene):
    """Parameters in camera axes give keypoints that project to those of the truth."""
    body, truth = BodyModel.load(), scene.truth
    params = BodyParams(
        *(
            torch.from_numpy(x.copy())
            for x in (truth.global_orient, truth.body_pose, truth.betas, truth.transl)
        )
    )
    pixels = project(body.keypoints(params, "coco17").double().numpy(), truth.K[truth.row_frame][:, None])
    np.testing.assert_allclose(pixels, truth.keypoints_px[..., :2], atol=0.05)
    assert truth.space == "camera"


def test_moving_camera_is_in_the_truth():
    """People's joints, from camera axes to the world by the truth's own camera, are where they walk."""
    scene = make_scene("moving", 5, replace(SMALL, seconds=0.6, camera="handheld"))
    body, truth = BodyModel.load(), scene.truth
    assert np.linalg.norm(np.diff(truth.T_world_camera, axis=0), axis=(1, 2)).min() > 0
    params = BodyParams(
        *(
            torch.from_numpy(x.copy())
            for x in (truth.global_orient, truth.body_pose, truth.betas, truth.transl)
        )
    )
    assert truth.camera_known.all()
    T = truth.T_world_camera[truth.row_frame]
    joints_world = body.joints(params).double().numpy() @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3]
    places = [scene.actors[p - 1].places[f] for f, p in zip(truth.row_frame, truth.row_person, strict=True)]
    np.testing.assert_allclose(joints_world, places, atol=1e-4)
    assert scene.frame(0).tobytes() != scene.frame(5).tobytes()


def test_skin_is_the_body_models(scene):
    """What is drawn of the bare body lies on the vertices of the body model."""
    actor, frame = scene.actors[0], 5
    whole = BodyParams(
        *(
            torch.tensor(x[frame], dtype=torch.float32)
            for x in (actor.poses.global_orient, actor.poses.body_pose)
        ),
        torch.tensor(actor.betas, dtype=torch.float32),
        torch.tensor(actor.poses.transl[frame], dtype=torch.float32),
    )
    vertices = BodyModel.load().vertices(whole).numpy()
    drawn, dressed = scene._posed(frame)[0], actor.dressed
    vertex = dressed.source[:, 0]
    own = np.flatnonzero((vertex >= 0) & (dressed.share == 0))
    rest = actor.rest.skin.points[vertex[own]]
    bare = own[np.linalg.norm(dressed.points[own] - rest, axis=1) < 1e-6]
    assert len(bare) > 300
    np.testing.assert_allclose(drawn[bare], vertices[vertex[bare]], atol=1e-4)


def test_boxes_hold_keypoints_and_masks(scene):
    truth = scene.truth
    for frame in (0, 5, 11):
        mask = scene.masks(frame)
        for row in truth.in_frame(frame):
            x0, y0, x1, y1 = row["box_px"]
            seen = row["keypoints_px"][row["keypoints_px"][:, 2] > 0, :2]
            assert np.all((seen >= [x0 - 1, y0 - 1]) & (seen <= [x1 + 1, y1 + 1]))
            rows, columns = np.nonzero(mask == row["person"])
            if len(rows):
                assert columns.min() >= x0 - 1
                assert columns.max() + 1 <= x1 + 1
                assert rows.min() >= y0 - 1
                assert rows.max() + 1 <= y1 + 1


def test_seen_keypoints_lie_on_their_person(scene):
    hits = []
    for frame in range(scene.n_frames):
        mask = scene.masks(frame)
        for row in scene.truth.in_frame(frame):
            x, y = np.floor(row["keypoints_px"][row["keypoints_px"][:, 2] > 0, :2]).astype(int).T
            hits.append(mask[np.clip(y, 0, 179), np.clip(x, 0, 319)] == row["person"])
    # Keypoints of the face sit on the outline in profile, and people here are 60 px tall: a pixel decides.
    assert np.concatenate(hits).mean() > 0.93


def test_fraction_agrees_with_masks(scene):
    """Nobody in the way: everything of a person inside the frame is seen."""
    bare = replace(scene.surroundings, solids=())
    alone = measure(scene.body_maker, scene.actors[:1], bare, scene.camera_setup, scene.cameras)
    inside = alone.in_frame & np.all(alone.box_px == alone.amodal_box_px, axis=-1)
    assert inside.any()
    np.testing.assert_allclose(alone.visible_fraction[inside], 1, atol=0.03)  # soles sink millimetres
    assert alone.visible[inside].all()


def test_nobody_is_seen_behind_a_wall(scene):
    near = float(min(a.places[:, :, 1].min() for a in scene.actors))
    wall = Solid(BOX, (0.0, near / 2, 5.0), (50.0, 0.05, 10.0), 0.0, 0, 4.0)
    surroundings = replace(scene.surroundings, solids=(*scene.surroundings.solids, wall))
    truth = measure(scene.body_maker, scene.actors, surroundings, scene.camera_setup, scene.cameras)
    assert truth.in_frame.any()
    np.testing.assert_array_equal(truth.visible_fraction, 0)
    assert not truth.visible.any()
    assert not truth.keypoints_px[..., 2].any()


def test_write(scene, tmp_path):
    scene.write(tmp_path / "scene")
    truth = Motion.load(tmp_path / "scene" / "motion.npz")
    assert truth.rows.tobytes() == scene.truth.rows.tobytes()
    with open_video(tmp_path / "scene" / "video.mp4") as video:
        pts = [frame.pts for frame in video]
    assert pts == truth.pts


@pytest.mark.parametrize(
    ("kind", "config", "says"),
    [
        ("circus", SMALL, "circus"),
        ("easy", replace(SMALL, width=8), "8x180"),
        ("easy", replace(SMALL, seconds=0.0), "0.0 s"),
        ("easy", replace(SMALL, people=60), "60 people"),
    ],
)
def test_what_cannot_be_made_is_said(kind, config, says):
    with pytest.raises(ChorosError, match=says):
        make_scene(kind, 1, config)
