"""Public sets of pictures and videos, and our own pseudo-labels, as clips for CoMotion's training.

Frames are read when their clip is made. Clips of one frame are any picture, longer ones consecutive frames of
one sequence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.datasets.bedlam import read_bedlam
from choros.datasets.coco import COCO, read_coco
from choros.datasets.hmr_npz import read_hmr_npz
from choros.datasets.instavariety import read_instavariety
from choros.datasets.jrdb import read_jrdb
from choros.datasets.mpii import MPII, read_mpii
from choros.datasets.official import Official
from choros.datasets.posetrack import read_posetrack
from choros.datasets.sample import Sample, Samples
from choros.datasets.test_footage import refuse_test_footage, refuse_test_sources
from choros.errors import ChorosError
from choros.motion import Motion
from choros.training.comotion.labelled_clip import LabelledClip
from choros.training.comotion.labels import clip_of_motion, clip_of_samples
from choros.training.comotion.pseudo_labels import ABOUT, MOTION, picture_path
from choros.training.comotion.recipe import ClipSource, Recipe
from choros.training.pictures import read_picture, read_rgb

#: Readers by the names that recipes use: from two places, labels and pictures, to samples.
SETS: dict[str, Callable[[Path, Path], Samples]] = {
    "coco": lambda labels, images: _pseudo_labelled(COCO, labels, images) or read_coco(labels, images),
    "mpii": lambda labels, images: _pseudo_labelled(MPII, labels, images) or read_mpii(labels, images),
    "instavariety": read_instavariety,
    "bedlam": read_bedlam,
    "posetrack": read_posetrack,
    "jrdb": lambda root, sequence: read_jrdb(root, sequence.name),
}

#: Draws of a place for a clip before it is said that there is none.
TRIES = 1000


def open_set(name: str, labels: str | Path, images: str | Path) -> Samples:
    """The samples of a set that the user has. Of JRDB: the root and a sequence's name.

    Raises ``ChorosError`` for an unknown name, for test footage, and for what the reader refuses.
    """
    if name not in SETS:
        raise ChorosError(f'there is no reader for "{name}"; there are: {", ".join(SETS)}.')
    refuse_test_footage([labels, images])
    return SETS[name](Path(labels), Path(images))


def footage_of(parts: Sequence[Samples]) -> Callable[[int, int, int], Generator[LabelledClip]]:
    """Endless clips from the files of one set: by seed, frames of a clip and the number of the first clip.

    Raises ``ChorosError`` where a picture cannot be read, and if no people are found in many places tried.
    """

    def clips(seed: int, frames: int, start: int) -> Generator[LabelledClip]:
        body = BodyModel.load(detail="light")
        lengths = np.array([max(len(part) - frames + 1, 0) for part in parts], np.float64)
        if not lengths.any():
            raise ChorosError(f"no file of this data has {frames} frames in a row; give longer videos.")
        for index in count(start):
            samples = _some(np.random.default_rng([seed, index]), parts, lengths / lengths.sum(), frames)
            yield clip_of_samples([read_picture(sample) for sample in samples], samples, body)

    return clips


@dataclass(frozen=True)
class PseudoLabels:
    """A part of a set that ``choros train pseudo-label`` wrote: frames, and what the lifter system made of them."""

    folder: Path
    motion: Motion
    licence: str  # of the set's footage

    def starts(self, frames: int) -> NDArray[np.int64]:
        """Where clips of so many frames can begin: somebody is labelled there, and no gap comes after."""
        first = np.arange(len(self.motion) - frames + 1)
        gaps = np.cumsum(self.motion.gap_before)
        unbroken = gaps[first + frames - 1] == gaps[first]
        return first[unbroken & np.isin(first, self.motion.row_frame)]

    def clip(self, frames: range, body: BodyModel) -> LabelledClip:
        """Some frames in a row. Whose fit was not believed has keypoints and nothing else there."""
        images = [read_rgb(picture_path(self.folder, frame)) for frame in frames]
        clip = clip_of_motion(images, self.motion, frames, body)
        some = self.motion[frames.start : frames.stop]
        believed = np.zeros_like(clip.posed)
        believed[some.row_frame, np.searchsorted(some.ids, some.row_person)] = some.confidence > 0
        everyone = set(self.motion.header.provenance["everyone"]).issuperset(frames)
        return replace(clip, everyone=everyone, posed=clip.posed & believed, placed=clip.placed & believed)


def open_pseudo_labels(folder: str | Path) -> list[PseudoLabels]:
    """The parts of a set. Raises ``ChorosError`` if the folder is none, and if test footage is among it."""
    folder = Path(folder)
    refuse_test_footage([folder])
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        licence, names = about["licence"], [part["folder"] for part in about["parts"]]
        sources = [part.get("source", "") for part in about["parts"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ChorosError(
            f"{folder / ABOUT} cannot be read; give a folder that `choros train pseudo-label` wrote."
        ) from error
    refuse_test_sources(sources, folder / ABOUT)
    return [PseudoLabels(folder / name, Motion.load(folder / name / MOTION), licence) for name in names]


def pseudo_labelled(parts: Sequence[PseudoLabels]) -> Callable[[int, int, int], Generator[LabelledClip]]:
    """Endless clips of a set, as those of `footage_of`; each place in it is as likely as any other.

    Of parts that have no so many frames in a row there are single pictures, which `variation.varied` makes clips of.
    Raises ``ChorosError`` if a picture cannot be read.
    """

    def clips(seed: int, frames: int, start: int) -> Generator[LabelledClip]:
        body = BodyModel.load(detail="light")
        lengths = [frames if len(part.starts(frames)) else 1 for part in parts]
        places = [
            (part, range(first, first + length))
            for part, length in zip(parts, lengths, strict=True)
            for first in part.starts(length).tolist()
        ]
        for index in count(start):
            part, chosen = places[np.random.default_rng([seed, index]).integers(len(places))]
            yield part.clip(chosen, body)

    return clips


def with_footage(recipe: Recipe, sets: Mapping[str, Sequence[PseudoLabels]], share: float) -> Recipe:
    """A recipe with sets of pseudo-labels in each stage, by name; together they are ``share`` of its micro-batches.

    Their clips are as long as the stage's longest, and in the shapes of its sources in turn.
    """
    stages = []
    for stage in recipe.stages:
        frames = max(source.frames for source in stage.sources)
        total = sum(source.share for source in stage.sources) * share / (1 - share)
        shapes = list(dict.fromkeys(source.aspect for source in stage.sources))
        mixed = tuple(
            ClipSource(name, frames, total / (len(sets) * len(shapes)), aspect=aspect)
            for name in sets
            for aspect in shapes
        )
        stages.append(replace(stage, sources=stage.sources + mixed))
    return replace(recipe, stages=tuple(stages))


def _pseudo_labelled(source: Official, labels: Path, images: Path) -> Samples | None:
    """4DHumans's npz of a set, with SMPL fits; None where the labels are the set's own."""
    return read_hmr_npz(source, labels, images) if labels.suffix == ".npz" else None


def _some(
    rng: np.random.Generator, parts: Sequence[Samples], chances: NDArray[np.float64], frames: int
) -> list[Sample]:
    """Consecutive samples of one sequence, all of them labelled, with people in the first."""
    for _ in range(TRIES):
        part = parts[int(rng.choice(len(parts), p=chances))]
        first = int(rng.integers(len(part) - frames + 1))
        samples = list(part[first : first + frames])
        alike = len({sample.sequence for sample in samples}) == 1
        if alike and samples[0].people and all(sample.labelled for sample in samples):
            return samples
    raise ChorosError(
        f"{parts[0].name} has hardly any {frames} frames in a row with people labelled in them."
    )
