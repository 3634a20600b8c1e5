"""People in groups with known keypoints, for benchmarks/detection.py.

Two sources: a few annotated pictures of COCO, CrowdPose, OCHuman, PoseTrack and Human-Art in their official
formats, as mmpose keeps them among its tests; and groups composed from a video of a static camera, in which
people who walk alone are pasted shoulder to shoulder. Truth of the latter is what Thunder says of each alone,
so they measure what neighbours do to an estimate, not how good it is.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from choros.detection import MoveNet, NanoDet
from choros.keypoints import box_overlap

BODY = slice(5, 17)  # the joints that all the sources annotate
BOX_FILL = 0.53


@dataclass(frozen=True)
class Group:
    """A picture and all its annotated people."""

    name: str
    image: np.ndarray  # (H, W, 3) uint8 RGB
    boxes_px: np.ndarray  # (n, 4) float32
    keypoints: np.ndarray  # (n, 17, 3) x_px, y_px, 1 where annotated
    complete: bool  # whether nobody else is in the picture

    @property
    def areas(self) -> np.ndarray:  # (n,) px²
        return BOX_FILL * np.prod(self.boxes_px[:, 2:] - self.boxes_px[:, :2], -1)


def annotated_pictures(folder: Path) -> Iterator[Group]:
    """The people with at least three keypoints in the annotation files under ``folder``."""
    crowdpose = [*range(5, 17)]  # its first twelve keypoints are COCO's body
    posetrack = [0, *range(3, 17)]  # its second and third are neck and head top
    sets = {
        "coco/test_coco.json": ("coco", [*range(17)], [*range(17)]),
        "crowdpose/test_crowdpose.json": ("crowdpose", crowdpose, [*range(12)]),
        "ochuman/test_ochuman.json": ("ochuman", [*range(17)], [*range(17)]),
        "posetrack18/annotations/test_posetrack18_val.json": ("posetrack18", posetrack, posetrack),
        "humanart/test_humanart.json": ("humanart", [*range(17)], [*range(17)]),
    }
    for annotations, (pictures, ours, theirs) in sets.items():
        file = json.loads((folder / annotations).read_text())
        for entry in file["images"]:
            path = folder / pictures / entry["file_name"].removeprefix("HumanArt/images/")
            boxes, people = [], []
            for person in file["annotations"]:
                keypoints = np.zeros((17, 3))
                keypoints[ours] = np.reshape(person["keypoints"], (-1, 3))[theirs]
                keypoints[:, 2] = keypoints[:, 2] > 0
                if person["image_id"] == entry["id"] and keypoints[:, 2].sum() >= 3:
                    x, y, width, height = person["bbox"]
                    boxes.append([x, y, x + width, y + height])
                    people.append(keypoints)
            if people and path.exists():
                image = cv2.cvtColor(np.asarray(cv2.imread(str(path))), cv2.COLOR_BGR2RGB)
                yield Group(
                    f"{pictures}/{path.name}", image, np.array(boxes, np.float32), np.array(people), False
                )


@dataclass(frozen=True)
class Loner:
    """Somebody cut out of a video."""

    patch: np.ndarray  # (h, w, 3) uint8 RGB
    mask: np.ndarray  # (h, w) float32 in 0..1
    box_px: np.ndarray  # (4,) xyxy in the patch
    keypoints: np.ndarray  # (17, 3) in the patch


def composed_groups(video: Path, count: int) -> list[Group]:
    """``count`` groups of two to four people, 85 to 150 px tall, 0.3 to 0.85 of their widths apart."""
    with av.open(str(video)) as container:
        frames = [f.to_ndarray(format="rgb24") for i, f in enumerate(container.decode(video=0)) if i % 8 == 0]
    background = np.median(frames[::3], axis=0).astype(np.uint8)
    loners = list(_people_alone(frames, background))
    rng = np.random.default_rng(1)
    height, width = background.shape[:2]
    groups: list[Group] = []
    while len(groups) < count:
        image, boxes, people = background.copy(), [], []
        tall, x, floor = rng.uniform(85, 150), rng.uniform(0.25, 0.6) * width, rng.uniform(0.5, 0.85) * height
        for _ in range(rng.integers(2, 5)):
            loner = loners[rng.integers(len(loners))]
            scale = tall * rng.uniform(0.92, 1.08) / (loner.box_px[3] - loner.box_px[1])
            pasted = _paste(image, loner, x, floor + rng.uniform(-4, 8), scale)
            if pasted is None:
                break
            boxes.append(pasted[0])
            people.append(pasted[1])
            x += scale * (loner.box_px[2] - loner.box_px[0]) * rng.uniform(0.3, 0.85)
        else:
            groups.append(
                Group(f"group {len(groups)}", image, np.array(boxes, np.float32), np.array(people), True)
            )
    return groups


def _people_alone(frames: list[np.ndarray], background: np.ndarray) -> Iterator[Loner]:
    detector, estimator = NanoDet(), MoveNet("thunder")
    limits = [background.shape[1], background.shape[0]]
    for frame in frames:
        boxes, scores = detector.detect(frame)
        for i in np.flatnonzero((scores > 0.7) & (boxes[:, 3] - boxes[:, 1] > 75)):
            around = boxes[i] + [-40, -20, 40, 20]
            if (box_overlap(around[None], np.delete(boxes, i, 0)) > 0).any():
                continue
            if (around[:2] < 0).any() or (around[2:] > limits).any():
                continue
            keypoints = estimator.estimate(frame, boxes[i : i + 1])[0]
            if keypoints[BODY, 2].mean() < 0.75:
                continue
            left, top, right, bottom = (boxes[i] + [-6, -6, 6, 6]).astype(int)
            patch = frame[top:bottom, left:right].copy()
            differs = cv2.absdiff(patch, background[top:bottom, left:right]).max(-1) > 28
            solid = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
            parts, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
            if parts < 2:
                continue
            mask = (labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()).astype(np.float32)
            if mask.mean() > 0.2:
                corner = np.array([left, top])
                keypoints[:, :2] -= corner
                yield Loner(
                    patch, cv2.GaussianBlur(mask, (3, 3), 0), boxes[i] - np.tile(corner, 2), keypoints
                )


def _paste(
    image: np.ndarray, loner: Loner, x_px: float, floor_px: float, scale: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Paint the person, feet at (x, floor); their box and keypoints there, or None if they do not fit."""
    height, width = (max(1, round(side * scale)) for side in loner.mask.shape)
    stretch = np.array([width / loner.mask.shape[1], height / loner.mask.shape[0]])
    box = loner.box_px * np.tile(stretch, 2)
    left, top = round(x_px - (box[0] + box[2]) / 2), round(floor_px - box[3])
    if left < 0 or top < 0 or left + width > image.shape[1] or top + height > image.shape[0]:
        return None
    mask = cv2.resize(loner.mask, (width, height))[..., None]
    target = image[top : top + height, left : left + width]
    target[:] = target * (1 - mask) + cv2.resize(loner.patch, (width, height)) * mask
    keypoints = loner.keypoints.astype(float)
    keypoints[:, :2] = keypoints[:, :2] * stretch + [left, top]
    keypoints[:, 2] = keypoints[:, 2] > 0.7
    return box + np.array([left, top, left, top]), keypoints
