"""COCO's and PoseTrack21's JSON of pictures and people, as data sets are published and predictions handed in.

``CocoFile`` and ``PoseTrackFile`` gather one video's frames and people in the form's own words; made-up scenes
write their truth through them, ``write_coco`` and ``write_posetrack`` what a system saw. ``choros.datasets`` reads
both. Frame 1 is image 1, ``img1/000001.jpg``, and so on, whether or not the pictures are there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.keypoints import AREA_OF_BOX
from choros.outputs import atomic_write
from choros.skeleton import COCO17
from choros.video.frame import Picture

Floats = NDArray[np.floating[Any]]

#: PoseTrack's keypoints; its ears are placeholders that nobody labels.
POSETRACK17 = ("nose", "head_bottom", "head_top", *COCO17[3:])


class CocoFile:
    """One video as COCO writes its keypoints: every frame a picture, everybody in it an annotation.

    COCO counts keypoints in pixels, so half a pixel is taken off; boxes are continuous in both. The area is a
    box's usual share. ``track_id`` is not COCO's.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def frame(self, number: int, picture: Picture | None = None) -> None:
        """Begin the frame of this number, of a video or a photograph; whoever is added after it is in it."""
        name = picture_name(number).name
        if picture is not None:
            name, self.width, self.height = picture.name, picture.width, picture.height
        self._images.append({"id": number, "file_name": name, "width": self.width, "height": self.height})

    def person(
        self,
        track: int,
        box_px: Floats,  # (4,) xyxy
        points_px: Floats,  # (17, 2) COCO-17
        seen: NDArray[np.bool_],  # (17,) whether each can be seen
        **more: Any,  # further entries of the annotation
    ) -> None:
        """Keypoints inside the picture are labelled, as seen (2) or hidden (1); others are not."""
        inside = np.all((points_px >= 0) & (points_px < [self.width, self.height]), axis=-1)
        labels = np.zeros((len(COCO17), 3))
        labels[inside, :2] = points_px[inside].astype(np.float64) - 0.5
        labels[:, 2] = np.where(seen, 2, 1) * inside
        about = {"track_id": track, "bbox": xywh(box_px), "iscrowd": 0, "num_keypoints": int(inside.sum())}
        self._add(about | {"keypoints": labels.ravel().tolist()} | more)

    def crowd(self, box_px: Floats) -> None:
        """A place (4,) where people are whom nobody labels."""
        box = xywh(box_px)
        self._add({"bbox": box, "iscrowd": 1, "num_keypoints": 0, "keypoints": [0] * 3 * len(COCO17)})

    def save(self, path: Path) -> None:
        """Write images, annotations and the category of COCO-17 as JSON."""
        _json(path, self._images, self._annotations, COCO17)

    def _add(self, label: dict[str, Any]) -> None:
        width, height = label["bbox"][2:]
        about = {
            "id": len(self._annotations) + 1,
            "image_id": self._images[-1]["id"],
            "category_id": 1,
            "area": AREA_OF_BOX * width * height,
        }
        self._annotations.append(about | label)


class PoseTrackFile:
    """One video as PoseTrack21 writes it: tracks, heads, keypoints that can be seen, and ignore regions."""

    def __init__(self, name: str, width: int, height: int, n_frames: int, last_person: int = 0) -> None:
        self.name, self.width, self.height, self.n_frames = name, width, height, n_frames
        self._ids = 10 ** max(3, len(str(last_person)))  # an annotation's number is this x image + person
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def frame(self, number: int, labelled: bool, ignore_px: Floats, picture: Picture | None = None) -> None:
        """Begin the frame of this number: is anybody labelled in it, and where (n, 4) are people who are not."""
        name = picture_name(number).as_posix()
        if picture is not None:
            name, self.width, self.height = picture.name, picture.width, picture.height
        self._images.append({
            "id": number, "image_id": number, "frame_id": number, "vid_id": self.name, "nframes": self.n_frames,
            "file_name": name, "width": self.width, "height": self.height,
            "is_labeled": True, "has_labeled_person": labelled,
            "ignore_regions_x": ignore_px[:, [0, 2, 2, 0]].tolist(),
            "ignore_regions_y": ignore_px[:, [1, 1, 3, 3]].tolist(),
        })  # fmt: skip

    def person(
        self,
        track: int,
        box_px: Floats,  # (4,) xyxy
        head_px: Floats,  # (2, 3) bottom and top of the head: x, y, above 0 if it can be seen
        keypoints_px: Floats,  # (17, 3) COCO-17, likewise
        **more: Any,  # further entries of the annotation
    ) -> None:
        """Add an annotation to the frame that was begun last; keypoints become PoseTrack's 17."""
        points = posetrack_points(keypoints_px, head_px)
        image = self._images[-1]["id"]
        self._annotations.append({
            "id": self._ids * image + track, "image_id": image, "category_id": 1,
            "track_id": track, "person_id": track,
            "bbox": xywh(box_px), "bbox_head": _head_box(head_px), "keypoints": points.ravel().tolist(),
        } | more)  # fmt: skip

    def save(self, path: Path) -> None:
        """Write images, annotations and PoseTrack's category as JSON."""
        _json(path, self._images, self._annotations, POSETRACK17)


def picture_name(number: int) -> Path:
    """The picture of a frame; the first one's number is 1."""
    return Path("img1") / f"{number:06d}.jpg"


def xywh(box_px: Floats) -> list[float]:
    """A box (4,) xyxy as left, top, width, height."""
    x0, y0, x1, y1 = np.asarray(box_px, np.float64)
    return [float(x0), float(y0), float(x1 - x0), float(y1 - y0)]


def posetrack_points(keypoints_px: Floats, head_px: Floats) -> Floats:  # (17, 3), (2, 3) -> (17, 3)
    """PoseTrack's keypoints from COCO-17 and the head's two points; those that cannot be seen are zeros."""
    points = np.concatenate([keypoints_px[:1], head_px, keypoints_px[3:]])
    points[[POSETRACK17.index(ear) for ear in ("left_ear", "right_ear")]] = 0
    return np.where(points[:, 2:] > 0, points, 0)


def _head_box(head_px: Floats) -> list[float]:
    """A square about the head, from the points at its bottom and top (2, 3)."""
    bottom, top = head_px[:, :2].astype(np.float64)
    half = 0.5 * np.linalg.norm(top - bottom)
    middle = (top + bottom) / 2
    return xywh(np.concatenate([middle - half, middle + half]))


def _json(path: Path, images: list[Any], annotations: list[Any], keypoints: Sequence[str]) -> None:
    person = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(keypoints),
        "skeleton": [],
    }
    with atomic_write(path) as file:
        file.write(
            json.dumps({"images": images, "annotations": annotations, "categories": [person]}).encode()
        )
