"""Public sets of several people that the user has, for ``choros bench --data SET:DIR``, beside those of ``owned``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from choros.datasets.mupots import read_mupots
from choros.datasets.panoptic import read_panoptic
from choros.datasets.sample import Sample
from choros.datasets.threedmpb import read_3dmpb
from choros.evaluation.labelled import LabelledVideo

#: The program that first compared systems on Panoptic takes these cameras of each sequence.
PANOPTIC_CAMERAS = ("00_16", "00_30")


def mupots_videos(folder: Path) -> Iterator[tuple[str, partial[LabelledVideo]]]:
    """The twenty clips; everybody in them is labelled, where they are valid."""
    places = {*folder.glob("TS*/annot.mat"), *folder.glob("*/TS*/annot.mat")}
    for path in sorted(places, key=lambda path: int(path.parent.name.removeprefix("TS"))):
        yield path.parent.name, partial(_mupots_clip, path.parent)


def _mupots_clip(place: Path) -> LabelledVideo:
    return LabelledVideo(place, read_mupots(place))


def panoptic_videos(folder: Path) -> Iterator[tuple[str, partial[LabelledVideo]]]:
    """Each sequence as each of `PANOPTIC_CAMERAS` sees it, whose pictures are there."""
    here = [folder] if (folder / f"calibration_{folder.name}.json").is_file() else sorted(folder.glob("*/"))
    for place in here:
        for camera in PANOPTIC_CAMERAS:
            if (place / "hdImgs" / camera).is_dir():
                yield f"{place.name} {camera}", partial(_panoptic_view, place, camera)


def _panoptic_view(place: Path, camera: str) -> LabelledVideo:
    return LabelledVideo(place / "hdImgs" / camera, read_panoptic(place, camera))


def threedmpb_pictures(folder: Path) -> Iterator[tuple[str, partial[LabelledVideo]]]:
    """Each picture by itself."""
    if not (folder / "annot" / "test.pkl").is_file():
        return
    samples = read_3dmpb(folder)
    for number in range(len(samples)):
        picture = samples[number : number + 1]
        first: Sample = picture[0]
        yield (
            first.path.relative_to(folder).as_posix(),
            partial(LabelledVideo, first.path, picture, identities=False),
        )
