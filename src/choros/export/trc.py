"""TRC, the marker file of Motion Analysis that OpenSim and Pose2Sim read: one person's markers over time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from choros.export.formats import ExportOptions, person_path
from choros.export.people import Cast, ExportPerson, cast_of
from choros.export.points import MARKERS, markers_m, over_time
from choros.motion import Motion, atomic_write
from choros.resampling import places


def write_trc(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """A file for each person, millimetres, y up, from their first frame to their last; returns the files.

    Frames have the source's numbers (``Motion.number_from_1``). Where they come evenly, those that are missing
    are left empty, as OpenSim wants it, and so are frames in which the person is not there; where they come
    unevenly, the column of times has the exact ones and the header's rate is their mean. Raises ``ChorosError`` as ``cast_of`` does, and for a body
    without landmarks.
    """
    at = places(motion.frames, motion.fps)
    if np.array_equal(at, np.rint(at)):
        motion = motion.evenly()
    cast = cast_of(motion, options or ExportOptions(), up="y")
    files = []
    for person in cast.people:
        files.append(person_path(path, person.id))
        with atomic_write(files[-1]) as file:
            file.writelines(f"{line}\n".encode() for line in _lines(cast, person, motion, files[-1].name))
    return files


def _lines(cast: Cast, person: ExportPerson, motion: Motion, name: str) -> Iterator[str]:
    first, last = int(person.frame[0]), int(person.frame[-1])
    numbers, count = motion.number_from_1, last - first + 1
    rate = f"{_rate(motion[first : last + 1]):.6g}"
    yield f"PathFileType\t4\t(X/Y/Z)\t{name}"
    yield "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames"
    yield f"{rate}\t{rate}\t{count}\t{len(MARKERS)}\tmm\t{rate}\t{numbers[first]}\t{count}"
    yield "Frame#\tTime\t" + "\t\t\t".join(MARKERS) + "\t\t"
    yield "\t\t" + "\t".join(f"{axis}{i}" for i in range(1, len(MARKERS) + 1) for axis in "XYZ")
    yield ""
    markers_mm = over_time(cast, person, 1000 * markers_m(cast.body, person)).reshape(len(cast.time_s), -1)
    for frame in range(first, last + 1):
        there = np.isfinite(markers_mm[frame, 0])
        cells = "\t".join(f"{value:.3f}" if there else "" for value in markers_mm[frame].tolist())
        # OpenSim counts an empty last cell only if a tab ends it.
        yield f"{numbers[frame]}\t{cast.time_s[frame]:.6f}\t{cells}\t"


def _rate(part: Motion) -> float:
    """Frames a second: as the motion says, or as the times do where these say something else."""
    steady = np.array_equal(places(part.frames, part.fps), np.arange(len(part)))
    return float(part.fps) if steady else float((len(part) - 1) / (part.pts[-1] - part.pts[0]))
