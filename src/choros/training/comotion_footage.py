"""Public sets of pictures and videos as clips for CoMotion's training.

Frames are read when their clip is made. Clips of one frame are any picture, longer ones consecutive frames of
one sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from itertools import count
from pathlib import Path

import cv2
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
from choros.errors import ChorosError
from choros.training.comotion_data import LabelledClip
from choros.training.comotion_labels import clip_of_samples

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

    Raises ``ChorosError`` for an unknown name and for what the reader refuses.
    """
    if name not in SETS:
        raise ChorosError(f'there is no reader for "{name}"; there are: {", ".join(SETS)}.')
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


def read_picture(sample: Sample) -> NDArray[np.uint8]:  # (H, W, 3) RGB
    """The picture of a sample, the right way up."""
    stored = None if sample.image is None else cv2.imread(str(sample.image))
    if stored is None:
        raise ChorosError(f"{sample.image} is no picture that can be read; look whether the set is complete.")
    turned = np.rot90(stored, -sample.quarter_turns_cw)
    return np.ascontiguousarray(turned[..., ::-1]).astype(np.uint8, copy=False)


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
