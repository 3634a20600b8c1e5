"""Who is learned from: pictures in memory, and the people in them with their box and what is known of their joints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.crops import CropSpec
from choros.datasets.coco import read_coco
from choros.datasets.sample import to_coco17
from choros.datasets.test_footage import refuse_test_footage
from choros.detection.silhouette import Segmenter
from choros.errors import ChorosError
from choros.keypoints import box_overlap
from choros.training.keypoints.network import HEIGHT_PX, WIDTH_PX
from choros.training.keypoints.people_set import absent_of
from choros.video import open_video

Floats = NDArray[np.float64]

#: The crop that the network sees: `choros.detection.eyes.top_down` cuts the same.
CROP = CropSpec((WIDTH_PX, HEIGHT_PX), 1.25)
#: Of whom nothing is learned: fewer joints, or a smaller box.
LEAST_JOINTS, LEAST_PX = 4, 32.0


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody in a picture."""

    picture: int
    box_px: Floats  # (4,) xyxy
    keypoints_px: Floats  # (17, 3) x, y, 1 where it is known
    absent: NDArray[np.bool_]  # (17,) known not to be seen
    others_px: Floats  # (n, 17, 3) keypoints of whoever else is labelled in the picture

    @property
    def area_px(self) -> float:
        """Of the box, px²."""
        return float(np.prod(self.box_px[2:] - self.box_px[:2]))


@dataclass(frozen=True, eq=False)
class People:
    """A set: pictures (H, W, 3) RGB and everybody in them of whom something can be learned."""

    pictures: list[NDArray[np.uint8]]
    people: list[Person]

    def __len__(self) -> int:
        return len(self.people)


def read_people(labels: Path, images: Path) -> dict[str, People]:
    """A file of COCO's form and the folder of its pictures, as one set for each picture's name.

    Raises ``ChorosError`` where one of them is test footage or cannot be read.
    """
    absent = absent_of(labels)
    found = {}
    for sample in read_coco(labels, images):
        points = np.array([to_coco17(person) for person in sample.people]).reshape(-1, 17, 3)
        people = []
        for number, person in enumerate(sample.people):
            if person.box_px is None or person.box_px[3] - person.box_px[1] < LEAST_PX:
                continue
            if (points[number, :, 2] > 0).sum() >= LEAST_JOINTS:
                others = np.delete(points, number, 0)
                people.append(Person(0, person.box_px, points[number], absent[person.identity], others))
        if people:
            refuse_test_footage([sample.path])
            with open_video(sample.path) as reader:
                found[sample.path.name] = People([next(iter(reader)).image], people)
    if not found:
        raise ChorosError(
            f"{labels} has nobody with {LEAST_JOINTS} joints; give a file with labelled people."
        )
    return found


def together(sets: Iterable[People]) -> People:
    """Several sets as one."""
    pictures: list[NDArray[np.uint8]] = []
    people: list[Person] = []
    for one in sets:
        for person in one.people:
            number = person.picture + len(pictures)
            people.append(Person(number, person.box_px, person.keypoints_px, person.absent, person.others_px))
        pictures += one.pictures
    return People(pictures, people)


def split(sets: dict[str, People], every: int) -> tuple[list[People], list[People]]:
    """Those that are learned from, and those held back: by the picture's name, whatever else is given."""
    held = {name for name in sets if crc32(name.encode()) % every == 0}
    return [s for name, s in sets.items() if name not in held], [
        s for name, s in sets.items() if name in held
    ]


def cut_out(sets: People, most: int = 300) -> NDArray[np.uint8]:
    """People who stand alone, cut out of their background, (n, 256, 192, 4) RGB and how much of a pixel is theirs."""
    segmenter = Segmenter()
    cuts: list[NDArray[np.uint8]] = []
    boxes_of: dict[int, list[Floats]] = {}
    for person in sets.people:
        boxes_of.setdefault(person.picture, []).append(person.box_px)
    for person in sets.people:
        if len(cuts) == most:
            break
        boxes = np.array(boxes_of[person.picture])
        alone = (box_overlap(person.box_px[None], boxes) > 0).sum() == 1
        if not alone or (person.keypoints_px[:, 2] > 0).sum() < 10 or len(person.others_px) > 3:
            continue
        image = sets.pictures[person.picture]
        outline = segmenter.silhouette(image, person.box_px)
        crop = CROP.around(person.box_px)
        corners = crop.from_crop(np.array([[0.0, 0.0], [WIDTH_PX, HEIGHT_PX]]))
        mask = _at(outline.person, outline.crop.to_crop(corners))
        if not 0.1 < (mask > 0.5).mean() < 0.7:
            continue
        cuts.append(np.dstack([crop.cut(image), (mask * 255).astype(np.uint8)]))
    return np.array(cuts, np.uint8).reshape(-1, HEIGHT_PX, WIDTH_PX, 4)


def _at(mask: NDArray[np.float32], corners: Floats) -> NDArray[np.float32]:
    """The part of a mask between two corners (2, 2), at the crop's size."""
    (x0, y0), (x1, y1) = corners
    sx, sy = (x1 - x0) / WIDTH_PX, (y1 - y0) / HEIGHT_PX
    matrix = np.array([[sx, 0, x0 + 0.5 * sx - 0.5], [0, sy, y0 + 0.5 * sy - 0.5]])
    return np.asarray(
        cv2.warpAffine(mask, matrix, (WIDTH_PX, HEIGHT_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    )


def fractions(sets: Sequence[People], share: float) -> list[People]:
    """The first so many of the sets, a share of them."""
    return list(sets[: max(1, round(share * len(sets)))])
