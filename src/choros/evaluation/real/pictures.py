"""Labelled pictures: are the people found, and are the bodies where the people are.

PCK is the share of the labelled keypoints that the body's own keypoints (the body's COCO regressor, projected) come
nearer to than .05 or .1 of the side of the square crop around the person, pooled over keypoints as 4DHumans's
evaluation does (supplement S.5; its crop is the box with which the network is shown the person). Which box that is
differs from set to set:

- ``lsp_extended`` has joints only. The box is that of the labelled twelve limb joints, each side grown by 1.25 about
  the middle; it is what the system is given, and its longer side is what errors are divided by. (4DHumans takes all
  fourteen joints and 1.2, the default of the files that it evaluates on.) People with fewer than 8 of the twelve
  labelled are left out. The set's head top and neck are not COCO's keypoints and are not scored.
- ``coco_bysa`` has COCO's boxes, which are given as they are; errors are divided by their longer side. People with
  fewer than 8 labelled keypoints are left out.

With boxes given, the system's stream begins with them (`stream.GivenStream`). With boxes found, it sees the single
picture as the first frame of a video and nothing else; whoever is asked for and not found counts as wrong in all
keypoints, so that leaving out whom one is not sure of wins nothing (``pck_05_of_found`` leaves them out).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.camera import intrinsics
from choros.datasets.coco import read_coco
from choros.datasets.lsp import LSP14
from choros.datasets.official import Official
from choros.datasets.sample import PersonLabel, to_coco17
from choros.errors import ChorosError
from choros.evaluation.real.people import (
    Floats,
    answer,
    likeness_to,
    match,
    relative_errors,
    share_within,
)
from choros.evaluation.real.result import Result, ResultPicture
from choros.evaluation.sources import ProgressCall
from choros.keypoints import AREA_OF_BOX, box_area
from choros.skeleton import COCO17
from choros.tracking.stream import GivenStream, Stream, System

_LSP_GROWN = 1.25  # of the box around the limb joints; see above
_MIN_LABELLED = 8
_LSP = Official("Leeds Sports Pose Extended", "sam.johnson.io/research/lspet.html", "research only")


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """A picture and its n labelled people."""

    image: Path
    boxes_px: Floats  # (n, 4) xyxy
    keypoints_px: Floats  # (n, 17, 3) COCO-17 x, y, 1 where labelled
    asked: NDArray[np.bool_]  # (n,) False: known to be there, neither right nor wrong
    area_px: Floats  # (n,) px², for OKS
    ignore_px: tuple[Floats, ...] = ()  # polygons (corners, 2) with people in them whom nobody labelled

    @property
    def size_px(self) -> Floats:
        """What errors are divided by, (n,): the longer side of the box."""
        return np.asarray((self.boxes_px[:, 2:] - self.boxes_px[:, :2]).max(-1), np.float64)


def read_lsp(folder: Path) -> list[LabelledPicture]:
    """The athletes of ``imNNNNN.jpg`` beside ``joints.mat`` (14, 3, N); those with too few joints are left out."""
    path = folder / "joints.mat"
    joints = np.asarray(_LSP.mat(path, ["joints"])["joints"], np.float64)
    pictures = []
    for image in sorted(folder.glob("im*.jpg")):
        with _LSP.reading(path):
            points = joints[:, :, int(image.stem.removeprefix("im")) - 1]
        person = PersonLabel(
            keypoints_px=np.c_[points[:, :2], points[:, 2] > 0].astype(np.float64), keypoint_names=LSP14
        )
        keypoints = to_coco17(person)
        labelled = keypoints[keypoints[:, 2] > 0, :2]
        if len(labelled) >= _MIN_LABELLED:
            box = grown(np.r_[labelled.min(0), labelled.max(0)], _LSP_GROWN)[None]
            pictures.append(
                LabelledPicture(image, box, keypoints[None], np.ones(1, bool), AREA_OF_BOX * box_area(box))
            )
    return pictures


def read_coco_pictures(
    annotations: Path, images: Path, min_keypoints: int = _MIN_LABELLED
) -> list[LabelledPicture]:
    """The people of a file in COCO's form who have enough keypoints; pictures without any are left out."""
    pictures = []
    for sample in read_coco(annotations, images):
        keypoints = np.array([to_coco17(person) for person in sample.people]).reshape(-1, len(COCO17), 3)
        asked = (keypoints[..., 2] > 0).sum(-1) >= min_keypoints
        if asked.any() and sample.image is not None:
            boxes = np.array([person.box_px for person in sample.people])[asked]
            area = AREA_OF_BOX * box_area(boxes)
            pictures.append(LabelledPicture(sample.image, boxes, keypoints[asked], asked[asked], area))
    return pictures


def labelled_pictures(row: str, root: Path) -> list[LabelledPicture]:
    """The pictures of ``lsp_extended`` or ``coco_bysa`` under the folder of the footage."""
    folder = root / "real" / row
    if row == "lsp_extended":
        return read_lsp(folder)
    return read_coco_pictures(folder / "person_keypoints.json", folder / "images")


def measure_given(
    row: str,
    label: str,
    name: str,
    system: System,
    pictures: Sequence[LabelledPicture],
    progress: ProgressCall,
) -> Result:
    """PCK of the people whose boxes are given, in every picture."""
    scores, shots, body = [], [], body_of(system)
    for picture, image, K, stream in _streams(system, pictures, f"{name}: {label}", progress):
        if not isinstance(stream, GivenStream):
            raise ChorosError(f"{name} cannot be given boxes; leave out the row {row}.")
        rows = stream.begin(image, picture.boxes_px.astype(np.float32), 0.0).rows
        order = np.argsort(rows["person"])
        scored = Scored.of(picture, rows[order], K, body, np.arange(len(picture.boxes_px)))
        scores.append(scored)
        shots.append(scored.shot(rows, K))
    return _result(row, f"{label}, boxes given", name, scores, shots, found=False)


def measure_found(
    row: str,
    label: str,
    name: str,
    system: System,
    pictures: Sequence[LabelledPicture],
    progress: ProgressCall,
) -> Result:
    """People found in every picture by itself, and PCK of everybody asked for."""
    scores, shots, body = [], [], body_of(system)
    for picture, image, K, stream in _streams(system, pictures, f"{name}: {label}", progress):
        rows = stream.update(image, 0.0).rows
        rows = rows[rows["visible"]]
        who = match(answer(rows, K, body), picture.boxes_px, picture.keypoints_px)
        scored = Scored.of(picture, rows, K, body, who)
        scores.append(scored)
        shots.append(scored.shot(rows, K))
    return _result(row, f"{label}, boxes found", name, scores, shots, found=True)


@dataclass(frozen=True, eq=False)
class Scored:
    """One picture's errors, of the people asked for."""

    picture: LabelledPicture
    found: NDArray[np.bool_]  # (n,)
    body: Floats  # (n, 17) relative errors; NaN where not labelled, infinite where nothing is shown
    eyes: Floats  # (n, 17)
    oks: Floats  # (n,) of the body
    extra: int  # people shown whom nobody labelled

    @classmethod
    def of(
        cls,
        picture: LabelledPicture,
        rows: NDArray[np.void],
        K: Floats,
        body: BodyModel,
        who: NDArray[np.intp],
    ) -> Scored:
        """``who`` (n,) says which of the rows each labelled person is, -1 none."""
        shown, asked = answer(rows, K, body), picture.asked
        mine = shown.chosen(who)
        truth, size = picture.keypoints_px, picture.size_px
        others = np.setdiff1d(np.arange(len(rows)), who)
        return cls(
            picture,
            (who >= 0)[asked],
            relative_errors(mine.body_px, truth, size)[asked],
            relative_errors(mine.eyes_px, truth, size)[asked],
            likeness_to(mine.body_px, truth, picture.area_px)[asked],
            sum(not excused(box, picture) for box in shown.boxes_px[others]),
        )

    def part(self) -> dict[str, object]:
        """One picture's line of the JSON file."""
        return {
            "picture": self.picture.image.name,
            "people": len(self.found),
            "found": int(self.found.sum()),
            "extra": self.extra,
            "oks": list(self.oks),
            "pck_05": share_within(self.body, 0.05),
            "pck_10": share_within(self.body, 0.1),
            "eyes_pck_05": share_within(self.eyes, 0.05),
            "eyes_pck_10": share_within(self.eyes, 0.1),
        }

    def shot(self, rows: NDArray[np.void], K: Floats) -> ResultPicture:
        """The picture with its rows, captioned with the shares of keypoints within .05 and .1 of the body's size."""
        score = share_within(self.body, 0.1)
        caption = f"{self.picture.image.stem} {share_within(self.body, 0.05):.2f}/{score:.2f}"
        return ResultPicture(self.picture.image, None, rows, K, caption, score=score)


def excused(box_px: Floats, picture: LabelledPicture) -> bool:
    """Whether somebody shown in a box, whom no label matches, stands where people are that nobody labelled."""
    regions = [np.r_[corners.min(0), corners.max(0)] for corners in picture.ignore_px]
    regions += list(picture.boxes_px[~picture.asked])
    area = max(float(box_area(box_px)), 1e-9)
    for region in regions:
        low, high = np.maximum(box_px[:2], region[:2]), np.minimum(box_px[2:], region[2:])
        if float(box_area(np.r_[low, high])) > 0.5 * area:
            return True
    return False


def pooled(scores: Sequence[Scored], *, found: bool) -> dict[str, float]:
    """The figures of a set: keypoints pooled over people, people over pictures."""
    seen = np.concatenate([score.found for score in scores])
    body = np.concatenate([score.body for score in scores])
    eyes = np.concatenate([score.eyes for score in scores])
    oks = np.concatenate([score.oks for score in scores])
    oks = oks[np.isfinite(oks)]
    return {
        "people": float(len(seen)),
        "found": float(seen.mean()) if found and len(seen) else float("nan"),
        "extra": float(sum(score.extra for score in scores)) if found else float("nan"),
        "pck_05": share_within(body, 0.05),
        "pck_10": share_within(body, 0.1),
        "eyes_pck_05": share_within(eyes, 0.05),
        "eyes_pck_10": share_within(eyes, 0.1),
        "pck_05_of_found": share_within(body[seen], 0.05),
        "pck_10_of_found": share_within(body[seen], 0.1),
        "oks": float(oks.mean()) if len(oks) else float("nan"),
    }


def grown(box_px: Floats, factor: float) -> Floats:
    """A box (4,) xyxy with each side ``factor`` times as long, about its middle."""
    middle, half = (box_px[:2] + box_px[2:]) / 2, (box_px[2:] - box_px[:2]) / 2 * factor
    return np.concatenate([middle - half, middle + half])


def read_picture(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, as the pixels lie in the file, in which its labels count. Raises ChorosError."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise ChorosError(f"{path} cannot be read as a picture; fetch it again.")
    return np.ascontiguousarray(image[..., ::-1], np.uint8)


def _streams(
    system: System, pictures: Sequence[LabelledPicture], what: str, progress: ProgressCall
) -> Iterator[tuple[LabelledPicture, NDArray[np.uint8], Floats, Stream]]:
    for number, picture in enumerate(pictures):
        progress(what, number, len(pictures))
        image = read_picture(picture.image)
        K = intrinsics(image.shape[1], image.shape[0])
        yield picture, image, K, system.stream(K)


def _result(
    row: str, label: str, name: str, scores: Sequence[Scored], shots: list[ResultPicture], *, found: bool
) -> Result:
    return Result(
        row, label, name, pooled(scores, found=found), [score.part() for score in scores], shots, scores
    )


def body_of(system: System) -> BodyModel:
    """The body that a system's rows are of."""
    return getattr(system, "body", None) or BodyModel.load()
