"""BVH: other readers get the same skeleton, turns and places back, and curves do not jump."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from choros.datasets.mocap.bvh import parse_bvh, read_bvh
from choros.exporters import ExportOptions
from choros.exporters.bvh import euler_zxy, write_bvh
from choros.skeleton import JOINT_NAMES, PARENTS
from tests.exporters.twin import BODY, of_one_shape, points
from tests.exporters.walkers import FPS, THERE, walkers


@pytest.fixture(scope="module")
def motion():
    return of_one_shape(walkers())


@pytest.fixture(scope="module")
def files(motion, tmp_path_factory):
    return dict(
        zip(
            THERE,
            write_bvh(motion, tmp_path_factory.mktemp("bvh") / "m.bvh", ExportOptions(body=BODY)),
            strict=True,
        )
    )


def test_a_file_a_person_named_after_their_first_frame(files):
    names = ["m_person_1_from_1.bvh", "m_person_2_from_9.bvh", "m_person_5_from_1.bvh"]
    assert [file.name for file in files.values()] == names


@pytest.mark.parametrize("person", THERE)
def test_pybvh_reads_the_same_turns_and_places(files, motion, person):
    pybvh = pytest.importorskip("pybvh")
    read = pybvh.read_bvh_file(files[person], world_up="+y")
    frames = np.array(list(THERE[person])) - THERE[person][0]  # of the file; it has those of the gap too
    assert read.frame_count == frames[-1] + 1
    assert read.fps == pytest.approx(FPS)
    order = [read.joint_names.index(name) for name in JOINT_NAMES]
    assert [node.name for node in read.nodes if node.parent is None] == ["pelvis"]

    rows = motion.person(person).rows
    wanted = Rotation.from_rotvec(
        np.concatenate([rows["global_orient"], rows["body_pose"]], 1).reshape(-1, 3)
    )
    root, turns = read.to_rotmat()
    turns = Rotation.from_matrix(turns[frames][:, order].reshape(-1, 3, 3))
    error = (turns * wanted.inv()).magnitude().reshape(-1, 24)
    assert error[:, 1:].max() < 1e-4
    level = Rotation.from_matrix(np.diag([1.0, -1, -1]))  # from camera axes to y up
    whole = (level * wanted[::24]).inv() * turns[::24]
    assert whole.magnitude().max() < 1e-4
    np.testing.assert_allclose(root[frames], points(motion, person)[:, 0] * [1, -1, -1], atol=1e-4)
    np.testing.assert_allclose(
        read.joint_positions()[frames][:, order], points(motion, person) * [1, -1, -1], atol=1e-4
    )


def test_names_tell_the_sources_numbers_and_each_shot_is_a_file(motion, tmp_path):
    frames = motion.frames.copy()
    frames["cut_before"][20] = True
    given = replace(motion, frames=frames)[6:]
    files = write_bvh(given, tmp_path / "m.bvh", ExportOptions(people=(2,), body=BODY))
    assert [file.name for file in files] == ["m_person_2_from_9.bvh", "m_person_2_from_21.bvh"]
    assert [int(re.search(r"Frames: (\d+)", file.read_text())[1]) for file in files] == [12, 10]


@pytest.mark.parametrize("person", THERE)
def test_our_own_reader_gets_the_person_back_in_metres(files, motion, person):
    read = read_bvh(files[person].read_text(), "m")
    order = [read.joints.index(name) for name in JOINT_NAMES]
    frames = np.array(list(THERE[person])) - THERE[person][0]
    positions = read.positions[frames][:, order]
    shift = positions[0, 0] - points(motion, person)[0, 0] * [1, -1, -1]  # the reader may move its origin
    np.testing.assert_allclose(positions - shift, points(motion, person) * [1, -1, -1], atol=1e-4)


def test_the_last_bones_end_in_toes_crown_and_fingertips(files):
    bvh = parse_bvh(files[1].read_text(), "m")
    place = np.zeros((len(bvh.joints), 3))
    for joint, parent in enumerate(bvh.parents):
        place[joint] = bvh.offsets[joint] + (place[parent] if parent >= 0 else 0)
    at = dict(zip(bvh.joints, place, strict=True))
    ends = [name for name in bvh.joints if name.endswith("_end")]
    assert sorted(ends) == sorted(f"{name}_end" for i, name in enumerate(JOINT_NAMES) if i not in PARENTS)
    assert at["head_end"][1] == max(y for _, y, _ in at.values())
    assert at["left_hand_end"][0] == max(x for x, _, _ in at.values())
    assert at["right_hand_end"][0] == min(x for x, _, _ in at.values())
    for side in ("left", "right"):
        assert at[f"{side}_foot_end"][2] - at[f"{side}_foot"][2] > 0.05


def test_numbers_are_plain_and_frame_time_is_exact(files):
    text = files[1].read_text()
    assert f"Frame Time: {1 / FPS:.9f}" in text
    table = text.split("Frame Time:")[1].splitlines()[1:]
    assert len(table) == len(THERE[1])
    assert all(re.fullmatch(r"(-?\d+\.\d+ ){74}-?\d+\.\d+", line) for line in table)


@given(st.lists(st.tuples(*[st.floats(-4, 4)] * 3), min_size=1, max_size=6))
def test_angles_give_the_rotation_back(rotvec):
    R = Rotation.from_rotvec(rotvec).as_matrix()
    again = Rotation.from_euler("ZXY", euler_zxy(R)).as_matrix()
    np.testing.assert_allclose(again, R, atol=1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_turn_about_one_axis_goes_on_through_all_quarters(axis):
    """Sitting down and bending over turn thighs and trunk by more than a quarter about x."""
    angle = np.linspace(0, 7, 50)
    R = Rotation.from_rotvec(np.outer(angle, np.eye(3)[axis])).as_matrix()
    wanted = np.zeros((50, 3))
    wanted[:, "zxy".index("xyz"[axis])] = angle
    np.testing.assert_allclose(euler_zxy(R), wanted, atol=1e-9)


def test_a_quarter_turn_about_x_keeps_its_rotation():
    """There z and y turn about the same axis, and only their sum is known."""
    R = Rotation.from_euler("ZXY", [[0.3, np.pi / 2, 0.4], [0.2, -np.pi / 2, 0.1]]).as_matrix()
    np.testing.assert_allclose(Rotation.from_euler("ZXY", euler_zxy(R)).as_matrix(), R, atol=1e-9)
