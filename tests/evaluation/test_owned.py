"""Public sets that a user has, as tiny files in their official layouts: the truth as an answer scores perfectly."""

import json
import pickle
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from choros.body import BodyModel, BodyParams
from choros.camera import intrinsics, project
from choros.datasets.human36m import H36M17
from choros.datasets.mot17 import read_mot17
from choros.datasets.mpi_inf_3dhp import MPI17
from choros.errors import ChorosError
from choros.evaluation.benchmark import METRICS, Recorded, run_benchmark
from choros.evaluation.compare import pooled_scores
from choros.evaluation.labelled import compare_labelled
from choros.evaluation.sources import open_data
from choros.motion import FRAME, ROW, Header, Motion
from choros.skeleton import COCO17, JOINT_NAMES
from choros.video.writer import VideoWriter

WIDTH, HEIGHT = 640, 480
K = intrinsics(WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


def pictures(folder, names):
    folder.mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.zeros((HEIGHT, WIDTH, 3), np.uint8))


def motion(rows, frames=3):
    table = np.zeros(frames, FRAME)
    table["number"] = np.arange(frames)
    table["pts"], table["K"], table["T_world_camera"] = [(i, 30) for i in range(frames)], K, np.eye(4)
    return Motion(
        Header(Fraction(30), WIDTH, HEIGHT), table, rows[np.lexsort([rows["person"], rows["frame"]])]
    )


def boxes(*said):
    """Rows from (frame, person, x0, y0, x1, y1)."""
    rows = np.zeros(len(said), ROW)
    rows["visible"], rows["transl"], rows["confidence"] = True, (0, 0, 5), 1
    for row, (frame, person, *box) in zip(rows, said, strict=True):
        row["frame"], row["person"], row["box_px"] = frame, person, box
    return rows


def two_people(body, frames=3):
    """Rows of two people who stand and bend, and their joints (n, 24, 3) and COCO points (n, 17, 3), metres."""
    rng = np.random.default_rng(3)
    rows = np.zeros(2 * frames, ROW)
    rows["frame"], rows["person"] = np.repeat(np.arange(frames), 2), np.tile([1, 2], frames)
    rows["visible"], rows["global_orient"][:, 0] = True, np.pi
    rows["body_pose"] = rng.normal(0, 0.2, (2 * frames, 69))
    rows["transl"] = np.where(rows["person"][:, None] == 1, (-1, 0.1, 5), (1, 0.1, 6))
    names = ("global_orient", "body_pose", "betas", "transl", "kid")
    params = BodyParams(*(torch.from_numpy(rows[name].copy()) for name in names))
    joints, points = body.joints(params).double().numpy(), body.keypoints(params).double().numpy()
    rows["keypoints_px"][..., :2], rows["keypoints_px"][..., 2] = project(points, K), 1
    flat = rows["keypoints_px"][..., :2]
    rows["box_px"] = np.concatenate([flat.min(1), flat.max(1)], -1)
    return rows, joints, points


def scores(name, said, body, clip=0):
    source = open_data(name)[clip]
    truth = source.open(None, lambda *_: None).truth
    return pooled_scores([compare_labelled(truth, said, body)])


def perfect(got, *names):
    for name in names:
        assert got[name] == pytest.approx(1), name


# --- MOT17 -----------------------------------------------------------------------------------------------


@pytest.fixture
def mot17(tmp_path):
    """Two pedestrians for three frames, somebody in a car and one who does not count."""
    for detector in ("DPM", "SDP"):
        place = tmp_path / "MOT17" / "train" / f"MOT17-02-{detector}"
        pictures(place / "img1", [f"{n:06d}.jpg" for n in (1, 2, 3)])
        (place / "seqinfo.ini").write_text(
            f"[Sequence]\nname=MOT17-02-{detector}\nimDir=img1\nframeRate=14\nseqLength=3\nimWidth={WIDTH}\n"
            f"imHeight={HEIGHT}\nimExt=.jpg\n\n"
        )
        (place / "gt").mkdir()
        lines = []
        for frame in (1, 2, 3):
            lines += [f"{frame},1,{10 * frame},100,50,150,1,1,1", f"{frame},2,300,90,60,160,1,1,0.2"]
            lines += [f"{frame},3,500,90,60,160,0,7,1", f"{frame},4,-20,300,60,160,0,1,1"]
        (place / "gt" / "gt.txt").write_text("\n".join(lines))
    return tmp_path / "MOT17"


def walkers(*more):
    said = [(f, 1, 10 * (f + 1), 100, 10 * (f + 1) + 50, 250) for f in range(3)]
    return motion(boxes(*said, *((f, 2, 300, 90, 360, 250) for f in range(3)), *more))


def test_mot17_is_read(mot17):
    samples = read_mot17(mot17 / "train" / "MOT17-02-DPM")
    assert len(samples) == 3
    second = samples[1]
    assert (second.image.name, second.frame, second.size_px) == ("000002.jpg", 1, (WIDTH, HEIGHT))
    assert second.time_s == pytest.approx(1 / 14)
    assert [person.identity for person in second.people] == [1, 2]
    np.testing.assert_array_equal(second.people[0].box_px, [20, 100, 70, 250])
    np.testing.assert_array_equal(second.neither_px, [[500, 90, 560, 250]])
    (mot17 / "train/MOT17-02-DPM/gt/gt.txt").write_text("1,2,3")
    with pytest.raises(ChorosError, match=r"gt\.txt: not in MOT17's official form"):
        read_mot17(mot17 / "train" / "MOT17-02-DPM")


def test_mot17_scores(mot17, body):
    assert [source.name for source in open_data(f"mot17:{mot17}")] == [
        "MOT17-02-DPM"
    ]  # the pictures of SDP are the same
    assert open_data(f"mot17:{mot17}")[0].open(None, None).image_fps == 14
    right = scores(f"mot17:{mot17}", walkers(), body)
    perfect(right, "HOTA", "MOTA", "IDF1", "MOTP", "recall_visible")
    assert right["id_switches"] == 0
    assert np.isnan([right[name] for name in ("mpjpe_mm", "pve_mm", "pck_05")]).all()
    static = [(f, 3, 500, 90, 560, 250) for f in range(3)]
    perfect(scores(f"mot17:{mot17}", walkers(*static), body), "MOTA")  # neither right nor wrong
    wrong = scores(f"mot17:{mot17}", walkers((0, 3, 400, 0, 450, 90), (1, 4, -20, 300, 40, 460)), body)
    assert wrong["MOTA"] == pytest.approx(1 - 2 / 6)  # nobody, and one who does not count
    with pytest.raises(ChorosError, match="as far as frame 2, and the prediction has 2 frames"):
        scores(f"mot17:{mot17}", motion(boxes((0, 1, 0, 0, 9, 9)), 2), body)


@pytest.mark.parametrize(("numbers", "first"), [("named", 1), ("counted", 0)])
def test_a_picture_that_could_not_be_read_shifts_no_label(mot17, body, numbers, first):
    """The second of three is missing in the answer: its two people were not found, everybody else was."""
    whole = walkers()
    rows = whole.rows[whole.rows["frame"] != 1]
    rows["frame"] = np.searchsorted([0, 2], rows["frame"])
    frames = whole.frames[[0, 2]]
    frames["number"] = first, first + 2
    said = Motion(replace(whole.header, numbers=numbers), frames, rows)
    got = scores(f"mot17:{mot17}", said, body)
    assert (got["MOTA"], got["recall_visible"]) == (pytest.approx(4 / 6), pytest.approx(4 / 6))
    assert (got["MOTP"], got["id_switches"]) == (pytest.approx(1), 0)


def test_pictures_by_other_names_are_another_folders(mot17, body):
    said = walkers()
    said.frames["number"] = 1, 2, 7
    with pytest.raises(ChorosError, match=r"has pictures by numbers that .*img1 lacks"):
        scores(f"mot17:{mot17}", replace(said, header=replace(said.header, numbers="named")), body)


def test_a_set_through_the_whole_bench(mot17, tmp_path):
    (tmp_path / "answers").mkdir()
    walkers().save(tmp_path / "answers" / "MOT17-02-DPM.npz")
    (run,) = run_benchmark({"mine": Recorded(tmp_path / "answers")}, {"m": open_data(f"mot17:{mot17}")})
    metrics = run.record()["metrics"]
    assert set(metrics) == set(METRICS)
    assert (metrics["HOTA"], metrics["mpjpe_mm"], metrics["g_mpjpe_mm"]) == (pytest.approx(1), None, None)


@pytest.mark.parametrize("name", ["mot17", "coco", "3dpw", "h36m", "3dhp", "posetrack", "ava", "emdb"])
def test_folders_without_the_set(name, tmp_path):
    with pytest.raises(ChorosError, match=f"holds nothing of {name}"):
        open_data(f"{name}:{tmp_path}")


# --- keypoints -------------------------------------------------------------------------------------------


def test_coco(tmp_path, body):
    rows, _, _ = two_people(body, frames=1)
    pictures(tmp_path / "val2017", ["1.jpg", "2.jpg"])
    people = []
    for row in rows:
        x0, y0, x1, y1 = row["box_px"].tolist()
        flat = np.concatenate([row["keypoints_px"][:, :2] - 0.5, np.full((17, 1), 2)], 1)
        person = {"image_id": 1, "category_id": 1, "id": int(row["person"]), "iscrowd": 0, "area": 1}
        people.append(person | {"bbox": [x0, y0, x1 - x0, y1 - y0], "keypoints": flat.ravel().tolist()})
    people.append({"image_id": 1, "category_id": 1, "id": 9, "iscrowd": 1, "bbox": [0, 400, 640, 80]})
    size = {"width": WIDTH, "height": HEIGHT}
    content = {
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17)}],
        "images": [{"id": n, "file_name": f"{n}.jpg"} | size for n in (1, 2)],
        "annotations": people,
    }
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/person_keypoints_val2017.json").write_text(json.dumps(content))
    name = f"coco:{tmp_path}"
    assert [source.name for source in open_data(name)] == ["1.jpg", "2.jpg"]
    got = scores(
        name, motion(np.concatenate([rows, boxes((0, 7, 30, 420, 60, 470))]), 1), body
    )  # in the crowd
    perfect(got, "MOTA", "DetA", "recall_visible", "pck_05", "MOTP_oks", "MOTA_oks")
    assert np.isnan([got[name] for name in ("HOTA", "IDF1", "id_switches", "AssA_oks")]).all()
    rows["box_px"] += 300
    assert scores(name, motion(rows, 1), body)["recall_visible"] == 0


def test_posetrack(tmp_path, body):
    """Every second frame is labelled; whoever is in the region to ignore is neither right nor wrong."""
    rows, _, _ = two_people(body)
    names = ("nose", "head_bottom", "head_top", "left_ear", "right_ear", *COCO17[5:])
    pictures(tmp_path / "images/val/000001_x", [f"{n:06d}.jpg" for n in range(3)])
    frames = [
        {"id": n, "file_name": f"images/val/000001_x/{n:06d}.jpg", "is_labeled": n != 1}
        | {"ignore_regions_x": [[0, 40, 40, 0]], "ignore_regions_y": [[0, 0, 40, 40]]}
        for n in range(3)
    ]
    people = []
    for number, row in enumerate(rows):
        if row["frame"] == 1:
            continue
        points = np.zeros((17, 3))
        for name, point in zip(COCO17, row["keypoints_px"], strict=True):
            if name in names:
                points[names.index(name)] = point
        x0, y0, x1, y1 = row["box_px"].tolist()
        person = {"id": number, "image_id": int(row["frame"]), "track_id": int(row["person"])}
        people.append(person | {"bbox": [x0, y0, x1 - x0, y1 - y0], "keypoints": points.ravel().tolist()})
    content = {"categories": [{"keypoints": names}], "images": frames, "annotations": people}
    (tmp_path / "annotations/val").mkdir(parents=True)
    (tmp_path / "annotations/val/000001_x.json").write_text(json.dumps(content))
    said = np.concatenate([rows, boxes((0, 5, 5, 5, 35, 35), (1, 6, 100, 0, 200, 60))])
    got = scores(f"posetrack:{tmp_path}", motion(said), body)
    perfect(got, "HOTA", "MOTA", "IDF1", "HOTA_oks", "recall_visible", "pck_05")
    said["person"][4:6] = 2, 1  # they change names
    assert scores(f"posetrack:{tmp_path}", motion(said), body)["id_switches"] == 2


def test_ava(tmp_path, body):
    """A film of four seconds that begins at 900 s; one that was not fetched is passed over."""
    with VideoWriter(tmp_path / "film.mp4", WIDTH, HEIGHT, Fraction(2)) as writer:
        for _ in range(8):
            writer.write(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    lines = [f"film,0{second},0.1,0.2,0.3,0.8,{action},7" for second in (902, 903) for action in (12, 80)]
    (tmp_path / "ava_val_v2.2.csv").write_text(
        "\n".join([*lines, "film,0903,0.6,0.2,0.8,0.8,12,8", "gone,0902,,,,,,"])
    )
    assert [source.name for source in open_data(f"ava:{tmp_path}")] == ["film"]
    one, two = (64, 96, 192, 384), (384, 96, 512, 384)
    said = boxes((0, 1, 0, 0, 50, 50), (4, 1, *one), (6, 1, *one), (6, 2, *two))
    perfect(scores(f"ava:{tmp_path}", motion(said, 8), body), "HOTA", "MOTA", "IDF1", "recall_visible")
    said["person"][2:3] = 3
    assert scores(f"ava:{tmp_path}", motion(said, 8), body)["id_switches"] == 1


# --- joints ----------------------------------------------------------------------------------------------


def test_3dpw(tmp_path, body):
    """A passer-by is no mistake; a body that is 0.1 m higher is as good about the pelvis and 100 mm off in place."""
    rows, joints, _ = two_people(body)
    rows["keypoints_px"] = 0
    pictures(tmp_path / "imageFiles/street_00", [f"image_{n:05d}.jpg" for n in range(3)])
    content = {
        "sequence": "street_00", "genders": ["m", "f"], "betas": [np.zeros(10)] * 2,
        "poses": [np.zeros((3, 72))] * 2, "trans": [np.zeros((3, 3))] * 2,
        "jointPositions": [joints[p::2].reshape(3, 72) for p in (0, 1)],
        "poses2d": [np.zeros((3, 3, 18))] * 2, "campose_valid": [np.ones(3), np.array([1, 1, 0])],
        "cam_poses": np.tile(np.eye(4), (3, 1, 1)), "cam_intrinsics": K, "img_frame_ids": np.arange(3),
    }  # fmt: skip
    path = tmp_path / "sequenceFiles/test/street_00.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(content, protocol=2))
    name = f"3dpw:{tmp_path}"
    passer_by = rows[:1].copy()
    passer_by["person"], passer_by["transl"] = 3, (0, 0, 12)
    said = motion(np.concatenate([rows, passer_by]))
    got = scores(name, said, body)
    perfect(got, "recall_visible", "pck3d_100")
    for error in ("mpjpe_mm", "pa_mpjpe_mm", "root_error_mm", "accel_mm_s2"):
        assert got[error] == pytest.approx(0, abs=0.05), error
    assert np.isnan([got[n] for n in ("HOTA", "MOTA", "pve_mm", "g_mpjpe_mm")]).all()
    assert got["id_switches"] == 0
    rows["transl"][:, 1] -= 0.1
    got = scores(name, motion(rows), body)
    assert got["mpjpe_mm"] == pytest.approx(0, abs=0.05)
    assert got["root_error_mm"] == pytest.approx(100, abs=0.1)


def test_emdb(tmp_path, body):
    """The camera goes round the person; in the middle frame they are hidden, and what is said there is not judged."""
    rows, _, _ = two_people(body)
    rows = rows[::2].copy()
    place = tmp_path / "P0" / "09_walk"
    pictures(place / "images", [f"{n:05d}.jpg" for n in range(3)])
    turns = Rotation.from_euler("y", [[0.0], [0.5], [1.0]]).as_matrix()
    T = np.tile(np.eye(4), (3, 1, 1))
    T[:, :3, :3] = turns
    pelvis = body.rest_joints(torch.zeros(10))[0].double().numpy()
    places_world = np.linalg.inv(turns) @ (rows["transl"].astype(float) + pelvis)[..., None]
    root = Rotation.from_matrix(np.linalg.inv(turns)) * Rotation.from_rotvec(rows["global_orient"])
    smpl = {
        "poses_root": root.as_rotvec(),
        "poses_body": rows["body_pose"].astype(float),
        "betas": np.full(10, 2.0),
    }
    content = {
        "name": "P0_09_walk", "gender": "female", "emdb1": True, "emdb2": False, "n_frames": 3,
        "good_frames_mask": np.array([True, False, True]), "smpl": smpl | {"trans": places_world[..., 0] - pelvis},
        "camera": {"intrinsics": K, "extrinsics": T, "width": WIDTH, "height": HEIGHT},
    }  # fmt: skip
    (place / "P0_09_walk_data.pkl").write_bytes(pickle.dumps(content))
    (source,) = open_data(f"emdb:{tmp_path}")
    assert source.name == "P0_09_walk"
    got = scores(f"emdb:{tmp_path}", motion(rows), body)
    perfect(got, "recall_visible", "pck3d_100")
    assert got["mpjpe_mm"] == pytest.approx(0, abs=0.3)
    assert got["root_error_mm"] == pytest.approx(0, abs=0.3)
    rows["body_pose"][1] += 1  # nobody asks for that frame
    assert scores(f"emdb:{tmp_path}", motion(rows), body)["mpjpe_mm"] == pytest.approx(0, abs=0.3)
    (place / "P0_09_walk_data.pkl").write_bytes(pickle.dumps(content | {"emdb1": False}))
    with pytest.raises(ChorosError, match="holds nothing of emdb"):
        open_data(f"emdb:{tmp_path}")


def test_human36m(tmp_path, body):
    rows, joints, _ = two_people(body)
    rows, joints = rows[::2], joints[::2]
    of_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
    places = np.zeros((3, 32, 3))
    for name, joint in zip(H36M17, of_32, strict=True):
        if name in JOINT_NAMES:
            places[:, joint] = joints[:, JOINT_NAMES.index(name)]
    flat = np.where(places[..., 2:] > 0, project(np.where(places[..., 2:] > 0, places, (0, 0, 1)), K), 0)
    for kind, values in (("D3_Positions_mono", places * 1000), ("D2_Positions", flat)):
        path = tmp_path / "S9/MyPoseFeatures" / kind / "Eating 1.54138969.cdf.mat"
        path.parent.mkdir(parents=True)
        cell = np.empty((1, 1), object)
        cell[0, 0] = values.reshape(3, -1)
        savemat(path, {"data": cell})
    (tmp_path / "S9/Videos").mkdir()
    (tmp_path / "S9/Videos/Eating 1.54138969.mp4").touch()
    (source,) = open_data(f"h36m:{tmp_path}")
    assert source.name == "S9 Eating 1.54138969"
    got = scores(f"h36m:{tmp_path}", motion(rows), body)
    perfect(got, "recall_visible", "pck3d_150", "HOTA")
    assert got["mpjpe_mm"] == pytest.approx(0, abs=0.05)
    assert np.isnan(got["pve_mm"])


def test_mpi_inf_3dhp(tmp_path, body):
    rows, joints, _ = two_people(body)
    rows, joints = rows[::2], joints[::2]
    points = np.zeros((3, 17, 3))
    for i, name in enumerate(MPI17):
        if name in JOINT_NAMES:
            points[:, i] = joints[:, JOINT_NAMES.index(name)]
    flat = project(np.where(points[..., 2:] > 0, points, (0, 0, 1)), K)
    content = {
        "annot2": flat.transpose(2, 1, 0)[:, :, None],
        "annot3": 1000 * points.transpose(2, 1, 0)[:, :, None],
    }
    pictures(tmp_path / "TS1/imageSequence", [f"img_{n:06d}.jpg" for n in (1, 2, 3)])
    savemat(tmp_path / "TS1/annot_data.mat", content | {"valid_frame": np.array([[1, 0, 1]])})
    got = scores(f"3dhp:{tmp_path}", motion(rows), body)
    perfect(got, "recall_visible", "pck3d_150")
    assert got["mpjpe_mm"] == pytest.approx(0, abs=0.05)
