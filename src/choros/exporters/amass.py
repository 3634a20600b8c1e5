"""AMASS's npz, one a person: what SMPL's own tools, Blender's SMPL add-ons and motion models read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from choros.body.carried_shape import BODY_JOINTS, CarriedShape, RestBody, carried_shape, read_rest_body
from choros.body.cast import CastPerson, cast_of, shots
from choros.body.kinematics import posed_joints
from choros.exporters.formats import ExportOptions, person_path
from choros.motion import Motion, amass_layout
from choros.outputs import atomic_write
from choros.rotation import rotvec_to_rotmat


def write_amass(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """What ``Motion.to_amass`` gives of each person, in the space asked for; returns the files.

    Somebody who is in several shots has a file for each, ``<path>_person_<id>_from_<frame>.npz``, whose ``frame`` is
    the source's number of their first. The rate stands there in both of AMASS's spellings, SMPL-H's
    ``mocap_framerate`` and SMPL-X's ``mocap_frame_rate``. With ``options.onto``, betas and trans are of that body,
    and how far it is off stands there too (``_onto``). Raises ``ChorosError`` as ``cast_of`` and ``read_rest_body`` do.
    """
    even = motion.evenly(filled=True)
    options = options or ExportOptions()
    cast = cast_of(even, options, up="z")
    other = None if options.onto is None else read_rest_body(options.onto)
    files = []
    for person in cast.people:
        parts = shots(person, cast)
        shape = None if other is None else carried_shape(cast.body, person.betas, person.kid, other)
        for part in parts:
            trans = part.pelvis - part.rest_joints[0]
            arrays: dict[str, Any] = amass_layout(part.rotvec, trans, part.betas, cast.fps)
            if other is not None and shape is not None:
                arrays |= _onto(part, other, shape)
            arrays["mocap_frame_rate"] = arrays["mocap_framerate"]
            arrays |= samples_of(motion, even, part)
            place = person_path(path, person.name)
            if len(parts) > 1:
                place = place.with_name(f"{place.stem}_from_{arrays['frames'][0]}{place.suffix}")
            files.append(place)
            with atomic_write(place) as file:
                np.savez_compressed(file, **arrays)
    return files


def samples_of(motion: Motion, even: Motion, part: CastPerson) -> dict[str, Any]:
    """When the samples of a person of ``motion.evenly()`` are, and of which frames.

    ``times_s`` (n,) in the video, ``visible`` (n,) and ``frames``, the numbers of the source's in which they are.
    """
    given, times_s = motion.person(part.id), even.pts_s[part.frame]
    first_s, last_s = times_s[[0, -1]] + np.array([-0.5, 0.5]) / float(even.fps)
    inside = (given.pts_s >= first_s) & (given.pts_s <= last_s)
    return {"times_s": times_s, "visible": part.visible, "frames": motion.number[given.frame[inside]]}


def _onto(person: CastPerson, other: RestBody, shape: CarriedShape) -> dict[str, Any]:
    """What is otherwise of another body: betas (10), trans, and for SMPL-X poses of 55 joints, face and hands at rest.

    ``carried_measures`` and ``carried_off_m`` say how far each measure of the shape is off, ``carried_joints_m`` (n,)
    how far SMPL's 22 joints without hands are, the mean of a frame with pelvis on pelvis.
    """
    n = len(person.frame)
    turns = rotvec_to_rotmat(person.rotvec)
    rest = person.rest_joints.copy()
    _, own = posed_joints(turns, np.tile(rest, (n, 1, 1)))
    rest[:BODY_JOINTS] = shape.joints
    _, theirs = posed_joints(turns, np.tile(rest, (n, 1, 1)))
    apart = (theirs - theirs[:, :1] - own + own[:, :1])[:, :BODY_JOINTS]
    arrays: dict[str, Any] = {
        "betas": shape.betas,
        "trans": person.pelvis - shape.joints[0],
        "surface_model_type": np.array(other.kind),
        "carried_measures": np.array(list(shape.off_m)),
        "carried_off_m": np.array(list(shape.off_m.values())),
        "carried_joints_m": np.linalg.norm(apart, axis=-1).mean(1),
    }
    if other.kind == "smplx":
        poses = np.zeros((n, 165))
        poses[:, : 3 * BODY_JOINTS] = person.rotvec[:, :BODY_JOINTS].reshape(n, -1)
        arrays["poses"] = poses
    return arrays


def carried(npz: Path) -> str:
    """How far the other body of a file that ``options.onto`` was given for is off, for people to read."""
    with np.load(npz, allow_pickle=False) as file:
        off = dict(zip(file["carried_measures"].tolist(), np.abs(file["carried_off_m"]), strict=True))
        worst = max((name for name in off if name not in ("stature", "volume")), key=lambda name: off[name])
        return (
            f"{file['surface_model_type']}: off by {100 * off['stature']:.1f} cm of stature, at most "
            f"{100 * off[worst]:.1f} cm of a length ({worst}), joints by {100 * file['carried_joints_m'].mean():.1f} cm"
        )
