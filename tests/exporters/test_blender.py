"""Blender opens GLB, BVH and USD and shows joints where they are, in a Python that has Blender as the module ``bpy``.

That is some 400 MB and one version of Python only, so that it is looked for, not required: in this Python, or in
the one that ``CHOROS_BLENDER_PYTHON`` names (``python3.11 -m venv b && b/bin/pip install "bpy<5.1"``).
"""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from choros.body.cast import cast_of, stature_m
from choros.exporters import ExportOptions
from choros.exporters.bvh import write_bvh
from choros.exporters.fbx import write_fbx
from choros.exporters.glb import write_glb
from choros.exporters.rigs import RIGS
from choros.skeleton import JOINT_NAMES
from tests.exporters.twin import BODY, in_world, of_one_shape, points
from tests.exporters.walkers import FPS, THERE, walkers

FRAMES = (0, 9, 23)
# Prints the place of each bone's head at each frame of the scene, and where cameras are: name -> frame -> places.
SCRIPT = """
import json, sys
import bpy

kind, fps, path, *frames = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps = int(fps)
if kind == "glb":
    bpy.ops.import_scene.gltf(filepath=path)
elif kind == "fbx":
    bpy.ops.import_scene.fbx(filepath=path, anim_offset=0)
elif kind == "usd":
    bpy.ops.wm.usd_import(filepath=path)
else:
    bpy.ops.import_anim.bvh(filepath=path, frame_start=int(path.rsplit("_", 1)[1].removesuffix(".bvh")))
found = {}
for frame in frames:
    scene.frame_set(int(frame))
    view = bpy.context.evaluated_depsgraph_get()
    for thing in bpy.data.objects:
        now = thing.evaluated_get(view)
        if thing.type == "ARMATURE":
            places = {bone.name: list(now.matrix_world @ bone.head) for bone in now.pose.bones}
            places |= {f"{b.name} rests": [*b.head_local, *b.matrix_local.col[1][:3]] for b in thing.data.bones}
            places["scale"] = list(now.matrix_world.to_scale())
        elif thing.type == "MESH" and kind == "fbx":
            heights = [(thing.matrix_world @ vertex.co)[2] for vertex in thing.data.vertices]
            places = {"low": min(heights), "high": max(heights)}
        elif thing.type == "CAMERA":
            places = {"eye": list(now.matrix_world.translation), "back": list(now.matrix_world.col[2][:3])}
        else:
            continue
        owner = thing.parent if kind == "usd" and thing.type == "ARMATURE" else thing
        found.setdefault(owner.name, {})[frame] = places
print("FOUND" + json.dumps(found))
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def blender(tmp_path_factory):
    python = os.environ.get("CHOROS_BLENDER_PYTHON")
    if python is None and importlib.util.find_spec("bpy"):
        python = sys.executable
    if python is None:
        pytest.skip("no Python with bpy: CHOROS_BLENDER_PYTHON names none")
    script = tmp_path_factory.mktemp("blender") / "look.py"
    script.write_text(SCRIPT)

    def look(kind, path, frames):
        if path is None:  # who looks
            return python
        command = [python, script, kind, str(FPS), path, *map(str, frames)]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.split("FOUND")[1].splitlines()[0])

    return look


def in_blender(motion, person, frame):
    """Joints (24, 3) of somebody in a frame of a motion in camera space, in Blender's axes (z up)."""
    x, y, z = points(motion, person)[list(THERE[person]).index(frame)].T
    return np.stack([x, z, -y], axis=-1)


def places(found, frame):
    return np.array([found[str(frame)][name] for name in JOINT_NAMES])


def test_glb_in_blender(blender, tmp_path):
    """Blender's axes are those of the world: people and camera come out where the motion has them."""
    motion = of_one_shape(walkers())
    (path,) = write_glb(motion, tmp_path / "m.glb", ExportOptions("world", body=BODY))
    found = blender("glb", path, FRAMES)
    assert set(found) == {"person_1", "person_2", "person_5", "camera"}
    for frame in FRAMES:
        camera, T = found["camera"][str(frame)], motion.T_world_camera[frame]
        np.testing.assert_allclose(camera["eye"], T[:3, 3], atol=1e-3)
        np.testing.assert_allclose(camera["back"], -T[:3, 2], atol=1e-4)
        for person, there in THERE.items():
            got = places(found[f"person_{person}"], frame)
            if frame in there:
                world = in_world(motion, person, points(motion, person))[list(there).index(frame)]
                np.testing.assert_allclose(got, world, atol=1e-3)
            else:
                assert np.ptp(got, axis=0).max() == 0


def test_usd_in_blender(blender, tmp_path):
    """Blender takes no notice of visibility that changes: who is not there yet stands still."""
    pytest.importorskip("pxr")
    from choros.exporters.usd import write_usd

    motion = of_one_shape(walkers())
    (path,) = write_usd(motion, tmp_path / "m.usd", ExportOptions("world", body=BODY))
    found = blender("usd", path, FRAMES)
    assert set(found) == {"person_1", "person_2", "person_5", "camera"}
    for frame in FRAMES:
        camera, T = found["camera"][str(frame)], motion.T_world_camera[frame]
        np.testing.assert_allclose(camera["eye"], T[:3, 3], atol=1e-3)
        np.testing.assert_allclose(camera["back"], -T[:3, 2], atol=1e-4)
        for person in (person for person, there in THERE.items() if frame in there):
            world = in_world(motion, person, points(motion, person))[list(THERE[person]).index(frame)]
            np.testing.assert_allclose(places(found[f"person_{person}"], frame), world, atol=1e-3)


def test_a_rigged_glb_in_blender(blender, tmp_path):
    """Bones are where joints are, point along limbs, and rest upright on the ground (Blender's z is up)."""
    motion = of_one_shape(walkers())
    options = ExportOptions("world", body=BODY, rig="mixamo", people=(1,))
    (path,) = write_glb(motion, tmp_path / "m.glb", options)
    frames = blender("glb", path, FRAMES)["person_1"]
    bones = {bone.joint: bone.name for bone in RIGS["mixamo"].bones}
    for frame in FRAMES:
        got = np.array([frames[str(frame)][bone] for bone in bones.values()])
        world = in_world(motion, 1, points(motion, 1))[frame]
        np.testing.assert_allclose(got, world[[JOINT_NAMES.index(joint) for joint in bones]], atol=1e-3)
    rests = {joint: np.array(frames["0"][f"{bone} rests"]) for joint, bone in bones.items()}
    assert 0 < rests["left_foot"][2] < 0.1
    for joint, child in (("left_hip", "left_knee"), ("right_shoulder", "right_elbow"), ("neck", "head")):
        limb = rests[child][:3] - rests[joint][:3]
        np.testing.assert_allclose(rests[joint][3:], limb / np.linalg.norm(limb), atol=1e-3)
    assert rests["left_wrist"][0] > 0.3
    assert rests["left_foot"][1] < rests["left_ankle"][1]  # looks along -y


def test_bvh_in_blender(blender, tmp_path):
    """The start frame in the file's name is what Blender asks for; its frames count from 1."""
    motion = of_one_shape(walkers())
    for person, path in zip(
        THERE, write_bvh(motion, tmp_path / "m.bvh", ExportOptions(body=BODY)), strict=True
    ):
        frames = [frame for frame in (*FRAMES, 17) if frame in THERE[person]]
        found = blender("bvh", path, [frame + 1 for frame in frames])
        (skeleton,) = found.values()
        for frame in frames:
            np.testing.assert_allclose(
                places(skeleton, frame + 1), in_blender(motion, person, frame), atol=1e-3
            )


def test_fbx_in_blender(blender, tmp_path):
    """Joints are where they are; at rest people stand on the ground, as tall as they are, at scale 1."""
    motion = of_one_shape(walkers())
    options = ExportOptions("world", body=BODY, rig="mixamo")
    (path,) = write_fbx(motion, tmp_path / "m.fbx", options, blender(None, None, None))
    found = blender("fbx", path, FRAMES)
    assert {"person_1", "person_2", "person_5"} <= set(found)
    bones = {bone.joint: bone.name for bone in RIGS["mixamo"].bones}
    for person, there in THERE.items():
        frames = found[f"person_{person}"]
        for frame in (frame for frame in FRAMES if frame in there):
            got = np.array([frames[str(frame)][bone] for bone in bones.values()])
            world = in_world(motion, person, points(motion, person))[list(there).index(frame)]
            np.testing.assert_allclose(got, world[[JOINT_NAMES.index(joint) for joint in bones]], atol=1e-3)
        np.testing.assert_allclose(frames["0"]["scale"], 1, atol=1e-4)
        rests = {joint: np.array(frames["0"][f"{bone} rests"]) for joint, bone in bones.items()}
        for joint, child in (("left_hip", "left_knee"), ("right_shoulder", "right_elbow")):
            limb = rests[child][:3] - rests[joint][:3]
            np.testing.assert_allclose(rests[joint][3:], limb / np.linalg.norm(limb), atol=1e-3)
    skins = [places["0"] for places in found.values() if "low" in places["0"]]
    cast = cast_of(motion, options, up="z")
    tall = sorted(stature_m(person, BODY) for person in cast.people)
    np.testing.assert_allclose(sorted(skin["high"] - skin["low"] for skin in skins), tall, atol=2e-3)
    np.testing.assert_allclose([skin["low"] for skin in skins], 0, atol=2e-3)
