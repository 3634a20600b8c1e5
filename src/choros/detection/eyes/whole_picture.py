"""Networks that see a picture as a whole: detectors, and RTMO, which finds people and their keypoints at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from choros.crops import CornerLetterbox, CropSpec, fitted
from choros.detection.eyes import boxes
from choros.detection.eyes.graph import OnnxGraph, Outputs, Size
from choros.detection.eyes.normalisation import IMAGENET_BGR, IMAGENET_RGB, PLAIN_BGR, Normalisation
from choros.detection.nanodet import suppress_overlapping
from choros.detection.protocols import check_image
from choros.keypoints import box_area, box_iou
from choros.run_identity import Identity

Floats = NDArray[np.float32]

#: Grey around a picture that has another shape than the network's, as YOLOX, RTMDet and RTMO were trained with.
PADDING = 114
#: The embedded detector's; what overlaps by more is one person.
NMS_IOU = 0.55
LEAST_SCORE = 0.25
STEP = 32  # px, of the sides of a canvas whose size is free


@dataclass(frozen=True)
class Whole:
    """One kind of detector, and how its answer is read to boxes of the canvas and scores; see ``boxes``."""

    name: str
    what: str
    read: Callable[[Outputs, Size], boxes.Found | None]
    normalisation: Normalisation


DETECTORS = (
    Whole("picodet", "PicoDet's heads", boxes.picodet_heads, IMAGENET_RGB),
    Whole("picodet-listed", "PicoDet's boxes, all of them", boxes.picodet_listed, IMAGENET_RGB),
    Whole("picodet-nms", "PicoDet with suppression", boxes.picodet_rows, IMAGENET_RGB),
    Whole("rtmdet", "RTMDet's heads", boxes.rtmdet_heads, IMAGENET_BGR),
    Whole("yolox", "YOLOX's table", boxes.yolox_table, PLAIN_BGR),
    Whole("rtmdet-nms", "RTMDet with suppression", boxes.suppressed, IMAGENET_BGR),
    Whole("yolox-nms", "YOLOX with suppression", boxes.suppressed, PLAIN_BGR),
)


class OnnxDetector:
    """A detector of a user's; for ``detector_from``. Thread-safe and without state.

    People scored under ``score`` are left out, and of two boxes overlapping by more than ``nms_iou`` the better
    stays, also where the graph suppressed some itself.
    """

    def __init__(
        self, graph: OnnxGraph, kind: Whole, score: float = LEAST_SCORE, nms_iou: float = NMS_IOU
    ) -> None:
        self.family, self.sha256, self.size = kind.name, graph.sha256, graph.size
        self.score, self.nms_iou = score, nms_iou
        self._graph, self._kind = graph, kind

    def identity(self) -> Identity:
        """By what its results are decided, for a header."""
        return {
            "family": self.family,
            "size": list(self.size),
            "score": self.score,
            "nms_iou": self.nms_iou,
            "weights": self._graph.identity(),
        }

    def detect(self, image: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Boxes (n, 4) xyxy px and scores (n,) of the people in ``image``, best first.

        Raises ``ChorosError`` when ``image`` is not uint8 RGB (H, W, 3).
        """
        check_image(image)
        letterbox, picture = letterboxed(image, self._graph)
        outputs = self._graph.run(self._kind.normalisation.blob(picture[None]))
        answer = self._kind.read(outputs, letterbox.canvas)
        if answer is None:
            raise self._graph.unlike("it answers otherwise than in its first run")
        found, scores = answer
        kept = best_of(found, scores, self.score, self.nms_iou)
        return letterbox.boxes_from_crop(found[kept].astype(np.float32)), scores[kept].clip(0, 1)


class Rtmo:
    """RTMO (Lu et al. 2024): boxes and keypoints of everybody in one run; both a detector and a keypoint estimator.

    As an estimator it looks at the whole picture once, and each box gets the keypoints of the person whose own box
    overlaps it most. A box that nobody's overlaps by half is looked at by itself; where even that shows nobody, the
    answer is the middle of the box with confidence 0. Confidence is the network's own of whether a keypoint is seen.
    """

    #: Whoever asks for several people need not show each by itself, with the neighbours painted over.
    tells_people_apart = True
    family = "rtmo"

    def __init__(self, graph: OnnxGraph, score: float = LEAST_SCORE, nms_iou: float = NMS_IOU) -> None:
        self.sha256, self.size, self.score, self.nms_iou = graph.sha256, graph.size, score, nms_iou
        self._graph = graph

    def identity(self) -> Identity:
        """By what its results are decided, for a header."""
        return {
            "family": self.family,
            "size": list(self.size),
            "score": self.score,
            "nms_iou": self.nms_iou,
            "weights": self._graph.identity(),
        }

    def detect(self, image: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Boxes (n, 4) xyxy px and scores (n,) of the people in ``image``, best first.

        Raises ``ChorosError`` when ``image`` is not uint8 RGB (H, W, 3).
        """
        found, scores, _ = self.people(image)
        return found, scores

    def estimate(self, image: NDArray[np.uint8], boxes_px: NDArray[np.floating]) -> Floats:
        """COCO-17 keypoints (n, 17, 3), x_px, y_px, confidence, of the people in the boxes (n, 4) xyxy.

        Raises ``ChorosError`` when ``image`` is not uint8 RGB (H, W, 3).
        """
        check_image(image)
        keypoints = np.zeros((len(boxes_px), 17, 3), np.float32)
        if not len(boxes_px):
            return keypoints
        found, _, points = self.people(image)
        whose = _whose(boxes_px, found)
        for person, box in enumerate(boxes_px):
            alone = points[whose[person]] if whose[person] >= 0 else self._by_itself(image, box)
            keypoints[person] = alone
        return keypoints

    def people(self, image: NDArray[np.uint8]) -> tuple[Floats, Floats, Floats]:
        """Boxes (n, 4) xyxy px, scores (n,) and keypoints (n, 17, 3) of everybody in a picture, best first."""
        check_image(image)
        letterbox, picture = letterboxed(image, self._graph)
        answer = rtmo_arrays(self._graph.run(PLAIN_BGR.blob(picture[None])))
        if answer is None:
            raise self._graph.unlike("it answers otherwise than in its first run")
        rows, points = answer[0][0], answer[1][0, :, :17]
        kept = best_of(rows[:, :4], rows[:, 4], self.score, self.nms_iou)
        rows, points = rows[kept], points[kept].copy()
        points[..., :2] = letterbox.from_crop(points[..., :2])
        points[..., 2] = points[..., 2].clip(0, 1)
        return letterbox.boxes_from_crop(rows[:, :4]), rows[:, 4].clip(0, 1), points

    def _by_itself(self, image: NDArray[np.uint8], box_px: NDArray[np.floating]) -> Floats:
        """The keypoints (17, 3) of who fills a box, seen larger; the middle of the box where nobody does."""
        crop = CropSpec((self.size[1], self.size[0]), 1.25).around(box_px)
        found, _, points = self.people(crop.cut(image))
        middle = np.array([*(box_px[:2] + box_px[2:]) / 2, 0], np.float32)
        if not len(found):
            return np.tile(middle, (17, 1))
        mine = points[box_iou(crop.boxes_to_crop(box_px)[None], found)[0].argmax()]
        mine[:, :2] = crop.from_crop(mine[:, :2])
        return mine


def rtmo_arrays(outputs: Outputs) -> tuple[Floats, Floats] | None:
    """Boxes with scores (1, n, 5) and keypoints (1, n, K, 3), as mmdeploy exports RTMO; None if others come out."""
    rows = [array for array in outputs.values() if array.ndim == 3 and array.shape[-1] == 5]
    points = [array for array in outputs.values() if array.ndim == 4 and array.shape[-1] == 3]
    return (rows[0], points[0]) if len(rows) == len(points) == 1 and len(outputs) == 2 else None


def letterboxed(image: NDArray[np.uint8], graph: OnnxGraph) -> tuple[CornerLetterbox, NDArray[np.uint8]]:
    """How a picture lies in the canvas of a graph, and that canvas, (h, w, 3).

    A fixed canvas is filled as far as the picture's shape allows; of a free one the longer side is the graph's.
    """
    height, width = image.shape[:2]
    if graph.fixed:
        content_width, content_height = fitted(width, height, graph.size[1], graph.size[0])
        letterbox = CornerLetterbox((height, width), (content_height, content_width), graph.size)
    else:
        letterbox = CornerLetterbox.fit(height, width, max(graph.size), STEP)
    canvas = np.full((*letterbox.canvas, 3), PADDING, np.uint8)
    canvas[: letterbox.content[0], : letterbox.content[1]] = letterbox.scaled(image)
    return letterbox, canvas


def best_of(boxes_px: Floats, scores: Floats, score: float, nms_iou: float) -> NDArray[np.intp]:
    """Which boxes (n, 4) with some area stay, best first: those scored well enough and not covered by a better one."""
    good = np.flatnonzero((scores >= score) & (box_area(boxes_px) > 0))
    kept: NDArray[np.intp] = good[suppress_overlapping(boxes_px[good], scores[good], nms_iou)]
    return kept


def _whose(boxes_px: NDArray[np.floating], found_px: Floats) -> NDArray[np.intp]:
    """Which of the found boxes each of ``boxes_px`` is, -1 for none: together as much overlap as can be."""
    whose = np.full(len(boxes_px), -1, np.intp)
    overlap = box_iou(boxes_px, found_px)
    rows, columns = linear_sum_assignment(-overlap)
    half = overlap[rows, columns] >= 0.5
    whose[rows[half]] = columns[half]
    return whose
