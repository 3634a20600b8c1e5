"""Readers of sets of pictures, on tiny files in the official forms and on real excerpts where there are any."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from choros.datasets.bedlam import read_bedlam
from choros.datasets.coco import read_coco
from choros.datasets.hmr_npz import HMR44, SPIN24
from choros.datasets.human36m import H36M17, read_human36m_npz
from choros.datasets.instavariety import read_instavariety
from choros.datasets.lsp import LSP14, read_lsp_extended
from choros.datasets.mpi_inf_3dhp import MPI17, read_mpi_inf_3dhp_npz
from choros.datasets.mpii import read_mpii
from choros.datasets.sample import to_coco17
from choros.errors import ChorosError
from choros.skeleton import COCO17, JOINT_NAMES, MPII16

FIXTURES = Path(__file__).parents[3] / "shared/assets/pictures/mmpose_fixtures"
real = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the excerpts of real sets are not here")


def write_coco(path: Path) -> Path:
    keypoints = [0] * 51
    keypoints[0:6] = [10, 20, 2, 30, 40, 1]
    person = {"image_id": 7, "category_id": 1, "id": 1, "iscrowd": 0, "area": 1, "segmentation": []}
    content = {
        "categories": [
            {"id": 3, "name": "car"},
            {"id": 1, "name": "person", "keypoints": list(COCO17)},
        ],
        "images": [
            {"id": 5, "file_name": "empty.jpg", "width": 64, "height": 48},
            {"id": 7, "file_name": "full.jpg", "width": 640, "height": 480},
        ],
        "annotations": [
            person | {"bbox": [1.5, 2, 30, 40], "keypoints": keypoints},
            person | {"id": 2, "bbox": [100, 100, 50, 60], "iscrowd": 1, "segmentation": {"counts": [1]}},
            person | {"id": 3, "bbox": [0, 0, 9, 9], "category_id": 3},
        ],
    }
    path.write_text(json.dumps(content))
    return path


def test_coco(tmp_path):
    samples = read_coco(write_coco(tmp_path / "person_keypoints_val2017.json"), tmp_path / "val2017")
    empty, full = samples
    assert (empty.image, empty.size_px, empty.people) == (tmp_path / "val2017/empty.jpg", (64, 48), ())
    (person,) = full.people
    np.testing.assert_array_equal(person.box_px, [1.5, 2, 31.5, 42])
    np.testing.assert_array_equal(to_coco17(person)[:3], [[10.5, 20.5, 1], [30.5, 40.5, 1], [0, 0, 0]])
    np.testing.assert_array_equal(person.keypoints_visible[:3], [True, False, False])
    (crowd,) = full.ignore_px
    np.testing.assert_array_equal(crowd, [[100, 100], [150, 100], [150, 160], [100, 160]])


def test_coco_malformed(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(
        ChorosError, match=r"a\.json: no such file; COCO keypoints comes from cocodataset\.org"
    ):
        read_coco(path, tmp_path)
    path.write_text('{"images": [')
    with pytest.raises(ChorosError, match=r"a\.json: not in COCO keypoints's official form"):
        read_coco(path, tmp_path)
    content = json.loads(write_coco(path).read_text())
    content["annotations"][0]["keypoints"] = [1, 2, 3]
    path.write_text(json.dumps(content))
    samples = read_coco(path, tmp_path)
    with pytest.raises(ChorosError, match=r"a\.json"):
        samples[1]


@real
def test_real_coco_excerpts():
    samples = read_coco(FIXTURES / "coco/test_coco.json", FIXTURES / "coco")
    assert sum(len(sample.people) for sample in samples) + sum(len(s.ignore_px) for s in samples) == 14
    for sample in samples:
        assert sample.image.is_file()
        for person in sample.people:
            labelled = person.keypoints_px[person.keypoints_px[:, 2] > 0, :2]
            assert np.all(labelled >= person.box_px[:2] - 12)
            assert np.all(labelled <= person.box_px[2:] + 12)
    crowd = read_coco(FIXTURES / "crowdpose/test_crowdpose.json", FIXTURES / "crowdpose")
    coco = to_coco17(crowd[0].people[0])
    np.testing.assert_array_equal(coco[COCO17.index("left_elbow"), 2], 0)
    np.testing.assert_array_equal(coco[COCO17.index("right_shoulder")], [208.5, 108.5, 1])


def write_mpii(path: Path, people: list[dict]) -> Path:
    """A RELEASE of two pictures, the second of the test split without joints."""
    box = np.zeros((1, 1), object)
    head = {"x1": 10, "y1": 20, "x2": 30, "y2": 40}
    train = [head | {"scale": 2.0, "objpos": {"x": 100, "y": 200}} | person for person in people]
    entries = [
        {"image": {"name": "0001.jpg"}, "annorect": struct_array(train), "frame_sec": box, "vididx": box},
        {
            "image": {"name": "0002.jpg"},
            "annorect": {"scale": 1.5, "objpos": {"x": 50, "y": 60}},
            "frame_sec": box,
            "vididx": box,
        },
    ]
    savemat(path, {"RELEASE": {"annolist": struct_array(entries), "img_train": np.array([[1, 0]])}})
    return path


def struct_array(rows: list[dict]) -> np.ndarray:
    array = np.zeros((1, len(rows)), [(key, object) for key in rows[0]])
    for i, row in enumerate(rows):
        array[0, i] = tuple(row.values())
    return array


def mpii_points(points: list[tuple]) -> dict:
    rows = [{"x": x, "y": y, "id": i, "is_visible": seen} for i, x, y, seen in points]
    return {"annopoints": {"point": struct_array(rows)}}


def test_mpii(tmp_path):
    points = [(0, 11.0, 21.0, 1), (9, 5.5, 6.5, "0"), (6, 7.0, 8.0, np.zeros((0, 0))), (10, 1.0, 2.0, "1")]
    path = write_mpii(tmp_path / "mpii.mat", [mpii_points(points), {"annopoints": np.zeros((0, 0))}])
    (sample,) = read_mpii(path, tmp_path / "images")
    assert sample.image == tmp_path / "images/0001.jpg"
    first, second = sample.people
    np.testing.assert_array_equal(first.box_px, [-100.5, -0.5, 299.5, 399.5])
    np.testing.assert_array_equal(first.head_box_px, [9.5, 19.5, 29.5, 39.5])
    np.testing.assert_array_equal(first.keypoints_px[0], [10.5, 20.5, 1])
    np.testing.assert_array_equal(np.flatnonzero(first.keypoints_px[:, 2]), [0, 6, 9, 10])
    np.testing.assert_array_equal(np.flatnonzero(first.keypoints_visible), [0, 10])
    assert second.keypoints_px is None
    (test,) = read_mpii(path, tmp_path, "test")
    np.testing.assert_array_equal(test.people[0].box_px, [-100.5, -90.5, 199.5, 209.5])
    assert len(read_mpii(path, tmp_path, "all")) == 2


def test_mpii_malformed(tmp_path):
    path = tmp_path / "mpii.mat"
    savemat(path, {"RELEASE": {"nothing": 1}})
    with pytest.raises(ChorosError, match=r"mpii\.mat: not in MPII"):
        read_mpii(path, tmp_path)
    path.write_bytes(b"MATLAB 5.0 MAT-file, cut off")
    with pytest.raises(ChorosError, match=r"mpii\.mat: not in MPII"):
        read_mpii(path, tmp_path)


@real
def test_mpii_of_a_real_excerpt(tmp_path):
    """The excerpt is a conversion that keeps MATLAB's numbers: joints of the left lie left of an upright back."""
    label = json.loads((FIXTURES / "mpii/test_mpii.json").read_text())[0]
    points = [(i, x, y, 1) for i, (x, y) in enumerate(label["joints"])]
    (sample,) = read_mpii(write_mpii(tmp_path / "m.mat", [mpii_points(points)]), FIXTURES / "mpii")
    person = sample.people[0]
    np.testing.assert_allclose(person.keypoints_px[:, :2], np.array(label["joints"]) - 0.5)
    side = person.keypoints_px[:, 0]
    pairs = [(MPII16.index(f"left_{n}"), MPII16.index(f"right_{n}")) for n in ("hip", "shoulder", "knee")]
    assert len({bool(side[left] > side[right]) for left, right in pairs}) == 1


@pytest.mark.parametrize("high_resolution", [False, True])
def test_lsp_extended(tmp_path, high_resolution):
    joints = np.zeros((14, 3, 2))
    joints[3, :, 1] = [12.5, 34.5, 1]
    joints[4, :, 1] = [-3, -4, 0]
    savemat(tmp_path / "joints.mat", {"joints": joints})
    if not high_resolution:
        (tmp_path / "images").mkdir()
    samples = read_lsp_extended(tmp_path)
    assert samples[1].image == tmp_path / ("im00002.png" if high_resolution else "images/im00002.jpg")
    (person,) = samples[1].people
    assert person.keypoint_names == LSP14
    np.testing.assert_array_equal(person.keypoints_px[3:5], [[12.5, 34.5, 1], [0, 0, 0]])
    np.testing.assert_array_equal(to_coco17(person)[COCO17.index("left_hip")], [12.5, 34.5, 1])
    savemat(tmp_path / "joints.mat", {"joints": joints.transpose(1, 0, 2)})  # as in plain LSP
    with pytest.raises(ChorosError, match=r"joints\.mat.*\(3, 14, 2\)"):
        read_lsp_extended(tmp_path)


def test_instavariety(tmp_path):
    body, extra = np.zeros((2, 25, 3)), np.zeros((2, 19, 3))
    body[:, 0], body[:, 13] = [5, 6, 0.8], [7, 8, 0.3]  # nose, left knee
    extra[1, 4] = [9, 10, 1]  # left knee again
    rows = {
        "imgname": np.array([b"v/000.jpg", b"v/001.jpg"]),
        "center": np.array([[50.0, 60], [50, 60]]),
        "scale": np.array([[20.0, 40], [20, 40]]),
        "body_keypoints_2d": body,
        "extra_keypoints_2d": extra,
        "body_pose": np.tile(np.arange(72.0), (2, 1)),
        "has_body_pose": np.array([0, 1]),
        "betas": np.ones((2, 10)),
        "has_betas": np.array([1, 1]),
    }
    path = tmp_path / "insta.npz"
    np.savez(path, **rows)
    first, second = read_instavariety(path, tmp_path)
    assert (first.image, first.people[0].smpl) == (tmp_path / "v/000.jpg", None)
    np.testing.assert_array_equal(first.people[0].box_px, [30, 40, 70, 80])
    assert (HMR44[13], HMR44[29]) == ("left_knee", "left_knee")
    knee = COCO17.index("left_knee")
    np.testing.assert_array_equal(to_coco17(first.people[0])[[0, knee]], [[5, 6, 0.8], [7, 8, 0.3]])
    np.testing.assert_array_equal(to_coco17(second.people[0])[knee], [9, 10, 1])
    np.testing.assert_array_equal(second.people[0].smpl.body_pose, np.arange(3.0, 72))
    np.savez(path, **(rows | {"center": np.zeros((3, 2))}))
    with pytest.raises(ChorosError, match=r"insta\.npz.*center has 3 rows for 2 pictures"):
        read_instavariety(path, tmp_path)
    np.savez(path, imgname=rows["imgname"])
    with pytest.raises(ChorosError, match=r"insta\.npz.*lacks 'center'"):
        read_instavariety(path, tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ChorosError, match=r"insta\.npz"):
        read_instavariety(path, tmp_path)


def test_objects_inside_an_npz(tmp_path):
    """Names kept as Python objects are read; anything else of Python in their place is refused."""
    rows = {"center": np.zeros((1, 2)), "scale": np.ones(1)}
    path = tmp_path / "o.npz"
    np.savez(path, imgname=np.array(["a.jpg"], object), **rows)
    assert read_instavariety(path, tmp_path)[0].image == tmp_path / "a.jpg"
    np.savez(path, imgname=np.array([print], object), **rows)
    with pytest.raises(ChorosError, match=r"o\.npz: asks for builtins\.print"):
        read_instavariety(path, tmp_path)


@real
def test_real_human36m_excerpts():
    folder = FIXTURES / "h36m"
    spin = read_human36m_npz(folder / "test_h36m.npz", folder)
    plain = read_human36m_npz(folder / "test_h36m_body3d.npz", folder, folder / "cameras.pkl")
    truth = json.loads((folder / "h36m_coco.json").read_text())["annotations"]
    for a, b, world in zip(spin, plain, truth, strict=True):
        assert b.image.is_file()
        assert (a.sequence, a.frame, a.people[0].identity) == (b.sequence, b.frame, b.people[0].identity)
        one, other = a.people[0], b.people[0]
        assert (one.keypoint_names, other.joint_names) == (SPIN24, H36M17)
        for name in set(SPIN24) & set(H36M17):  # two independent conversions agree, name by name
            i, j = SPIN24.index(name), H36M17.index(name)
            np.testing.assert_allclose(one.keypoints_px[i], other.keypoints_px[j], atol=0.1)
        homogeneous = np.column_stack([other.joints_m, np.ones(17)])
        in_world = np.reshape(world["keypoints_3d"], (17, 4))[:, :3]
        np.testing.assert_allclose((homogeneous @ b.T_world_camera.T)[:, :3], in_world, atol=1e-5)
        image = other.joints_m @ b.K.T
        np.testing.assert_allclose(
            image[:, :2] / image[:, 2:], other.keypoints_px[:, :2], atol=6
        )  # distortion
        assert one.smpl.body_pose.shape == (69,)


def test_human36m_npz_of_another_width(tmp_path):
    np.savez(
        tmp_path / "h.npz",
        imgname=["S1_a.1_000001.jpg"],
        center=np.zeros((1, 2)),
        scale=np.ones(1),
        part=np.zeros((1, 18, 3)),
    )
    with pytest.raises(ChorosError, match=r"h\.npz.*\{18\} keypoints, not of 17 or 24"):
        read_human36m_npz(tmp_path / "h.npz", tmp_path)


@real
def test_real_mpi_inf_3dhp_excerpts():
    folder = FIXTURES / "mpi_inf_3dhp"
    for split in ("train", "test"):
        for sample in read_mpi_inf_3dhp_npz(folder / f"test_3dhp_{split}.npz", folder):
            assert sample.image.is_file()
            person = sample.people[0]
            assert person.keypoint_names == MPI17
            np.testing.assert_allclose(
                person.joints_m[MPI17.index("pelvis")],
                (person.joints_m[MPI17.index("left_hip")] + person.joints_m[MPI17.index("right_hip")]) / 2,
                atol=0.02,
            )
            knees, ankles = (
                person.joints_m[[MPI17.index(f"left_{n}"), MPI17.index(f"right_{n}")]]
                for n in ("knee", "ankle")
            )
            left, right = np.linalg.norm(knees - ankles, axis=1)
            assert 0.3 < left < 0.5
            assert abs(left - right) < 0.03


@pytest.mark.parametrize("width", [72, 165])
def test_bedlam(tmp_path, width):
    rng = np.random.default_rng(0)
    names = ["seq_000001/seq_000001_0005.png", "seq_000000/seq_000000_0000.png"]
    cam_ext = np.tile(np.eye(4), (3, 1, 1))
    cam_ext[:, :3, 3] = [1, 2, 3]
    rows = {
        "imgname": np.array([names[0], names[1], names[0]]),
        "center": np.full((3, 2), 100.0),
        "scale": np.full(3, 0.5),
        "pose_cam": rng.normal(size=(3, width)),
        "shape": rng.normal(size=(3, 11)),
        "trans_cam": rng.normal(size=(3, 3)),
        "cam_int": np.tile([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]], (3, 1, 1)),
        "cam_ext": cam_ext,
        "gtkps": rng.normal(size=(3, 45, 3)),
        "gender": np.array(["male", "female", "female"]),
        "sub": np.array(["rp_a", "rp_b", "rp_c"]),
    }
    path = tmp_path / "20221010_3_1000_batch01hand_6fps.npz"
    np.savez(path, **rows)
    two, one = read_bedlam(path, tmp_path / "png")
    assert (two.image, two.frame, two.size_px) == (tmp_path / "png" / names[0], 5, (1280, 720))
    assert [person.identity for person in two.people] == ["rp_a", "rp_c"]
    assert (len(one.people), one.quarter_turns_cw) == (1, 0)
    person = two.people[1]
    np.testing.assert_array_equal(person.box_px, [50, 50, 150, 150])
    np.testing.assert_allclose(person.smpl.transl, rows["trans_cam"][2] + [1, 2, 3])
    np.testing.assert_array_equal(person.smpl.body_pose[:63], rows["pose_cam"][2, 3:66])
    if width == 72:
        assert (person.smpl.model, person.keypoint_names) == ("smpl", JOINT_NAMES)
        np.testing.assert_array_equal(person.smpl.body_pose, rows["pose_cam"][2, 3:])
    else:
        assert (person.smpl.model, person.keypoint_names) == ("smplx", JOINT_NAMES[:22])
        np.testing.assert_array_equal(person.smpl.body_pose[63:], 0)
    np.testing.assert_array_equal(person.keypoints_px[4, :2], rows["gtkps"][2, 4, :2])
    np.savez(tmp_path / "s_closeup.npz", **rows)
    assert read_bedlam(tmp_path / "s_closeup.npz", tmp_path)[0].quarter_turns_cw == 1
    del rows["trans_cam"]
    np.savez(path, **rows)
    with pytest.raises(ChorosError, match="lacks 'trans_cam'"):
        read_bedlam(path, tmp_path)
