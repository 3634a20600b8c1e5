"""Readers of sets of videos and clips, on tiny files in the official forms and on real excerpts where there are any."""

import json
import pickle
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from choros.body import BodyModel, BodyParams
from choros.datasets.amass import read_amass
from choros.datasets.ava import read_ava
from choros.datasets.egohumans import read_egohumans
from choros.datasets.human36m import H36M17, read_human36m
from choros.datasets.jrdb import JRDB17, read_jrdb
from choros.datasets.mpi_inf_3dhp import MPI17, MPI28, read_mpi_inf_3dhp, read_mpi_inf_3dhp_test
from choros.datasets.posetrack import read_posetrack
from choros.datasets.sample import rigid, to_coco17
from choros.datasets.threedpw import read_3dpw
from choros.errors import ChorosError
from choros.motion import FRAME, ROW, Header, Motion
from choros.skeleton import COCO17

FIXTURES = Path(__file__).parents[3] / "shared/assets/pictures/mmpose_fixtures"
real = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the excerpts of real sets are not here")
RNG = np.random.default_rng(5)
T_CAMERA_WORLD = rigid(Rotation.from_euler("xyz", [0.4, -1.0, 0.2]).as_matrix(), [0.3, -0.2, 4.0])


def in_camera(points_world: np.ndarray) -> np.ndarray:
    return points_world @ T_CAMERA_WORLD[:3, :3].T + T_CAMERA_WORLD[:3, 3]


def write_json(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


# --- PoseTrack -----------------------------------------------------------------------------------

POSETRACK17 = ("nose", "head_bottom", "head_top", "left_ear", "right_ear", *COCO17[5:])


def test_posetrack21(tmp_path):
    keypoints = np.zeros((17, 3))
    keypoints[0], keypoints[13] = [100.5, 50, 1], [90, 200.25, 1]
    frame = {"vid_id": "000001", "nframes": 3, "is_labeled": False, "has_labeled_person": False}
    content = {
        "categories": [{"id": 1, "name": "person", "keypoints": POSETRACK17}],
        "images": [
            frame | {"id": 1000, "file_name": "images/val/000001_x/000000.jpg"},
            frame
            | {"id": 1001, "file_name": "images/val/000001_x/000001.jpg", "has_labeled_person": True}
            | {"ignore_regions_x": [[0, 10, 10], 5], "ignore_regions_y": [[0, 0, 20], 6]},
        ],
        "annotations": [
            {"image_id": 1001, "id": 1, "track_id": 3, "person_id": 77, "bbox": [80, 40, 30, 170]}
            | {"bbox_head": [95, 40, 10, 12], "keypoints": keypoints.ravel().tolist()},
            {"image_id": 1001, "id": 2, "track_id": 4, "person_id": 78, "bbox": [1, 2, 3, 4]}
            | {"keypoints": [], "bbox_head": []},
        ],
    }
    video = read_posetrack(write_json(tmp_path / "000001_x.json", content), tmp_path)
    assert ([s.labelled for s in video], [len(s.people) for s in video]) == ([False, True], [0, 2])
    assert (video[1].image, video[1].frame) == (tmp_path / "images/val/000001_x/000001.jpg", 1)
    assert (video[1].sequence, video.name) == ("000001_x", "000001_x")
    person, small = video[1].people
    assert (person.identity, small.identity) == (3, 4)
    assert (small.keypoints_px, small.head_box_px, small.box_px.tolist()) == (None, None, [1, 2, 4, 6])
    np.testing.assert_array_equal(person.head_box_px, [95, 40, 105, 52])
    coco = to_coco17(person)
    np.testing.assert_array_equal(coco[COCO17.index("left_knee")], [90, 200.25, 1])
    np.testing.assert_array_equal(np.flatnonzero(coco[:, 2]), [0, 13])
    (region,) = video[1].ignore_px  # the region of one point is none
    np.testing.assert_array_equal(region, [[0, 0], [10, 0], [10, 20]])


def test_posetrack_malformed(tmp_path):
    content = {"categories": [{"keypoints": POSETRACK17}], "annotations": [], "images": [{"id": 1}]}
    video = read_posetrack(write_json(tmp_path / "v.json", content), tmp_path)
    with pytest.raises(ChorosError, match=r"v\.json.*lacks 'file_name'"):
        video[0]
    with pytest.raises(ChorosError, match=r"v\.json.*lacks 'categories'"):
        read_posetrack(write_json(tmp_path / "v.json", {}), tmp_path)


@real
def test_real_posetrack18_excerpts():
    root = FIXTURES / "posetrack18"
    counts = {}
    for path in sorted((root / "annotations/val").glob("*.json")):
        (frame,) = read_posetrack(path, root)
        assert frame.image.is_file()
        assert frame.labelled
        counts[path.stem] = len(frame.people), len(frame.ignore_px)
        for person in frame.people:
            labelled = to_coco17(person)
            assert labelled[3:5, 2].sum() == 0  # ears are placeholders
            if labelled[0, 2]:
                nose = labelled[0, :2]
                assert np.all((person.head_box_px[:2] - 40 <= nose) & (nose <= person.head_box_px[2:] + 40))
    assert counts == {"003418_mpii_test": (1, 9), "009473_mpii_test": (2, 2), "012834_mpii_test": (11, 4)}


# --- JRDB ----------------------------------------------------------------------------------------


def test_jrdb(tmp_path):
    box = {"label_id": "pedestrian:6", "box": [10, 20, 30, 40], "attributes": {"occlusion": "Fully_visible"}}
    hidden = {"label_id": "pedestrian:7", "box": [1, 2, 3, 4], "attributes": {"occlusion": "Fully_occluded"}}
    uncounted = {"label_id": "pedestrian:8", "box": [5, 5, 2, 2], "attributes": {"no_eval": True}}
    frames = {"000001.jpg": [], "000000.jpg": [box, hidden, uncounted]}
    labels = tmp_path / "labels"
    write_json(labels / "labels_2d_stitched/cafe_0.json", {"labels": frames})
    bare = read_jrdb(tmp_path, "cafe_0")
    assert [s.image for s in bare] == [
        tmp_path / f"images/image_stitched/cafe_0/00000{i}.jpg" for i in (0, 1)
    ]
    assert (bare[0].people[0].keypoints_px, bare[0].people[0].actions) == (None, ())

    acting = {"labels": {"000000.jpg": [box | {"action_label": {"sitting": 1, "eating something": 2}}]}}
    write_json(labels / "labels_2d_activity_social_stitched/cafe_0.json", acting)
    keypoints = np.zeros((17, 3), int)
    keypoints[14], keypoints[16] = [12, 22, 2], [13, 23, 1]
    poses = {
        "images": [{"id": 9, "file_name": "cafe_0/000000.jpg"}],
        "annotations": [{"image_id": 9, "track_id": 6, "keypoints": keypoints.ravel().tolist()}],
        "categories": [{"name": "person", "keypoints": [name.replace("_", " ") for name in JRDB17]}],
    }
    write_json(labels / "labels_2d_pose_stitched_coco/cafe_0.json", poses)
    frame = read_jrdb(tmp_path, "cafe_0")[0]
    one, other = frame.people
    assert (one.identity, one.visible, one.actions) == (6, True, ("sitting", "eating something"))
    np.testing.assert_array_equal(one.box_px, [10, 20, 40, 60])
    assert (other.identity, other.visible, other.keypoints_px, other.actions) == (7, False, None, ())
    assert one.keypoint_names == JRDB17
    np.testing.assert_array_equal(np.flatnonzero(one.keypoints_visible), [14])
    coco = to_coco17(one)  # JRDB's feet are not COCO's ankles
    np.testing.assert_array_equal(np.flatnonzero(coco[:, 2]), [COCO17.index("left_knee")])
    np.testing.assert_array_equal(frame.ignore_px, [[[5, 5], [7, 5], [7, 7], [5, 7]]])

    write_json(labels / "labels_2d/cafe_0_image2.json", {"labels": {"000000.jpg": [box]}})
    assert read_jrdb(tmp_path, "cafe_0", camera=2)[0].image == tmp_path / "images/image_2/cafe_0/000000.jpg"
    with pytest.raises(ChorosError, match=r"lab_1\.json: no such file; JRDB comes from"):
        read_jrdb(tmp_path, "lab_1")


# --- sets with SMPL --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load(dtype=torch.float64)


def posed(body: BodyModel, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Random parameters in a world, and the joints (count, 24, 3) they give there."""
    params = {
        "global_orient": RNG.normal(size=(count, 3)),
        "body_pose": 0.3 * RNG.normal(size=(count, 69)),
        "betas": np.tile(RNG.normal(size=10), (count, 1)),
        "transl": RNG.normal(size=(count, 3)),
    }
    return params, joints_of(body, *params.values())


def joints_of(body: BodyModel, *params: np.ndarray) -> np.ndarray:
    return body.joints(BodyParams(*(torch.as_tensor(p) for p in params))).numpy()


def test_3dpw(tmp_path, body):
    frames = 3
    people = [posed(body, frames) for _ in range(2)]
    poses2d = np.zeros((frames, 3, 18))
    poses2d[1, :, 11] = [300, 400, 0.75]  # left hip
    content = {
        "sequence": "downtown_x_00",
        "genders": ["m", "f"],
        "betas": [np.append(p["betas"][0], np.zeros(290)) for p, _ in people],
        "poses": [np.concatenate([p["global_orient"], p["body_pose"]], axis=1) for p, _ in people],
        "trans": [p["transl"] for p, _ in people],
        "jointPositions": [joints.reshape(frames, 72) for _, joints in people],
        "poses2d": [poses2d, poses2d],
        "campose_valid": [np.array([1, 1, 1]), np.array([1, 0, 1])],
        "cam_poses": np.tile(T_CAMERA_WORLD, (frames, 1, 1)),
        "cam_intrinsics": np.array([[1961.0, 0, 540], [0, 1969, 960], [0, 0, 1]]),
        "img_frame_ids": np.arange(frames) * 2,
    }
    path = tmp_path / "downtown_x_00.pkl"
    path.write_bytes(pickle.dumps(content, protocol=2))
    video = read_3dpw(path, tmp_path / "imageFiles")
    frame = video[1]
    assert (len(video), frame.image) == (3, tmp_path / "imageFiles/downtown_x_00/image_00001.jpg")
    np.testing.assert_allclose(frame.T_world_camera @ T_CAMERA_WORLD, np.eye(4), atol=1e-12)
    first, second = frame.people
    assert (first.identity, first.smpl.gender, second.identity) == (0, "male", 1)
    assert (second.smpl, second.joints_m) == (None, None)  # the camera does not fit them here
    assert video[2].people[1].smpl.gender == "female"
    np.testing.assert_array_equal(to_coco17(first)[COCO17.index("left_hip")], [300, 400, 0.75])
    np.testing.assert_allclose(first.joints_m, in_camera(people[0][1][1]), atol=1e-9)
    smpl = first.smpl
    joints = joints_of(body, smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    np.testing.assert_allclose(joints, first.joints_m, atol=1e-9)

    del content["cam_poses"]
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(ChorosError, match=r"downtown_x_00\.pkl.*lacks 'cam_poses'"):
        read_3dpw(path, tmp_path)
    path.write_bytes(pickle.dumps({"sequence": print}))
    with pytest.raises(ChorosError, match=r"asks for builtins\.print"):
        read_3dpw(path, tmp_path)


def test_egohumans(tmp_path, body):
    folder = tmp_path / "01_tagging/001_tagging"
    scale, S = 2.5, np.eye(4)  # COLMAP's world is a similarity of ours
    S[:3, :3] = scale * Rotation.from_euler("z", 0.7).as_matrix()
    S[:3, 3] = [3, -1, 2]
    T_camera_colmap = np.diag([scale, scale, scale, 1]) @ T_CAMERA_WORLD @ np.linalg.inv(S)
    x, y, z, w = Rotation.from_matrix(T_camera_colmap[:3, :3]).as_quat()
    place = " ".join(map(repr, map(float, (w, x, y, z, *T_camera_colmap[:3, 3]))))
    colmap = folder / "colmap/workplace"
    colmap.mkdir(parents=True)
    (colmap / "images.txt").write_text(
        f"# IMAGE_ID, QW, ...\n1 1 0 0 0 0 0 0 8 cam02/00001.jpg\n\n7 {place} 9 cam01/00001.jpg\n1 2 3\n"
    )
    (colmap / "cameras.txt").write_text(
        "# CAMERA_ID\n8 OPENCV_FISHEYE 10 10 1 1 1 1 0 0 0 0\n"
        "9 OPENCV_FISHEYE 3840 2160 1700 1710 1920 1080 0.1 0 0 0\n"
    )
    (colmap / "colmap_from_aria_transforms.pkl").write_bytes(pickle.dumps({"aria01": S, "aria02": np.eye(4)}))
    params, joints = posed(body, 1)
    points = np.column_stack([RNG.normal(size=(17, 3)), np.ones(17)])
    points[3, 3] = 0
    smpl = {name: value[0] for name, value in params.items()} | {"joints": joints[0], "epoch_loss": 0.1}
    for name, content in (("poses3d", {"aria01": points}), ("smpl", {"aria01": smpl})):
        (folder / "processed_data" / name).mkdir(parents=True)
        np.save(folder / "processed_data" / name / "00001.npy", content, allow_pickle=True)
    np.save(folder / "processed_data/poses3d/00002.npy", {"aria01": points}, allow_pickle=True)

    video = read_egohumans(folder)
    first, second = video
    assert (first.image, first.frame) == (folder / "exo/cam01/images/00001.jpg", 0)
    assert (first.size_px, first.K[0, 0], first.K[1, 2]) == ((3840, 2160), 1700, 1080)
    np.testing.assert_allclose(first.T_world_camera @ T_CAMERA_WORLD, np.eye(4), atol=1e-9)
    person = first.people[0]
    assert (person.identity, second.people[0].smpl) == ("aria01", None)
    expected = in_camera(points[:, :3])
    expected[3] = np.nan
    np.testing.assert_allclose(person.joints_m, expected, atol=1e-9)
    p = person.smpl
    np.testing.assert_allclose(
        joints_of(body, p.global_orient, p.body_pose, p.betas, p.transl), in_camera(joints[0]), atol=1e-9
    )
    with pytest.raises(ChorosError, match=r"images\.txt.*no picture of cam05"):
        read_egohumans(folder, "cam05")
    with pytest.raises(ChorosError, match=r"transforms\.pkl.*lacks 'aria09'"):
        read_egohumans(folder, anchor="aria09")
    np.save(folder / "processed_data/poses3d/00002.npy", {"aria01": print}, allow_pickle=True)
    with pytest.raises(ChorosError, match=r"00002\.npy: asks for builtins\.print"):
        video[1]


def test_amass_reads_what_motion_writes(tmp_path):
    rows = np.zeros(4, ROW)
    rows["frame"], rows["person"] = np.arange(4), 1
    for name in ("global_orient", "body_pose", "transl"):
        rows[name] = 0.5 * RNG.normal(size=rows[name].shape)
    rows["betas"] = RNG.normal(size=10)
    motion = Motion(Header(Fraction(30), 64, 48, space="world"), np.zeros(4, FRAME), rows)
    folder = tmp_path / "01"
    folder.mkdir()
    np.savez(folder / "clip_poses.npz", **motion.to_amass(1))
    clip = read_amass(folder / "clip_poses.npz")
    assert (len(clip), clip.name, clip[3].time_s, clip[0].space) == (4, "01/clip_poses", 0.1, "world")
    smpl = clip[2].people[0].smpl
    assert (smpl.model, smpl.gender) == ("smplh", "neutral")
    np.testing.assert_allclose(smpl.global_orient, rows["global_orient"][2], atol=1e-6)
    np.testing.assert_allclose(smpl.body_pose[:63], rows["body_pose"][2, :63], atol=1e-6)
    np.testing.assert_allclose(smpl.transl, rows["transl"][2], atol=1e-6)
    np.testing.assert_allclose(smpl.betas, rows["betas"][2], atol=1e-6)


def test_amass_smplx_and_malformed(tmp_path):
    rows = {"poses": RNG.normal(size=(2, 165)), "trans": np.zeros((2, 3)), "betas": np.ones(16)}
    path = tmp_path / "walk_stageii.npz"
    np.savez(path, **rows, mocap_frame_rate=np.array(120.0), gender=np.array(b"female"))
    smpl = read_amass(path)[1].people[0].smpl
    assert (smpl.model, smpl.gender, read_amass(path)[1].time_s) == ("smplx", "female", 1 / 120)
    np.savez(path, **rows)
    with pytest.raises(ChorosError, match=r"walk_stageii\.npz.*lacks 'mocap_framerate'"):
        read_amass(path)


# --- laboratories ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["cdf.mat", "cdf"])
def test_human36m(tmp_path, form):
    joints_mm, points_px = RNG.normal(size=(3, 32, 3)) * 1000, RNG.normal(size=(3, 32, 2))
    paths = []
    for kind, values in (("D3_Positions_mono", joints_mm), ("D2_Positions", points_px)):
        path = tmp_path / "S9/MyPoseFeatures" / kind / f"Eating 1.54138969.{form}"
        path.parent.mkdir(parents=True)
        table = values.reshape(3, -1).astype(np.float32)
        if form == "cdf":
            write_cdf(path, table)
        else:
            cell = np.empty((1, 1), object)
            cell[0, 0] = table
            savemat(path, {"data": cell})
        paths.append(path)
    camera = {"R": T_CAMERA_WORLD[:3, :3].T, "T": np.array([[1.0], [2], [3]]), "w": 1000, "h": 1002}
    camera |= {"f": np.array([[1145.0], [1144]]), "c": np.array([[512.5], [515.5]])}
    cameras = tmp_path / "cameras.pkl"
    cameras.write_bytes(pickle.dumps({("S9", "54138969"): camera}))
    video = read_human36m(paths[0], cameras)
    frame = video[2]
    assert (len(video), frame.image) == (3, tmp_path / "S9/Videos/Eating 1.54138969.mp4")
    assert (frame.frame, frame.time_s, frame.size_px) == (2, 0.04, (1000, 1002))
    np.testing.assert_array_equal(frame.K, [[1145, 0, 512.5], [0, 1144, 515.5], [0, 0, 1]])
    np.testing.assert_array_equal(frame.T_world_camera[:3, 3], [1, 2, 3])
    person = frame.people[0]
    assert person.identity == "S9"
    for name, joint in (("pelvis", 0), ("left_hip", 6), ("left_shoulder", 17), ("right_wrist", 27)):
        i = H36M17.index(name)
        np.testing.assert_allclose(person.joints_m[i], joints_mm[2, joint] / 1000, rtol=1e-5)
        np.testing.assert_allclose(person.keypoints_px[i], [*points_px[2, joint], 1], rtol=1e-5)
    with pytest.raises(ChorosError, match=r"cameras\.pkl.*S8"):
        read_human36m(
            (tmp_path / "S9").rename(tmp_path / "S8") / paths[0].relative_to(tmp_path / "S9"), cameras
        )
    (tmp_path / "S8").rename(tmp_path / "S9")
    paths[1].unlink()
    with pytest.raises(ChorosError, match=r"Eating.*no such file; Human3\.6M comes from"):
        read_human36m(paths[0])


def test_cdf_without_cdflib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cdflib", None)
    path = tmp_path / "S9/D3_Positions_mono/Eating.54138969.cdf"
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(ChorosError, match=r"Eating.*takes cdflib to read; install choros\[datasets\]"):
        read_human36m(path)


def write_cdf(path: Path, table: np.ndarray) -> None:
    cdfwrite = pytest.importorskip("cdflib.cdfwrite")
    about = {"Variable": "Pose", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True}
    with cdfwrite.CDF(path) as file:
        file.write_var(about | {"Dim_Sizes": [*table.shape], "Var_Type": "zVariable"}, var_data=table[None])


CALIBRATION = """Skeletool Camera Calibration File V1.0
name          0
  sensor      10 10
  size        2048 2048
  animated    0
  intrinsic   1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1
  extrinsic   1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1
  radial      0
name          1
  sensor      10 10
  size        2048 1024
  animated    0
  intrinsic   1500 0 1024.5 0 0 1490 512.5 0 0 0 1 0 0 0 0 1
  extrinsic   {}
  radial      0
"""


def test_mpi_inf_3dhp(tmp_path):
    folder = tmp_path / "S1/Seq2"
    folder.mkdir(parents=True)
    joints_mm, points_px = RNG.normal(size=(2, 28, 3)) * 1000, RNG.normal(size=(2, 28, 2))
    cells = {name: np.zeros((2, 1), object) for name in ("annot2", "annot3")}
    cells["annot2"][1, 0], cells["annot3"][1, 0] = points_px.reshape(2, 56), joints_mm.reshape(2, 84)
    cells["annot2"][0, 0], cells["annot3"][0, 0] = np.zeros((2, 56)), np.zeros((1, 84))
    savemat(folder / "annot.mat", cells)
    extrinsic = T_CAMERA_WORLD.copy()
    extrinsic[:3, 3] *= 1000
    numbers = " ".join(map(repr, extrinsic.ravel().tolist()))
    (folder / "camera.calibration").write_text(CALIBRATION.format(numbers))
    video = read_mpi_inf_3dhp(folder, camera=1)
    frame = video[1]
    assert (len(video), frame.image, frame.frame) == (2, folder / "imageSequence/video_1.avi", 1)
    assert frame.size_px == (2048, 1024)
    np.testing.assert_array_equal(frame.K, [[1500, 0, 1024.5], [0, 1490, 512.5], [0, 0, 1]])
    np.testing.assert_allclose(frame.T_world_camera @ T_CAMERA_WORLD, np.eye(4), atol=1e-9)
    person = frame.people[0]
    assert (person.identity, person.joint_names) == ("S1", MPI28)
    np.testing.assert_allclose(person.joints_m, joints_mm[1] / 1000)
    np.testing.assert_array_equal(to_coco17(person)[COCO17.index("right_ankle"), :2], points_px[1, 25])
    with pytest.raises(ChorosError, match=r"annot\.mat.*2 frames in 2D, 1 in 3D"):
        read_mpi_inf_3dhp(folder, camera=0)
    with pytest.raises(ChorosError, match=r"annot\.mat"):
        read_mpi_inf_3dhp(folder, camera=13)


@pytest.mark.parametrize("version", ["v7", "v7.3"])
def test_mpi_inf_3dhp_test_set(tmp_path, version):
    """MATLAB's (axes, joints, 1, frames); HDF5 keeps the axes the other way round."""
    folder = tmp_path / "TS3"
    folder.mkdir()
    content = {
        "annot2": RNG.normal(size=(2, 17, 1, 5)),
        "annot3": RNG.normal(size=(3, 17, 1, 5)) * 1000,
        "valid_frame": np.array([[1, 0, 1, 1, 1]]),
    }
    path = folder / "annot_data.mat"
    if version == "v7":
        savemat(path, content)
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w", userblock_size=512) as file:
            for name, values in content.items():
                file[name] = values.T
        stamp_matlab_73(path)
    video = read_mpi_inf_3dhp_test(folder)
    assert [sample.labelled for sample in video] == [True, False, True, True, True]
    assert (video[4].image, video[1].people) == (folder / "imageSequence/img_000005.jpg", ())
    person = video[4].people[0]
    assert person.joint_names == MPI17
    np.testing.assert_allclose(person.joints_m, content["annot3"][:, :, 0, 4].T / 1000)
    np.testing.assert_allclose(person.keypoints_px[:, :2], content["annot2"][:, :, 0, 4].T)


def stamp_matlab_73(path: Path) -> None:
    """The 128 bytes before the HDF5 that say which version of MATLAB's files it is."""
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def test_matlab_73_without_h5py(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "annot_data.mat").write_bytes(bytes(512))
    stamp_matlab_73(tmp_path / "annot_data.mat")
    with pytest.raises(
        ChorosError, match=r"annot_data\.mat: a MATLAB 7\.3 file.*install choros\[datasets\].*-v7"
    ):
        read_mpi_inf_3dhp_test(tmp_path)


# --- AVA -----------------------------------------------------------------------------------------


def test_ava(tmp_path):
    table = tmp_path / "ava_val_v2.2.csv"
    table.write_text(
        "film,0902,0.1,0.2,0.5,0.75,12,0\n"
        "film,0902,0.1,0.2,0.5,0.75,80,0\n"
        "film,0902,0.6,0.2,0.9,0.75,11,1\n"
        "film,0903,0.6,0.2,0.9,0.75,11,1\n"
        "other,0904,,,,,,\n"
    )
    excluded = tmp_path / "ava_val_excluded_timestamps_v2.2.csv"
    excluded.write_text("film,0903\n")
    first, nobody = read_ava(table, excluded)
    assert (first.sequence, first.time_s, first.size_px) == ("film", 902, (1, 1))
    assert [(p.identity, p.actions) for p in first.people] == [(0, (12, 80)), (1, (11,))]
    np.testing.assert_array_equal(first.people[0].box_px, [0.1, 0.2, 0.5, 0.75])
    assert (nobody.sequence, nobody.people) == ("other", ())
    sized = read_ava(table, sizes_px={"film": (400, 200)})
    assert len(sized) == 3
    np.testing.assert_allclose(sized[1].people[0].box_px, [240, 40, 360, 150])
    with pytest.raises(ChorosError, match=r"v2\.2\.csv.*lacks 'other'"):
        sized[2]
    table.write_text("film,soon\n")
    with pytest.raises(ChorosError, match=r"ava_val_v2\.2\.csv: not in AVA"):
        read_ava(table)
