"""glTF 2.0 in one binary file: everybody's skinned mesh and skeleton with their motion, and the camera.

Written by hand, JSON and one buffer, since no library writes skins with animations: trimesh 5 has none, and
with pygltflib one packs every array and index oneself all the same. Skinning is linear, as glTF's is: the
body's pose correctives, which move the skin near bent joints by up to 4 cm, are not in the file; the joints
are exact. References are to sections of the specification of glTF 2.0 (Khronos, 2021).
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros._version import __version__
from choros.body import BodyModel
from choros.body.cast import Cast, CastPerson, Floats, cast_of, curve_keys
from choros.exporters.formats import ExportOptions, one_by_one
from choros.exporters.rigged import RiggedPerson, rigged_of
from choros.exporters.rigs import rig_named
from choros.mesh.colours import colour_of
from choros.mesh.normals import vertex_normals
from choros.motion import Motion
from choros.outputs import atomic_write
from choros.rotation import rotmat_to_quat_wxyz

COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}  # section 3.6.2.2
SHAPES = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
VERTICES, TRIANGLES = 34962, 34963  # what a part of the buffer is for, section 5.11.5
INFLUENCES = 4  # joints that may move a vertex
NEAR_M = 0.05  # of the camera
STILL = 1e-9  # turns whose matrices differ by less are the same
#: glTF's cameras look along -z with y up (section 3.10.2), OpenCV's along z with y down.
OPENCV_FROM_GLTF = np.diag([1.0, -1, -1, 1])


def write_glb(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """Everybody and the camera as one ``.glb``: y up, metres, exact times from the motion's first frame.

    A person is the node ``person_<id>``, with a rig's bones below it; they rest in the rig's pose with their feet
    on the ground, and nodes do so above the origin; without a rig, nodes rest where the person first stands. While
    they are not there, before they come, after they leave and in between, that node has scale 0, in a track of
    steps, which every viewer plays. Times in which they were predicted but not seen are in the node's extras,
    ``unseen_s``: start, end, start, end and so on. ``quantised`` needs viewers with KHR_mesh_quantization.

    With ``apart``, and always for VRM animations, ``<path>_person_<id>.glb`` for each, without the camera.
    Raises ``ChorosError`` as ``cast_of`` and ``rigged_of`` do.
    """
    options = options or ExportOptions()
    if options.apart or rig_named(options.rig).alone:
        one_each = one_by_one(motion, path, options)
        return [_write(motion, place, one, with_camera=False) for place, one in one_each]
    return [_write(motion, path, options, with_camera=True)]


def _write(motion: Motion, path: Path, options: ExportOptions, *, with_camera: bool) -> Path:
    cast = cast_of(motion, options, up="y")
    file = _Glb()
    file.json["asset"]["extras"] = {
        "source": motion.header.source,
        "space": cast.space,
        "fps": str(cast.fps),
        "first_frame": int(motion.number[0]),
        "last_frame": int(motion.number[-1]),
    }
    tracks, skin = _Tracks(file, options.quantised), None
    for person in cast.people:
        rigged = rigged_of(cast, person, options)
        skin = skin or _Skin(file, cast.body, rigged.skin_weights)
        root = _add_skeleton(file, rigged, resting=options.rig is not None)
        _add_mesh(file, skin, rigged, root, options.quantised)
        _animate_person(tracks, cast, rigged, root)
        if options.rig == "vrm":
            _say_vrm_animation(file, rigged, root)
    if with_camera and cast.T_file_camera is not None:
        _add_camera(file, tracks, cast, cast.T_file_camera)
    file.json["animations"] = [{"name": "motion", "channels": tracks.channels, "samplers": tracks.samplers}]
    if options.quantised:
        file.use("KHR_mesh_quantization")
        file.json["extensionsRequired"] = ["KHR_mesh_quantization"]
    file.write(path)
    return path


class _Glb:
    """The JSON and the buffer while they grow."""

    def __init__(self) -> None:
        self.json: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": f"choros {__version__}"},
            "scene": 0,
            "scenes": [{"nodes": []}],
        }
        self.chunks: list[bytes] = []
        self.length = 0

    def add(self, kind: str, item: dict[str, Any]) -> int:
        """Append to one of the JSON's lists; returns the place in it."""
        items: list[dict[str, Any]] = self.json.setdefault(kind, [])
        items.append(item)
        return len(items) - 1

    def add_root(self, node: dict[str, Any]) -> int:
        """A node that has no parent."""
        index = self.add("nodes", node)
        self.json["scenes"][0]["nodes"].append(index)
        return index

    def use(self, extension: str) -> None:
        self.json.setdefault("extensionsUsed", []).append(extension)

    def array(
        self,
        array: NDArray[Any],  # (n, ...) of a type of COMPONENTS; normalised if whole numbers stand for -1..1
        *,
        target: int | None = None,
        normalised: bool = False,
        bounds: bool = False,  # write the least and greatest values, which positions and times must have
    ) -> int:
        """Append an array to the buffer; returns its accessor."""
        accessor: dict[str, Any] = {
            "componentType": COMPONENTS[array.dtype.str[1:]],
            "count": len(array),
            "type": SHAPES[array.shape[1:]],
        }
        if normalised:
            accessor["normalized"] = True
        if bounds:
            accessor |= {
                "min": np.atleast_1d(array.min(0)).tolist(),
                "max": np.atleast_1d(array.max(0)).tolist(),
            }
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self.length}
        if target is not None:
            view["target"] = target
        if target == VERTICES and (row := array[0].nbytes) % 4:  # rows begin at multiples of 4 bytes, 3.6.2.4
            array = np.pad(array, [(0, 0), (0, (-row % 4) // array.itemsize)])
            view["byteStride"] = array[0].nbytes
        data = array.tobytes()
        view["byteLength"] = len(data)
        accessor["bufferView"] = self.add("bufferViews", view)
        self.chunks += [data, bytes(-len(data) % 4)]
        self.length += len(data) + -len(data) % 4
        return self.add("accessors", accessor)

    def write(self, path: Path) -> None:
        self.json["buffers"] = [{"byteLength": self.length}]
        text = json.dumps(self.json, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        with atomic_write(path) as file:
            file.write(b"glTF" + struct.pack("<II", 2, 12 + 8 + len(text) + 8 + self.length))
            file.write(struct.pack("<I", len(text)) + b"JSON" + text)
            file.write(struct.pack("<I", self.length) + b"BIN\0")
            file.writelines(self.chunks)


class _Skin:
    """What all people have in common: triangles, and the joints that move each vertex."""

    def __init__(self, file: _Glb, body: BodyModel, skin_weights: Floats) -> None:
        self.faces = body.faces.numpy()
        small = self.faces.astype("<u2" if body.n_vertices <= 65535 else "<u4")
        self.triangles = file.array(small.ravel(), target=TRIANGLES)
        joints, weights = influences(skin_weights)
        self.joints = file.array(joints, target=VERTICES)
        self.weights = file.array(weights, target=VERTICES, normalised=True)


def influences(skin_weights: Floats) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """The joints with the greatest weights of (V, B): joints (V, 4) and weights (V, 4) that sum to 65535.

    Joints of weight 0 are joint 0 (section 3.7.3.3).
    """
    joints = np.argsort(-skin_weights, axis=1, kind="stable")[:, :INFLUENCES]
    weights = np.take_along_axis(skin_weights, joints, 1)
    whole = np.round(65535 * weights / weights.sum(1, keepdims=True)).astype(np.int64)
    whole[:, 0] += 65535 - whole.sum(1)
    return np.where(whole > 0, joints, 0).astype("<u1"), whole.astype("<u2")


def _add_skeleton(file: _Glb, rigged: RiggedPerson, *, resting: bool) -> int:
    """A node for the person, those after it for the bones; returns the first.

    ``resting``: as at rest, which is what programs retarget from; else so, but turned and placed where the person
    first stands, for viewers that play nothing.
    """
    person = rigged.person
    unseen_s = [[person.time_s[start], person.time_s[end - 1]] for start, end in person.unseen()]
    extras = {"person": person.id, "unseen_s": np.ravel(unseen_s).tolist()}
    root = file.add_root({"name": person.name, "extras": extras})
    file.json["nodes"][root]["children"] = [root + 1]
    turn, place = rigged.rest_local()
    if not resting:
        turn[0], place[0] = rigged.world_turn[0, 0], rigged.world_place[0, 0]
    xyzw = _xyzw(rotmat_to_quat_wxyz(turn))
    for bone, name in enumerate(rigged.names):
        node: dict[str, Any] = {"name": name, "translation": place[bone].tolist()}
        if np.abs(turn[bone] - np.eye(3)).max() > STILL:
            node["rotation"] = xyzw[bone].tolist()
        if children := rigged.children(bone):
            node["children"] = [root + 1 + child for child in children]
        file.add("nodes", node)
    return root


def _say_vrm_animation(file: _Glb, rigged: RiggedPerson, root: int) -> None:
    """Which node is which human bone, by VRM's own names (VRMC_vrm_animation 1.0), which are those of the rig."""
    bones = {name: {"node": root + 1 + bone} for bone, name in enumerate(rigged.names)}
    file.use("VRMC_vrm_animation")
    extension = {"specVersion": "1.0", "humanoid": {"humanBones": bones}}
    file.json["extensions"] = {"VRMC_vrm_animation": extension}


def _add_mesh(file: _Glb, skin: _Skin, rigged: RiggedPerson, root: int, quantised: bool) -> None:
    """The person's own shape, bound to the joints below the node ``root``."""
    person, bones = rigged.person, len(rigged.names)
    vertices, unpack = rigged.vertices.astype(np.float32), np.eye(4)
    normals = vertex_normals(vertices, skin.faces)
    normals[~normals.any(1)] = 0, 1, 0  # of vertices without a face
    if quantised:
        low, size = vertices.min(0), float(np.ptp(vertices, axis=0).max())
        vertices = np.round((vertices - low) / size * 65535).astype("<u2")
        normals = np.round(normals * 127).astype("<i1")
        unpack[:3] = np.column_stack([size * np.eye(3), low])
    attributes = {
        "POSITION": file.array(vertices, target=VERTICES, normalised=quantised, bounds=True),
        "NORMAL": file.array(normals, target=VERTICES, normalised=quantised),
        "JOINTS_0": skin.joints,
        "WEIGHTS_0": skin.weights,
    }
    # A skinned mesh's own node does not move it (section 3.7.3.3), so that these matrices also make metres of
    # whole numbers. glTF keeps matrices by columns.
    to_joint = np.tile(np.eye(4), (bones, 1, 1))
    to_joint[:, :3, :3] = np.swapaxes(rigged.rest_turn, -1, -2)
    to_joint[:, :3, 3] = -(to_joint[:, :3, :3] @ rigged.rest_place[..., None])[..., 0]
    bind = file.array((to_joint @ unpack).swapaxes(1, 2).astype("<f4"))
    material = file.add("materials", _material(person))
    primitive = {"attributes": attributes, "indices": skin.triangles, "material": material}
    joints = list(range(root + 1, root + 1 + bones))
    binding = {"name": person.name, "skeleton": root, "joints": joints, "inverseBindMatrices": bind}
    node = {
        "name": f"{person.name}_mesh",
        "mesh": file.add("meshes", {"name": person.name, "primitives": [primitive]}),
        "skin": file.add("skins", binding),
    }
    file.add_root(node)


def linear_colour(person: CastPerson) -> Floats:  # (3,) 0..1
    """The colour that the person has in overlays, in linear RGB."""
    srgb = np.array(colour_of(person.id)) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _material(person: CastPerson) -> dict[str, Any]:
    """Matt; glTF's factors are linear."""
    surface = {
        "baseColorFactor": [*linear_colour(person).tolist(), 1.0],
        "metallicFactor": 0.0,
        "roughnessFactor": 0.8,
    }
    return {"name": person.name, "pbrMetallicRoughness": surface}


class _Tracks:
    """Channels of the one animation."""

    def __init__(self, file: _Glb, quantised: bool) -> None:
        self.file, self.quantised = file, quantised
        self.channels: list[dict[str, Any]] = []
        self.samplers: list[dict[str, Any]] = []

    def times(self, time_s: Floats) -> int:
        return self.file.array(time_s.astype("<f4"), bounds=True)

    def move(self, node: int, times: int, translation: Floats) -> None:
        """(n, 3) metres in the node's parent."""
        self._add(node, "translation", times, self.file.array(translation.astype("<f4")))

    def turn(self, node: int, times: int, wxyz: Floats) -> None:
        """(n, 4) rotations in the node's parent; quaternions keep their sign, for viewers that take no shorter way."""
        xyzw = _xyzw(wxyz)
        flips = np.where((xyzw[1:] * xyzw[:-1]).sum(1) < 0, -1.0, 1.0)
        xyzw[1:] *= np.cumprod(flips)[:, None]
        if self.quantised:
            output = self.file.array(np.round(xyzw * 32767).astype("<i2"), normalised=True)
        else:
            output = self.file.array(xyzw.astype("<f4"))
        self._add(node, "rotation", times, output)

    def appear(self, node: int, time_s: Floats, there: NDArray[np.bool_]) -> None:
        """Scale 1 from times at which the node is there, 0 from others."""
        scale = np.repeat(there[:, None], 3, axis=1).astype("<f4")
        self._add(node, "scale", self.times(time_s), self.file.array(scale), "STEP")

    def _add(self, node: int, path: str, times: int, output: int, way: str = "LINEAR") -> None:
        self.channels.append({"sampler": len(self.samplers), "target": {"node": node, "path": path}})
        self.samplers.append({"input": times, "output": output, "interpolation": way})


def _xyzw(wxyz: Floats) -> Floats:
    """Quaternions (..., 4) in glTF's order."""
    return wxyz[..., [1, 2, 3, 0]]


def _animate_person(tracks: _Tracks, cast: Cast, rigged: RiggedPerson, root: int) -> None:
    person = rigged.person
    keys, time_s = curve_keys(cast, person.frame)
    times = tracks.times(time_s)
    turn, place = rigged.local()
    rest_turn, _ = rigged.rest_local()
    for bone in rigged.moving:
        tracks.move(root + 1 + bone, times, place[keys, bone])
    for bone in range(len(rigged.names)):
        if np.abs(turn[:, bone] - rest_turn[bone]).max() > STILL:  # else it rests, as its node says
            tracks.turn(root + 1 + bone, times, rotmat_to_quat_wxyz(turn[keys, bone]))
    there = np.zeros(len(cast.time_s), bool)
    there[person.frame] = True
    if not there.all():
        changes = np.concatenate([[0], np.flatnonzero(np.diff(there)) + 1])
        tracks.appear(root, cast.time_s[changes], there[changes])


def _add_camera(file: _Glb, tracks: _Tracks, cast: Cast, T_file_camera: Floats) -> None:
    """A perspective camera, moving if it does; with its first lens, since glTF's core animates none.

    Its image is centred on the axis (section 3.10.3.2); ``K_px`` in the extras has the true centre.
    """
    K = cast.K[0]
    lens = {
        "yfov": float(2 * np.arctan(cast.height / (2 * K[1, 1]))),
        "aspectRatio": float(cast.width / cast.height * K[1, 1] / K[0, 0]),
        "znear": NEAR_M,
    }
    camera = file.add("cameras", {"name": "camera", "type": "perspective", "perspective": lens})
    T = T_file_camera @ OPENCV_FROM_GLTF
    wxyz, place = rotmat_to_quat_wxyz(T[:, :3, :3]), T[:, :3, 3]
    extras = {"K_px": K.ravel().tolist(), "width_px": cast.width, "height_px": cast.height}
    node = file.add_root(
        {
            "name": "camera",
            "camera": camera,
            "translation": place[0].tolist(),
            "rotation": _xyzw(wxyz[0]).tolist(),
            "extras": extras,
        }
    )
    if np.ptp(T, axis=0).any():
        keys, time_s = curve_keys(cast, np.arange(len(cast.time_s)))
        times = tracks.times(time_s)
        tracks.move(node, times, place[keys])
        tracks.turn(node, times, wxyz[keys])
