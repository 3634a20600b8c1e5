"""Biovision hierarchy (BVH): one text file a person, a rig's bones in the person's own pose at rest.

The format has a fixed frame rate and no time of its own: a file holds the person's frames from their first to
their last, at the constant rate of ``Motion.evenly``, and its name ends in the number of the first.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from choros.body.cast import Floats, cast_of, shots
from choros.exporters.formats import ExportOptions, person_path
from choros.exporters.rigged import RiggedPerson, axes_and_units, in_parents, rigged_of
from choros.motion import Motion
from choros.outputs import atomic_write

TURNS = "Zrotation Xrotation Yrotation"  # in this order, each about the axes that those before it turned


def write_bvh(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """Each person as ``<path>_person_<id>_from_<frame>.bvh``, one file for each shot.

    y up, metres, unless the rig or the options say otherwise; degrees.
    ``frame`` is where to put the file's first frame in a program that counts frames, so that people keep their
    times: the source's number of the motion's first frame (``Motion.number_from_1``), counted on at the constant
    rate. The first bone alone has a place: the pelvis, or below it the rig's root, which then goes up and down with
    it. Bones have no axes of their own: turns are about the file's, from the pose at rest. Frames in which nobody
    followed the person are filled evenly. Frames in which they were not seen are not marked.

    Raises ``ChorosError`` as ``cast_of`` does.
    """
    options = options or ExportOptions()
    up, units = axes_and_units(options)
    even = motion.evenly(filled=True)
    cast = cast_of(even, options, up=up)
    files = []
    for moving in (part for person in cast.people for part in shots(person, cast)):
        place = person_path(path, moving.name)
        first = even.number_from_1[0] + moving.frame[0]
        place = place.with_name(f"{place.stem}_from_{first}{place.suffix}")
        rigged = rigged_of(cast, moving, options, up, units, alone=True, first_bone_alone_moves=True)
        with atomic_write(place) as file:
            file.write(("\n".join(_lines(rigged, 1 / float(cast.fps))) + "\n").encode())
        files.append(place)
    return files


def _lines(rigged: RiggedPerson, frame_s: float) -> list[str]:
    order = _below(rigged, 0)
    from_rest = rigged.world_turn @ np.swapaxes(rigged.rest_turn, -1, -2)
    turns, _ = in_parents(from_rest, rigged.world_place, rigged.parents)
    angles = np.rad2deg(euler_zxy(turns))[:, order].reshape(len(turns), -1)
    row = " ".join(["%.6f"] * 3 + ["%.5f"] * angles.shape[1])
    return [
        "HIERARCHY",
        *_joint(rigged, 0, rigged.tips(), ""),
        "MOTION",
        f"Frames: {len(turns)}",
        f"Frame Time: {frame_s:.9f}",
        *(row % tuple(numbers) for numbers in np.hstack([rigged.world_place[:, 0], angles]).tolist()),
    ]


def _below(rigged: RiggedPerson, bone: int) -> list[int]:
    """A bone and all below it, in the order in which a file lists them."""
    return [bone, *(lower for child in rigged.children(bone) for lower in _below(rigged, child))]


def euler_zxy(R: Floats) -> Floats:
    """Rotations (n, ..., 3, 3) = Rz Rx Ry as angles z, x, y (n, ..., 3), rad, without jumps from one to the next.

    Two triples of angles give the same rotation, and whole turns do not count: of all these the one nearest to
    that of the rotation before is taken.
    """
    x = np.arctan2(R[..., 2, 1], np.hypot(R[..., 0, 1], R[..., 1, 1]))
    y = np.arctan2(-R[..., 2, 0], R[..., 2, 2])
    # What is left without y, Rz Rx; so z fits y even where x is a quarter turn and y is anything.
    z = np.arctan2(
        np.cos(y) * R[..., 1, 0] + np.sin(y) * R[..., 1, 2],
        np.cos(y) * R[..., 0, 0] + np.sin(y) * R[..., 0, 2],
    )
    angles = np.stack([z, x, y], axis=-1)
    other = np.array([0, np.pi, 0]) + np.array([1, -1, 1]) * angles + np.array([np.pi, 0, np.pi])
    for before, now, twin in zip(angles, angles[1:], other[1:], strict=False):
        for way in (now, twin):
            way -= 2 * np.pi * np.round((way - before) / (2 * np.pi))
        nearer = np.abs(twin - before).sum(-1) < np.abs(now - before).sum(-1)
        now[nearer] = twin[nearer]
    return angles


def _joint(rigged: RiggedPerson, bone: int, tips: dict[int, Floats], indent: str) -> list[str]:
    """A bone and all below it, as the lines of the hierarchy."""
    inner, rest = indent + "\t", rigged.rest_place
    if bone == 0:
        head, offset, places = f"ROOT {rigged.names[0]}", np.zeros(3), "6 Xposition Yposition Zposition"
    else:
        head, places = f"JOINT {rigged.names[bone]}", "3"
        offset = rest[bone] - rest[rigged.parents[bone]]
    children = rigged.children(bone)
    below = [line for child in children for line in _joint(rigged, child, tips, inner)]
    if not children:
        end = _offset(tips[bone] - rest[bone])
        below = [f"{inner}End Site", f"{inner}{{", f"{inner}\t{end}", f"{inner}}}"]
    own = [f"{inner}{_offset(offset)}", f"{inner}CHANNELS {places} {TURNS}"]
    return [f"{indent}{head}", f"{indent}{{", *own, *below, f"{indent}}}"]


def _offset(offset: Floats) -> str:
    return "OFFSET " + " ".join(f"{value:.6f}" for value in offset)
