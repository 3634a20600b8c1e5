"""A camera whose place is known: poses that are none, and people in the world from the first frame on."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.cast import cast_of
from choros.body.posed import Skeleton
from choros.camera import intrinsics, project
from choros.camera.pose import checked_pose, level_pose, read_pose
from choros.errors import ChorosError
from choros.exporters.formats import ExportOptions
from choros.live import live_to_file
from choros.motion import ROW, FrameResult, Motion
from choros.options import TrackOptions
from choros.skeleton import FEET
from choros.track_video import track_to_file
from choros.view.overlay import Overlay

LEVEL = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 1.6], [0, 0, 0, 1]])


def pose(rotvec=(0, 0, 0), place=(0, 0, 0)):
    """``LEVEL`` turned about the world's axes and moved."""
    T = LEVEL.copy()
    T[:3, :3] = Rotation.from_rotvec(rotvec).as_matrix() @ T[:3, :3]
    T[:3, 3] += place
    return T


# --- poses --------------------------------------------------------------------------------------------


def test_a_level_camera():
    np.testing.assert_allclose(level_pose(1.6), LEVEL, atol=1e-15)
    K = intrinsics(1920, 1080)
    T = np.array(level_pose(2.5, 20))
    np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-12)
    # What lies on the floor where the middle ray meets it, 2.5 / tan 20 degrees ahead, is in the middle.
    floor = np.array([0, 2.5 / np.tan(np.deg2rad(20)), 0])
    np.testing.assert_allclose(project((floor - T[:3, 3]) @ T[:3, :3], K), [960, 540], atol=1e-9)
    # Right stays right, and the higher of two points is higher in the picture.
    right, up = (project((p - T[:3, 3]) @ T[:3, :3], K) for p in floor + np.eye(3)[[0, 2]])
    assert right[0] > 960
    assert right[1] == pytest.approx(540)
    assert up[1] < 540
    assert up[0] == pytest.approx(960)


@pytest.mark.parametrize(
    "T",
    [
        LEVEL,
        pose((0, 0, 2.0), (5, -3, 4)),
        pose((-np.pi / 2, 0, 0), (0, 0, 5)),  # straight down
        pose((0.4, 0, 0)),  # up a little
        pose((0, np.pi / 2, 0)),  # on its side
    ],
)
def test_poses_of_cameras_pass(T):
    np.testing.assert_allclose(checked_pose(T), T, atol=1e-12)
    np.testing.assert_allclose(checked_pose(T[:3]), T, atol=1e-12)
    assert TrackOptions(camera_pose=T.tolist()).camera_pose == checked_pose(T)


AHEAD_IS_UP = np.diag([1.0, 1, 1, 1])
AHEAD_IS_UP[2, 3] = 2
SCALED = LEVEL @ np.diag([2.0, 2, 2, 1])
NO_POSES = {
    "scaled": (SCALED, "does not rotate only"),
    "mirrored": (LEVEL @ np.diag([-1.0, 1, 1, 1]), "does not rotate only"),
    "sheared": (LEVEL + np.eye(4, k=1) * [[0.1], [0], [0], [0]], "does not rotate only"),
    "zeros": (np.diag([0.0, 0, 0, 1]), "does not rotate only"),
    "transposed": (LEVEL.T, "transposed"),
    "no last row": (np.concatenate([LEVEL[:3], LEVEL[:1]]), "last row"),
    "identity": (np.eye(4), "not above the floor"),
    "camera's axes for the world's": (AHEAD_IS_UP, "into the sky"),
    "inverse": (np.linalg.inv(pose((0, 0, 1), (2, 3, 1))), "looks like T_camera_world; give its inverse"),
    "below the floor": (pose(place=(0, 0, -2.6)), "-1 m, not above the floor"),
    "millimetres": (pose(place=(0, 0, 2500)), "millimetres"),
    "upside down": (pose((0, np.pi, 0)), "upside down"),
    "nan": (LEVEL * np.nan, "finite"),
    "too few": (np.eye(3), "four rows of four"),
    "words": ("here", "numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_POSES)
def test_poses_of_no_camera_are_refused(name):
    T, says = NO_POSES[name]
    for make in (checked_pose, lambda T: TrackOptions(camera_pose=T)):
        with pytest.raises(ChorosError) as refused:
            make(T)
        assert says in str(refused.value)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "choice", [(0.0,), (-1.0,), (2500.0,), (float("nan"),), (2.0, 100.0), (2.0, float("nan"))]
)
def test_heights_and_tilts_of_no_camera_are_refused(choice):
    with pytest.raises(ChorosError):
        level_pose(*choice)


def test_poses_in_files(tmp_path):
    T = pose((0.1, 0.2, 1), (1, 2, 1))
    (tmp_path / "a.json").write_text(json.dumps({"T_world_camera": T.tolist()}))
    (tmp_path / "b.json").write_text(json.dumps([T.tolist()]))
    np.save(tmp_path / "c.npy", T)
    np.savetxt(tmp_path / "d.txt", T)
    (tmp_path / "e.txt").write_text(", ".join(map(repr, T[:3].ravel().tolist())))
    inverse = np.linalg.inv(T)
    rotvec, t = Rotation.from_matrix(inverse[:3, :3]).as_rotvec().tolist(), inverse[:3, 3].tolist()
    (tmp_path / "f.toml").write_text(
        f"[cam]\nsize = [640, 480]\nmatrix = [[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]\n"
        f"distortions = [0.0, 0, 0, 0]\nrotation = {rotvec}\ntranslation = {t}\n"
    )
    for name in ["a.json", "b.json", "c.npy", "d.txt", "e.txt", "f.toml"]:
        np.testing.assert_allclose(read_pose(tmp_path / name), T, atol=1e-9, err_msg=name)


def test_files_without_a_pose(tmp_path):
    (tmp_path / "moving.json").write_text(json.dumps({"T_world_camera": [LEVEL.tolist()] * 3}))
    (tmp_path / "inverse.json").write_text(json.dumps({"T_world_camera": np.linalg.inv(LEVEL).tolist()}))
    (tmp_path / "words.txt").write_text("here and there")
    (tmp_path / "few.txt").write_text("1 2 3")
    (tmp_path / "cut.json").write_text("[[1, 0")
    (tmp_path / "odd.json").write_text('{"T_world_camera": [[1, 2], [3]]}')
    (tmp_path / "K.toml").write_text("[cam]\nmatrix = [[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]\n")
    for name, says in {
        "missing.json": "does not exist",
        "moving.json": "3 poses, of a camera that moves",
        "inverse.json": "not above the floor",
        "words.txt": "no file with a camera's pose",
        "few.txt": "four rows of four",
        "cut.json": "no file with a camera's pose",
        "odd.json": "no matrix",
        "K.toml": "tells nothing of where the camera stood",
    }.items():
        with pytest.raises(ChorosError, match=says) as refused:
            read_pose(tmp_path / name)
        assert name in str(refused.value)


# --- people in the world ------------------------------------------------------------------------------


class Knows:
    """A system that says the truth, in camera axes as all do."""

    name = "knows"

    def __init__(self, motion):
        self.motion, self.body = motion, BodyModel.load()

    def stream(self, K=None):
        return KnowsStream(self.motion)


class KnowsStream:
    cut_before = False

    def __init__(self, motion):
        self.motion, self.frame = motion, -1

    def encode(self, image):
        return None

    def step(self, features, time_s):
        self.frame += 1
        rows = self.motion.in_frame(self.frame).copy()
        rows["frame"] = self.frame
        return FrameResult(rows)

    def update(self, image, time_s):
        return self.step(None, time_s)

    def state(self):
        return {"frame": np.array(self.frame)}

    def restore(self, state):
        self.frame = int(state["frame"])


def test_people_stand_on_the_floor(scene, tmp_path):
    motion, arrays = scene.truth, scene.arrays
    T = arrays.T_world_camera[0]
    assert np.abs(arrays.T_world_camera - T).max() == 0  # the camera stands still
    track_to_file(scene.video, tmp_path / "m.npz", Knows(motion), TrackOptions(camera_pose=T))
    world = Motion.load(tmp_path / "m.npz")
    assert world.space == "world"
    np.testing.assert_allclose(world.T_world_camera, np.tile(T, (len(motion), 1, 1)), atol=1e-12)
    assert world.camera_known.all()
    track_to_file(scene.video, tmp_path / "untold.npz", Knows(motion))
    assert not Motion.load(tmp_path / "untold.npz").camera_known.any()
    assert len(world.rows) == len(motion.rows) > 20
    skeleton = Skeleton.of()
    joints_cam, joints_world = skeleton.joints(motion.rows), skeleton.joints(world.rows)
    np.testing.assert_allclose(joints_world, joints_cam @ T[:3, :3].T + T[:3, 3], atol=1.5e-6)
    # The scene has its own account of where everybody was.
    np.testing.assert_allclose(joints_world, arrays.joints_world[arrays.in_frame], atol=1e-4)
    assert (np.abs(joints_world[:, FEET, 2].min(1)) < 0.2).all()
    for name in set(ROW.names) - {"global_orient", "transl"}:
        np.testing.assert_array_equal(world.rows[name], motion.rows[name])


def test_a_level_camera_sees_feet_on_the_floor(scene, tmp_path):
    """People as a level camera 1.6 m up sees them; nothing but its height is told."""
    motion, arrays = scene.truth, scene.arrays
    rows = Skeleton.of().moved(motion.rows, np.linalg.inv(LEVEL) @ arrays.T_world_camera[0])
    seen = replace(motion, rows=rows)
    track_to_file(scene.video, tmp_path / "m.npz", Knows(seen), TrackOptions(camera_pose=level_pose(1.6)))
    joints = Skeleton.of().joints(Motion.load(tmp_path / "m.npz").rows)
    assert (np.abs(joints[:, FEET, 2].min(1)) < 0.2).all()
    np.testing.assert_allclose(joints[..., 2], arrays.joints_world[arrays.in_frame][..., 2], atol=1e-4)


def test_exporters_take_it_as_it_is_and_back_to_the_camera(scene, tmp_path):
    motion, arrays = scene.truth, scene.arrays
    options = TrackOptions(camera_pose=arrays.T_world_camera[0])
    track_to_file(scene.video, tmp_path / "m.npz", Knows(motion), options)
    world = Motion.load(tmp_path / "m.npz")
    in_world = cast_of(world, ExportOptions(), up="z")
    assert in_world.space == "world"
    one = world.person(in_world.people[0].id)
    np.testing.assert_allclose(in_world.people[0].pelvis, one.joint("pelvis"), atol=1e-5)
    back = cast_of(world, ExportOptions(space="camera"))
    before = cast_of(motion, ExportOptions(space="camera"))
    for a, b in zip(back.people, before.people, strict=True):
        np.testing.assert_allclose(a.pelvis, b.pelvis, atol=1e-5)


def test_they_are_drawn_over_the_video_as_before(scene):
    motion, arrays = scene.truth, scene.arrays
    T = arrays.T_world_camera[0]
    body, picture = BodyModel.load(detail="light"), np.full((motion.height, motion.width, 3), 90, np.uint8)
    rows = motion.in_frame(5)
    here = Overlay(body, motion.width, motion.height).draw(picture, rows, motion.K[5])
    world = Overlay(body, motion.width, motion.height, space="world")
    there = world.draw(picture, Skeleton.of().moved(rows, T), motion.K[5], T)
    assert (here != picture).any(-1).mean() > 0.01
    assert (np.abs(here.astype(int) - there).max(-1) > 8).mean() < 0.002


def test_a_run_that_was_stopped_goes_on_in_the_same_world(scene, tmp_path):
    motion, arrays = scene.truth, scene.arrays
    options = TrackOptions(camera_pose=arrays.T_world_camera[0])
    track_to_file(scene.video, tmp_path / "whole.npz", Knows(motion), options)

    class Stops(Exception):
        pass

    def stop(progress):
        if progress.n_frames == 7:
            raise Stops

    with pytest.raises(Stops):
        track_to_file(scene.video, tmp_path / "m.npz", Knows(motion), options, progress=stop)
    with pytest.raises(ChorosError, match=r"with --camera-pose 1 0 0 0 .*, this run is without it"):
        track_to_file(scene.video, tmp_path / "m.npz", Knows(motion), TrackOptions(), resume=True)
    track_to_file(scene.video, tmp_path / "m.npz", Knows(motion), options, resume=True)
    assert (tmp_path / "m.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_live_too(scene, tmp_path):
    motion, arrays = scene.truth, scene.arrays
    T = arrays.T_world_camera[0]
    states = []
    live_to_file(
        scene.video, tmp_path / "m.npz", Knows(motion), TrackOptions(camera_pose=T), report=states.append
    )
    world = Motion.load(tmp_path / "m.npz")
    assert world.space == "world"
    assert world.camera_known.all()
    expected = Skeleton.of().moved(motion[: len(world)].rows, T)
    np.testing.assert_allclose(world.rows["transl"], expected["transl"], atol=1e-6)
    told = next(state.rows for state in states if state.rows is not None and len(state.rows))
    np.testing.assert_array_equal(
        told, motion.in_frame(int(told["frame"][0]))
    )  # drawn over the picture as it is
