"""MuPoTS-3D (Mehta et al. 2018): twenty clips of two or three people, with and without things before them.

The layout is that of its own evaluation; no real file was seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from choros.datasets.mpi_inf_3dhp import MPI17
from choros.datasets.official import Official
from choros.datasets.sample import PersonLabel, Sample, Samples

MUPOTS = Official(
    "MuPoTS-3D",
    "vcai.mpi-inf.mpg.de/projects/SingleShotMultiPerson (MultiPersonTestSet)",
    "non-commercial research only",
)


def read_mupots(folder: Path) -> Samples:
    """The frames of ``TS1`` to ``TS20``: ``annot.mat``, and pictures ``img_000000.jpg`` beside it.

    Joints are in camera axes, metres, ``annot3`` and not the universal skeleton of ``univ_annot3``. Who is not valid in
    a frame is left out of it; the number in the file's rows is who they are. With ``occlusion.mat`` beside it, a
    keypoint says whether it is hidden. There is no K.
    """
    path = folder / "annot.mat"
    content = MUPOTS.mat(path, ["annotations"])
    hidden_path = folder / "occlusion.mat"
    hidden = MUPOTS.mat(hidden_path, ["occlusion_labels"]) if hidden_path.is_file() else None
    with MUPOTS.reading(path):
        table = np.atleast_2d(content["annotations"])
        labels = None if hidden is None else np.atleast_2d(hidden["occlusion_labels"])

    def person(number: int, frame: int) -> PersonLabel | None:
        one = _inner(table[frame, number])
        if not int(np.ravel(one.isValidFrame)[0]):
            return None
        points = np.asarray(one.annot2, np.float64).reshape(2, len(MPI17)).T
        joints = np.asarray(one.annot3, np.float64).reshape(3, len(MPI17)).T / 1000
        visible = np.ones(len(MPI17), bool)
        if labels is not None:
            visible = np.ravel(_inner(labels[frame, number])).astype(int) == 0
        return PersonLabel(
            number + 1,
            keypoints_px=np.concatenate([points, np.ones((len(MPI17), 1))], 1),
            keypoint_names=MPI17,
            keypoints_visible=visible,
            joints_m=joints,
            joint_names=MPI17,
        )

    def build(frame: int) -> Sample:
        found = [person(number, frame) for number in range(table.shape[1])]
        return Sample(
            image=folder / f"img_{frame:06d}.jpg",
            frame=frame,
            sequence=folder.name,
            people=tuple(one for one in found if one is not None),
        )

    return MUPOTS.samples(path, len(table), build, folder.name)


def _inner(cell: Any) -> Any:
    """What a cell holds; MATLAB's structs come in arrays of one."""
    while isinstance(cell, np.ndarray) and cell.dtype == object and cell.size == 1:
        cell = cell.item()
    return cell
