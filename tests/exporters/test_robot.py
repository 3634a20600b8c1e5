"""A robot does what people do: angles that are known, feet where they belong, limits kept, names guessed or told."""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from choros.cli.main import main
from choros.errors import ChorosError
from choros.exporters import FORMATS, ExportOptions
from choros.motion import FRAME, ROW, Header, Motion
from choros.rotation import rotmat_to_rotvec
from choros.skeleton import joint_index
from tests.exporters.twin import BODY

MODEL = Path(__file__).parents[2] / "docs" / "robots" / "small_humanoid.xml"


def standing(poses, heading_rad=0.0, way_m=(0.0, 0.0, 0.0)):
    """Somebody in the world, feet at rest flat on the floor: a frame for each dict of turns (x, y, z) by joint."""
    frames = np.zeros(len(poses), FRAME)
    frames["number"], frames["K"], frames["T_world_camera"] = np.arange(len(poses)), np.eye(3), np.eye(4)
    frames["pts"] = [[i, 25] for i in range(len(poses))]
    rows = np.zeros(len(poses), ROW)
    rows["frame"], rows["person"], rows["confidence"], rows["visible"] = np.arange(len(poses)), 1, 1, True
    # x left, y up, z forward -> z up, looking along x turned by the heading
    forward = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    c, s = np.cos(heading_rad), np.sin(heading_rad)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ forward
    rows["global_orient"] = rotmat_to_rotvec(turn[None])[0]
    vertices, pelvis = (
        BODY.vertices(BODY.neutral()).numpy(),
        BODY.rest_joints(BODY.neutral().betas)[0].numpy(),
    )
    for i, pose in enumerate(poses):
        rows["transl"][i] = np.array([0, 0, pelvis[1] - vertices[:, 1].min()]) - pelvis + i * np.array(way_m)
        for joint, rotvec in pose.items():
            place = 3 * (joint_index(joint) - 1)
            rows["body_pose"][i, place : place + 3] = rotvec
    return Motion(Header(Fraction(25), 640, 480, source="made.mp4", space="world"), frames, rows)


def test_angles_that_are_known(tmp_path):
    """Arms out, then a thigh forward by 50 degrees, its knee bent by 60, and an elbow bent by 70."""
    pytest.importorskip("mink")
    from choros.exporters.robot.write import write_robot

    turns = {"left_hip": [-50, 0, 0], "left_knee": [60, 0, 0], "left_elbow": [0, -70, 0]}
    bent = {joint: np.deg2rad(turn) for joint, turn in turns.items()}
    motion = standing([{}, {}, bent, bent], heading_rad=0.5, way_m=(0.02, 0, 0))
    csv, npz = write_robot(motion, tmp_path / "m.robot.csv", ExportOptions(robot=MODEL))
    assert (csv.name, npz.name) == ("m_person_1.robot.csv", "m_person_1.robot.npz")
    with np.load(npz) as file:
        found = dict(file)
    angles = dict(zip(found["joint_names"].tolist(), np.rad2deg(found["joint_pos"]).T, strict=True))
    assert angles["left_shoulder_roll"][1] == pytest.approx(90, abs=12)  # SMPL's arms hang a little at rest
    assert angles["right_shoulder_roll"][1] == pytest.approx(-90, abs=12)
    assert abs(angles["left_hip_pitch"][1]) < 5
    # Feet are where they should be, so that angles differ as the shares of thigh and shin do.
    assert angles["left_hip_pitch"][3] - angles["left_hip_pitch"][1] == pytest.approx(-50, abs=8)
    assert angles["left_knee"][3] - angles["left_knee"][1] == pytest.approx(60, abs=8)
    assert angles["left_elbow"][3] - angles["left_elbow"][1] == pytest.approx(-70, abs=8)
    assert angles["right_knee"][3] - angles["right_knee"][1] == pytest.approx(0, abs=3)
    yaw = 2 * np.arctan2(found["root_quat_wxyz"][:, 3], found["root_quat_wxyz"][:, 0])
    np.testing.assert_allclose(yaw, 0.5, atol=0.02)
    np.testing.assert_allclose(np.diff(found["root_pos_m"][:, 0])[:1], 0.02 * found["scale"], atol=2e-3)
    rows = np.loadtxt(csv, delimiter=",", skiprows=1)
    heading = csv.read_text().splitlines()[0].split(",")
    assert heading[:4] == ["time_s", "root_x_m", "root_y_m", "root_z_m"]
    assert heading[-1] == f"{found['joint_names'][-1]}_rad"
    np.testing.assert_allclose(rows[:, 8:], found["joint_pos"], atol=1e-6)
    np.testing.assert_allclose(rows[:, 0], [0, 0.04, 0.08, 0.12], atol=1e-6)


def test_limits_are_kept_and_feet_stand_where_the_persons_do(tmp_path):
    """By MuJoCo's own forward kinematics: soles on the floor, ankles where the person's are, scaled about the floor."""
    mujoco = pytest.importorskip("mujoco")
    pytest.importorskip("mink")
    from choros.exporters.robot.model import load_robot
    from choros.exporters.robot.write import write_robot

    deep = {
        f"{side}_{joint}": [np.deg2rad(angle), 0, 0]
        for side in ("left", "right")
        for joint, angle in (("hip", -60), ("knee", 170), ("ankle", -60))
    }
    motion = standing([{}, {}, deep])
    _, npz = write_robot(motion, tmp_path / "m.robot.csv", ExportOptions(robot=MODEL))
    with np.load(npz) as file:
        found = dict(file)
    low, high = found["joint_limits"].T
    assert (found["joint_pos"] >= low).all()
    assert (found["joint_pos"] <= high).all()
    assert found["joint_pos"].max() > 2.5  # the knee would go on
    model = load_robot(MODEL).model
    data = mujoco.MjData(model)
    data.qpos[:] = found["qpos"][1]
    mujoco.mj_kinematics(model, data)
    joints = BODY.joints(BODY.neutral()).numpy().reshape(-1, 3)
    for side, sign in (("left", 1), ("right", -1)):
        foot = data.body(f"{side}_ankle_roll_link").xpos
        assert foot[2] - 0.037 == pytest.approx(0, abs=2e-3)  # the sole below the ankle
        assert foot[1] == pytest.approx(
            found["scale"] * abs(joints[joint_index(f"{side}_ankle"), 0]) * sign, abs=5e-3
        )
    for end in ("left_ankle", "right_ankle"):
        assert found[f"error_m.{end}"][1] < 2e-3
    heights = []
    for qpos in found["qpos"]:
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        for side in ("left", "right"):
            box = next(
                g
                for g in range(model.ngeom)
                if model.geom_bodyid[g] == data.body(f"{side}_ankle_roll_link").id
            )
            R, size = data.geom_xmat[box].reshape(3, 3), model.geom_size[box]
            corners = [R[2] @ (size * (2 * np.array(corner) - 1)) for corner in np.ndindex(2, 2, 2)]
            heights.append(data.geom_xpos[box][2] + min(corners))
    assert min(heights) > -1e-6


URDF = """<robot name="legs"><link name="base_link"><visual><geometry><mesh filename="package://none/base.stl"/>
</geometry></visual></link>{limbs}</robot>"""
LIMB = """<link name="{link}"><collision><geometry><mesh filename="none.stl"/></geometry></collision></link>
<joint name="{link}_j" type="revolute"><parent link="{parent}"/><child link="{link}"/><origin xyz="{at}"/>
<axis xyz="0 1 0"/><limit lower="-2" upper="2" effort="1" velocity="1"/></joint>"""


def legs(tmp_path, names=("hip", "knee", "ankle")):
    limbs = ""
    for side, y in (("L", 0.1), ("R", -0.1)):
        parent = "base_link"
        for name, at in zip(names, (f"0 {y} 0", "0 0 -0.4", "0 0 -0.4"), strict=True):
            limbs += LIMB.format(link=f"{side}_{name}", parent=parent, at=at)
            parent = f"{side}_{name}"
    path = tmp_path / "legs.urdf"
    path.write_text(URDF.format(limbs=limbs))
    return path


def test_a_urdf_without_its_meshes_and_with_names_told(tmp_path):
    pytest.importorskip("mink")
    from choros.exporters.robot.bodies import bodies_of
    from choros.exporters.robot.model import load_robot

    robot = load_robot(legs(tmp_path))
    assert [name for name, *_ in robot.joints()] == [
        f"{s}_{n}_j" for s in "LR" for n in ("hip", "knee", "ankle")
    ]
    found = bodies_of(robot)
    assert {joint: robot.model.body(body).name for joint, body in found.items()} == {
        "pelvis": "base_link", "left_hip": "L_hip", "left_knee": "L_knee", "left_ankle": "L_ankle",
        "right_hip": "R_hip", "right_knee": "R_knee", "right_ankle": "R_ankle",
    }  # fmt: skip
    strange = load_robot(legs(tmp_path, ("one", "two", "three")))
    with pytest.raises(ChorosError, match="is the left_hip cannot be told; name it in a TOML"):
        bodies_of(strange)
    toml = tmp_path / "map.toml"
    lines = [
        f'{side}_{joint} = "{letter}_{name}"'
        for side, letter in (("left", "L"), ("right", "R"))
        for joint, name in (("hip", "one"), ("knee", "two"), ("ankle", "three"))
    ]
    toml.write_text("[bodies]\n" + "\n".join(lines))
    assert bodies_of(strange, toml)["right_knee"] == strange.bodies["R_two"]
    for text, said in (
        ("bodies = 3", r"no table \[bodies\]"),
        ("[bodies]\ntail = 'x'", "tail, which is no joint"),
        ("[bodies]\nleft_hip = 'x'", "left_hip is x, which"),
        ("[bodies", "no TOML"),
    ):
        toml.write_text(text)
        with pytest.raises(ChorosError, match=said):
            bodies_of(strange, toml)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is no file"),
        ("no robot", "no MJCF or URDF that MuJoCo reads"),
        ("<mujoco><worldbody><body><geom size='1'/></body></worldbody></mujoco>", "no body with joints"),
        (
            "<mujoco><worldbody><body><joint/><geom size='1'/></body></worldbody></mujoco>",
            "hangs on the world",
        ),
    ],
)
def test_files_that_are_no_robots(tmp_path, text, said):
    pytest.importorskip("mink")
    from choros.exporters.robot.model import load_robot

    path = tmp_path / "robot.xml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ChorosError, match=said):
        load_robot(path)


def test_the_command(tmp_path, capsys):
    standing([{}, {}]).save(tmp_path / "m.npz")
    out = ["export", str(tmp_path / "m.npz"), "--to", "robot", "-o", str(tmp_path)]
    with pytest.raises(SystemExit) as end:
        main(out)
    assert end.value.code == 2
    assert "name an MJCF or URDF file after --robot" in capsys.readouterr().err
    pytest.importorskip("mink")
    main([*out, "--robot", str(MODEL)])
    said = capsys.readouterr().out
    assert "m_person_1.robot.csv: " in said
    assert "off by, root mean square: left ankle 0.0 cm" in said


def test_without_the_extra_it_says_which(tmp_path, monkeypatch):
    for name in [
        name for name in sys.modules if name.startswith(("mujoco", "mink", "choros.exporters.robot"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(ChorosError, match=r"without the package mujoco; run `pip install choros\[robot\]`"):
        FORMATS["robot"].write(standing([{}]), tmp_path / "m.robot.csv", ExportOptions(robot=MODEL))
