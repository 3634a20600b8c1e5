"""Clips for CoMotion: picture, K and truth stay together whatever is done to them; batches hold what they should."""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from choros.body import BodyModel
from choros.body.skeleton import COCO17, JOINT_NAMES
from choros.camera import project, unproject
from choros.datasets.sample import PersonLabel, Sample, Samples, SmplPose
from choros.errors import ChorosError
from choros.motion import FRAME, ROW, Header, Motion
from choros.training.comotion.batch import EncodedClip, batch_of, some_people
from choros.training.comotion.clip import mirrored, whole, windowed
from choros.training.comotion.footage import footage_of, open_set, read_picture
from choros.training.comotion.labels import clip_of_motion, clip_of_samples, clip_of_scene
from choros.training.comotion.losses import points_about_pelvis
from choros.training.comotion.variation import Variation, assumed_focal, detected_boxes, recoloured, varied
from tests.training.comotion.drawn import drawn_clip

NOTHING = (torch.zeros(3, 1),)


@pytest.fixture(scope="module")
def clip():
    return drawn_clip(5, frames=3, people=3, size=96)


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


def reprojected(clip):
    """Where K, rho and the points about the pelvis say that points are in the image, px."""
    K = clip.K[:, None].astype(np.float64)
    pelvis = unproject(clip.points_px[:, :, 0].astype(np.float64), K[..., 0, 0] / np.exp(clip.rho), K)
    return project(clip.about_pelvis + pelvis[:, :, None], K[:, :, None])


@pytest.mark.parametrize(
    "change",
    [
        lambda clip: clip,
        mirrored,
        lambda clip: whole(clip, 64),
        lambda clip: windowed(clip, (10, -20, 90, 60), 128),
        lambda clip: mirrored(windowed(clip, (30, 10, 75, 90), 64)),
    ],
)
def test_truth_stays_one(clip, body, change):
    changed = change(clip)
    known = changed.pointed > 0
    assert known.any()
    np.testing.assert_allclose(reprojected(changed)[known], changed.points_px[known], atol=1e-3)
    about = points_about_pelvis(
        torch.from_numpy(changed.rotations), torch.from_numpy(changed.betas).expand(3, -1, -1), body
    )
    if not np.array_equal(changed.rotations, clip.rotations):  # the body is symmetric to a hair's breadth
        np.testing.assert_allclose(about[:, :, :24], changed.about_pelvis[:, :, :24], atol=5e-3)


@pytest.mark.parametrize("change", [mirrored, lambda clip: windowed(clip, (24, 16, 88, 80), 96)])
def test_pictures_move_as_points_do(change):
    """A disc in the picture is where its point is."""
    clip = drawn_clip(2, frames=1, people=1, size=96)
    image = np.zeros_like(clip.images)
    x, y = clip.points_px[0, 0, 24 + 9]  # a wrist
    cv2.circle(image[0], (int(x), int(y)), 2, (255, 0, 0), -1)
    changed = change(replace(clip, images=image))
    lit = changed.images[0, :, :, 0].astype(float)
    rows, columns = np.indices(lit.shape)
    middle = np.array([(lit * columns).sum(), (lit * rows).sum()]) / lit.sum() + 0.5
    now = changed.points_px[0, 0, 24 + (10 if change is mirrored else 9)]
    assert np.abs(middle - now).max() < 1.5


def test_mirroring_twice_changes_nothing(clip):
    twice = mirrored(mirrored(clip))
    for name in (
        "images",
        "K",
        "first_box_px",
        "keypoints_px",
        "rotations",
        "about_pelvis",
        "points_px",
        "pointed",
    ):
        np.testing.assert_allclose(getattr(twice, name), getattr(clip, name), atol=1e-4, err_msg=name)


def test_who_is_out_of_the_window_is_not_there(clip):
    left = clip.points_px[..., 0].max((0, 2)).argmin()  # the person at the left
    x = int(clip.points_px[:, left, :, 0].max()) + 2
    cut = windowed(clip, (x, 0, 96, 96), 64)
    assert not cut.found[left]
    assert not cut.pointed[:, left].any()
    assert not cut.posed[:, left].any()


def test_varied_clips_follow_from_the_generator(clip):
    one, same, other = (varied(clip, np.random.default_rng(seed), 64, Variation()) for seed in (1, 1, 2))
    assert one.images.shape == (3, 64, 64, 3)
    np.testing.assert_array_equal(one.images, same.images)
    np.testing.assert_array_equal(one.points_px, same.points_px)
    assert not np.array_equal(one.images, other.images)
    known = one.pointed > 0
    np.testing.assert_allclose(reprojected(one)[known], one.points_px[known], atol=1e-3)


def test_all_frames_get_the_same_colours(clip):
    still = np.repeat(clip.images[:1], 3, 0)
    out = recoloured(still, np.random.default_rng(0), Variation())
    assert np.array_equal(out[0], out[2])
    assert not np.array_equal(out[0], still[0])


def test_detected_boxes_are_near_and_tighter_around_what_is_seen():
    clip = drawn_clip(3, people=1, size=128)
    low, high = clip.first_box_px[0, :2], clip.first_box_px[0, 2:]
    legs_hidden = clip.keypoints_px.copy()
    legs_hidden[:, :, 11:, 2] = 0
    half = replace(clip, keypoints_px=legs_hidden)
    rng = np.random.default_rng(0)
    boxes = np.stack([detected_boxes(half, rng, Variation())[0] for _ in range(200)])
    assert boxes.min() >= 0
    assert boxes.max() <= 128
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert np.abs(boxes[:, 1] - low[1]).mean() < 0.15 * (high - low)[1]
    assert boxes[:, 3].mean() < high[1] - 0.1 * (high - low)[1]  # the feet are in half of the boxes at most


def test_a_known_focal_length_is_varied_a_little_an_unknown_one_made_up(clip):
    rng, variation = np.random.default_rng(0), Variation()
    known = np.array([assumed_focal(clip, rng, variation)[0, 0, 0] for _ in range(100)]) / clip.K[0, 0, 0]
    assert known.min() >= variation.focal[0]
    assert known.max() <= variation.focal[1]
    assert 20 < np.isclose(known, 1).sum() < 80
    unknown = replace(clip, camera_known=False)
    made_up = np.stack([assumed_focal(unknown, rng, variation)[0] for _ in range(100)])
    assert made_up[:, 0, 0].min() >= 0.6 * 96 * 0.999
    assert made_up[:, 0, 0].max() > 1.5 * 96
    np.testing.assert_array_equal(made_up[:, :2, 2], np.tile(clip.K[0, :2, 2], (100, 1)))


def test_batches_hold_who_is_found_and_nobody_else():
    clips = [drawn_clip(1, people=4, hidden_at_first=1), drawn_clip(2, people=2), drawn_clip(3, people=5)]
    rng = np.random.default_rng(0)
    who = [some_people(clip, rng, 3) for clip in clips]
    assert 3 not in who[0]
    assert [len(some) for some in who] == [3, 2, 3]
    batch = batch_of([EncodedClip(clip, NOTHING) for clip in clips], who, rng, None)
    assert batch.present.sum(1).tolist() == [3, 2, 3]
    for b, clip in enumerate(clips):
        for slot, person in enumerate(who[b]):
            np.testing.assert_array_equal(batch.truth.points_px[:, b, slot], clip.points_px[:, person])
            np.testing.assert_array_equal(batch.truth.betas[b, slot], clip.betas[person])
            np.testing.assert_array_equal(batch.boxes_px[b, slot], clip.first_box_px[person])
    assert not batch.truth.pointed[:, 1, 2].any()
    assert not batch.truth.shaped[1, 2]


def test_frames_lie_together_and_heatmaps_know_their_frames():
    clips = [drawn_clip(1), replace(drawn_clip(2), everyone=False), drawn_clip(3, people=1)]
    maps = [(torch.full((3, 2), float(b)) + torch.arange(3)[:, None] * 10,) for b in range(3)]
    who = [np.array([], np.int64)] * 3
    batch = batch_of(
        [EncodedClip(c, m) for c, m in zip(clips, maps, strict=True)], who, np.random.default_rng(0), None
    )
    assert batch.maps[0][:, 0].tolist() == [0, 1, 2, 10, 11, 12, 20, 21, 22]
    assert batch.labelled.tolist() == [0, 2, 3, 5, 6, 8]
    np.testing.assert_array_equal(batch.keypoints_px[2, :2], clips[0].keypoints_px[1])
    np.testing.assert_array_equal(batch.keypoints_px[3, :1], clips[2].keypoints_px[1])
    assert not batch.present.any()


def labelled_person(identity="a"):
    points = np.zeros((17, 3))
    points[:, 0], points[:, 1], points[:, 2] = np.linspace(10, 40, 17), np.linspace(5, 60, 17), 1
    pose = SmplPose(np.array([np.pi, 0, 0]), np.zeros(69), np.ones(10))
    return PersonLabel(
        identity=identity,
        box_px=np.array([8.0, 2, 44, 70]),
        keypoints_px=points,
        keypoint_names=COCO17,
        smpl=pose,
    )


def test_samples_teach_what_they_know(body):
    images = [np.zeros((80, 60, 3), np.uint8)] * 2
    with_pose = Sample(people=(labelled_person(),))
    only_2d = Sample(people=(replace(labelled_person("b"), smpl=None), labelled_person()))
    clip = clip_of_samples(images, [with_pose, only_2d], body)
    assert clip.found.tolist() == [True, False]  # b comes later, and is not given
    assert clip.posed.tolist() == [[True, False], [True, False]]
    assert not clip.placed.any()
    assert not clip.everyone
    assert not clip.camera_known
    # SMPL's hip joints are taught by the narrowed hips, COCO's own hips by nothing.
    assert clip.pointed[1, 1, [1, 2]].tolist() == [1, 1]
    assert clip.pointed[1, 1, [24 + 11, 24 + 12]].tolist() == [0, 0]
    wide = np.linalg.norm(clip.points_px[0, 0, 24 + 11] - clip.points_px[0, 0, 24 + 12])
    narrow = np.linalg.norm(clip.points_px[0, 0, 1] - clip.points_px[0, 0, 2])
    assert narrow == pytest.approx(wide / 2, rel=1e-5)
    assert clip.size_px[0, 0] == 68


def test_joints_of_smpl_are_taken_as_they_are(body):
    points = np.concatenate([np.random.default_rng(0).uniform(5, 55, (24, 2)), np.ones((24, 1))], -1)
    person = replace(labelled_person(), keypoints_px=points, keypoint_names=JOINT_NAMES)
    K = np.array([[70.0, 0, 30], [0, 70, 40], [0, 0, 1]])
    person = replace(person, smpl=replace(person.smpl, transl=np.array([0.1, 0, 7.0])))
    clip = clip_of_samples([np.zeros((80, 60, 3), np.uint8)], [Sample(people=(person,), K=K)], body)
    np.testing.assert_allclose(clip.points_px[0, 0, :24], points[:, :2], rtol=1e-6)
    assert clip.pointed[0, 0].tolist() == [1] * 24 + [0] * 17
    assert clip.placed.all()
    assert clip.rho[0, 0] == pytest.approx(np.log(70 / 7), abs=0.02)
    assert clip.camera_known
    assert not clip.shaped.any()  # another body's betas say nothing about the open body


def test_a_system_teaches_what_it_saw(body):
    """Rows of a motion: their fit and evidence where they were seen, nothing where they were only predicted."""
    rows = np.zeros(4, ROW)
    rows["frame"], rows["person"], rows["visible"] = [0, 0, 1, 1], [3, 9, 3, 9], [True, True, True, False]
    rows["global_orient"][:, 0], rows["transl"][:, 2] = np.pi, 4
    rows["box_px"], rows["keypoints_px"][..., :2] = (10, 5, 40, 60), 20
    rows["keypoints_px"][..., 2] = 0.9
    rows["keypoints_px"][:, 0, 2] = 0.1  # the nose was not found
    frames = np.zeros(2, FRAME)
    frames["K"] = [[64, 0, 32], [0, 64, 32], [0, 0, 1]]
    frames["pts"][:, 1] = 1
    motion = Motion(Header(Fraction(25), 64, 64), frames, rows)
    clip = clip_of_motion([np.zeros((64, 64, 3), np.uint8)] * 2, motion, range(2), body)
    assert clip.found.tolist() == [True, True]
    assert clip.posed.tolist() == [[True, True], [True, False]]
    assert clip.pointed[0, 0, 24] == 0
    assert clip.pointed[0, 0, 25] == np.float32(0.9)
    assert not clip.pointed[1, 1].any()
    assert clip.rho[0, 0] == pytest.approx(np.log(64 / 4), abs=0.05)
    assert not clip.camera_known
    assert not clip.shaped.any()


def test_footage_follows_from_its_seed(tmp_path):
    for frame in range(6):
        cv2.imwrite(str(tmp_path / f"{frame}.png"), np.full((40, 30, 3), 20 * frame, np.uint8))
    samples = Samples(
        6,
        lambda i: Sample(image=tmp_path / f"{i}.png", sequence=f"s{i // 4}", people=(labelled_person(),)),
        "six frames",
    )
    clips = footage_of([samples])(7, 2, 0)
    firsts = [next(clips).images[:, 0, 0, 0] for _ in range(8)]
    assert all(int(later) - int(first) == 20 for first, later in firsts)
    assert 60 not in {int(first) for first, _ in firsts}  # 3 and 4 are of different sequences
    again = footage_of([samples])(7, 2, 5)
    np.testing.assert_array_equal(next(again).images[:, 0, 0, 0], firsts[5])
    with pytest.raises(ChorosError, match="9 frames in a row"):
        next(footage_of([samples])(7, 9, 0))


def test_pictures_stand_the_right_way_up(tmp_path):
    image = np.zeros((4, 6, 3), np.uint8)
    image[0, 5] = (255, 0, 0)  # BGR: blue in the upper right corner
    cv2.imwrite(str(tmp_path / "a.png"), image)
    turned = read_picture(Sample(image=tmp_path / "a.png", quarter_turns_cw=1))
    assert turned.shape == (6, 4, 3)
    assert turned[5, 3].tolist() == [0, 0, 255]
    with pytest.raises(ChorosError, match=r"b\.png"):
        read_picture(Sample(image=tmp_path / "b.png"))


def test_an_unknown_set_is_named(tmp_path):
    with pytest.raises(ChorosError, match="cocoa"):
        open_set("cocoa", tmp_path, tmp_path)


@pytest.mark.slow
def test_a_scene_tells_the_truth_of_hidden_people_too(body):
    from choros.scenes import SceneConfig, StreamConfig, stream

    scene = SceneConfig(width=128, height=96, seconds=2.0, people=3, device="cpu")
    config = StreamConfig(scene, kinds=("crossing",), frames=2, clips_per_scene=2)
    made = next(stream(3, config))
    clip = clip_of_scene(made, body)
    truth = made.truth
    inside = truth.in_frame[..., None] & (clip.pointed > 0)
    np.testing.assert_allclose(reprojected(clip)[inside], clip.points_px[inside], atol=1e-3)
    # The scene's own keypoints are those of the body in full detail.
    apart = np.abs(clip.points_px[:, :, 24:] - truth.keypoints_px[..., :2])[clip.pointed[:, :, 24:] > 0]
    assert apart.max() < 0.01 * clip.size_px.max()
    np.testing.assert_array_equal(clip.found, truth.visible[0])
    np.testing.assert_array_equal(clip.posed, truth.in_frame)
