"""OpenUSD in one binary file: everybody's UsdSkel skeleton and skinned mesh with their motion, and the camera.

Written through Pixar's usd-core. Skinning is linear, as UsdSkel's is by default: the body's pose correctives
are not in the file, the joints are exact. Attributes are those of the UsdSkel and UsdGeom schemas.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Kind, Sdf, Tf, Usd, UsdGeom, UsdShade, UsdSkel, Vt

from choros._version import __version__
from choros.body import BodyModel
from choros.body.cast import Cast, CastPerson, Floats, cast_of, curve_keys
from choros.exporters.formats import ExportOptions, one_by_one
from choros.exporters.glb import influences, linear_colour
from choros.exporters.rigged import RiggedPerson, axes_and_units, rigged_of
from choros.exporters.rigs import METRES
from choros.mesh.normals import vertex_normals
from choros.motion import Motion
from choros.outputs import atomic_path
from choros.rotation import rotmat_to_quat_wxyz

FILM = (
    0.36  # width of the camera's film, 36 mm: USD measures lenses in tenths of the stage's unit, here a metre
)
NEAR_FAR_M = (0.05, 1000.0)
#: USD's cameras look along -z with y up, OpenCV's along z with y down.
OPENCV_FROM_USD = np.diag([1.0, -1, -1, 1])


def write_usd(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """Everybody and the camera as one crate file: y up, metres unless the rig or the options say otherwise.

    Time codes are time since the first frame x nominal frame rate, counted on from the source's number of that
    frame: its frames' numbers, where they come evenly. A person is the SkelRoot ``/motion/person_<id>``, and what is
    below it is called after them too; while they are not there it is invisible, ``userProperties:visible`` is false
    from a frame on in which they were predicted and not seen, ``userProperties:person`` is their id. Their shape is
    baked into the mesh, which rests in the rig's pose with its feet on the ground. Characters of bones' names that
    USD does not take become ``_``. With ``apart``, ``<path>_person_<id>.usd`` for each, without the camera.

    Raises ``ChorosError`` as ``cast_of`` and ``rigged_of`` do.
    """
    options = options or ExportOptions()
    if options.apart:
        one_each = one_by_one(motion, path, options)
        return [_write(motion, place, one, with_camera=False) for place, one in one_each]
    return [_write(motion, path, options, with_camera=True)]


def _write(motion: Motion, path: Path, options: ExportOptions, *, with_camera: bool) -> Path:
    up, units = axes_and_units(options)
    cast = cast_of(motion, options, up=up)
    stage = Usd.Stage.CreateInMemory(path.name)
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y if up == "y" else UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1 / METRES[units])
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
        _add_person(stage, cast, rigged_of(cast, person, options, up, units), first)
    if with_camera and cast.T_file_camera is not None:
        _add_camera(stage, cast, cast.T_file_camera, METRES[units], first)
    with atomic_path(path) as part:
        stage.GetRootLayer().Export(str(part))
    return path


def _codes(cast: Cast, time_s: Floats, first: int) -> list[float]:
    """Time codes; one that is a rounding error away from a whole number is that."""
    return list((first + np.round(time_s * float(cast.fps), 6)).tolist())


def _add_person(stage: Usd.Stage, cast: Cast, rigged: RiggedPerson, first: int) -> None:
    person = rigged.person
    base = f"/motion/{person.name}"
    root = UsdSkel.Root.Define(stage, base)
    skeleton = UsdSkel.Skeleton.Define(stage, f"{base}/{person.name}_skeleton")
    animation = UsdSkel.Animation.Define(stage, f"{base}/{person.name}_motion")
    mesh = UsdGeom.Mesh.Define(stage, f"{base}/{person.name}_mesh")

    skeleton.CreateJointsAttr(_joint_paths(rigged))
    skeleton.CreateBindTransformsAttr(_matrices(rigged.rest_turn, rigged.rest_place))
    skeleton.CreateRestTransformsAttr(_matrices(*rigged.rest_local()))
    _shape(mesh, cast.body, rigged)
    _colour(stage, mesh, person)
    for prim in (root, skeleton, mesh):
        _property(prim, "person", Sdf.ValueTypeNames.Int).Set(person.id)
    for prim in (skeleton, mesh):
        UsdSkel.BindingAPI.Apply(prim.GetPrim())
    UsdSkel.BindingAPI(skeleton).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    UsdSkel.BindingAPI(mesh).CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    _animate(cast, rigged, root, animation, first)
    _appear(cast, person, root, first)


def _joint_paths(rigged: RiggedPerson) -> list[str]:
    """pelvis, pelvis/left_hip, ... as UsdSkel names joints, by characters that its paths may have."""
    paths: list[str] = []
    for name, parent in zip(rigged.names, rigged.parents, strict=True):
        plain = Tf.MakeValidIdentifier(name)
        paths.append(plain if parent < 0 else f"{paths[parent]}/{plain}")
    return paths


def _matrices(turns: Floats, places: Floats) -> list[Gf.Matrix4d]:
    """Of turns (B, 3, 3) and places (B, 3); Gf's matrices move rows."""
    T = np.tile(np.eye(4), (len(turns), 1, 1))
    T[:, :3, :3], T[:, 3, :3] = np.swapaxes(turns, -1, -2), places
    return [Gf.Matrix4d(matrix) for matrix in T.tolist()]


def _shape(mesh: UsdGeom.Mesh, body: BodyModel, rigged: RiggedPerson) -> None:
    """The skin at rest, and which bones move it."""
    faces, vertices = body.faces.numpy(), rigged.vertices
    mesh.CreatePointsAttr(_vec3(vertices))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray(len(faces), 3))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(faces.ravel().astype(np.int32)))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateNormalsAttr(_vec3(vertex_normals(vertices, faces)))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateExtentAttr(_vec3(np.stack([vertices.min(0), vertices.max(0)])))
    joints, weights = influences(rigged.skin_weights)
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
    rigged: RiggedPerson,
    root: UsdSkel.Root,
    animation: UsdSkel.Animation,
    first: int,  # code of the motion's first frame
) -> None:
    person = rigged.person
    keys, time_s = curve_keys(cast, person.frame)
    codes = _codes(cast, time_s, first)
    animation.CreateJointsAttr(_joint_paths(rigged))
    animation.CreateScalesAttr(Vt.Vec3hArray(len(rigged.names), Gf.Vec3h(1)))
    places, turns = animation.CreateTranslationsAttr(), animation.CreateRotationsAttr()
    extent = root.CreateExtentAttr()
    confidence = _property(root, "confidence", Sdf.ValueTypeNames.Float)
    local_turn, translations = rigged.local()
    xyzw = rotmat_to_quat_wxyz(local_turn)[..., [1, 2, 3, 0]]  # as Gf.Quatf lies in memory
    inside = list(range(len(rigged.moving) - 1, len(rigged.names)))  # a root is not in the body
    bones = rigged.world_place[:, inside]
    # However it is posed, the skin stays about as near to its nearest bone as it rests.
    skin = np.linalg.norm(rigged.vertices[:, None] - rigged.rest_place[inside], axis=2).min(1).max()
    low, high = bones.min(1) - skin, bones.max(1) + skin
    for i, code in zip(keys, codes, strict=True):
        places.Set(_vec3(translations[i]), code)
        turns.Set(Vt.QuatfArray.FromNumpy(xyzw[i].astype(np.float32)), code)
        extent.Set(_vec3(np.stack([low[i], high[i]])), code)
        confidence.Set(float(person.confidence[i]), code)


def _appear(cast: Cast, person: CastPerson, root: UsdSkel.Root, first: int) -> None:
    """When the person is there, and when they are seen."""
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


def _property(prim: Usd.SchemaBase, name: str, kind: Any) -> Usd.Attribute:
    return prim.GetPrim().CreateAttribute(f"userProperties:{name}", kind, custom=True)


def _add_camera(stage: Usd.Stage, cast: Cast, T_file_camera: Floats, unit: float, first: int) -> None:
    """The camera with its path and lens, in units of which a metre has ``unit``; what stands still is said once."""
    camera = UsdGeom.Camera.Define(stage, "/motion/camera")
    fx, fy, cx, cy = cast.K[:, 0, 0], cast.K[:, 1, 1], cast.K[:, 0, 2], cast.K[:, 1, 2]
    film, T_unit_camera = FILM * unit, T_file_camera.copy()
    T_unit_camera[:, :3, 3] *= unit
    focal = film * fx / cast.width
    film_height = focal * cast.height / fy
    camera.CreateClippingRangeAttr(Gf.Vec2f(*(unit * metres for metres in NEAR_FAR_M)))
    camera.CreateHorizontalApertureAttr(film)
    over_time: list[tuple[Usd.Attribute, list[Any]]] = [
        (camera.CreateFocalLengthAttr(), focal.tolist()),
        (camera.CreateVerticalApertureAttr(), film_height.tolist()),
        (camera.CreateHorizontalApertureOffsetAttr(), (film * (0.5 - cx / cast.width)).tolist()),
        (camera.CreateVerticalApertureOffsetAttr(), (film_height * (cy / cast.height - 0.5)).tolist()),
        (
            camera.MakeMatrixXform().GetAttr(),
            # Gf's matrices move rows.
            [Gf.Matrix4d(T.T.tolist()) for T in T_unit_camera @ OPENCV_FROM_USD],
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
