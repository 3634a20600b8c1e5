"""Each motion capture format read against poses worked out by hand."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.datasets.mocap import read_asf_amc, read_bvh, read_deepmimic, read_expmap
from choros.datasets.mocap.asf import CMU_UNIT_M
from choros.datasets.mocap.bvh import find_roles, parse_bvh
from choros.datasets.mocap.expmap import JOINTS, OFFSET_UNIT_M
from choros.errors import ChorosError

# --- BVH ---------------------------------------------------------------------------------------------

LEG = """JOINT {side}UpLeg {{ OFFSET {x} 0 0 CHANNELS 3 Zrotation Xrotation Yrotation
  JOINT {side}Leg {{ OFFSET 0 -40 0 CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT {side}Foot {{ OFFSET 0 -42 0 CHANNELS 3 Zrotation Xrotation Yrotation
      End Site {{ OFFSET 0 0 15 }} }} }} }}"""
ARM = """JOINT {side}Arm {{ OFFSET {x} 25 0 CHANNELS 3 Zrotation Xrotation Yrotation
  JOINT {side}ForeArm {{ OFFSET {arm} 0 0 CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT {side}Hand {{ OFFSET {arm} 0 0 CHANNELS 3 Zrotation Xrotation Yrotation
      End Site {{ OFFSET {arm} 0 0 }} }} }} }}"""
HIERARCHY = (
    "HIERARCHY ROOT Hips { OFFSET 0 0 0 CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n"
    + LEG.format(side="Left", x=9)
    + LEG.format(side="Right", x=-9)
    + "JOINT Spine { OFFSET 0 20 0 CHANNELS 3 Zrotation Xrotation Yrotation\n"
    + ARM.format(side="Left", x=15, arm=25)
    + ARM.format(side="Right", x=-15, arm=-25)
    + "JOINT Head { OFFSET 0 40 0 CHANNELS 3 Zrotation Xrotation Yrotation\n End Site { OFFSET 0 15 0 } } } }\n"
)
CHANNELS = parse_bvh(HIERARCHY + "MOTION\nFrames: 1\nFrame Time: 0.01\n" + "0 " * 48, "order").joints


def bvh_text(frames: list[dict[str, tuple[float, float, float]]], frame_s: float = 1 / 60) -> str:
    """Frames given as joint -> angles about Z, X, Y in degrees; "place" is the root's."""
    moving = [joint for joint in CHANNELS if not joint.endswith("_end")]
    lines = []
    for frame in frames:
        values = list(frame.get("place", (0.0, 90.0, 0.0)))
        for joint in moving:
            values += frame.get(joint, (0.0, 0.0, 0.0))
        lines.append(" ".join(map(str, values)))
    return HIERARCHY + f"MOTION\nFrames: {len(frames)}\nFrame Time: {frame_s}\n" + "\n".join(lines) + "\n"


def test_bvh_places_joints_as_worked_out_by_hand():
    # Root turned a quarter about up, left knee bent by a right angle: the shin points along world -x.
    text = bvh_text([{"place": (1, 90, 2), "Hips": (0, 0, 90), "LeftLeg": (0, 90, 0)}])
    motion = read_bvh(text, "bent")
    at = dict(zip(motion.joints, motion.positions[0], strict=True))
    np.testing.assert_allclose(at["Hips"], [0.01, 0.9, 0.02], atol=1e-12)
    np.testing.assert_allclose(at["LeftUpLeg"], [0.01, 0.9, -0.07], atol=1e-12)
    np.testing.assert_allclose(at["LeftLeg"], [0.01, 0.5, -0.07], atol=1e-12)
    np.testing.assert_allclose(at["LeftFoot"], [-0.41, 0.5, -0.07], atol=1e-12)
    assert motion.fps == pytest.approx(60)


def test_bvh_turns_in_the_order_of_its_channels():
    angles = (20.0, 30.0, 40.0)
    motion = read_bvh(bvh_text([{"Spine": angles}]), "order")
    expected = (
        Rotation.from_rotvec([0, 0, 20], degrees=True)
        * Rotation.from_rotvec([30, 0, 0], degrees=True)
        * Rotation.from_rotvec([0, 40, 0], degrees=True)
    )
    np.testing.assert_allclose(
        motion.rotations[0, motion.joints.index("Spine")], expected.as_matrix(), atol=1e-12
    )


def test_bvh_rotations_are_relative_to_the_reference_frame():
    tilted = {"LeftArm": (-60.0, 0.0, 0.0), "RightArm": (60.0, 0.0, 0.0)}
    motion = read_bvh(bvh_text([tilted, {}]), "a-pose", reference_frame=0)
    arm = motion.joints.index("LeftArm")
    np.testing.assert_allclose(
        motion.rotations[0], np.broadcast_to(np.eye(3), (len(motion.joints), 3, 3)), atol=1e-12
    )
    np.testing.assert_allclose(
        motion.rotations[1, arm], Rotation.from_rotvec([0, 0, 60], degrees=True).as_matrix(), atol=1e-12
    )
    elbow = motion.reference[motion.index("left_elbow")] - motion.reference[motion.index("left_shoulder")]
    np.testing.assert_allclose(elbow, 0.25 * np.array([np.cos(np.pi / 3), -np.sin(np.pi / 3), 0]), atol=1e-12)


@pytest.mark.parametrize(
    ("names", "role", "joint"),
    [
        (["mixamorig:Hips", "mixamorig:LeftUpLeg", "mixamorig:LeftLeg"], "left_knee", "mixamorig:LeftLeg"),
        (["Hips", "UpperArm_R", "LowerArm_R", "Shoulder_R"], "right_shoulder", "UpperArm_R"),
        (["Hips", "LHipJoint", "LeftUpLeg"], "left_hip", "LeftUpLeg"),
        (["hip", "lThigh", "lShin", "lFoot"], "left_knee", "lShin"),
        (["pelvis", "thigh_l", "calf_l", "foot_l", "ball_l"], "left_foot", "ball_l"),
        (["root", "lfemur", "ltibia"], "left_hip", "lfemur"),
    ],
)
def test_joint_names_in_the_wild(names, role, joint):
    assert find_roles(names)[role] == joint


def test_bvh_that_is_cut_off_or_strange_is_refused_by_name():
    text = bvh_text([{}, {}])
    with pytest.raises(ChorosError, match=r"walk\.bvh"):
        read_bvh(text[: text.rindex(" ")].rsplit(" ", 3)[0], "walk.bvh")
    with pytest.raises(ChorosError, match="MOTION"):
        read_bvh(HIERARCHY, "walk.bvh")
    with pytest.raises(ChorosError, match="left_knee"):
        read_bvh(text.replace("LeftLeg", "Nub"), "walk.bvh")
    with pytest.raises(ChorosError, match="no frame 7"):
        read_bvh(text, "walk.bvh", reference_frame=7)


# --- ASF / AMC ---------------------------------------------------------------------------------------

ASF_BONES = {
    # name: parent, direction, length, axis, dof
    "lhip": ("root", "1 0 0", 2, "0 0 0", ""),
    "lfemur": ("lhip", "0.6 -0.8 0", 5, "0 0 20", "rx ry rz"),
    "ltibia": ("lfemur", "0 -1 0", 5, "0 0 90", "rx"),
    "lfoot": ("ltibia", "0 0 1", 2, "0 0 0", "rx rz"),
}


def asf_text() -> str:
    bones = "".join(
        f"  begin\n id {k}\n name {name}\n direction {direction}\n length {length}\n axis {axis} XYZ\n"
        + (f" dof {dof}\n" if dof else "")
        + "  end\n"
        for k, (name, (_, direction, length, axis, dof)) in enumerate(ASF_BONES.items(), start=1)
    )
    hierarchy = "".join(f"    {parent} {name}\n" for name, (parent, *_) in ASF_BONES.items())
    return (
        ":version 1.10\n:units\n mass 1.0\n length 0.45\n angle deg\n:root\n order TX TY TZ RX RY RZ\n axis XYZ\n"
        f" position 0 0 0\n orientation 0 0 0\n:bonedata\n{bones}:hierarchy\n  begin\n{hierarchy}  end\n"
    )


AMC = """#!OML:ASF
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 90 0
lfemur 0 0 0
ltibia 90
lfoot 0 0
2
root 1 2 3 0 0 0
lfemur 10 20 30
ltibia 0
lfoot 0 0
"""


def test_asf_bones_turn_about_their_own_axes():
    motion = read_asf_amc(asf_text(), AMC, "hand")
    unit = CMU_UNIT_M
    at = dict(zip(motion.joints, motion.positions[0] / unit, strict=True))
    # The root turned by 90 degrees about y sends x to -z. The tibia's x axis is the world's y (axis 0 0 90),
    # about which its bone, straight down, only twists; its foot, along z, goes to x, by the root's turn to -z.
    np.testing.assert_allclose(at["lfemur"], [1, 2, 3 - 2], atol=1e-9)
    np.testing.assert_allclose(at["ltibia"], [1, 2 - 4, 1 - 3], atol=1e-9)
    np.testing.assert_allclose(at["lfoot"], [1, -2 - 5, -2], atol=1e-9)
    np.testing.assert_allclose(at["lfoot_end"], [1, -7, -2 - 2], atol=1e-9)

    axes = Rotation.from_euler("z", 20, degrees=True)
    turn = axes * Rotation.from_euler("xyz", [10, 20, 30], degrees=True) * axes.inv()
    np.testing.assert_allclose(
        motion.rotations[1, motion.joints.index("lfemur")], turn.as_matrix(), atol=1e-12
    )


def test_asf_amc_mistakes_name_the_file():
    with pytest.raises(ChorosError, match=r"cut\.amc"):
        read_asf_amc(asf_text(), AMC.rsplit("\n", 2)[0] + "\n", "cut.amc")
    with pytest.raises(ChorosError, match="rfemur"):
        read_asf_amc(asf_text(), AMC.replace("lfemur", "rfemur"), "other.amc")
    with pytest.raises(ChorosError, match="complete Acclaim skeleton"):
        read_asf_amc(asf_text().partition(":hierarchy")[0], AMC, "half.asf")


# --- exponential maps --------------------------------------------------------------------------------


def test_expmap_is_written_for_row_vectors():
    parents = [-1] + [0] * (len(JOINTS) - 1)
    knee, ankle = JOINTS.index("left_knee"), JOINTS.index("left_ankle")
    parents[ankle] = knee
    offsets = np.zeros((len(JOINTS), 3))
    offsets[knee], offsets[ankle] = [0, -1, 0], [0, -1, 0]
    table = np.zeros((3, 3 + 3 * len(JOINTS)))
    table[1:, :3] = [1.0, 2.0, 3.0]
    table[2, 3 + 3 * knee] = -np.pi / 2  # about x; negative for row vectors is a bend to the back
    motion = read_expmap(table, json.dumps({"parents": parents, "offsets": offsets.tolist()}), "row")
    assert len(motion.positions) == 2  # the T-pose in front is no motion
    root = np.array([1.0, 2.0, 3.0]) * CMU_UNIT_M
    np.testing.assert_allclose(motion.positions[:, 0], [root, root], atol=1e-12)
    np.testing.assert_allclose(
        motion.positions[0, ankle], root + np.array([0, -2, 0]) * OFFSET_UNIT_M, atol=1e-12
    )
    np.testing.assert_allclose(
        motion.positions[1, ankle], root + np.array([0, -1, -1]) * OFFSET_UNIT_M, atol=1e-12
    )


def test_expmap_root_turns_about_x_then_y_then_z():
    # The release put the root's angles together as y, x, z (see the reader).
    angles = np.radians([20.0, 70.0, -15.0])
    table = np.zeros((2, 3 + 3 * len(JOINTS)))
    table[1, 3:6] = -Rotation.from_euler("yxz", angles[[1, 0, 2]]).as_rotvec()
    skeleton = json.dumps({"parents": [-1] + [0] * 37, "offsets": np.zeros((38, 3)).tolist()})
    motion = read_expmap(table, skeleton, "root")
    np.testing.assert_allclose(
        motion.rotations[0, 0], Rotation.from_euler("xyz", angles).as_matrix(), atol=1e-12
    )


def test_expmap_of_another_shape_is_refused():
    with pytest.raises(ChorosError, match="117 columns"):
        read_expmap(np.zeros((4, 99)), json.dumps({"parents": [-1], "offsets": [[0, 0, 0]]}), "short.txt")
    with pytest.raises(ChorosError, match="parents and offsets"):
        read_expmap(np.zeros((4, 117)), "{}", "short.txt")


# --- DeepMimic ---------------------------------------------------------------------------------------


def deepmimic_frame(**joints: tuple[float, ...]) -> list[float]:
    still = (1.0, 0.0, 0.0, 0.0)
    order = ("chest", "neck", "right_hip", "right_knee", "right_ankle", "right_shoulder", "right_elbow")
    order += ("left_hip", "left_knee", "left_ankle", "left_shoulder", "left_elbow")
    frame = [1 / 30, *joints.get("place", (0.0, 0.9, 0.0)), *joints.get("root", still)]
    for joint in order:
        frame += joints.get(joint, (0.0,) if joint.endswith(("knee", "elbow")) else still)
    return frame


def test_deepmimic_quaternions_are_wxyz_and_knees_bend_about_z():
    half = np.sqrt(0.5)
    frame = deepmimic_frame(root=(half, 0.0, half, 0.0), right_knee=(-np.pi / 2,))
    motion = read_deepmimic(json.dumps({"Loop": "none", "Frames": [frame, frame]}), "kneel")
    root = np.array([0.0, 0.9, 0.0])
    at = {joint: place - root for joint, place in zip(motion.joints, motion.positions[0], strict=True)}
    # A quarter turn about y sends forward (x) to -z, right (z) to x.
    np.testing.assert_allclose(at["right_hip"], [0.084887, 0, 0], atol=1e-9)
    np.testing.assert_allclose(at["right_knee"], [0.084887, -0.421546, 0], atol=1e-9)
    np.testing.assert_allclose(at["right_ankle"], [0.084887, -0.421546, 0.40987], atol=1e-9)
    assert motion.fps == pytest.approx(30)


def test_deepmimic_of_another_character_is_refused():
    with pytest.raises(ChorosError, match="44 numbers"):
        read_deepmimic(json.dumps({"Frames": [[0.1] * 20] * 3}), "dog.txt")
    with pytest.raises(ChorosError, match=r"dog\.txt"):
        read_deepmimic("{", "dog.txt")
