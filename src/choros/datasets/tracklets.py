"""Tracklets of people in AVA's and Kinetics' films, as LART's authors made them with PHALP, a file for each.

A file is called SET_FILM_INSTANT_TRACK_LENGTH.pkl: the window about one labelled instant of one track. No real file was
seen; names and shapes are those of the authors' description (brjathu/LART, DATASET.md).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.datasets.joblib_file import load_joblib
from choros.datasets.official import Official
from choros.errors import ChorosError

TRACKLETS = Official(
    "LART's tracklets",
    "github.com/brjathu/LART (DATASET.md)",
    "their authors'; the films belong to their owners",
)
Floats = NDArray[np.float32]

LABELS = 80  # AVA's actions; number k stands for action k + 1

#: Where a label is from: nobody, a video backbone, people.
NOBODY, BACKBONE, PEOPLE = 0, 1, 2


class TrackletName(NamedTuple):
    """What the name of a file says."""

    data_set: str  # "ava-train", "ava-val", "kinetics-train"
    film: str
    instant: str  # which labelled instant, or clip
    track: int

    @property
    def clip(self) -> tuple[str, str, str]:
        """Whose neighbours it has."""
        return self.data_set, self.film, self.instant


@dataclass(frozen=True, eq=False)
class Tracklet:
    """One person over T frames, of 30 a second."""

    frames: NDArray[np.int64]  # (T,) rising, by one clock for all tracklets of a clip
    pose_shape: Floats  # (T, 229) rotation matrices, betas, camera (z / 200)
    joints: Floats  # (T, 45, 3) metres, in the camera's axes
    detected: NDArray[np.bool_]  # (T,)
    labels: Floats  # (T, 80) 0 or 1, or how sure the backbone is
    labelled_by: NDArray[np.int64]  # (T,) NOBODY, BACKBONE or PEOPLE
    appearance: Floats | None  # (T, D), 0 where there is none
    box_px: Floats  # (T, 4) x0, y0, x1, y1
    size_px: NDArray[np.int64]  # (T, 2) width, height
    score: Floats  # (T,) the detector's
    pictures: tuple[str, ...]  # (T,) names of the frames' files, which end with their numbers in the film

    def __len__(self) -> int:
        return len(self.frames)


def tracklet_name(path: Path) -> TrackletName:
    """The parts of a file's name. Raises ``ChorosError`` if it is called otherwise."""
    found = re.fullmatch(r"([^_]+)_(.+)_([^_]+)_(\d+)_\d+", path.stem)
    if found is None:
        raise ChorosError(
            f"{path}: not called SET_FILM_INSTANT_TRACK_LENGTH.pkl as tracklets are; {TRACKLETS.mend}"
        )
    return TrackletName(found[1], found[2], found[3], int(found[4]))


def tracklets_of(folder: Path) -> dict[tuple[str, str, str], list[Path]]:
    """The files in a folder and those below it, by their clip; each list by the tracks' numbers.

    Raises ``ChorosError`` if there are none.
    """
    clips: dict[tuple[str, str, str], list[tuple[int, Path]]] = {}
    for path in sorted(TRACKLETS.there(folder).rglob("*.pkl")):
        name = tracklet_name(path)
        clips.setdefault(name.clip, []).append((name.track, path))
    if not clips:
        raise ChorosError(f"{folder}: holds no tracklets; {TRACKLETS.mend}")
    return {clip: [path for _, path in sorted(found)] for clip, found in clips.items()}


def read_tracklet(path: Path) -> Tracklet:
    """One file. Raises ``ChorosError`` if it is missing, damaged or of another form."""
    content = load_joblib(TRACKLETS.there(path), TRACKLETS.mend)
    with TRACKLETS.reading(path):
        if not isinstance(content, dict):
            raise ValueError("no table of arrays")
        n = len(content["fid"])
        if len(content["frame_name"]) != n:
            raise ValueError(f"{len(content['frame_name'])} names of {n} frames")

        def of(key: str, *shape: int) -> NDArray[Any]:
            return np.asarray(content[key]).reshape(n, *shape)

        joints = of("3d_joints", 45, 3) + of("camera", 1, 3)
        index = of("apperance_index").astype(np.int64)
        kind = of("has_gt").astype(np.int64)
        corner, extent = np.split(of("frame_bbox", 4).astype(np.float32), 2, axis=1)
        height_width = of("frame_size", 2).astype(np.int64)
        return Tracklet(
            frames=of("fid").astype(np.int64),
            pose_shape=of("pose_shape", 229).astype(np.float32),
            joints=joints.astype(np.float32),
            detected=of("has_detection") == 1,
            labels=_labels(of("action_label_gt", LABELS), content["action_label_psudo"], index, kind),
            labelled_by=kind,
            appearance=_by_index(content["apperance_dict"], index),
            box_px=np.concatenate([corner, corner + extent], 1),
            size_px=height_width[:, ::-1],
            score=of("frame_conf").astype(np.float32),
            pictures=tuple(str(name) for name in content["frame_name"]),
        )


def _labels(
    by_people: NDArray[Any], by_backbone: Any, index: NDArray[np.int64], kind: NDArray[np.int64]
) -> Floats:
    """People's labels where there are any, else the backbone's."""
    guessed = _by_index(by_backbone, index)
    guessed = np.zeros(by_people.shape, np.float32) if guessed is None else guessed
    if guessed.shape != by_people.shape:
        raise ValueError(f"labels of shape {guessed.shape}")
    return np.where((kind == PEOPLE)[:, None], by_people, guessed).astype(np.float32)


def _by_index(table: dict[int, Any], index: NDArray[np.int64]) -> Floats | None:
    """Rows (T, D) of a table by their numbers, 0 where the number is not in it; None of an empty table."""
    rows = {int(key): np.asarray(row, np.float32).reshape(-1) for key, row in table.items()}
    if not rows:
        return None
    nothing = np.zeros(len(next(iter(rows.values()))), np.float32)
    return np.stack([rows.get(int(i), nothing) for i in index])


def joined(frames: Sequence[int] | NDArray[np.int64], there: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where ``frames`` are among those ``there`` are of somebody, -1 where they are not."""
    at = np.searchsorted(there, frames)
    inside = np.minimum(at, len(there) - 1)
    return np.where(there[inside] == frames, inside, -1)
