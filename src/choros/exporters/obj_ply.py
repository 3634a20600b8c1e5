"""Everybody's skin at one moment, as Wavefront OBJ with its materials, or as PLY."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from choros._version import __version__
from choros.body import BodyParams
from choros.body.cast import CastPerson, cast_of
from choros.errors import ChorosError
from choros.exporters.formats import ExportOptions
from choros.mesh.colours import colour_of
from choros.motion import Motion
from choros.outputs import atomic_write


@dataclass(frozen=True)
class _PosedPerson:
    """One person at that moment."""

    person: CastPerson
    visible: bool
    vertices_m: NDArray[np.float32]  # (V, 3) y up

    @property
    def colour(self) -> tuple[int, int, int]:
        return colour_of(self.person.id)


def write_obj(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """An object and a material for each person of the frame numbered ``options.frame``; returns the OBJ and its MTL.

    Metres, y up. Raises ``ChorosError`` as ``cast_of`` does, if the motion has no such frame, and if nobody is in it.
    """
    options = options or ExportOptions()
    number, skins, faces = _skins(motion, path, options)
    materials = path.with_suffix(".mtl")
    with atomic_write(materials) as file:
        for skin in skins:
            r, g, b = (value / 255 for value in skin.colour)
            file.write(f"newmtl {skin.person.name}\nKd {r:.4f} {g:.4f} {b:.4f}\n\n".encode())
    with atomic_write(path) as file:
        file.write(f"# choros {__version__}: frame {number}, metres, y up\n".encode())
        file.write(f"mtllib {materials.name}\n".encode())
        first = 1
        for skin in skins:
            seen = "" if skin.visible else "# predicted, not seen in this frame\n"
            file.write(f"{seen}o {skin.person.name}\nusemtl {skin.person.name}\ns 1\n".encode())
            np.savetxt(file, skin.vertices_m, "v %.5f %.5f %.5f")
            np.savetxt(file, faces + first, "f %d %d %d")
            first += len(skin.vertices_m)
    return [path, materials]


def write_ply(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """Binary PLY of the frame numbered ``options.frame``: everybody's mesh, metres, y up.

    Each vertex tells whose it is, their colour and whether they were seen.

    Raises ``ChorosError`` as ``cast_of`` does, if the motion has no such frame, and if nobody is in it.
    """
    options = options or ExportOptions()
    number, skins, faces = _skins(motion, path, options)
    vertex = np.dtype([
        ("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1"),
        ("person", "<i4"), ("visible", "u1"),
    ])  # fmt: skip
    vertices = np.empty((len(skins), len(skins[0].vertices_m)), vertex)
    for row, skin in zip(vertices, skins, strict=True):
        for name, column in zip("xyz", skin.vertices_m.T, strict=True):
            row[name] = column
        row["red"], row["green"], row["blue"] = skin.colour
        row["person"], row["visible"] = skin.person.id, skin.visible
    triangles = np.empty((len(skins), len(faces)), np.dtype([("count", "u1"), ("corners", "<i4", (3,))]))
    triangles["count"] = 3
    triangles["corners"] = faces + (np.arange(len(skins)) * vertices.shape[1])[:, None, None]
    kinds = {"<f4": "float", "<i4": "int", "|u1": "uchar"}
    header = [
        "ply", "format binary_little_endian 1.0",
        f"comment choros {__version__}: frame {number}, metres, y up",
        f"element vertex {vertices.size}",
        *(f"property {kinds[vertex[name].str]} {name}" for name in vertex.names or ()),
        f"element face {triangles.size}", "property list uchar int vertex_indices", "end_header", "",
    ]  # fmt: skip
    with atomic_write(path) as file:
        file.write("\n".join(header).encode())
        file.write(vertices.tobytes() + triangles.tobytes())
    return [path]


def _skins(
    motion: Motion, path: Path, options: ExportOptions
) -> tuple[int, list[_PosedPerson], NDArray[np.int64]]:
    """Number of the frame, everybody in it, and the faces (F, 3) of each."""
    cast = cast_of(motion, options, up="y")
    frame = _frame(motion, options, first=min(int(person.frame[0]) for person in cast.people))
    number = int(motion.number[frame])
    skins = []
    for person in cast.people:
        for row in np.flatnonzero(person.frame == frame):
            pose = BodyParams(**{name: value[row] for name, value in person.params()._asdict().items()})
            with torch.inference_mode():
                vertices = cast.body.vertices(pose)
            skins.append(_PosedPerson(person, bool(person.visible[row]), vertices.numpy()))
    if not skins:
        raise ChorosError(
            f"{path} would be empty, none of the people chosen is in frame {number} of "
            f"{motion.header.source or 'this video'}; give another frame ({_range(motion)})."
        )
    return number, skins, cast.body.faces.numpy()


def _frame(motion: Motion, options: ExportOptions, first: int) -> int:
    """Place in the motion of the frame that is asked for, else ``first``."""
    if options.frame is None:
        return first
    found = np.flatnonzero(motion.number == options.frame)
    if not len(found):
        raise ChorosError(
            f"the motion of {motion.header.source or 'this video'} has no frame {options.frame}; "
            f"give another frame ({_range(motion)})."
        )
    return int(found[0])


def _range(motion: Motion) -> str:
    low, high = motion.number.min(), motion.number.max()
    some = "" if high - low + 1 == len(motion) else f", {high - low + 1 - len(motion)} of them missing"
    return f"it has {low} to {high}{some}"
