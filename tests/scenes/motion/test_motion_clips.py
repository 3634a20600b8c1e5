"""Takes: what was captured is played as it was, at another body's leg length, on the floor and without end."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.datasets.mocap import MocapClip, pack
from choros.datasets.mocap.folder import open_body_rest
from choros.errors import ChorosError
from choros.scenes import SceneConfig, make_scene
from choros.scenes.motion.gait import Manner, animate
from choros.scenes.motion.motion_clips import captured, improvised, load_clips, looped, lowest_m, play
from choros.scenes.motion.rest_skeleton import RestSkeleton, facing, joint_motion
from choros.scenes.motion.routes import Leg, walk
from tests.scenes.motion.test_directing import plan

REST, SOLE_M = open_body_rest()
BODY = RestSkeleton(REST, SOLE_M)
FRAMES_S = np.arange(0, 3, 0.04)
UPRIGHT = facing(np.array(np.pi / 2))


def clip(seconds=6.0, rise_m=0.0) -> MocapClip:
    """A walk of our own, as if captured at 30 frames/s: y up, straight on at 1.2 m/s; ``rise_m`` off the floor."""
    times = np.arange(0, seconds, 1 / 30)
    route = walk((Leg(((0.0, -4.0), (0.0, 4.0))),), 1.2, seconds, (0, 0.5, seconds / 2))
    poses = animate(route, BODY, Manner(), times)
    orient = (Rotation.from_matrix(UPRIGHT.T) * Rotation.from_rotvec(poses.global_orient)).as_rotvec()
    pelvis = (poses.transl + REST[0]) @ UPRIGHT
    pelvis[1:, 1] += rise_m
    return MocapClip(
        "walk", "bvh", False, "its owner's", 30.0,
        *(a.astype(np.float32) for a in (orient, poses.body_pose, pelvis - REST[0])),
    )  # fmt: skip


def walked_m(poses) -> float:
    return float(np.linalg.norm(poses.transl[-1, :2] - poses.transl[0, :2]))


def test_a_clip_is_played_as_it_was():
    poses, flies = play(np.random.default_rng(0), clip(), BODY, FRAMES_S)
    assert not flies
    assert walked_m(poses) == pytest.approx(1.2 * FRAMES_S[-1], abs=0.1)
    assert np.abs(np.diff(poses.transl[:, 2])).max() < 0.02
    knees = np.linalg.norm(poses.body_pose.reshape(-1, 23, 3)[:, 3], axis=1)
    assert knees.max() > 0.8  # it walks, and with its knees


@pytest.mark.parametrize("scale", [0.65, 1.0, 1.1])
def test_other_legs_take_other_steps_on_the_same_floor(scale):
    skeleton = RestSkeleton(REST * scale, SOLE_M * scale)
    poses, _ = play(np.random.default_rng(1), clip(), skeleton, FRAMES_S)
    assert walked_m(poses) == pytest.approx(scale * 1.2 * FRAMES_S[-1], rel=0.05)
    low = lowest_m(poses, skeleton)
    assert np.abs(low).max() < 0.06  # toes of a foot on its ball reach down; ``toes_up`` sees to them
    assert np.abs(np.median(low)) < 0.02


def test_standing_feet_do_not_slide():
    skeleton = RestSkeleton(REST * 0.8, SOLE_M * 0.8)
    poses, _ = play(np.random.default_rng(2), clip(), skeleton, FRAMES_S)
    _, places = joint_motion(skeleton.joints_rest, poses)
    balls = places[:, [10, 11]]
    pace = np.linalg.norm(np.diff(balls, axis=0), axis=-1).min(axis=1) / 0.04
    assert np.median(pace) < 0.02


def test_a_short_clip_goes_on_where_it_ended():
    short = clip(1.9)
    long = looped(short, 200)
    assert len(long) >= 200
    ahead = np.diff(long.transl[:, 2]) * 30
    assert ahead.min() > 0.5
    assert np.median(ahead) == pytest.approx(1.2, abs=0.1)
    assert np.abs(long.transl[:, 0]).max() < 0.3
    turns = Rotation.from_rotvec(long.body_pose.reshape(-1, 3))
    step = (turns[:-23].inv() * turns[23:]).magnitude()
    assert step.max() < 0.6


def test_who_stood_on_something_that_is_not_there_is_noticed():
    assert play(np.random.default_rng(3), clip(rise_m=0.0), BODY, FRAMES_S)[1] is False
    floating = clip()
    floating.transl[45:, 1] += 0.5
    still = np.arange(0, 5.9, 0.04)
    assert play(np.random.default_rng(3), floating, BODY, still)[1] is True


def test_takes_play_in_the_picture():
    act = captured([clip()])
    for seed in range(3):
        scene, rng = plan(seed), np.random.default_rng(seed)
        for proposal in (act(rng, scene, [BODY]), improvised(rng, scene, [BODY])):
            assert scene.fits(proposal)
            poses = proposal.roles[0].perform(BODY, scene.frames_s)
            pelvis = poses.transl + REST[0]
            np.testing.assert_allclose(
                pelvis[:, :2], proposal.roles[0].route.place(scene.frames_s), atol=1e-9
            )
            assert lowest_m(poses, BODY).min() > -0.02


def test_scenes_with_motion_capture_are_the_same_each_time(tmp_path):
    pack([clip(), clip(2.0)], path := tmp_path / "clips.npz")
    config = SceneConfig(width=64, height=48, fps=Fraction(10), seconds=1.5, people=2, mocap=path)
    one, other = make_scene("crossing", 1, config), make_scene("crossing", 1, config)
    for a, b in zip(one.actors, other.actors, strict=True):
        np.testing.assert_array_equal(a.poses.body_pose, b.poses.body_pose)
        np.testing.assert_array_equal(a.poses.transl, b.poses.transl)


def test_folders_without_motion_are_named(tmp_path):
    with pytest.raises(ChorosError, match=tmp_path.name):
        load_clips(tmp_path)
