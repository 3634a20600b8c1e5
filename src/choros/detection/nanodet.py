"""NanoDet-g (RangiLyu/nanodet, COCO weights) as a person detector, run at two picture sizes and merged.

One size is not enough: a person who fills a 640 px picture is missed at 640, a small one at 416. The boxes of
both sizes go through one non-maximum suppression. Heads as in Generalized Focal Loss (Li et al. 2020, section
3): each side of a box is the mean of a distribution over 0..10 cells.
"""

from pathlib import Path

import numpy as np

from choros.crops import CornerLetterbox
from choros.detection.protocols import check_image
from choros.devices import CPU, Device
from choros.keypoints import box_iou
from choros.onnx_session import Network
from choros.run_identity import Identity, sha256_of
from choros.weights import shipped

_STRIDES = (8, 16, 32)
_BINS = 11  # a side's distance is one of 0..10 cells, in expectation
_MEAN_BGR = (103.53, 116.28, 123.675)
_STD_BGR = (57.375, 57.12, 58.395)
_PADDING = 114  # grey, as in training


class NanoDet:
    """The embedded person detector (3.8 M weights; 22.9 mAP on COCO as published by its authors).

    ``sizes`` are the lengths, in px, that the image's longer side is brought to, one run of the network each.
    People scored under ``score`` are left out, and of two boxes overlapping by more than ``nms_iou`` the
    better stays. ``threads`` is per run, on ``device``. Thread-safe and without state.
    """

    def __init__(
        self,
        sizes: tuple[int, ...] = (416, 640),
        score: float = 0.40,
        nms_iou: float = 0.55,
        threads: int = 2,
        weights: Path | None = None,
        device: Device = CPU,
    ) -> None:
        self.sizes, self.score, self.nms_iou = sizes, score, nms_iou
        self._weights = weights or shipped("nanodet")
        self._network = Network(self._weights, threads, device=device)

    def identity(self) -> Identity:
        """By what its results are decided, for a header."""
        return {
            "sizes": self.sizes,
            "score": self.score,
            "nms_iou": self.nms_iou,
            "weights": sha256_of(self._weights),
        }

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (n, 4) xyxy px and scores (n,) of the people in ``image``, best first.

        Raises `ChorosError` when ``image`` is not uint8 RGB (H, W, 3).
        """
        check_image(image)
        found = [self._detect_at(image, size) for size in self.sizes]
        boxes = np.concatenate([boxes for boxes, _ in found])
        scores = np.concatenate([scores for _, scores in found])
        best = suppress_overlapping(boxes, scores, self.nms_iou)
        return boxes[best], scores[best]

    def _detect_at(self, image: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        letterbox = CornerLetterbox.fit(image.shape[0], image.shape[1], size)
        outputs = self._network.run(None, {self._network.input: network_input(image, letterbox)})
        boxes, scores = decode(outputs, letterbox.canvas, self.score)
        return letterbox.boxes_from_crop(boxes), scores


def network_input(image: np.ndarray, letterbox: CornerLetterbox) -> np.ndarray:  # (1, 3, h, w) float32, BGR
    """The image, scaled, padded and normalised."""
    height, width = letterbox.content
    content = letterbox.scaled(image)
    blob = np.empty((1, 3, *letterbox.canvas), np.float32)
    for channel in range(3):
        plane = blob[0, channel]
        plane[height:] = plane[:, width:] = _PADDING
        plane[:height, :width] = content[..., 2 - channel]
        plane -= _MEAN_BGR[channel]
        plane *= 1 / _STD_BGR[channel]
    return blob


def decode(
    outputs: list[np.ndarray],
    canvas: tuple[int, int],  # height, width
    score: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The people that the six heads hold: boxes (n, 4) xyxy px of the canvas and scores (n,), in no order.

    ``outputs`` are, for each stride s and in any order, probabilities (1, cells, 80) of COCO's classes,
    person first, and logits (1, cells, 44) of the distances left, top, right, bottom; cells = h/s * w/s, by
    rows.
    """
    by_cells = {(output.shape[1], output.shape[2]): output[0] for output in outputs}
    all_boxes, all_scores = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.float32)]
    for stride in _STRIDES:
        rows, columns = canvas[0] // stride, canvas[1] // stride
        person = by_cells[rows * columns, 80][:, 0]
        (cells,) = np.nonzero(person > score)
        logits = by_cells[rows * columns, 4 * _BINS][cells].reshape(-1, 4, _BINS)
        likely = np.exp(logits - logits.max(-1, keepdims=True))
        distances = likely @ np.arange(_BINS, dtype=np.float32) / likely.sum(-1) * stride
        centres = (np.stack([cells % columns, cells // columns], -1) + 0.5) * stride
        boxes = np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], -1)
        all_boxes.append(boxes.astype(np.float32))
        all_scores.append(person[cells])
    return np.concatenate(all_boxes), np.concatenate(all_scores)


def suppress_overlapping(
    boxes_px: np.ndarray,  # (n, 4) xyxy
    scores: np.ndarray,  # (n,)
    iou: float,
) -> np.ndarray:  # (k,) indices, best first
    """Greedy non-maximum suppression: a box goes if a better one stays that overlaps it above ``iou``."""
    order = np.argsort(-scores, kind="stable")
    overlaps = box_iou(boxes_px[order], boxes_px[order]) > iou
    stays = np.ones(len(order), bool)
    for rank in range(len(order)):
        if stays[rank]:
            stays[rank + 1 :] &= ~overlaps[rank, rank + 1 :]
    return order[stays]
