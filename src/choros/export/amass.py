"""AMASS's npz, one a person: what SMPL's own tools, Blender's SMPL add-ons and motion models read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from choros.export.formats import ExportOptions, person_path
from choros.export.people import cast_of
from choros.motion import Motion
from choros.outputs import atomic_write


def write_amass(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """``Motion.to_amass`` of each person, in the space asked for; returns the files.

    The rate stands there in both of AMASS's spellings, SMPL-H's ``mocap_framerate`` and SMPL-X's
    ``mocap_frame_rate``. Raises ``ChorosError`` as ``cast_of`` does.
    """
    files = []
    for person in cast_of(motion, options or ExportOptions(), up="z").people:
        arrays: dict[str, Any] = motion.to_amass(person.id)
        arrays["poses"][:, :3] = person.rotvec[:, 0]
        arrays["trans"] = person.pelvis - person.rest_joints[0]
        arrays["mocap_frame_rate"] = arrays["mocap_framerate"]
        files.append(person_path(path, person.id))
        with atomic_write(files[-1]) as file:
            np.savez_compressed(file, **arrays)
    return files
