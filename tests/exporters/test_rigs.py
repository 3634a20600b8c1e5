"""Rigs: other readers get joints where the motion has them, bones and rest poses as targets want them."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body.cast import stature_m
from choros.datasets.mocap.bvh import parse_bvh
from choros.errors import ChorosError
from choros.exporters import ExportOptions
from choros.exporters.bvh import write_bvh
from choros.exporters.glb import write_glb
from choros.exporters.rigs import METRES, PLAIN, RIGS, rig_named
from choros.skeleton import FEET, JOINT_NAMES, PARENTS
from tests.exporters.test_glb import Viewer
from tests.exporters.twin import BODY, in_world, of_one_shape, points, y_up
from tests.exporters.walkers import FPS, FRAMES, THERE, walkers

FRAMES_SEEN = (9, 16, 23)  # everybody is there in two of them at least
WORLD = ExportOptions(space="world", body=BODY)
FLOOR_M, FEET_M = 1e-3, 2e-3
EACH = pytest.mark.parametrize("name", RIGS)


@pytest.fixture(scope="module")
def motion():
    return of_one_shape(walkers())


def truth(motion, person, frame):
    """Joints (24, 3) of somebody in the world, y up, metres."""
    return y_up(in_world(motion, person, points(motion, person)))[list(THERE[person]).index(frame)]


def seen(person):
    return [frame for frame in FRAMES_SEEN if frame in THERE[person]]


def joints_of(rig):
    """Places among SMPL's joints of the bones that begin at one, and their names."""
    pairs = [(JOINT_NAMES.index(bone.joint), bone.name) for bone in rig.bones if not bone.toward]
    return [joint for joint, _ in pairs], [name for _, name in pairs]


def bones_of(rig):
    """The name of the bone at each of SMPL's joints that the rig has."""
    return {bone.joint: bone.name for bone in rig.bones if not bone.toward}


def to_y_up(places, up):
    return y_up(places) if up == "z" else places


# The table -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rig", [PLAIN, *RIGS.values()], ids=lambda rig: rig.name or "plain")
def test_parents_come_first_and_are_smpls_nearest(rig):
    parents = rig.parents()
    assert [parent < i for i, parent in enumerate(parents)] == [True] * len(parents)
    assert parents.count(-1) == 1
    assert len({bone.name for bone in rig.bones}) == len(rig.bones)
    for bone, parent in zip(rig.bones, parents, strict=True):
        joint = JOINT_NAMES.index(bone.joint)
        above = -1 if parent < 0 else JOINT_NAMES.index(rig.bones[parent].joint)
        assert above == (joint if bone.toward else PARENTS[joint])
    if rig is not PLAIN and rig.name != "smpl":  # all but the two hands
        assert set(JOINT_NAMES) - {bone.joint for bone in rig.bones} == {"left_hand", "right_hand"}


def test_names_and_order_of_targets():
    mixamo = [bone.name.removeprefix("mixamorig:") for bone in RIGS["mixamo"].bones]
    assert mixamo[:10] == (
        [
            "Hips",
            "Spine",
            "Spine1",
            "Spine2",
            "Neck",
            "Head",
            "LeftShoulder",
            "LeftArm",
            "LeftForeArm",
            "LeftHand",
        ]
    )
    assert mixamo[14:18] == ["LeftUpLeg", "LeftLeg", "LeftFoot", "LeftToeBase"]
    assert {bone.name for bone in RIGS["vrm"].bones} >= {"hips", "upperChest", "leftUpperArm", "rightToes"}
    rigify = RIGS["blender-rigify"]
    at = {bone.name: i for i, bone in enumerate(rigify.bones)}
    assert rigify.parents()[at["spine.006"]] == at["spine.005"]
    assert rigify.parents()[at["spine.005"]] == at["spine.004"]


def test_mhrs_bones_hang_on_those_that_they_hang_on_in_mhr():
    """Of MHR's 127 joints those that are there, in its order; feet lack what is between ankle and ball."""
    rig = RIGS["mhr"]
    names = [bone.name for bone in rig.bones]
    hang = {
        name: names[parent] if parent >= 0 else rig.root
        for name, parent in zip(names, rig.parents(), strict=True)
    }
    legs = [f"{side}_{joint}" for side in "lr" for joint in ("upleg", "lowleg", "foot", "ball")]
    arms = [f"{s}_{joint}" for s in "rl" for joint in ("clavicle", "uparm", "lowarm", "wrist_twist", "wrist")]
    spine = [f"c_spine{i}" for i in range(4)]
    assert names == ["root", *legs, *spine, *arms, "c_neck", "c_head"]
    chains = (
        ["body_world", "root", *legs[:4]], ["root", *legs[4:]], ["root", *spine, "c_neck", "c_head"],
        ["c_spine3", *arms[:5]], ["c_spine3", *arms[5:]],
    )  # fmt: skip
    assert hang == {child: parent for chain in chains for parent, child in pairwise(chain)}


def test_an_unknown_rig_is_named(motion, tmp_path):
    with pytest.raises(ChorosError, match="there is no rig maya; choose one of: smpl, mixamo"):
        write_bvh(motion, tmp_path / "m.bvh", replace(WORLD, rig="maya"))
    assert rig_named(None) is PLAIN


# BVH -----------------------------------------------------------------------------------------------------


@EACH
def test_pybvh_has_joints_within_a_millimetre(name, motion, tmp_path):
    pybvh = pytest.importorskip("pybvh")
    rig = RIGS[name]
    files = write_bvh(motion, tmp_path / "m.bvh", replace(WORLD, rig=name))
    for person, file in zip(THERE, files, strict=True):
        read = pybvh.read_bvh_file(file, world_up=f"+{rig.up}")
        joints, names = joints_of(rig)
        wanted = [rig.root, *(bone.name for bone in rig.bones)] if rig.root else [b.name for b in rig.bones]
        assert sorted(read.joint_names) == sorted(wanted)
        order = [read.joint_names.index(bone) for bone in names]
        for frame in seen(person):
            row = frame - THERE[person][0]
            places = to_y_up(read.joint_positions()[row, order], rig.up) / METRES[rig.units]
            true = truth(motion, person, frame)[joints]
            np.testing.assert_allclose(places, true, atol=FLOOR_M)
            feet = [joints.index(foot) for foot in FEET]
            np.testing.assert_allclose(places[feet], true[feet], atol=FEET_M)


@pytest.mark.parametrize("name", [name for name, rig in RIGS.items() if rig.root])
def test_bvh_rests_upright_with_its_feet_on_the_ground(name, motion, tmp_path):
    rig = RIGS[name]
    for person, file in zip(
        THERE, write_bvh(motion, tmp_path / "m.bvh", replace(WORLD, rig=name)), strict=True
    ):
        bvh = parse_bvh(file.read_text(), name)
        place = np.zeros((len(bvh.joints), 3))
        for joint, parent in enumerate(bvh.parents):
            place[joint] = bvh.offsets[joint] + (place[parent] if parent >= 0 else 0)
        place = to_y_up(place, rig.up) / METRES[rig.units]
        at = dict(zip(bvh.joints, place, strict=True))
        bone_of = bones_of(rig)
        toe, crown = bone_of["left_foot"] + "_end", bone_of["head"] + "_end"
        assert -1e-6 < at[toe][1] < 0.08
        height = stature_m(motion.person(person), BODY)
        assert at[crown][1] == pytest.approx(height, abs=0.02)
        assert at[toe][2] > 0.05  # forward
        assert at[bone_of["left_wrist"]][0] > 0.3


def test_bvh_in_centimetres_and_z_up_are_the_same_bones(motion, tmp_path):
    plain = parse_bvh(write_bvh(motion, tmp_path / "a.bvh", WORLD)[0].read_text(), "a")
    other = replace(WORLD, units="cm", up="z")
    scaled = parse_bvh(write_bvh(motion, tmp_path / "b.bvh", other)[0].read_text(), "b")
    np.testing.assert_allclose(y_up(scaled.offsets) / 100, plain.offsets, atol=2e-6)
    np.testing.assert_allclose(y_up(scaled.frames[:, :3]) / 100, plain.frames[:, :3], atol=2e-6)


# GLB -----------------------------------------------------------------------------------------------------


def glb(motion, tmp_path, **given):
    files = write_glb(motion, tmp_path / "m.glb", replace(WORLD, **given))
    names = [f"person_{person}" for person in THERE]
    viewers = [Viewer(file) for file in files]
    return dict(
        zip(THERE, zip(names, viewers * (len(names) if len(files) == 1 else 1), strict=True), strict=True)
    )


@EACH
def test_glb_has_joints_and_skin_where_they_are(name, motion, tmp_path):
    rig = RIGS[name]
    joints, names = joints_of(rig)
    for person, (node, viewer) in glb(motion, tmp_path, rig=name).items():
        skin = viewer.json["skins"][viewer.nodes[viewer.node(f"{node}_mesh")]["skin"]]
        bones = [viewer.nodes[bone]["name"] for bone in skin["joints"]]
        assert bones == [*([rig.root] if rig.root else []), *(bone.name for bone in rig.bones)]
        order = [bones.index(bone) for bone in names]
        for frame in seen(person):
            places, vertices = viewer.joints_and_skin(node, frame / FPS)
            np.testing.assert_allclose(places[order], truth(motion, person, frame)[joints], atol=FLOOR_M)
            row = list(THERE[person]).index(frame)
            skinned = y_up(in_world(motion, person, points(motion, person, BODY.vertices)))[row]
            assert np.linalg.norm(vertices - skinned, axis=1).mean() < 0.01  # linear, without correctives
            if rig.root:
                root = places[bones.index(rig.root)]
                np.testing.assert_allclose(root, places[order[0]] * [1, 0, 1], atol=FLOOR_M)


def at_rest(viewer, node):
    """Joints, skin, names and turns (4, 4) of a file that nobody plays."""
    tracks, viewer.tracks = viewer.tracks, {}
    skin = viewer.json["skins"][viewer.nodes[viewer.node(f"{node}_mesh")]["skin"]]
    found = (
        *viewer.joints_and_skin(node, 0),
        [viewer.nodes[bone]["name"] for bone in skin["joints"]],
        np.array([viewer.matrix(bone, 0) for bone in skin["joints"]]),
    )
    viewer.tracks = tracks
    return found


@EACH
def test_glb_rests_on_the_ground_as_tall_as_the_person(name, motion, tmp_path):
    rig = RIGS[name]
    for person, (node, viewer) in glb(motion, tmp_path, rig=name).items():
        joints, skin, names, _ = at_rest(viewer, node)
        positions = viewer.array(
            viewer.json["meshes"][viewer.nodes[viewer.node(f"{node}_mesh")]["mesh"]]["primitives"][0][
                "attributes"
            ]["POSITION"]
        )
        np.testing.assert_allclose(skin, positions, atol=1e-5)  # nodes rest as the skin was bound
        assert abs(skin[:, 1].min()) < 1e-5
        assert np.ptp(skin[:, 1]) == pytest.approx(stature_m(motion.person(person), BODY), abs=5e-3)
        at = {joint: joints[names.index(bone)] for joint, bone in bones_of(rig).items()}
        arm = at["left_wrist"] - at["left_shoulder"]
        sinks = np.degrees(np.arctan2(-arm[1], arm[0]))
        assert sinks == pytest.approx({"T": 0, "A": 45}[rig.rest], abs=3)
        assert at["left_foot"][2] - at["left_ankle"][2] > 0.05
        assert abs(at["pelvis"][[0, 2]]).max() < 1e-6


@pytest.mark.parametrize("name", [name for name, rig in RIGS.items() if rig.along])
def test_bones_point_along_limbs(name, motion, tmp_path):
    rig = RIGS[name]
    column = "xyz".index(rig.along)
    node, viewer = glb(motion, tmp_path, rig=name)[1]
    joints, _, names, turns = at_rest(viewer, node)
    at = {joint: names.index(bone) for joint, bone in bones_of(rig).items()}
    only = [joint for joint in at if PARENTS.count(JOINT_NAMES.index(joint)) == 1]
    limbs = [(JOINT_NAMES[PARENTS[JOINT_NAMES.index(child)]], child) for child in at]
    for start, end in ((at[joint], at[child]) for joint, child in limbs if joint in only):
        limb = joints[end] - joints[start]
        assert turns[start][:3, column] @ limb == pytest.approx(np.linalg.norm(limb), rel=1e-5)
    assert np.allclose(np.linalg.det(turns[:, :3, :3]), 1)


def test_mixamos_axes_are_mixamos(motion, tmp_path):
    """Hips stand as the file does; thighs are turned by half about z; the arms' z looks down."""
    node, viewer = glb(motion, tmp_path, rig="mixamo")[1]
    _, _, names, turns = at_rest(viewer, node)
    local = {
        name: viewer.nodes[viewer.node(f"mixamorig:{name}")].get("rotation") for name in ("Hips", "LeftUpLeg")
    }
    assert local["Hips"] is None
    turned = Rotation.from_quat(local["LeftUpLeg"]) * Rotation.from_euler("z", 180, degrees=True)
    assert np.degrees(turned.magnitude()) < 6  # thighs are not quite plumb
    assert turns[names.index("mixamorig:LeftArm")][1, 2] < -0.99
    assert turns[names.index("mixamorig:LeftFoot")][1, 2] > 0.7


def test_a_pose_and_t_pose_move_alike(motion, tmp_path):
    posed = []
    for pose in ("T", "A"):
        node, viewer = glb(motion, tmp_path, rig="smpl", rest_pose=pose)[1]
        posed.append(viewer.joints_and_skin(node, 16 / FPS)[0])
    np.testing.assert_allclose(posed[0], posed[1], atol=1e-5)


def test_in_place_takes_the_way_out_and_keeps_height_and_turns(motion, tmp_path):
    for name in ("smpl", "mixamo"):
        node, moving = glb(motion, tmp_path, rig=name)[1]
        options = replace(WORLD, rig=name, in_place=True, people=(1,))
        still = Viewer(*write_glb(motion, tmp_path / "still.glb", options))
        for frame in (0, 16, 29):
            walked, stayed = (viewer.joints_and_skin(node, frame / FPS)[0] for viewer in (moving, still))
            way = walked - stayed
            np.testing.assert_allclose(way, np.broadcast_to(way[0], way.shape), atol=1e-5)
            assert abs(way[0, 1]) < 1e-6
            assert abs(stayed[0 if name == "mixamo" else 1, [0, 2]]).max() < 1e-5


def test_apart_is_a_file_a_person_without_the_camera(motion, tmp_path):
    files = write_glb(motion, tmp_path / "m.glb", replace(WORLD, rig="smpl", apart=True))
    assert [file.name for file in files] == [f"m_person_{person}.glb" for person in THERE]
    for person, file in zip(THERE, files, strict=True):
        viewer = Viewer(file)
        assert "cameras" not in viewer.json
        assert [node["name"] for node in viewer.nodes if node["name"].startswith("person")] == [
            f"person_{person}",
            f"person_{person}_mesh",
        ]


def test_vrm_says_which_node_is_which_bone(motion, tmp_path):
    for _, viewer in glb(motion, tmp_path, rig="vrm").values():
        said = viewer.json["extensions"]["VRMC_vrm_animation"]
        assert said["specVersion"] == "1.0"
        bones = {
            name: viewer.nodes[bone["node"]]["name"] for name, bone in said["humanoid"]["humanBones"].items()
        }
        assert len(bones) == 22
        assert all(name == node for name, node in bones.items())
        moved = {viewer.nodes[node]["name"] for node, path in viewer.tracks if path == "translation"}
        assert moved == {"hips"}


def test_files_of_programs_that_know_no_floor_have_a_root_below_the_person(motion, tmp_path):
    viewer = Viewer(*write_glb(motion, tmp_path / "m.glb", ExportOptions(body=BODY, rig="smpl", people=(1,))))
    roots = np.array([viewer.joints_and_skin("person_1", frame / FPS)[0][0] for frame in range(FRAMES)])
    assert np.ptp(roots[:, 1]) < 1e-6
    pelvis = (points(motion, 1) * [1, -1, -1])[:, 0]
    np.testing.assert_allclose(roots[:, [0, 2]], pelvis[:, [0, 2]], atol=1e-5)
    assert 0.7 < np.median(pelvis[:, 1]) - roots[0, 1] < 1.2


# USD -----------------------------------------------------------------------------------------------------


@EACH
def test_usd_has_joints_units_axes_ids_and_its_range(name, motion, tmp_path):
    pytest.importorskip("pxr")
    from pxr import Usd, UsdGeom, UsdSkel

    from choros.exporters.usd import write_usd

    rig = RIGS[name]
    (file,) = write_usd(motion, tmp_path / "m.usd", replace(WORLD, rig=name))
    stage = Usd.Stage.Open(str(file))
    assert UsdGeom.GetStageMetersPerUnit(stage) == pytest.approx(1 / METRES[rig.units])
    assert UsdGeom.GetStageUpAxis(stage) == rig.up.upper()
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, FRAMES - 1)
    joints, _ = joints_of(rig)
    keep = [i + bool(rig.root) for i, bone in enumerate(rig.bones) if not bone.toward]
    for person in THERE:
        prim = stage.GetPrimAtPath(f"/motion/person_{person}")
        for thing in (prim, *prim.GetChildren()):
            assert thing.GetName().startswith(f"person_{person}") or thing.GetName() == "material"
        assert prim.GetAttribute("userProperties:person").Get() == person
        cache, root = UsdSkel.Cache(), UsdSkel.Root(prim)
        assert cache.Populate(root, Usd.PrimDefaultPredicate)
        (binding,) = cache.ComputeSkelBindings(root, Usd.PrimDefaultPredicate)
        skeleton = cache.GetSkelQuery(binding.GetSkeleton())
        for frame in seen(person):
            found = [T.ExtractTranslation() for T in skeleton.ComputeJointSkelTransforms(frame)]
            places = to_y_up(np.array(found), rig.up)[keep] / METRES[rig.units]
            np.testing.assert_allclose(places, truth(motion, person, frame)[joints], atol=FLOOR_M)
        rest = np.array([T.ExtractTranslation() for T in skeleton.ComputeJointSkelTransforms(0, atRest=True)])
        mesh = UsdGeom.Mesh(stage.GetPrimAtPath(f"/motion/person_{person}/person_{person}_mesh"))
        skin = to_y_up(np.array(mesh.GetPointsAttr().Get(), float), rig.up) / METRES[rig.units]
        assert abs(skin[:, 1].min()) < 1e-5
        assert np.ptp(skin[:, 1]) == pytest.approx(stature_m(motion.person(person), BODY), abs=5e-3)
        bind = np.array([T.ExtractTranslation() for T in binding.GetSkeleton().GetBindTransformsAttr().Get()])
        np.testing.assert_allclose(rest, bind, atol=1e-3)


def test_usds_validators_find_nothing_and_apart_is_a_file_a_person(motion, tmp_path):
    pytest.importorskip("pxr")
    from pxr import Usd

    from choros.exporters.usd import write_usd
    from tests.exporters.test_usd import problems

    for name in ("mixamo", "unreal", "blender-rigify"):
        files = write_usd(motion, tmp_path / "m.usd", replace(WORLD, rig=name, apart=True))
        assert [file.name for file in files] == [f"m_person_{person}.usd" for person in THERE]
        for person, file in zip(THERE, files, strict=True):
            stage = Usd.Stage.Open(str(file))
            assert problems(stage) == []
            assert [prim.GetName() for prim in stage.GetDefaultPrim().GetChildren()] == [f"person_{person}"]


def test_usds_camera_is_in_the_units_of_the_rest(motion, tmp_path):
    pytest.importorskip("pxr")
    from pxr import Usd, UsdGeom

    from choros.exporters.usd import write_usd

    eyes = []
    for given in ({}, {"units": "cm", "up": "z"}):
        (file,) = write_usd(motion, tmp_path / f"{len(eyes)}.usd", replace(WORLD, **given))
        stage = Usd.Stage.Open(str(file))
        camera = UsdGeom.Camera.Get(stage, "/motion/camera").GetCamera(17)
        eyes.append(
            (np.array(camera.transform.ExtractTranslation()), camera.focalLength / camera.horizontalAperture)
        )
    np.testing.assert_allclose(y_up(eyes[1][0]) / 100, eyes[0][0], atol=1e-5)
    assert eyes[0][1] == pytest.approx(eyes[1][1])


def test_names_of_bones_are_words_of_each_format(motion, tmp_path):
    text = write_bvh(motion, tmp_path / "m.bvh", replace(WORLD, rig="mixamo"))[0].read_text()
    assert re.findall(r"(?:ROOT|JOINT) (\S+)", text)[:2] == ["mixamorig:Hips", "mixamorig:Spine"]
