"""A folder of pictures and their people in COCO's form, labelled by two teachers or made up.

``person_keypoints.json`` is read by `choros.datasets.coco` like COCO's own; a person there also has ``absent``, the
joints (17 numbers, 1 or 0) that are known not to be seen. `people_of` reads both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.datasets.coco import COCO
from choros.datasets.test_footage import refuse_test_footage
from choros.detection import Detector, KeypointEstimator
from choros.detection.neighbours import skeletons_to_keep
from choros.detection.protocols import checked_detections
from choros.errors import ChorosError
from choros.outputs import atomic_write, claimed
from choros.skeleton import COCO17
from choros.training.keypoints.teachers import Taught, taught
from choros.video import open_video
from choros.video.numbering import natural_key
from choros.video.picture import looks_like_one

Floats = NDArray[np.float64]

LABELS, IMAGES = "person_keypoints.json", "images"
QUALITY = 92  # of the JPEG pictures
#: Whom a detector must be this sure of, how tall they must be, and of how many joints the teachers must agree.
LEAST_SCORE, LEAST_PX, LEAST_JOINTS = 0.4, 48.0, 6
#: OKS above which two boxes are of one person.
SAME = 0.7

Report = Callable[[str, int], None]


class Shown(NamedTuple):
    """A picture and what is known of the people in it."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    boxes_px: Floats  # (n, 4) xyxy
    labels: Taught


@dataclass(frozen=True)
class Labeller:
    """Finds people in pictures and has two teachers label them."""

    detector: Detector
    teachers: tuple[KeypointEstimator, KeypointEstimator]

    def __call__(self, image: NDArray[np.uint8]) -> Shown:
        """Of an RGB picture (H, W, 3), whoever can be taught."""
        boxes, scores = checked_detections(self.detector, image)
        sure = (scores >= LEAST_SCORE) & (boxes[:, 3] - boxes[:, 1] >= LEAST_PX)
        boxes, scores = boxes[sure].astype(np.float64), scores[sure]
        labels = taught(self.teachers, image, boxes)
        keep = skeletons_to_keep(boxes, scores, labels.keypoints_px, SAME)
        keep &= labels.keypoints_px[..., 2].sum(-1) >= LEAST_JOINTS
        return Shown(image, boxes[keep], Taught(labels.keypoints_px[keep], labels.absent[keep]))


def write_labelled(
    sources: Sequence[Path],
    output: Path,
    labeller: Labeller,
    *,
    leave_out: Sequence[Path] = (),
    every: int = 6,
    licence: str = "unknown",
    report: Report = lambda name, done: None,
) -> dict[str, int]:
    """Label folders of pictures and every so many frames of videos into a new folder; counts pictures and people.

    ``leave_out`` are files of COCO's form whose pictures have true labels and are not labelled again. Raises
    ``ChorosError`` for test footage, and where nobody is found.
    """
    refuse_test_footage(sources)
    known = {Path(p["file_name"]).name for path in leave_out for p in COCO.json(path)["images"]}

    def shown() -> Iterator[Shown]:
        for source in sources:
            for done, image in enumerate(_pictures(source, known, every), 1):
                report(source.name, done)
                yield labeller(image)

    return write_people(shown(), output, licence)


def write_people(shown: Iterable[Shown], output: Path, licence: str = "unknown") -> dict[str, int]:
    """A new folder of pictures with people; whoever is empty is left out. Counts pictures and people."""
    if output.exists() and any(output.iterdir()):
        raise ChorosError(f"{output} is not empty; give a new folder.")
    images: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    with claimed(output):
        (output / IMAGES).mkdir(parents=True, exist_ok=True)
        for picture in shown:
            if not len(picture.boxes_px):
                continue
            name = f"{len(images):06d}.jpg"
            bgr = cv2.cvtColor(picture.image, cv2.COLOR_RGB2BGR)
            if not cv2.imwrite(str(output / IMAGES / name), bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY]):
                raise ChorosError(f"{output} takes no pictures; look whether the disk is full.")
            height, width = picture.image.shape[:2]
            images.append({"id": len(images), "file_name": name, "width": width, "height": height})
            for box, points, absent in zip(picture.boxes_px, *picture.labels, strict=True):
                people.append(_person(len(people), images[-1]["id"], box, points, absent))
        if not people:
            raise ChorosError("nobody was found in what was given; give footage of people.")
        category = {"id": 1, "name": "person", "keypoints": list(COCO17)}
        content = {"info": {"licence": licence}, "images": images, "annotations": people}
        with atomic_write(output / LABELS) as file:
            file.write(json.dumps(content | {"categories": [category]}).encode())
    return {"pictures": len(images), "people": len(people)}


def absent_of(labels: Path) -> dict[Any, NDArray[np.bool_]]:
    """Which joints (17,) are known not to be seen of each person of a file, by the person's id."""
    content = COCO.json(labels)
    none = [0] * len(COCO17)
    return {label["id"]: np.array(label.get("absent", none), bool) for label in content["annotations"]}


def _person(
    number: int, picture: int, box: Floats, points: Floats, absent: NDArray[np.bool_]
) -> dict[str, Any]:
    x0, y0, x1, y1 = np.round(box, 2).tolist()
    known = points[:, 2] > 0
    # COCO's keypoints are numbers of pixels; half a pixel lies between them and our corner.
    flat = np.where(known[:, None], np.c_[np.round(points[:, :2] - 0.5, 2), np.full(len(points), 2)], 0)
    return {
        "id": number,
        "image_id": picture,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "num_keypoints": int(known.sum()),
        "keypoints": flat.ravel().tolist(),
        "absent": absent.astype(int).tolist(),
    }


def _pictures(source: Path, known: set[str], every: int) -> Iterator[NDArray[np.uint8]]:
    """The pictures of a folder at any depth but those of ``known`` names, or every so many frames of a video."""
    if source.is_dir():
        found = [path for path in source.rglob("*") if path.is_file() and looks_like_one(path)]
        for path in sorted(found, key=lambda path: natural_key(str(path))):
            if path.name not in known:
                with open_video(path) as reader:
                    yield next(iter(reader)).image
        return
    with open_video(source) as reader:
        for number, frame in enumerate(reader):
            if number % every == 0:
                yield frame.image
