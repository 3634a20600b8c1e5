"""Clips know what their labels know: of scenes, of public sets, of a system's own answers."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from choros.datasets.sample import Sample
from choros.motion import FRAME, ROW, Header, Motion
from choros.skeleton import JOINT_NAMES
from choros.training.comotion.labels import clip_of_motion, clip_of_samples, clip_of_scene
from tests.training.comotion.drawn import labelled_person, reprojected


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
