"""Readers of sets with several people or moving cameras, on tiny files in the official forms."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from choros.camera import project
from choros.datasets.dynacam import read_dynacam
from choros.datasets.lsp import LSP14
from choros.datasets.mpi_inf_3dhp import MPI17
from choros.datasets.mupots import read_mupots
from choros.datasets.panoptic import PANOPTIC19, read_panoptic
from choros.datasets.penn_action import PENN13, penn_action_clips, read_penn_action
from choros.datasets.sample import to_coco17
from choros.datasets.threedmpb import read_3dmpb
from choros.errors import ChorosError
from choros.skeleton import BODY25, COCO17

FIXTURES = Path(__file__).parents[3] / "shared/assets/pictures/mmpose_fixtures/panoptic_body3d"
real = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the excerpts of real sets are not here")
RNG = np.random.default_rng(6)


# --- Penn Action ---------------------------------------------------------------------------------


def penn(folder: Path, number: int, train: int) -> Path:
    x, y = np.full((2, 13), 40.0), np.full((2, 13), 60.0)
    visible = np.ones((2, 13))
    x[0, 3], y[0, 3], visible[0, 3] = 1, 1, 0  # beyond the edge
    visible[1, 4] = 0  # hidden
    path = folder / "labels" / f"{number:04d}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"action": "squat", "nframes": 2, "dimensions": [[270, 480, 2]], "train": train}
    savemat(path, content | {"x": x, "y": y, "visibility": visible})
    return path


def test_penn_action(tmp_path):
    video = read_penn_action(penn(tmp_path, 1, 1), tmp_path / "frames")
    assert (len(video), video.name, video[1].size_px) == (2, "0001", (480, 270))
    assert video[1].image == tmp_path / "frames/0001/000002.jpg"
    (first,), (second,) = video[0].people, video[1].people
    np.testing.assert_array_equal(first.keypoints_px[0], [39.5, 59.5, 1])
    np.testing.assert_array_equal(first.keypoints_px[3], [0, 0, 0])
    assert (second.keypoints_px[4, 2], second.keypoints_visible[4]) == (1, False)
    assert (first.actions, first.keypoint_names) == (("squat",), PENN13)
    coco = to_coco17(first)
    assert coco[COCO17.index("left_shoulder"), 2] == 1
    assert coco[COCO17.index("nose"), 2] == 0  # a head is none


def test_penn_action_says_which_clips_are_of_which_part(tmp_path):
    for number, train in ((1, 1), (2, -1), (3, 1)):
        penn(tmp_path, number, train)
    assert [path.stem for path in penn_action_clips(tmp_path, "train")] == ["0001", "0003"]
    assert [path.stem for path in penn_action_clips(tmp_path, "test")] == ["0002"]


def test_a_penn_action_that_is_none_is_refused(tmp_path):
    path = tmp_path / "labels/0001.mat"
    with pytest.raises(ChorosError, match="no such file; Penn Action comes from"):
        read_penn_action(path, tmp_path)
    penn(tmp_path, 1, 1)
    points = {"x": [[1.0]], "y": [[1.0]], "visibility": [[1]]}
    savemat(path, {"action": "squat", "nframes": 3, "dimensions": [[4, 4]]} | points)
    with pytest.raises(ChorosError, match=r"not in Penn Action's official form .* keypoints of 3 frames"):
        read_penn_action(path, tmp_path)


# --- DynaCam -------------------------------------------------------------------------------------


def dynacam(folder: Path, half: str, **changes) -> dict:
    """One sequence of two people and three frames, of which the second number is missing."""
    aligned = "_aligned" if half == "panorama" else ""
    extrinsics = np.tile(np.eye(4), (3, 1, 1))
    extrinsics[2, :3, 3] = [0, 0, 2]
    content = {
        "person_id": np.array([4, 7]),
        "kp2ds": np.concatenate([RNG.uniform(0, 100, (2, 3, 25, 2)), np.ones((2, 3, 25, 1))], -1),
        "poses": RNG.normal(size=(2, 3, 72)) * 0.2,
        "betas": RNG.normal(size=(2, 3, 10)),
        f"world_grots{aligned}": RNG.normal(size=(2, 3, 3)),
        f"world_trans{aligned}": RNG.normal(size=(2, 3, 3)),
        "camera_intrinsics": np.tile(np.diag([500.0, 500, 1]), (3, 1, 1)),
        f"camera_extrinsics{aligned}": extrinsics,
    } | changes
    content["kp2ds"][0, 0, 2, 2] = 0.05
    annotations = {"sequence_dict": {"walk": [0, 2, 3]}, "ID_num": 2, "walk": content}
    path = folder / "annotations" / f"{half}_test.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, annots=np.array(annotations, dtype=object))
    return content


@pytest.mark.parametrize(("half", "suffix"), [("panorama", "jpg"), ("translation", "png")])
def test_dynacam(tmp_path, half, suffix):
    content = dynacam(tmp_path, half)
    (video,) = read_dynacam(tmp_path, half, "test")
    assert (video.name, len(video), [sample.frame for sample in video]) == ("walk", 3, [0, 2, 3])
    assert video[1].image == tmp_path / f"video_frames/{half}_test/walk/000002.{suffix}"
    assert (video[2].space, [person.identity for person in video[2].people]) == ("world", [4, 7])
    np.testing.assert_allclose(video[2].T_world_camera[:3, 3], [0, 0, -2])
    person = video[0].people[0]
    world = "_aligned" if half == "panorama" else ""
    np.testing.assert_array_equal(person.smpl.transl, content[f"world_trans{world}"][0, 0])
    np.testing.assert_array_equal(person.smpl.global_orient, content[f"world_grots{world}"][0, 0])
    np.testing.assert_array_equal(person.smpl.body_pose[:63], content["poses"][0, 0, 3:66])
    assert not person.smpl.body_pose[63:].any()
    assert person.keypoint_names == BODY25
    assert (person.keypoints_px[2].tolist(), person.keypoints_px[3, 2]) == ([0, 0, 0], 1)


def test_a_dynacam_that_is_none_is_refused(tmp_path):
    with pytest.raises(ChorosError, match="no such file; DynaCam comes from"):
        read_dynacam(tmp_path, "panorama", "val")
    dynacam(tmp_path, "panorama", poses=np.zeros((2, 2, 72)))
    with pytest.raises(ChorosError, match="not in DynaCam's official form"):
        read_dynacam(tmp_path, "panorama", "test")


# --- MuPoTS, Panoptic, 3DMPB ---------------------------------------------------------------------


def mupots(folder: Path, joints: np.ndarray, points: np.ndarray, valid: np.ndarray, hidden=None) -> None:
    """Joints (T, P, 17, 3) m and points (T, P, 17, 2) px as the set's own files have them."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = np.empty(joints.shape[:2], object)
    for at in np.ndindex(cells.shape):
        cells[at] = {
            "annot2": points[at].T, "annot3": 1000 * joints[at].T, "univ_annot3": np.zeros((3, 17)),
            "isValidFrame": int(valid[at]),
        }  # fmt: skip
    savemat(folder / "annot.mat", {"annotations": cells})
    if hidden is not None:
        labels = np.empty(hidden.shape[:2], object)
        for at in np.ndindex(labels.shape):
            labels[at] = hidden[at].astype(float)[None]
        savemat(folder / "occlusion.mat", {"occlusion_labels": labels})


def test_mupots(tmp_path):
    joints, points = RNG.normal(size=(2, 3, 17, 3)), RNG.uniform(0, 200, (2, 3, 17, 2))
    valid, hidden = np.ones((2, 3)), np.zeros((2, 3, 17))
    valid[1, 0], hidden[0, 2, 5] = 0, 1
    mupots(tmp_path / "TS5", joints, points, valid, hidden)
    video = read_mupots(tmp_path / "TS5")
    assert [[person.identity for person in sample.people] for sample in video] == [[1, 2, 3], [2, 3]]
    assert (video[1].image, video[1].sequence) == (tmp_path / "TS5/img_000001.jpg", "TS5")
    third = video[0].people[2]
    np.testing.assert_allclose(third.joints_m, joints[0, 2])
    np.testing.assert_allclose(third.keypoints_px[:, :2], points[0, 2])
    assert (third.joint_names, third.keypoints_visible.tolist().index(False)) == (MPI17, 5)


def panoptic(folder: Path, bodies: list[list[dict]], K: np.ndarray, T: np.ndarray) -> None:
    """Frames 5, 6, ... of one camera; ``T`` (4, 4) from the world to it, metres."""
    camera = {"name": "00_16", "K": K.tolist(), "R": T[:3, :3].tolist(), "t": (100 * T[:3, 3:]).tolist()}
    poses = folder / "hdPose3d_stage1_coco19"
    poses.mkdir(parents=True)
    (folder / f"calibration_{folder.name}.json").write_text(
        json.dumps({"cameras": [camera | {"resolution": [1920, 1080]}]})
    )
    for number, some in enumerate(bodies, start=5):
        (poses / f"body3DScene_{number:08d}.json").write_text(json.dumps({"bodies": some}))


def test_panoptic(tmp_path):
    K, T = np.array([[900.0, 0, 960], [0, 900, 540], [0, 0, 1]]), np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_euler("xyz", [0.1, 0.4, 0]).as_matrix(), [0.1, 0.2, 5]
    world = np.concatenate([100 * RNG.normal(size=(19, 3)) * 0.3, np.full((19, 1), 0.6)], 1)
    world[4, 3] = -1  # unknown
    panoptic(tmp_path / "pizza", [[], [{"id": 3, "joints19": world.ravel().tolist()}]], K, T)
    video = read_panoptic(tmp_path / "pizza")
    assert [len(sample.people) for sample in video] == [0, 1]
    assert (video[1].frame, video[1].image) == (6, tmp_path / "pizza/hdImgs/00_16/00_16_00000006.jpg")
    (person,) = video[1].people
    expected = world[:, :3] / 100 @ T[:3, :3].T + T[:3, 3]
    known = np.arange(19) != 4
    np.testing.assert_allclose(person.joints_m[known], expected[known])
    assert np.isnan(person.joints_m[4]).all()
    np.testing.assert_allclose(person.keypoints_px[known, :2], project(expected[known], K))
    assert (person.identity, person.joint_names, person.keypoints_px[4, 2]) == (3, PANOPTIC19, 0)
    with pytest.raises(ChorosError, match="no camera 00_30"):
        read_panoptic(tmp_path / "pizza", "00_30")


@real
def test_musicians_of_a_real_panoptic_sequence_sit_before_its_camera():
    sample = read_panoptic(FIXTURES / "160906_band2")[0]
    names = list(PANOPTIC19)
    assert sample.people
    for person in sample.people:
        joints = person.joints_m
        height = np.linalg.norm(joints[names.index("nose")] - joints[names.index("left_ankle")])
        assert 0.7 < height < 1.6 or np.isnan(height)
        assert (person.keypoints_px[person.keypoints_px[:, 2] > 0, :2] > -200).all()


def threedmpb(folder: Path, frames: list[dict]) -> None:
    (folder / "annot").mkdir(parents=True)
    (folder / "annot/test.pkl").write_bytes(pickle.dumps(dict(enumerate(frames))))


def test_3dmpb(tmp_path):
    points = np.concatenate([RNG.uniform(0, 100, (14, 2)), np.ones((14, 1))], 1)
    points[2, 2] = -2
    joints = RNG.normal(size=(14, 3))
    frame = {
        "img_path": "images/0000/Camera00/000000.jpg", "bbox": [[[1, 2], [30, 40]], [[5, 6], [7, 8]]],
        "lsp_joints_2d": [points, None], "lsp_joints_3d": [joints, None], "intri": np.diag([700.0, 700, 1]),
    }  # fmt: skip
    threedmpb(tmp_path, [frame])
    (sample,) = read_3dmpb(tmp_path)
    first, second = sample.people
    assert (sample.image, first.box_px.tolist()) == (tmp_path / frame["img_path"], [1, 2, 30, 40])
    np.testing.assert_array_equal(first.joints_m[1:], joints)
    hips = [LSP14.index("left_hip"), LSP14.index("right_hip")]
    np.testing.assert_allclose(first.joints_m[0], joints[hips].mean(0))
    assert first.keypoints_px[2].tolist() == [0, 0, 0]
    assert (second.joints_m, second.keypoints_px) == (None, None)


@pytest.mark.parametrize("read", [read_mupots, read_3dmpb, read_panoptic])
def test_what_is_not_there_is_said(tmp_path, read):
    with pytest.raises(ChorosError, match="no such file; "):
        read(tmp_path / "pizza")
