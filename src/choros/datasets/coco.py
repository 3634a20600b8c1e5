"""COCO keypoints, and sets in COCO's own form such as CrowdPose: one JSON of pictures and people.

Crowds that COCO marks (``iscrowd``) become ignore regions. Checked against real excerpts of COCO val2017 and of
CrowdPose.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.datasets.official import Official
from choros.datasets.sample import Floats, PersonLabel, Sample, Samples, box_from_xywh
from choros.skeleton import COCO17

COCO = Official(
    "COCO keypoints",
    "cocodataset.org (2017 Train/Val annotations, 2017 Train and Val images)",
    "annotations CC BY 4.0, pictures under the terms of their owners on Flickr",
)


def read_coco(annotations: Path, images: Path) -> Samples:
    """Pictures of ``person_keypoints_{train,val}2017.json``; images is the folder of the ``.jpg`` files.

    All pictures are listed, also those without people. COCO's keypoints are numbers of pixels, so half a pixel
    takes them to the pixel's centre; its boxes are continuous already.
    """
    content = COCO.json(annotations)
    with COCO.reading(annotations):
        person = next(c for c in content["categories"] if c["name"] == "person")
        names = keypoint_names(person.get("keypoints", COCO17))
        people = by_image(a for a in content["annotations"] if a["category_id"] == person["id"])
        pictures = content["images"]

    def build(index: int) -> Sample:
        picture = pictures[index]
        labels = people.get(picture["id"], [])
        return Sample(
            image=images / picture["file_name"],
            size_px=(picture["width"], picture["height"]),
            people=tuple(_person(label, names) for label in labels if not label["iscrowd"]),
            ignore_px=tuple(corners(label["bbox"]) for label in labels if label["iscrowd"]),
        )

    return COCO.samples(annotations, len(pictures), build)


def _person(label: dict[str, Any], names: tuple[str, ...]) -> PersonLabel:
    box = box_from_xywh(label["bbox"])
    if "keypoints" not in label:
        return PersonLabel(label["id"], box)
    points, visible = flat_keypoints(label["keypoints"], len(names), shift_px=0.5)
    return PersonLabel(label["id"], box, None, points, names, visible)


def keypoint_names(names: Sequence[str]) -> tuple[str, ...]:
    """A category's names as choros spells them: ``left_hip``, not ``left hip``."""
    return tuple(name.strip().lower().replace(" ", "_") for name in names)


def by_image(labels: Any) -> dict[Any, list[dict[str, Any]]]:
    """Annotations by their picture's id."""
    grouped: dict[Any, list[dict[str, Any]]] = {}
    for label in labels:
        grouped.setdefault(label["image_id"], []).append(label)
    return grouped


def flat_keypoints(
    flat: Sequence[float], count: int, shift_px: float = 0
) -> tuple[Floats, NDArray[np.bool_]]:
    """x, y, v of every keypoint in a row -> (count, 3) with 1 where labelled, and (count,) where v is 2, seen."""
    points = np.array(flat, dtype=np.float64).reshape(count, 3)
    seen, labelled = points[:, 2] == 2, points[:, 2] > 0
    points[labelled, :2] += shift_px
    points[:, 2] = labelled
    return points * labelled[:, None], seen


def corners(xywh: Sequence[float]) -> Floats:  # (4, 2)
    """The polygon of a box."""
    x0, y0, x1, y1 = box_from_xywh(xywh)
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
