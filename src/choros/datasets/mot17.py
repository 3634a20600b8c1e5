"""MOT17 (and MOT16, MOT20, 2D MOT 2015): boxes and identities of pedestrians, a folder of pictures a sequence.

``gt/gt.txt`` has a line for each box: frame from 1, identity, left, top, width, height, whether it counts, class,
share that is visible; MOT15 has no class, and everyone counts there whom it marks. The layout is the challenge's
(Milan et al. 2016, table 5); boxes go on beyond the picture's edge, and so they are left.
"""

from __future__ import annotations

from configparser import ConfigParser
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from choros.datasets.official import Official
from choros.datasets.sample import Floats, PersonLabel, Sample, Samples, box_from_xywh

MOT17 = Official(
    "MOT17", "motchallenge.net (MOT17.zip, the train folder)", "CC BY-NC-SA 3.0: research, not commercial"
)

#: Class numbers: who is asked for, and who is neither right nor wrong to find (on a vehicle, not moving, a
#: distractor such as a doll, a reflection): those that the official evaluation leaves out.
PEDESTRIAN, NEITHER = 1, (2, 7, 8, 12)


class SequenceInfo(NamedTuple):
    """What ``seqinfo.ini`` says of a sequence."""

    name: str
    images: str  # the pictures' folder in the sequence's
    fps: Fraction
    frames: int
    size_px: tuple[int, int]  # width, height
    suffix: str


def read_mot17_info(folder: Path) -> SequenceInfo:
    """``seqinfo.ini`` of a sequence's folder."""
    path = MOT17.there(folder / "seqinfo.ini")
    with MOT17.reading(path):
        parser = ConfigParser()
        parser.read_string(path.read_text())
        said = parser["Sequence"]
        size = int(said["imWidth"]), int(said["imHeight"])
        return SequenceInfo(
            said["name"],
            said["imDir"],
            Fraction(said["frameRate"]),
            int(said["seqLength"]),
            size,
            said["imExt"],
        )


def read_mot17(folder: Path) -> Samples:
    """The frames of one sequence, such as ``MOT17/train/MOT17-02-FRCNN``; every one is labelled.

    People are the pedestrians that count; `Sample.neither_px` has the boxes of the classes that do not.
    """
    info, path = read_mot17_info(folder), MOT17.there(folder / "gt" / "gt.txt")
    with MOT17.reading(path):
        table = np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float64)
        if table.shape[1] < 7:
            raise ValueError(f"{table.shape[1]} numbers in a line")
    frame = table[:, 0].astype(int) - 1
    # In MOT15 the last three numbers are a place in the world, or -1.
    kind = table[:, 7].astype(int) if table.shape[1] == 9 else np.full(len(table), PEDESTRIAN)
    asked = (table[:, 6] != 0) & (kind == PEDESTRIAN)
    neither = np.isin(kind, NEITHER)

    def boxes(rows: np.ndarray) -> tuple[Floats, ...]:
        return tuple(box_from_xywh(table[row, 2:6]) for row in np.flatnonzero(rows))

    def build(number: int) -> Sample:
        here = frame == number
        people = zip(table[here & asked, 1], boxes(here & asked), strict=True)
        return Sample(
            image=folder / info.images / f"{number + 1:06d}{info.suffix}",
            frame=number,
            sequence=info.name,
            time_s=float(number / info.fps),
            size_px=info.size_px,
            people=tuple(PersonLabel(int(identity), box) for identity, box in people),
            neither_px=boxes(here & neither),
        )

    return MOT17.samples(path, info.frames, build, info.name)
