"""TRC, the marker file of Motion Analysis that OpenSim and Pose2Sim read: one person's markers over time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros.body.cast import Cast, CastPerson, cast_of
from choros.exporters.formats import ExportOptions, person_path
from choros.exporters.points import MARKERS, markers_m, over_time
from choros.motion import Motion
from choros.outputs import atomic_write


def write_trc(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """A file for each person, millimetres, y up, from their first frame to their last; returns the files.

    At the constant rate of ``Motion.evenly``, in seconds since the motion's first frame. Frames have the source's
    numbers (``Motion.number_from_1``), or count on from the first one's where they come unevenly. Those in between in
    which the person is not there are left empty, as OpenSim wants it. Raises ``ChorosError`` as ``cast_of`` does, and
    for a body without landmarks.
    """
    even = motion.evenly()
    numbers = even.number_from_1
    if (np.diff(numbers) <= 0).any():
        numbers = numbers[:1] + np.arange(len(numbers))
    cast = cast_of(even, options or ExportOptions(), up="y")
    files = []
    for person in cast.people:
        files.append(person_path(path, person.name))
        with atomic_write(files[-1]) as file:
            file.writelines(f"{line}\n".encode() for line in _lines(cast, person, numbers, files[-1].name))
    return files


def _lines(
    cast: Cast,
    person: CastPerson,
    numbers: NDArray[np.int64],  # (T,) of frames
    name: str,
) -> Iterator[str]:
    first, last = int(person.frame[0]), int(person.frame[-1])
    rate, count = f"{float(cast.fps):.6g}", last - first + 1
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
