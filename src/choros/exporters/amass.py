"""AMASS's npz, one a person: what SMPL's own tools, Blender's SMPL add-ons and motion models read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from choros.body.cast import cast_of, shots
from choros.exporters.formats import ExportOptions, person_path
from choros.motion import Motion, amass_layout
from choros.outputs import atomic_write


def write_amass(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """What ``Motion.to_amass`` gives of each person, in the space asked for; returns the files.

    Somebody who is in several shots has a file for each, ``<path>_person_<id>_from_<frame>.npz``, whose ``frame`` is
    the source's number of their first. The rate stands there in both of AMASS's spellings, SMPL-H's
    ``mocap_framerate`` and SMPL-X's ``mocap_frame_rate``. Raises ``ChorosError`` as ``cast_of`` does.
    """
    even = motion.evenly(filled=True)
    cast = cast_of(even, options or ExportOptions(), up="z")
    files = []
    for person in cast.people:
        given = motion.person(person.id)
        parts = shots(person, cast)
        for part in parts:
            trans = part.pelvis - part.rest_joints[0]
            arrays: dict[str, Any] = amass_layout(part.rotvec, trans, part.betas, cast.fps)
            arrays["mocap_frame_rate"] = arrays["mocap_framerate"]
            arrays["times_s"], arrays["visible"] = even.pts_s[part.frame], part.visible
            first_s, last_s = arrays["times_s"][[0, -1]] + np.array([-0.5, 0.5]) / float(cast.fps)
            inside = (given.pts_s >= first_s) & (given.pts_s <= last_s)
            arrays["frames"] = motion.number[given.frame[inside]]
            place = person_path(path, person.name)
            if len(parts) > 1:
                place = place.with_name(f"{place.stem}_from_{arrays['frames'][0]}{place.suffix}")
            files.append(place)
            with atomic_write(place) as file:
                np.savez_compressed(file, **arrays)
    return files
