"""Runs inside Blender's Python, by itself: reads a GLB that choros wrote and writes it as FBX.

    python -P in_blender.py FROM.glb TO.fbx RATE_NUMERATOR RATE_DENOMINATOR FRAMES

It imports nothing of choros, so that any Python that has ``bpy`` can run it.
"""

import sys

import bpy


def main() -> None:
    """Frames 0 to FRAMES - 1 at the rate; scale 1 in metres, no leaf bones, nothing simplified."""
    source, target, *numbers = sys.argv[1:]
    numerator, denominator, frames = map(int, numbers)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = max(1, round(numerator / denominator))
    scene.render.fps_base = scene.render.fps * denominator / numerator
    bpy.ops.import_scene.gltf(filepath=source)
    for thing in list(bpy.data.objects):  # the importer's picture of bones
        if thing.type == "MESH" and not thing.modifiers:
            bpy.data.objects.remove(thing)
    _let_everybody_stay()
    scene.frame_start, scene.frame_end = 0, frames - 1
    bpy.ops.export_scene.fbx(
        filepath=target,
        object_types={"ARMATURE", "MESH", "CAMERA", "EMPTY"},
        apply_scale_options="FBX_SCALE_ALL",
        add_leaf_bones=False,
        bake_anim=True,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_simplify_factor=0.0,
        use_custom_props=True,
    )


def _let_everybody_stay() -> None:
    """Take the scale out that hides people who are not there: FBX cannot keep bones in something of scale 0."""
    for action in bpy.data.actions:
        for holder in _holders(action):
            for curve in [curve for curve in holder.fcurves if curve.data_path == "scale"]:
                holder.fcurves.remove(curve)
    for thing in bpy.data.objects:
        if thing.type == "ARMATURE":
            thing.scale = 1, 1, 1


def _holders(action: bpy.types.Action) -> list:
    """What has curves: parts of layers since Blender 4.4, before that the action."""
    if not getattr(action, "layers", None):
        return [action]
    return [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]


main()
