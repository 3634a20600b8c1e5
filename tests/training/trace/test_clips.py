"""Clips for TRACE: sketches and turned pictures whose truth is one, whichever way it is looked at."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from choros.body import BodyModel
from choros.rotation import rotvec_to_rotmat
from choros.trace.cameras import transl_of
from choros.trace.config import PRESETS
from choros.trace.keypoints import keypoint_numbers, read_keypoints
from choros.trace.world import camera_step
from choros.training.comotion.labelled_clip import LabelledClip
from choros.training.lifter.poses import NOTHING_MIXED, PoseClip
from choros.training.trace.batch import batch_of, on_square
from choros.training.trace.clip import load_clip, save_clip, some_frames
from choros.training.trace.footage import FootageRecipe, turned_clip
from choros.training.trace.lone import Loner, LoneRecipe
from choros.training.trace.sketched import SketchRecipe, sketched_clip
from choros.training.trace.targets import CentreKernels

SMALL, KERNELS = PRESETS["small"], CentreKernels()
MOVING = SketchRecipe(turns_rate=1.0, goes_rate=1.0, people=(3, 3), blind_rate=0.0, flow_noise=0.0)


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


@pytest.fixture(scope="module")
def motions():
    """Somebody who walks along x, knees bending."""
    t = np.arange(60)
    rotvec = np.zeros((60, 24, 3))
    rotvec[:, 4, 0] = 0.4 + 0.3 * np.sin(t / 5)
    transl = np.stack([0.03 * t, np.full(60, 0.9), np.zeros(60)], -1)
    return [PoseClip(rotvec_to_rotmat(rotvec).astype(np.float32), transl.astype(np.float32))]


@pytest.fixture(scope="module")
def sketch(motions, body):
    return sketched_clip(motions, body, MOVING, 512, 64, (1, 2))


def test_a_sketch_follows_from_its_seed(motions, body, sketch):
    again, other = (sketched_clip(motions, body, MOVING, 512, 64, (1, seed)) for seed in (2, 3))
    assert np.array_equal(sketch.answers, again.answers)
    assert np.array_equal(sketch.flow, again.flow)
    assert sketch.answers.shape != other.answers.shape or not np.array_equal(sketch.answers, other.answers)


def test_pelves_are_where_the_picture_shows_them(sketch):
    labels = sketch.labels
    projected = np.einsum("tab,tpb->tpa", labels.K, sketch.pelvis_cam)
    shown = labels.placed
    assert projected[shown][:, :2] / projected[shown][:, 2:] == pytest.approx(
        labels.points_px[:, :, 0][shown], abs=0.01
    )


def test_ways_and_turns_give_the_cameras_path(sketch):
    """What the network is to say of each frame is enough to find the camera, by the rule that the tracker has."""
    batch = batch_of([sketch], SMALL, KERNELS)
    pelvis = transl_of(batch.people.camera, batch.people.K, SMALL).numpy()
    world = batch.world
    T = np.eye(4)
    for frame in range(1, len(sketch.answers)):
        now = (batch.frames == frame).numpy() & (world.stepped > 0).numpy()
        before = (batch.frames == frame - 1).numpy()
        tracks = world.track.numpy()
        rows = [np.flatnonzero(before & (tracks == one))[0] for one in tracks[now]]
        T = camera_step(T, world.turn[now][0].numpy(), pelvis[rows], pelvis[now], world.way[now].numpy())
        assert pytest.approx(sketch.T_first_camera[frame], abs=2e-3) == T
    assert np.linalg.norm(T[:3, 3]) > 0.005


def test_places_in_the_world_do_not_move_with_the_camera(sketch):
    batch = batch_of([sketch], SMALL, KERNELS)
    world = batch.world
    way = (torch.from_numpy(sketch.T_first_camera).float()[batch.frames][:, :3, :3] @ world.way[..., None])[
        ..., 0
    ]
    for one in world.track.unique():
        mine = world.track == one
        assert world.place[mine].diff(dim=0) == pytest.approx(way[mine][1:], abs=1e-4)


def test_flow_of_a_standing_camera_is_of_people_alone(motions, body):
    still = replace(
        MOVING, turns_rate=0.0, goes_rate=0.0, people=(1, 1), height_share=(0.5, 0.6), variety=NOTHING_MIXED
    )
    clip = sketched_clip(motions, body, still, 512, 64, (5, 1))
    moved = np.abs(clip.flow[1:]).max(1) > 0.005
    assert 0 < moved.mean() < 0.3
    assert not clip.flow[0].any()


def test_answers_are_read_back_as_keypoints(motions, body):
    plain = replace(MOVING, people=(1, 1), height_share=(0.4, 0.6), turns_rate=0.0, goes_rate=0.0)
    clip = sketched_clip(motions, body, plain, 512, 64, (8, 1))
    batch = batch_of([clip], SMALL, KERNELS)
    keypoints, middle = read_keypoints(batch.answers[0], batch.places[:, 1:], SMALL.map_size, batch.frames)
    truth = torch.from_numpy(clip.labels.keypoints_px[:, 0])
    seen = truth[..., 2] > 0
    off = (keypoints[..., :2] * SMALL.input_stride - truth[..., :2]).norm(dim=-1)[seen]
    assert off.median() < 0.05 * clip.labels.size_px[0, 0]
    assert keypoint_numbers(keypoints, middle).shape == (len(keypoints), 52)


def test_nobody_is_beyond_the_picture(sketch):
    square = on_square(sketch, 128, 4)
    x, y = (at // 4 for at in sketch.origin_px)
    height, width = sketch.answers.shape[-2:]
    square[..., y : y + height, x : x + width] = -9
    assert square[:, :17].max() < -3


def test_clips_are_kept_and_cut(sketch, tmp_path):
    save_clip(tmp_path / "clip.npz", sketch)
    kept = load_clip(tmp_path / "clip.npz")
    assert np.array_equal(kept.answers, sketch.answers)
    assert kept.labels.content_px == sketch.labels.content_px
    part = some_frames(kept, 2, np.random.default_rng(1))
    assert part.T_first_camera[0] == pytest.approx(np.eye(4))
    assert not part.flow[0].any()
    assert len(part.labels.K) == 2


def still_picture():
    """One person of six known points in a picture of 640x480 px."""
    rng = np.random.default_rng(4)
    K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
    about = np.zeros((1, 1, 41, 3))
    about[0, 0, 1:] = rng.normal(0, 0.3, (40, 3))
    pelvis = np.array([0.3, 0.1, 4.0])
    seen = (about + pelvis) @ K.T
    points = seen[..., :2] / seen[..., 2:]
    eye = np.tile(np.eye(3), (1, 1, 24, 1, 1))
    one = np.ones((1, 1), bool)
    return pelvis, about, LabelledClip(
        images=rng.integers(0, 255, (1, 480, 640, 3), dtype=np.uint8),
        K=K[None].astype(np.float32), camera_known=False, everyone=True,
        first_box_px=np.array([[200, 100, 400, 400]], np.float32), found=np.ones(1, bool),
        keypoints_px=np.concatenate([points[:, :, 24:], np.ones((1, 1, 17, 1))], -1).astype(np.float32),
        rotations=eye.astype(np.float32), betas=np.zeros((1, 10), np.float32),
        about_pelvis=about.astype(np.float32), points_px=points.astype(np.float32),
        rho=np.full((1, 1), np.log(600 / 4), np.float32), size_px=np.full((1, 1), 255, np.float32),
        pointed=np.ones((1, 1, 41), np.float32), posed=one, placed=one, shaped=np.ones(1, bool),
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_turning_camera_sees_everything_turned(seed):
    _, _, clip = still_picture()
    recipe = FootageRecipe(frames=3, still=0.0, turn_rad=0.04)
    turned, path = turned_clip(clip, recipe, 512, np.random.default_rng(seed))
    assert turned.images.shape == (3, 512, 512, 3)
    K = turned.K.astype(np.float64)
    depth = K[:, None, 0, 0] / np.exp(turned.rho.astype(np.float64))
    across = (turned.points_px[:, :, 0] - K[:, None, :2, 2]) / K[:, None, [0, 1], [0, 1]]
    pelvis = np.concatenate([across, np.ones((3, 1, 1))], -1) * depth[..., None]
    projected = np.einsum("tab,tpkb->tpka", K, turned.about_pelvis + pelvis[:, :, None])
    assert projected[..., :2] / projected[..., 2:] == pytest.approx(turned.points_px, abs=0.05)
    in_first = np.einsum("tab,tpb->tpa", path[:, :3, :3], pelvis)
    assert in_first == pytest.approx(np.repeat(in_first[:1], 3, 0), abs=1e-3)  # nobody moved, the camera did
    assert not np.allclose(path[2], np.eye(4), atol=1e-3)


def test_lone_people_are_where_their_camera_says(motions, body):
    lone = Loner(motions, body, SMALL, LoneRecipe(people=8)).draw(1, 3)
    truth = lone.truth
    pelvis = transl_of(truth.camera, truth.K, SMALL)
    points = (truth.ray @ truth.about.mT).mT + pelvis[:, None]
    px = points[..., :2] / points[..., 2:].clamp_min(0.2) * truth.K[:, None, 0, :1] / 256
    near = truth.pointed > 0
    assert px[near] == pytest.approx(truth.points[near], abs=2e-3)
    assert lone.feature.shape == (8, SMALL.person_features)
    assert not lone.feature[:, : SMALL.width].any()
