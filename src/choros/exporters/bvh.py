"""Biovision hierarchy (BVH): one text file a person, SMPL's 24 joints in the person's own T-pose.

The format has a fixed frame rate and no time of its own: a file holds the person's frames from their first to
their last, at the constant rate of ``Motion.evenly``, and its name ends in the number of the first.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from choros.body import BodyModel
from choros.body.cast import CHILDREN, CastPerson, Floats, cast_of, rest_vertices, shots
from choros.exporters.formats import ExportOptions, person_path
from choros.motion import Motion
from choros.outputs import atomic_write
from choros.rotation import rotvec_to_rotmat
from choros.skeleton import JOINT_NAMES, PARENTS


def _below(joint: int) -> list[int]:
    """A joint and all below it, in the order in which a file lists them."""
    return [joint, *(lower for child in CHILDREN[joint] for lower in _below(child))]


FILE_ORDER = _below(0)
TURNS = "Zrotation Xrotation Yrotation"  # in this order, each about the axes that those before it turned


def write_bvh(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """Each person as ``<path>_person_<id>_from_<frame>.bvh``: y up, metres, degrees; one file for each shot.

    ``frame`` is where to put the file's first frame in a program that counts frames, so that people keep their
    times: the source's number of the motion's first frame (``Motion.number_from_1``), counted on at the constant
    rate. The root's position is that of the pelvis. Frames in which nobody followed the person are filled evenly.
    Frames in which they were not seen are not marked.

    Raises ``ChorosError`` as ``cast_of`` does.
    """
    even = motion.evenly(filled=True)
    cast = cast_of(even, options or ExportOptions(), up="y")
    files = []
    for moving in (part for person in cast.people for part in shots(person, cast)):
        place = person_path(path, moving.name)
        first = even.number_from_1[0] + moving.frame[0]
        place = place.with_name(f"{place.stem}_from_{first}{place.suffix}")
        turns = rotvec_to_rotmat(moving.rotvec)
        angles = np.rad2deg(euler_zxy(turns))[:, FILE_ORDER].reshape(-1, 72)
        row = " ".join(["%.6f"] * 3 + ["%.5f"] * 72)
        lines = [
            "HIERARCHY",
            *_joint(0, moving.rest_joints, _tips(cast.body, moving), ""),
            "MOTION",
            f"Frames: {len(moving.frame)}",
            f"Frame Time: {1 / float(cast.fps):.9f}",
            *(row % tuple(numbers) for numbers in np.hstack([moving.pelvis, angles]).tolist()),
        ]
        with atomic_write(place) as file:
            file.write(("\n".join(lines) + "\n").encode())
        files.append(place)
    return files


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


def _joint(joint: int, rest_joints: Floats, tips: dict[int, Floats], indent: str) -> list[str]:
    """A joint and all below it, as the lines of the hierarchy."""
    inner = indent + "\t"
    if joint == 0:
        head, offset, places = f"ROOT {JOINT_NAMES[0]}", np.zeros(3), "6 Xposition Yposition Zposition"
    else:
        head, places = f"JOINT {JOINT_NAMES[joint]}", "3"
        offset = rest_joints[joint] - rest_joints[PARENTS[joint]]
    below = [line for child in CHILDREN[joint] for line in _joint(child, rest_joints, tips, inner)]
    if not CHILDREN[joint]:
        end = _offset(tips[joint] - rest_joints[joint])
        below = [f"{inner}End Site", f"{inner}{{", f"{inner}\t{end}", f"{inner}}}"]
    own = [f"{inner}{_offset(offset)}", f"{inner}CHANNELS {places} {TURNS}"]
    return [f"{indent}{head}", f"{indent}{{", *own, *below, f"{indent}}}"]


def _offset(offset_m: Floats) -> str:
    return "OFFSET " + " ".join(f"{value:.6f}" for value in offset_m)


def _tips(body: BodyModel, person: CastPerson) -> dict[int, Floats]:
    """Ends of the last bones (toes, crown, fingertips), metres: the skin farthest from each last joint."""
    vertices, owner = rest_vertices(body, person), body.skin_weights.argmax(1).numpy()
    tips = {}
    for joint in set(range(24)) - set(PARENTS):
        own = vertices[owner == joint]
        tips[joint] = own[np.linalg.norm(own - person.rest_joints[joint], axis=1).argmax()]
    return tips
