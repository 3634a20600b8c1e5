"""OpenUSD in one binary file: everybody's UsdSkel skeleton and skinned mesh with their motion, and the camera.

Written through Pixar's usd-core. Skinning is linear, as UsdSkel's is by default: the body's pose correctives
are not in the file, the joints are exact. Attributes are those of the UsdSkel and UsdGeom schemas.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Kind, Sdf, Usd, UsdGeom, UsdShade, UsdSkel, Vt

from choros._version import __version__
from choros.body import BodyModel
from choros.body.cast import Cast, CastPerson, Floats, cast_of, curve_keys, rest_vertices
from choros.exporters.formats import ExportOptions
from choros.exporters.glb import influences, linear_colour
from choros.exporters.points import joints_m
from choros.mesh.normals import vertex_normals
from choros.motion import Motion
from choros.outputs import atomic_path
from choros.rotation import rotvec_to_quat_wxyz
from choros.skeleton import JOINT_NAMES, PARENTS

FILM = 0.36  # width of the camera's film, 36 mm: USD measures lenses in tenths of the stage's unit
NEAR_FAR_M = (0.05, 1000.0)
#: USD's cameras look along -z with y up, OpenCV's along z with y down.
OPENCV_FROM_USD = np.diag([1.0, -1, -1, 1])


def write_usd(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """Everybody and the camera as one crate file: y up, metres.

    Time codes are time since the first frame x nominal frame rate, counted on from the source's number of that
    frame: its frames' numbers, where they come evenly. A person is the SkelRoot ``/motion/person_<id>``; while they
    are not there it is invisible, and ``userProperties:visible`` is false from a frame on in which they were
    predicted and not seen. Their shape is baked into the mesh.

    Raises ``ChorosError`` as ``cast_of`` does.
    """
    cast = cast_of(motion, options or ExportOptions(), up="y")
    stage = Usd.Stage.CreateInMemory(path.name)
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(float(cast.fps))
    stage.SetFramesPerSecond(float(cast.fps))
    first = int(motion.number[0])
    codes = _codes(cast, cast.time_s, first)
    stage.SetStartTimeCode(codes[0])
    stage.SetEndTimeCode(codes[-1])
    stage.GetRootLayer().comment = f"choros {__version__}: {motion.header.source}, {cast.space} space"
    root = UsdGeom.Xform.Define(stage, "/motion").GetPrim()
    Usd.ModelAPI(root).SetKind(Kind.Tokens.component)
    stage.SetDefaultPrim(root)
    for person in cast.people:
        _add_person(stage, cast, person, first)
    if cast.T_file_camera is not None:
        _add_camera(stage, cast, cast.T_file_camera, first)
    with atomic_path(path) as part:
        stage.GetRootLayer().Export(str(part))
    return [path]


def _codes(cast: Cast, time_s: Floats, first: int) -> list[float]:
    """Time codes; one that is a rounding error away from a whole number is that."""
    return list((first + np.round(time_s * float(cast.fps), 6)).tolist())


def _add_person(stage: Usd.Stage, cast: Cast, person: CastPerson, first: int) -> None:
    base = f"/motion/{person.name}"
    root = UsdSkel.Root.Define(stage, base)
    skeleton = UsdSkel.Skeleton.Define(stage, f"{base}/skeleton")
    animation = UsdSkel.Animation.Define(stage, f"{base}/animation")
    mesh = UsdGeom.Mesh.Define(stage, f"{base}/mesh")
    vertices = rest_vertices(cast.body, person)

    skeleton.CreateJointsAttr(_joint_paths())
    skeleton.CreateBindTransformsAttr(_places(person.rest_joints))
    offsets = person.rest_joints - person.rest_joints[list(PARENTS)]
    offsets[0] = person.rest_joints[0]
    skeleton.CreateRestTransformsAttr(_places(offsets))
    _shape(mesh, cast.body, vertices)
    _colour(stage, mesh, person)
    for prim in (skeleton, mesh):
        UsdSkel.BindingAPI.Apply(prim.GetPrim())
    UsdSkel.BindingAPI(skeleton).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    UsdSkel.BindingAPI(mesh).CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    _animate(cast, person, root, animation, offsets, vertices, first)


def _joint_paths() -> list[str]:
    """pelvis, pelvis/left_hip, ... as UsdSkel names joints."""
    paths: list[str] = []
    for name, parent in zip(JOINT_NAMES, PARENTS, strict=True):
        paths.append(name if parent < 0 else f"{paths[parent]}/{name}")
    return paths


def _places(points: Floats) -> list[Gf.Matrix4d]:
    return [Gf.Matrix4d().SetTranslate(Gf.Vec3d(*point)) for point in points.tolist()]


def _shape(mesh: UsdGeom.Mesh, body: BodyModel, vertices: Floats) -> None:
    """The T-pose, and which joints move it."""
    faces = body.faces.numpy()
    mesh.CreatePointsAttr(_vec3(vertices))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray(len(faces), 3))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(faces.ravel().astype(np.int32)))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateNormalsAttr(_vec3(vertex_normals(vertices, faces)))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateExtentAttr(_vec3(np.stack([vertices.min(0), vertices.max(0)])))
    joints, weights = influences(body.skin_weights.numpy().astype(np.float64))
    weights = weights / weights.sum(1, keepdims=True)
    binding = UsdSkel.BindingAPI(mesh)
    binding.CreateJointIndicesPrimvar(constant=False, elementSize=joints.shape[1]).Set(
        Vt.IntArray.FromNumpy(joints.ravel().astype(np.int32))
    )
    binding.CreateJointWeightsPrimvar(constant=False, elementSize=joints.shape[1]).Set(
        Vt.FloatArray.FromNumpy(weights.ravel().astype(np.float32))
    )
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1))


def _colour(stage: Usd.Stage, mesh: UsdGeom.Mesh, person: CastPerson) -> None:
    """The person's colour in overlays, on the mesh itself and as a matt material."""
    colour = Gf.Vec3f(*linear_colour(person).tolist())
    mesh.CreateDisplayColorAttr([colour])
    material = UsdShade.Material.Define(stage, f"/motion/{person.name}/material")
    shader = UsdShade.Shader.Define(stage, f"{material.GetPath()}/surface")
    shader.CreateIdAttr("UsdPreviewSurface")
    shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).Set(colour)
    shader.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(0.8)
    material.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(material)


def _animate(
    cast: Cast,
    person: CastPerson,
    root: UsdSkel.Root,
    animation: UsdSkel.Animation,
    offsets: Floats,  # (24, 3) of each joint from its parent
    vertices: Floats,  # (V, 3) of the T-pose
    first: int,  # code of the motion's first frame
) -> None:
    keys, time_s = curve_keys(cast, person.frame)
    codes = _codes(cast, time_s, first)
    animation.CreateJointsAttr(_joint_paths())
    animation.CreateScalesAttr(Vt.Vec3hArray(len(JOINT_NAMES), Gf.Vec3h(1)))
    places, turns = animation.CreateTranslationsAttr(), animation.CreateRotationsAttr()
    extent = root.CreateExtentAttr()
    confidence = _property(root, "confidence", Sdf.ValueTypeNames.Float)
    translations = np.tile(offsets, (len(person.frame), 1, 1))
    translations[:, 0] = person.pelvis
    xyzw = rotvec_to_quat_wxyz(person.rotvec)[..., [1, 2, 3, 0]]  # as Gf.Quatf lies in memory
    joints = joints_m(cast.body, person)
    # However it is posed, the skin stays about as near to its nearest joint as it rests.
    skin_m = np.linalg.norm(vertices[:, None] - person.rest_joints, axis=2).min(1).max()
    low, high = joints.min(1) - skin_m, joints.max(1) + skin_m
    for i, code in zip(keys, codes, strict=True):
        places.Set(_vec3(translations[i]), code)
        turns.Set(Vt.QuatfArray.FromNumpy(xyzw[i].astype(np.float32)), code)
        extent.Set(_vec3(np.stack([low[i], high[i]])), code)
        confidence.Set(float(person.confidence[i]), code)

    there, seen = np.zeros(len(cast.time_s), bool), np.zeros(len(cast.time_s), bool)
    all_codes = _codes(cast, cast.time_s, first)
    there[person.frame], seen[person.frame] = True, person.visible
    visibility = root.CreateVisibilityAttr()
    for frame in _changes(there):
        visibility.Set(
            UsdGeom.Tokens.inherited if there[frame] else UsdGeom.Tokens.invisible, all_codes[frame]
        )
    visible = _property(root, "visible", Sdf.ValueTypeNames.Bool)
    for frame in _changes(seen):
        visible.Set(bool(seen[frame]), all_codes[frame])


def _changes(flags: NDArray[np.bool_]) -> list[int]:
    """Where a flag (T,) first stands and where it changes."""
    return [0, *(np.flatnonzero(np.diff(flags)) + 1).tolist()]


def _property(root: UsdSkel.Root, name: str, kind: Any) -> Usd.Attribute:
    return root.GetPrim().CreateAttribute(f"userProperties:{name}", kind, custom=True)


def _add_camera(stage: Usd.Stage, cast: Cast, T_file_camera: Floats, first: int) -> None:
    """The camera with its path and lens; what stands still is said once."""
    camera = UsdGeom.Camera.Define(stage, "/motion/camera")
    fx, fy, cx, cy = cast.K[:, 0, 0], cast.K[:, 1, 1], cast.K[:, 0, 2], cast.K[:, 1, 2]
    focal = FILM * fx / cast.width
    film_height = focal * cast.height / fy
    camera.CreateClippingRangeAttr(Gf.Vec2f(*NEAR_FAR_M))
    camera.CreateHorizontalApertureAttr(FILM)
    over_time: list[tuple[Usd.Attribute, list[Any]]] = [
        (camera.CreateFocalLengthAttr(), focal.tolist()),
        (camera.CreateVerticalApertureAttr(), film_height.tolist()),
        (camera.CreateHorizontalApertureOffsetAttr(), (FILM * (0.5 - cx / cast.width)).tolist()),
        (camera.CreateVerticalApertureOffsetAttr(), (film_height * (cy / cast.height - 0.5)).tolist()),
        (
            camera.MakeMatrixXform().GetAttr(),
            # Gf's matrices move rows.
            [Gf.Matrix4d(T.T.tolist()) for T in T_file_camera @ OPENCV_FROM_USD],
        ),
    ]
    keys, time_s = curve_keys(cast, np.arange(len(cast.time_s)))
    codes = _codes(cast, time_s, first)
    for attribute, values in over_time:
        if all(value == values[0] for value in values):
            attribute.Set(values[0])
            continue
        for key, code in zip(keys, codes, strict=True):
            attribute.Set(values[key], code)


def _vec3(points: NDArray[np.floating[Any]]) -> Vt.Vec3fArray:
    return Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(points, np.float32))
