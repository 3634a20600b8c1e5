"""Public data sets that the user has, as clips for ``choros bench --data SET:DIR``; none of them ships.

DIR is the folder that a set's owner publishes; which of its files are read is said beside each set, and those are
the parts that papers report on. What is measured follows from what a set tells: see ``labelled``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from choros.body import BodyModel
from choros.datasets.ava import read_ava
from choros.datasets.coco import read_coco
from choros.datasets.emdb import read_emdb, read_emdb_info
from choros.datasets.human36m import read_human36m
from choros.datasets.mot17 import read_mot17, read_mot17_info
from choros.datasets.mpi_inf_3dhp import read_mpi_inf_3dhp_test
from choros.datasets.posetrack import read_posetrack
from choros.datasets.sample import Sample, Samples
from choros.datasets.threedpw import read_3dpw
from choros.errors import ChorosError
from choros.evaluation.clip import Clip, ProgressCall
from choros.evaluation.labelled import LabelledVideo
from choros.evaluation.owned_groups import mupots_videos, panoptic_videos, threedmpb_pictures
from choros.video import open_video

#: Where people cut AVA's films, seconds: the first label is at 902.
AVA_BEGIN_S = 900


@dataclass(frozen=True)
class OwnedSource:
    """One video of a set; its labels are read when it is opened."""

    name: str
    read: Callable[[], LabelledVideo]
    has_truth = True

    def open(self, folder: Path, progress: ProgressCall) -> Clip:
        """Read the labels; the video stays where it is and nothing is written into ``folder``."""
        labelled = self.read()
        return Clip(labelled.video, labelled, labelled.fps if labelled.video.is_dir() else None)


def open_owned(name: str, folder: Path) -> list[OwnedSource]:
    """The videos of a set of `SETS`, in a fixed order. Raises ChorosError if none is in the folder."""
    found = list(SETS[name](folder))
    if not found:
        raise ChorosError(f"{folder} holds nothing of {name}: {WANTED[name]}.")
    return found


def _mot17(folder: Path) -> Iterator[OwnedSource]:
    """Of sequences that come with several detectors' files (-DPM, -FRCNN, -SDP) one: their pictures are the same."""
    places = (
        [folder] if (folder / "seqinfo.ini").is_file() else [*folder.glob("*/"), *folder.glob("train/*/")]
    )
    seen: set[str] = set()
    for place in sorted(places):
        same = re.sub(r"-(DPM|FRCNN|SDP)$", "", place.name)
        if (place / "gt" / "gt.txt").is_file() and same not in seen:
            seen.add(same)
            yield OwnedSource(place.name, partial(_mot17_sequence, place))


def _mot17_sequence(place: Path) -> LabelledVideo:
    info = read_mot17_info(place)
    return LabelledVideo(place / info.images, read_mot17(place), info.fps)


def _posetrack(folder: Path) -> Iterator[OwnedSource]:
    for place in ("annotations/val", "posetrack_data/val"):
        for path in sorted((folder / place).glob("*.json")):
            yield OwnedSource(path.stem, partial(_posetrack_video, path, folder))


def _posetrack_video(path: Path, folder: Path) -> LabelledVideo:
    samples = read_posetrack(path, folder)
    return LabelledVideo(_pictures(samples, path), samples)


def _threedpw(folder: Path) -> Iterator[OwnedSource]:
    for path in sorted((folder / "sequenceFiles" / "test").glob("*.pkl")):
        yield OwnedSource(path.stem, partial(_threedpw_sequence, path, folder / "imageFiles"))


def _threedpw_sequence(path: Path, images: Path) -> LabelledVideo:
    """Passers-by are not labelled."""
    samples = read_3dpw(path, images)
    return LabelledVideo(_pictures(samples, path), samples, everybody=False)


def _human36m(folder: Path) -> Iterator[OwnedSource]:
    cameras = folder / "cameras.pkl"
    for subject in ("S9", "S11"):
        found = [
            path
            for suffix in (".cdf", ".cdf.mat")
            for path in (folder / subject).rglob(f"*D3_Positions_mono/*{suffix}")
            if not path.name.startswith("_ALL")
        ]
        for path in sorted(found):
            read = partial(_human36m_video, path, cameras if cameras.is_file() else None)
            yield OwnedSource(f"{subject} {path.name.removesuffix('.mat').removesuffix('.cdf')}", read)


def _human36m_video(path: Path, cameras: Path | None) -> LabelledVideo:
    samples = read_human36m(path, cameras)
    return LabelledVideo(_film(samples, path), samples, Fraction(50))


def _mpi_inf_3dhp(folder: Path) -> Iterator[OwnedSource]:
    for path in sorted({*folder.glob("TS*/annot_data.mat"), *folder.glob("*/TS*/annot_data.mat")}):
        yield OwnedSource(path.parent.name, partial(_mpi_inf_3dhp_sequence, path.parent))


def _mpi_inf_3dhp_sequence(place: Path) -> LabelledVideo:
    samples = read_mpi_inf_3dhp_test(place)
    return LabelledVideo(_pictures(samples, place), samples, Fraction(25))


def _coco(folder: Path) -> Iterator[OwnedSource]:
    path = folder / "annotations" / "person_keypoints_val2017.json"
    if not path.is_file():
        return
    images = next(
        (p for p in (folder / "val2017", folder / "images" / "val2017") if p.is_dir()), folder / "val2017"
    )
    samples = read_coco(path, images)
    for number in range(len(samples)):
        picture = samples[number : number + 1]
        image = picture[0].image
        if image is not None:
            yield OwnedSource(image.name, partial(LabelledVideo, image, picture, identities=False))


def _ava(folder: Path) -> Iterator[OwnedSource]:
    """Films that were not fetched are passed over."""
    tables = folder / "annotations" if (folder / "annotations").is_dir() else folder
    table, excluded = tables / "ava_val_v2.2.csv", tables / "ava_val_excluded_timestamps_v2.2.csv"
    if not table.is_file():
        return
    instants: dict[str, list[Sample]] = {}
    for sample in read_ava(table, excluded if excluded.is_file() else None):
        instants.setdefault(sample.sequence, []).append(sample)
    films = {
        path.stem: path
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".mp4", ".mkv", ".webm", ".avi")
    }
    for film in sorted(instants.keys() & films.keys()):
        yield OwnedSource(film, partial(_ava_film, films[film], instants[film]))


def _ava_film(path: Path, instants: list[Sample]) -> LabelledVideo:
    """A whole film, or its labelled quarter of an hour: what is shorter than the first label begins at 900 s."""
    with open_video(path) as reader:
        info = reader.info
    length_s = float((info.n_frames_hint or 0) / info.fps)
    begin_s = AVA_BEGIN_S if length_s < AVA_BEGIN_S + 2 else 0
    size = np.array([info.width, info.height] * 2)
    samples = []
    for sample in instants:
        people = tuple(
            replace(person, box_px=person.box_px * size)
            for person in sample.people
            if person.box_px is not None
        )
        frame = round((sample.time_s - begin_s) * info.fps) if sample.time_s is not None else None
        samples.append(replace(sample, frame=frame, people=people, size_px=(info.width, info.height)))
    return LabelledVideo(path, samples, info.fps)


def _emdb(folder: Path) -> Iterator[OwnedSource]:
    """The sequences of EMDB 1, on which poses before the camera are judged."""
    for path in sorted(folder.rglob("*_data.pkl")):
        info = read_emdb_info(path)
        if info.emdb1:
            yield OwnedSource(info.name, partial(_emdb_sequence, path, info.gender, folder / "smpl"))


def _emdb_sequence(path: Path, gender: str, bodies: Path) -> LabelledVideo:
    """With SMPL's own file of the gender if it is there, else on the open body of mean shape."""
    files = [bodies / f"SMPL_{gender.upper()}{suffix}" for suffix in (".npz", ".pkl")]
    file = next((file for file in files if file.is_file()), None)
    samples = read_emdb(path, BodyModel.load(file), shaped=file is not None)
    return LabelledVideo(_pictures(samples, path), samples, everybody=False)


def _group(
    videos: Callable[[Path], Iterator[tuple[str, Callable[[], LabelledVideo]]]], folder: Path
) -> Iterator[OwnedSource]:
    return (OwnedSource(name, read) for name, read in videos(folder))


def _pictures(samples: Samples, path: Path) -> Path:
    """The folder of a sequence's pictures."""
    return _film(samples, path).parent


def _film(samples: Samples, path: Path) -> Path:
    first: Sample | None = next(iter(samples), None)
    if first is None or first.image is None:
        raise ChorosError(f"{path} labels no frame; fetch the set again.")
    if not first.image.exists():
        raise ChorosError(
            f"{first.image}: no such file, which {path.name} labels; fetch the set's pictures too."
        )
    return first.image


#: Sets by the name that ``--data`` takes.
SETS: dict[str, Callable[[Path], Iterator[OwnedSource]]] = {
    "mot17": _mot17,
    "posetrack": _posetrack,
    "3dpw": _threedpw,
    "h36m": _human36m,
    "3dhp": _mpi_inf_3dhp,
    "coco": _coco,
    "ava": _ava,
    "emdb": _emdb,
    "mupots": partial(_group, mupots_videos),
    "panoptic": partial(_group, panoptic_videos),
    "3dmpb": partial(_group, threedmpb_pictures),
}
#: What of a set has to be in its folder.
WANTED = {
    "mot17": "give a sequence with seqinfo.ini, gt/gt.txt and img1, or a folder of such (MOT17, MOT17/train)",
    "posetrack": "it needs annotations/val/*.json (or posetrack_data/val) and images",
    "3dpw": "it needs sequenceFiles/test/*.pkl and imageFiles",
    "h36m": "it needs S9 and S11, each with *D3_Positions_mono, *D2_Positions and Videos; cameras.pkl helps",
    "3dhp": "it needs TS1 to TS6, each with annot_data.mat and imageSequence",
    "coco": "it needs annotations/person_keypoints_val2017.json and val2017",
    "ava": "it needs ava_val_v2.2.csv (in annotations, or beside the films) and films by their names",
    "emdb": "it needs the folders P0 to P9 with *_data.pkl and images; smpl/SMPL_{MALE,FEMALE}.npz helps",
    "mupots": "it needs TS1 to TS20, each with annot.mat and its pictures",
    "panoptic": "it needs sequences with calibration_NAME.json, hdPose3d_stage1_coco19 and hdImgs/00_16 or 00_30",
    "3dmpb": "it needs annot/test.pkl and images",
}
