"""The whole stage on people who are known exactly: paths, cameras, gaps, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from choros import devices
from choros.body import BodyModel
from choros.camera_motion.camera_path import CameraPath
from choros.camera_motion.evidence import CameraEvidence, GroundEvidence
from choros.errors import ChorosError
from choros.evaluation.bodies import joints_m
from choros.evaluation.metrics.pose import apply_similarity, similarity_transform
from choros.glamr.infiller import MotionInfiller
from choros.glamr.observations import places_of
from choros.glamr.options import Sigmas, WorldOptions
from choros.glamr.pipeline import world_of
from choros.glamr.trajectory import TrajectoryPredictor
from choros.motion import Motion
from choros.rotation import rotvec_to_rotmat

from .walkers import Held, Known, camera_path, seen_motion, seen_only, walkers

SKATING = replace(Sigmas(), contact_m=np.inf)  # feet of the walkers do not step


def pelvises(motion, people, frames):
    return joints_m(motion.rows, BodyModel.load())[:, 0].reshape(frames, people, 3).swapaxes(0, 1)


def shape_error_m(said, true):
    """Distance of (P, T, 3) pelvises when both worlds are laid onto each other, never scaled; mean and most."""
    said, true = said.reshape(-1, 3), true.reshape(-1, 3)
    moved = apply_similarity(similarity_transform(said, true, with_scale=False), said)
    distance = np.linalg.norm(moved - true, axis=-1)
    return distance.mean(), distance.max()


def world(motion, predictor, camera, **more):
    options = WorldOptions(camera=camera, sigmas=SKATING, smooth_s=0, feet="free")
    return world_of(motion, options, Held(), predictor, **more)


def test_a_camera_that_stands_gives_back_the_world():
    T, camera = walkers(40), camera_path(40)
    made = world(seen_motion(T, camera), Known(T), "static")
    assert made.space == "world"
    mean, most = shape_error_m(pelvises(made, 2, 40), T[..., :3, 3])
    assert mean < 0.002
    assert most < 0.01
    assert made.T_world_camera[0, 2, 3] == pytest.approx(1.6, abs=0.01)
    assert (made.T_world_camera == made.T_world_camera[0]).all()
    np.testing.assert_allclose(made.T_world_camera[0, 2, :3], camera[0, 2, :3], atol=0.005)


def test_a_camera_that_goes_about_is_told_from_the_people():
    T, camera = walkers(60), camera_path(60, turn_rad=0.6, ahead_m=2.0)
    made = world(seen_motion(T, camera), Known(T), "moving")
    mean, _ = shape_error_m(pelvises(made, 2, 60), T[..., :3, 3])
    assert mean < 0.1  # a camera is believed to be slow, and goes 2 m in 2 s
    went = made.T_world_camera[-1, :3, 3] - made.T_world_camera[0, :3, 3]
    assert np.linalg.norm(went) == pytest.approx(2.0, abs=0.2)


def told_by_its_system(T, camera, unknown=0):
    """What a system says that also tells its camera, in a world of its own, but in the first frames."""
    motion = seen_motion(T, camera)
    frames = motion.frames.copy()
    own = np.eye(4)  # tilted, elsewhere and not on the floor
    own[:3, :3], own[:3, 3] = rotvec_to_rotmat(np.array([0.05, 0.03, 1.0])), [3, -2, 0.7]
    frames["T_world_camera"], frames["camera_known"] = own @ camera, True
    frames["camera_known"][:unknown] = False
    return Motion(motion.header, frames, motion.rows[motion.rows["frame"] >= unknown])


@pytest.mark.parametrize("unknown", [0, 3])
def test_a_camera_that_its_system_tells_is_where_it_begins(unknown):
    """As begun, without the optimisation: the system's path, level, with the floor at 0."""
    T, camera = walkers(60), camera_path(60, turn_rad=0.6, ahead_m=2.0)
    motion = told_by_its_system(T, camera, unknown)
    begun = WorldOptions(from_motion=True, optimise=False, smooth_s=0, feet="free")
    made = world_of(motion, begun, Held(), Known(T))
    assert made.header.provenance["world"]["camera"] == "moving"
    mean, most = shape_error_m(pelvises(made, 2, 60 - unknown), T[:, unknown:, :3, 3])
    assert mean < 0.02
    assert most < 0.05
    assert made.T_world_camera[unknown:, 2, 3] == pytest.approx(1.6, abs=0.03)
    went = made.T_world_camera[-1, :3, 3] - made.T_world_camera[0, :3, 3]
    assert np.linalg.norm(went) == pytest.approx(
        np.linalg.norm(camera[-1, :3, 3] - camera[unknown, :3, 3]), rel=0.03
    )


def test_a_beginning_that_nobody_tells_is_refused():
    T, camera = walkers(10), camera_path(10)
    with pytest.raises(ChorosError, match="tells no camera"):
        world_of(seen_motion(T, camera), WorldOptions(from_motion=True), Held(), Known(T))
    path = CameraPath(camera[:, :3, :3], camera[:, :3, 3])
    with pytest.raises(ChorosError, match="begins as it is"):
        world_of(told_by_its_system(T, camera), WorldOptions(from_motion=True), Held(), Known(T), given=path)


def test_paths_predicted_too_fast_are_mended_by_what_was_seen():
    T, camera = walkers(60), camera_path(60)
    motion = seen_motion(T, camera)
    predictor = Known(T, strays_m_s=0.5)
    as_predicted = world_of(
        motion, WorldOptions("moving", optimise=False, smooth_s=0, feet="free"), Held(), predictor
    )
    made = world(motion, predictor, "static")
    true = T[..., :3, 3]
    before, after = (shape_error_m(pelvises(m, 2, 60), true)[0] for m in (as_predicted, made))
    assert after < 0.02
    assert after < before / 5


def test_gaps_are_filled_along_the_predicted_path():
    T, camera = walkers(60), camera_path(60)
    motion = seen_only(seen_motion(T, camera, hidden=[(0, 20, 45)]))
    made = world(motion.with_extras({"row": 1 + np.arange(len(motion.rows))}), Known(T), "static")
    one = made.person(1)
    assert one.extras["row"][one.visible].tolist() == (1 + np.flatnonzero(motion.row_person == 1)).tolist()
    assert (one.extras["row"][~one.visible] == 0).all()
    assert one.frame.tolist() == list(range(60))
    assert one.visible.tolist() == [not 20 <= t < 45 for t in range(60)]
    _, most = shape_error_m(pelvises(made, 2, 60), T[..., :3, 3])
    assert most < 0.02  # the straight way across is 0.1 m off
    hidden = one.rows[30]
    assert 0 < hidden["confidence"] < 1
    assert not hidden["keypoints_px"].any()
    true_px = seen_motion(T, camera).person(1).rows[30]["keypoints_px"][:, :2]
    room = (hidden["box_px"] - [*true_px.min(0), *true_px.max(0)]) * [-1, -1, 1, 1]
    height = np.ptp(true_px[:, 1])
    assert (room > 0.02 * height).all()  # the whole body's box, not that of its keypoints
    assert (room < 0.2 * height).all()


def test_nobody_outlives_their_last_sight():
    T = walkers(30)
    made = world(seen_motion(T, camera_path(30), hidden=[(1, 0, 5), (1, 20, 30)]), Known(T), "static")
    assert made.person(2).frame.tolist() == list(range(5, 20))


@pytest.mark.parametrize(("turn", "says"), [(0.0, "static"), (0.6, "turning")])
def test_the_camera_is_told_by_its_background(turn, says):
    T, camera = walkers(45), camera_path(45, turn_rad=turn)
    R = camera[:, :3, :3]
    evidence = CameraEvidence(np.swapaxes(R[:-1], -1, -2) @ R[1:], np.ones(44))
    made = world(seen_motion(T, camera), Known(T), "auto", evidence=evidence)
    assert made.header.provenance["world"]["camera"] == says
    mean, _ = shape_error_m(pelvises(made, 2, 45), T[..., :3, 3])
    assert mean < 0.01


def test_a_background_that_shows_depth_tells_that_the_camera_goes_about():
    T, camera = walkers(30), camera_path(30, ahead_m=1.0)
    shown = CameraEvidence(np.tile(np.eye(3), (29, 1, 1)), np.ones(29), np.ones(29, bool))
    made = world(seen_motion(T, camera), Known(T), "auto", evidence=shown)
    assert made.header.provenance["world"]["camera"] == "moving"


def over_ground(camera: np.ndarray) -> CameraEvidence:
    """All that a background can tell of a camera path (T, 4, 4)."""
    R, place = camera[:, :3, :3], camera[:, :3, 3]
    step = (np.swapaxes(R[:-1], -1, -2) @ np.diff(place, axis=0)[..., None])[..., 0] / place[:-1, 2:]
    sure = np.ones(len(step))
    turn = np.swapaxes(R[:-1], -1, -2) @ R[1:]
    return CameraEvidence(turn, sure, sure > 0, GroundEvidence(step, R[:-1, 2], sure))


def test_ground_that_passes_tells_how_fast_people_go():
    """People go along with the camera, and are predicted to go 0.6 m/s less fast than they do."""
    T, camera = walkers(60), camera_path(60, turn_rad=0.3, ahead_m=2.0)
    motion, slow, evidence = seen_motion(T, camera), Known(T, strays_m_s=-0.6), over_ground(camera)
    blind = replace(evidence, ground=None)
    with_ground, without = (world(motion, slow, "auto", evidence=known) for known in (evidence, blind))
    mean, most = shape_error_m(pelvises(with_ground, 2, 60), T[..., :3, 3])
    assert mean < 0.05
    assert most < 0.1
    assert mean < shape_error_m(pelvises(without, 2, 60), T[..., :3, 3])[0] / 4
    went = with_ground.T_world_camera[-1, :3, 3] - with_ground.T_world_camera[0, :3, 3]
    assert np.linalg.norm(went) == pytest.approx(2.0, abs=0.1)


def test_given_poses_are_kept():
    T, camera = walkers(40), camera_path(40, turn_rad=0.4, ahead_m=1.0)
    given = CameraPath(camera[:, :3, :3], camera[:, :3, 3])
    made = world(seen_motion(T, camera), Known(T), "auto", given=given)
    np.testing.assert_array_equal(made.T_world_camera, camera)
    np.testing.assert_allclose(pelvises(made, 2, 40), T[..., :3, 3], atol=0.01)


def test_poses_of_any_scale_and_way_up_are_brought_to_metres():
    T, camera = walkers(40), camera_path(40, turn_rad=0.2, ahead_m=2.0)
    tumbled = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    tumbled *= np.sign(np.linalg.det(tumbled))
    given = CameraPath(tumbled @ camera[:, :3, :3], 0.37 * (camera[:, :3, 3] @ tumbled.T) + [5, 6, 7])
    made = world(seen_motion(T, camera), Known(T), "auto", given=given, given_in_metres=False)
    mean, _ = shape_error_m(pelvises(made, 2, 40), T[..., :3, 3])
    assert mean < 0.02
    assert made.T_world_camera[:, 2, 3] == pytest.approx(1.6, abs=0.03)


def test_who_has_left_makes_place_for_somebody_else():
    class Span:
        def __init__(self, start, stop):
            self.start, self.frames = start, slice(start, stop)

    people = [Span(0, 10), Span(5, 20), Span(10, 30), Span(20, 25), Span(24, 40)]
    assert places_of(people) == [0, 1, 0, 1, 2]


def test_what_cannot_be_placed_is_said_in_one_sentence():
    T, camera = walkers(10), camera_path(10)
    motion = seen_motion(T, camera)
    short = CameraPath(camera[:7, :3, :3], camera[:7, :3, 3])
    turns = CameraEvidence(np.tile(np.eye(3), (4, 1, 1)), np.ones(4))
    in_world = replace(motion, header=replace(motion.header, space="world"))
    other = replace(motion, header=replace(motion.header, body="smpl"))
    for bad, more, says in (
        (in_world, {}, "in the world already"),
        (other, {}, "smpl body"),
        (motion, {"given": short}, "7 poses.*10 frames"),
        (motion, {"evidence": turns}, "5 frames.*has 10"),
    ):
        with pytest.raises(ChorosError, match=says):
            world(bad, Known(T), "auto", **more)


def test_the_world_of_nobody_is_empty():
    T, camera = walkers(10), camera_path(10)
    motion = seen_motion(T, camera)
    unseen = seen_motion(T, camera, hidden=[(0, 0, 10), (1, 0, 10)])
    nobody = Motion(motion.header, motion.frames, motion.rows[:0])
    for empty in (unseen, nobody):
        made = world(empty, Known(T), "auto")
        assert (made.space, len(made), len(made.rows)) == ("world", 10, 0)
    known = world(nobody, Known(T), "auto", given=CameraPath(camera[:, :3, :3], camera[:, :3, 3]))
    np.testing.assert_array_equal(known.T_world_camera, camera)
    assert known.camera_known.all()


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_motions(frames):
    T, camera = walkers(frames), camera_path(frames)
    made = world(seen_motion(T, camera), Known(T), "auto")
    mean, _ = shape_error_m(pelvises(made, 2, frames), T[..., :3, 3])
    assert mean < 0.01


def two_shots(first, second, hidden=()):
    """Two motions as one video with a cut, whose people have the same numbers, and the second's length."""
    after = second.rows.copy()
    after["frame"] += len(first)
    frames = np.concatenate([first.frames, second.frames])
    frames["pts"] = [(n, 30) for n in range(len(frames))]
    frames["cut_before"][len(first)] = True
    return Motion(first.header, frames, np.concatenate([first.rows, after]))


def test_every_shot_is_a_world_of_its_own():
    """A camera that cuts from one side of the walkers to above them: no turn between, and each floor is 0."""
    T, camera = walkers(30), camera_path(30)
    first = seen_motion(T, camera, hidden=[(0, 20, 30)])
    high = camera.copy()
    high[:, :3, :3] = camera[:, :3, :3] @ rotvec_to_rotmat(np.array([-0.3, 0.0, 0.0]))
    high[:, 2, 3] = 3.0
    second = seen_motion(T, high, hidden=[(0, 0, 5)])
    cut = two_shots(first, second)
    turn = np.tile(np.eye(3), (59, 1, 1))
    turn[29] = rotvec_to_rotmat(np.array([0.0, 0.4, 0.0]))  # what a background that is another seems to say
    made = world(cut, Known(T), "static", evidence=CameraEvidence(turn, np.ones(59)))
    assert made.header.provenance["world"] == {
        "camera": "static",
        "seed": 0,
        "keep_visible": True,
        "feet": "free",
        "shots": 2,
    }
    assert made.cut_before.tolist() == [n == 30 for n in range(60)]
    assert made.T_world_camera[29, 2, 3] == pytest.approx(1.6, abs=0.02)
    assert made.T_world_camera[30, 2, 3] == pytest.approx(3.0, abs=0.1)
    # Nobody is filled in over the cut, and each shot is as if it were alone.
    assert made.person(1).frame.tolist() == [*range(20), *range(35, 60)]
    for part, alone in ((made[:30], first), (made[30:], second)):
        expected = world(alone, Known(T), "static")
        np.testing.assert_allclose(part.T_world_camera, expected.T_world_camera, atol=1e-9)
        np.testing.assert_allclose(part.transl, expected.transl, atol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 3, 8])
def test_a_short_shot_and_one_without_people_are_fine(length):
    T, camera = walkers(20), camera_path(20)
    whole = seen_motion(T, camera)
    nobody = replace(whole, rows=whole.rows[:0])
    cut = two_shots(two_shots(nobody[:length], whole), whole[:length])
    turn = np.tile(rotvec_to_rotmat(np.array([0.0, 0.01, 0.0])), (len(cut) - 1, 1, 1))
    made = world(cut, Known(T), "auto", evidence=CameraEvidence(turn, np.ones(len(cut) - 1)))
    assert len(made) == 20 + 2 * length
    assert set(made.row_frame) == set(range(length, len(made)))
    assert np.isfinite(made.T_world_camera).all()
    assert made.camera_known.tolist() == [
        length <= n for n in range(len(made))
    ]  # by people, and nobody is first
    np.testing.assert_allclose(made.T_world_camera[0, :3, 1], [0, 0, -1], atol=1e-9)  # level
    assert np.linalg.norm(made.transl, axis=-1).max() < 20


def test_a_shot_from_where_an_earlier_one_was_filmed_goes_on_in_its_world():
    """A camera, another one, and the first again, turned a little: people are where they were."""
    T, camera = walkers(40), camera_path(40)
    low = camera.copy()
    low[:, 2, 3] = 1.0
    turned = camera.copy()
    turned[:, :3, :3] = camera[:, :3, :3] @ rotvec_to_rotmat(np.array([0.0, 0.2, 0.0]))
    parts = (seen_motion(T, one) for one in (camera, low, turned))
    cut = two_shots(two_shots(*(next(parts) for _ in range(2))), next(parts))
    still = np.tile(np.eye(3), (119, 1, 1))
    again = {80: (39, rotvec_to_rotmat(np.array([0.0, 0.2, 0.0])))}
    made = world(cut, Known(T), "static", evidence=CameraEvidence(still, np.ones(119), again=again))
    assert made.header.provenance["world"]["camera"] == "static, recognised"
    np.testing.assert_allclose(made.T_world_camera[80, :3, 3], made.T_world_camera[0, :3, 3], atol=1e-9)
    first, third = (pelvises(part, 2, 40) for part in (made[:40], made[80:]))
    assert np.linalg.norm(first - third, axis=-1).max() < 0.02
    alone = world(cut, Known(T), "static", evidence=CameraEvidence(still, np.ones(119)))
    first, third = (pelvises(part, 2, 40) for part in (alone[:40], alone[80:]))
    assert np.linalg.norm(first - third, axis=-1).max() > 0.5


def test_networks_run_where_it_is_asked(monkeypatch):
    moved = []
    for network in (MotionInfiller, TrajectoryPredictor):
        monkeypatch.setattr(network, "to", lambda self, device: moved.append(device) or self)
    monkeypatch.setattr(devices, "torch_devices", lambda: ["cpu", "cuda:0"])
    T, camera = walkers(10), camera_path(10)
    made = world_of(seen_motion(T, camera), WorldOptions("static", optimise=False, device="cuda"))
    assert moved == [torch.device("cuda:0")] * 2
    assert made.header.provenance["world"]["device"] == "cuda:0"
    made = world_of(seen_motion(T, camera), WorldOptions("static", optimise=False, device="cpu"))
    assert "device" not in made.header.provenance["world"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
def test_a_gpu_says_what_the_cpu_says():
    T, camera = walkers(40), camera_path(40)
    motion = seen_only(seen_motion(T, camera, hidden=[(0, 5, 9)]))
    cpu, gpu = (world_of(motion, WorldOptions("static", device=device)) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu.rows["transl"], cpu.rows["transl"], atol=0.01)
    np.testing.assert_allclose(gpu.rows["body_pose"], cpu.rows["body_pose"], atol=0.01)


def test_worlds_tell_which_feet_stand_and_hold_them_unless_told_otherwise():
    """People who stand, and a system whose places tremble."""
    T, camera = np.repeat(walkers(30)[:, :1], 30, 1), camera_path(30)
    shaken = T.copy()
    shaken[..., :2, 3] += 0.03 * np.sin(np.arange(30))[:, None]
    motion = seen_motion(shaken, camera)
    slid = {}
    for feet in ("free", "locked"):
        made = world_of(motion, WorldOptions(camera="static", smooth_s=0, feet=feet), Held(), Known(T))
        assert made.header.provenance["world"]["feet"] == feet
        contact = made.extras["foot_contact"]
        assert contact.shape == (60, 4)
        assert contact.min() > 0.5
        joints = joints_m(made.rows, BodyModel.load())[:, [7, 8, 10, 11]].reshape(30, 2, 4, 3)
        slid[feet] = np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean() * 30
    assert slid["free"] > 0.04
    assert slid["locked"] < 0.01
