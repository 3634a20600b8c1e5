"""Pictures of what each import looks like in Blender, for the documentation: at rest and in a frame, bones drawn.

    python tools/import_pictures.py MOTION.npz FRAME PYTHON_WITH_BPY -o docs/pictures/imports.webp

Exports one person of a motion in the world, opens each file in a Blender of its own with the importer's defaults, and
renders it with Cycles on the CPU. A tile says what it is of; the grid on the floor has cells of a metre.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw

import choros
from choros.exporters import ExportOptions
from choros.exporters.fbx import write_fbx

#: What is shown: format, rig, and how Blender opens it.
SHOWN = (
    ("glb", None), ("glb", "mixamo"), ("fbx", "mixamo"), ("bvh", "mixamo"),
    ("bvh", "unreal"), ("usd", "unity"), ("glb", "blender-rigify"), ("glb", "vrm"),
)  # fmt: skip
SIDE_PX = 260

BLENDER = """
import math, sys
import bpy
from mathutils import Vector

path, frame, side, *out = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
if path.endswith(".glb"):
    bpy.ops.import_scene.gltf(filepath=path)
elif path.endswith(".fbx"):
    bpy.ops.import_scene.fbx(filepath=path, anim_offset=0)
elif path.endswith(".bvh"):
    bpy.ops.import_anim.bvh(filepath=path, frame_start=0)
else:
    bpy.ops.wm.usd_import(filepath=path)
armatures = [thing for thing in bpy.data.objects if thing.type == "ARMATURE"]


def material(name, colour):
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    made.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = colour
    return made


SKIN, BONE, LINE = (
    material("skin", (0.55, 0.6, 0.68, 1)), material("bone", (0.9, 0.3, 0.05, 1)), material("line", (0.2, 0.2, 0.2, 1))
)
for thing in bpy.data.objects:
    if thing.type == "MESH":
        thing.data.materials.clear()
        thing.data.materials.append(SKIN)
        if not thing.modifiers:
            thing.hide_render = True


def stick(a, b, thick, look):
    way = b - a
    if way.length < 1e-6:
        return None
    bpy.ops.mesh.primitive_cone_add(
        vertices=8, radius1=thick, radius2=thick / 4, depth=way.length, location=(a + b) / 2
    )
    made = bpy.context.object
    made.rotation_euler = way.to_track_quat("Z", "Y").to_euler()
    made.data.materials.append(look)
    return made


for at, (resting, target) in enumerate(((True, out[0]), (False, out[1]))):
    for armature in armatures:
        armature.data.pose_position = "REST" if resting else "POSE"
    scene.frame_set(int(frame))
    view = bpy.context.evaluated_depsgraph_get()
    points, sticks = [], []
    for armature in armatures:
        now = armature.evaluated_get(view)
        for bone in now.pose.bones:
            a, b = now.matrix_world @ bone.head, now.matrix_world @ bone.tail
            points += [a, b]
            sticks.append((a, b))
    low = Vector([min(p[i] for p in points) for i in range(3)])
    high = Vector([max(p[i] for p in points) for i in range(3)])
    middle, tall = (low + high) / 2, max(high[2] - low[2], high[0] - low[0], high[1] - low[1])
    made = [stick(a + Vector((0, 0, 0)), b, 0.012 * tall, BONE) for a, b in sticks]
    step = 1.0 if tall < 10 else 100.0
    floor = 0.0
    for k in range(-2, 3):
        x, y = round(middle[0] / step) * step, round(middle[1] / step) * step
        for a, b in (((k, -2), (k, 2)), ((-2, k), (2, k))):
            ends = [Vector((x + i * step, y + j * step, floor)) for i, j in (a, b)]
            made.append(stick(*ends, 0.006 * step, LINE))
    for thing in bpy.data.objects:
        if thing.type == "MESH" and thing.modifiers:
            thing.hide_render = False
    camera = bpy.data.objects.new("looker", bpy.data.cameras.new("looker"))
    scene.collection.objects.link(camera)
    camera.data.clip_end = 1e5
    away = Vector((0.9, -2.2, 0.75)).normalized() * 2.6 * tall
    camera.location = middle + away
    camera.rotation_euler = (-away).to_track_quat("-Z", "Y").to_euler()
    scene.camera = camera
    world = scene.world or bpy.data.worlds.new("w")
    scene.world = world
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = (1, 1, 1, 1)
    world.node_tree.nodes["Background"].inputs[1].default_value = 0.7
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy = 2.0
    sun.rotation_euler = (0.7, 0.2, 0.5)
    scene.collection.objects.link(sun)
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", 6, False
    scene.render.resolution_x = scene.render.resolution_y = int(side)
    scene.view_settings.view_transform = "Standard"
    scene.render.filepath = target
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    bpy.ops.render.render(write_still=True)
    for one in (*made, sun, camera):
        if one is not None:
            bpy.data.objects.remove(one)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("motion")
    parser.add_argument("frame", type=int)
    parser.add_argument("python")
    parser.add_argument("-o", "--output", default="imports.webp")
    options = parser.parse_args()
    motion = choros.Motion.load(options.motion).settled()
    person = int(motion.ids[0])
    sheet = Image.new("RGB", (4 * 2 * SIDE_PX, 2 * (SIDE_PX + 24)), "white")
    draw = ImageDraw.Draw(sheet)
    with TemporaryDirectory() as folder:
        script = Path(folder) / "look.py"
        script.write_text(BLENDER)
        for i, (format, rig) in enumerate(SHOWN):
            target = Path(folder) / f"{i}.{format}"
            if format == "fbx":
                files = write_fbx(motion, target, ExportOptions(people=(person,), rig=rig), options.python)
            else:
                files = choros.export(motion, target, format, people=[person], rig=rig)
            pictures = [str(Path(folder) / f"{i}_{at}.png") for at in range(2)]
            command = [
                options.python,
                str(script),
                str(files[0]),
                str(options.frame),
                str(SIDE_PX),
                *pictures,
            ]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=sys.stderr)
            x, y = i % 4 * 2 * SIDE_PX, i // 4 * (SIDE_PX + 24)
            draw.text(
                (x + 8, y + 6), f"{format}, {rig or 'no rig'}: at rest, and in frame {options.frame}", "black"
            )
            for at, picture in enumerate(pictures):
                sheet.paste(Image.open(picture).convert("RGB"), (x + at * SIDE_PX, y + 24))
    sheet.save(options.output, quality=80)


if __name__ == "__main__":
    main()
