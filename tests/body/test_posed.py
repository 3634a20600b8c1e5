"""Joints of rows without torch: the body model's, by name, quickly."""

import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import choros
from choros.body import BodyModel, BodyParams
from choros.body.posed import Skeleton, people_of
from choros.errors import ChorosError
from choros.motion import FRAME, ROW, Header, Motion
from choros.skeleton import COCO17, JOINT_NAMES


def random_rows(n, seed=0):
    rng = np.random.default_rng(seed)
    rows = np.zeros(n, ROW)
    rows["person"] = np.arange(1, n + 1)
    for name, scale in (("global_orient", 1), ("body_pose", 0.5), ("betas", 1), ("transl", 3)):
        rows[name] = scale * rng.normal(size=rows[name].shape)
    rows["kid"], rows["visible"], rows["confidence"] = rng.uniform(size=n), rng.uniform(size=n) > 0.5, 0.75
    rows["keypoints_px"] = rng.uniform(0, 100, (n, 17, 3))
    return rows


def by_torch(body, rows):
    params = (torch.tensor(np.array(rows[name], np.float64)) for name in BodyParams._fields)
    return body.joints(BodyParams(*params)).numpy()


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(dtype=torch.float64)


def test_joints_are_the_body_models(body):
    rows = random_rows(50)
    np.testing.assert_allclose(Skeleton.of().joints(rows), by_torch(body, rows), atol=1e-9)
    np.testing.assert_allclose(Skeleton.of(body).joints(rows), by_torch(body, rows), atol=1e-9)
    light = BodyModel.load(detail="light", dtype=torch.float64)
    np.testing.assert_allclose(Skeleton.of(light).joints(rows), by_torch(light, rows), atol=1e-9)
    assert Skeleton.of().joints(rows[:0]).shape == (0, 24, 3)


def test_many_rows_are_as_each_alone(monkeypatch):
    rows = random_rows(25)
    whole = Skeleton.of().joints(rows)
    monkeypatch.setattr("choros.body.posed.CHUNK", 7)
    np.testing.assert_array_equal(Skeleton.of().joints(rows), whole)


def test_people_by_the_names_of_their_joints(body):
    rows = random_rows(3)
    joints, people = by_torch(body, rows), people_of(rows)
    assert [person.id for person in people] == [1, 2, 3]
    for i, person in enumerate(people):
        for j, name in enumerate(JOINT_NAMES):
            np.testing.assert_allclose(person.joint(name), joints[i, j], atol=1e-9)
        for k, name in enumerate(COCO17):
            np.testing.assert_array_equal(person.keypoint(name), rows["keypoints_px"][i, k])
        assert person.joints.shape == (24, 3)
        assert (person.visible, person.confidence) == (rows["visible"][i], 0.75)
    with pytest.raises(ChorosError, match=r"no joint 'wrist'; choose one of: pelvis, .*right_wrist"):
        people[0].joint("wrist")
    with pytest.raises(ChorosError, match=r"no keypoint 'pelvis'; choose one of: nose, "):
        people[0].keypoint("pelvis")


def test_people_in_the_world():
    rows = random_rows(2)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_rotvec([0.3, -1, 2]).as_matrix(), (1, 2, 3)
    for here, there in zip(people_of(rows), people_of(rows, T_world_camera=T), strict=True):
        np.testing.assert_allclose(there.joints, here.joints @ T[:3, :3].T + T[:3, 3], atol=1e-9)


def test_moved_people_are_where_the_motion_takes_them():
    rows = random_rows(40)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_rotvec([0.3, -1, 2]).as_matrix(), (1, -2, 3)
    moved = Skeleton.of().moved(rows, T)
    expected = Skeleton.of().joints(rows) @ T[:3, :3].T + T[:3, 3]
    np.testing.assert_allclose(Skeleton.of().joints(moved), expected, atol=3e-6)  # rows are float32
    for name in set(ROW.names) - {"global_orient", "transl"}:
        np.testing.assert_array_equal(moved[name], rows[name])


def motion_of(rows, body="open"):
    frames = np.zeros(len(rows), FRAME)
    frames["pts"] = [(i, 10) for i in range(len(rows))]
    rows["frame"], rows["person"] = np.arange(len(rows)), 1
    return Motion(Header(Fraction(10), 64, 48, body=body), frames, rows)


def test_a_person_over_time(body):
    rows = random_rows(6)
    person = motion_of(rows).people[1]
    joints = by_torch(body, rows)
    wrist = JOINT_NAMES.index("right_wrist")
    np.testing.assert_allclose(person.joint("right_wrist"), joints[:, wrist], atol=1e-9)
    np.testing.assert_allclose(person.joints(), joints, atol=1e-9)
    np.testing.assert_array_equal(person.keypoint("nose"), rows["keypoints_px"][:, 0])
    with pytest.raises(ChorosError, match="right_wrist"):
        person.joint("hand_of_god")
    with pytest.raises(AttributeError, match="wings"):
        person.wings  # noqa: B018


def test_a_motion_of_another_body_asks_for_it(body):
    person = motion_of(random_rows(2), "smpl").people[1]
    with pytest.raises(ChorosError, match="smpl body; give its file"):
        person.joint("pelvis")
    assert person.joint("pelvis", body).shape == (2, 3)


def test_everybodys_joints_and_skin(body, monkeypatch):
    rows = random_rows(5)
    motion = motion_of(rows)
    np.testing.assert_allclose(motion.joints(), by_torch(body, rows), atol=1e-9)
    params = BodyParams(*(torch.tensor(np.array(rows[name], np.float64)) for name in BodyParams._fields))
    true = body.vertices(params).numpy()
    monkeypatch.setattr("choros.body.skinned.CHUNK", 2)
    for said in (motion.vertices(), motion.people[1].vertices(), motion.vertices(body)):
        np.testing.assert_allclose(said, true, atol=3e-6)  # single precision, and rows of it
    assert motion.select([]).vertices().shape == (0, body.n_vertices, 3)
    for call in ("joints", "vertices"):
        with pytest.raises(ChorosError, match=rf"smpl body; give its file: {call}\("):
            getattr(motion_of(random_rows(2), "smpl"), call)()


def test_it_takes_neither_torch_nor_time():
    rows = random_rows(5)
    people_of(rows)
    best_s = np.inf
    for _ in range(20):
        start_s = time.perf_counter()
        people_of(rows)
        best_s = min(best_s, time.perf_counter() - start_s)
    assert best_s < 0.005
    code = (
        "import sys, numpy as np, choros; from choros.motion import ROW; "
        "choros.people_of(np.zeros(2, ROW))[0].joint('head'); print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
    assert "people_of" in dir(choros)
