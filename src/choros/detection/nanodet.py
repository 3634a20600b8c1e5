"""NanoDet-g (RangiLyu/nanodet, COCO weights) as a person detector, run at two picture sizes and merged.

One size is not enough: a person who fills a 640 px picture is missed at 640, a small one at 416. The boxes of
both sizes go through one non-maximum suppression. Heads as in Generalized Focal Loss (Li et al. 2020, section
3): each side of a box is the mean of a distribution over 0..10 cells. The same in whole numbers of eight bits, for
people alone, comes from `tools/build_detector.py`.
"""

from pathlib import Path

import numpy as np

from choros.crops import CornerLetterbox, halved
from choros.detection.protocols import check_image
from choros.devices import CPU, Device
from choros.keypoints import box_iou
from choros.onnx_session import Network
from choros.run_identity import Identity, sha256_of
from choros.weights import shipped

_STRIDES = (8, 16, 32)
_BINS = 11  # a side's distance is one of 0..10 cells, in expectation
SIDES = 4 * _BINS
#: Of the spread of what is seen in noise: that eight bits move it by no more where their sums do not overflow.
OVERFLOW = 0.15
_MEAN_BGR = (103.53, 116.28, 123.675)
_STD_BGR = (57.375, 57.12, 58.395)
_PADDING = 114  # grey, as in training


class NanoDet:
    """The embedded person detector (3.8 M weights; 22.9 mAP on COCO as published by its authors).

    ``sizes`` are the lengths, in px, that the image's longer side is brought to, one run of the network each.
    People scored under ``score`` are left out, and of two boxes overlapping by more than ``nms_iou`` the
    better stays. ``threads`` is per run, on ``device``. Thread-safe and without state. If it may be ``rounded``, a CPU
    computes the embedded weights in eight bits, in a third of the time, unless its sums of these overflow: people are
    the same but for those near ``score``, which moves by 0.04 (one standard deviation).
    """

    def __init__(
        self,
        sizes: tuple[int, ...] = (416, 640),
        score: float = 0.40,
        nms_iou: float = 0.55,
        threads: int = 2,
        weights: Path | None = None,
        device: Device = CPU,
        rounded: bool = False,
    ) -> None:
        self.sizes, self.score, self.nms_iou = sizes, score, nms_iou
        self._weights = weights or shipped("nanodet")
        self._network = Network(self._weights, threads, device=device)
        if rounded and weights is None and self._network.place == "cpu":
            self._to_eight_bits(threads)

    def identity(self) -> Identity:
        """By what its results are decided, for a header."""
        return {
            "sizes": self.sizes,
            "score": self.score,
            "nms_iou": self.nms_iou,
            "weights": sha256_of(self._weights),
        }

    def _to_eight_bits(self, threads: int) -> None:
        """Take the network in eight bits if it sees in noise about what the exact one does.

        Without VNNI, x86 adds pairs of products in 16 bits, which overflow.
        """
        path = shipped("nanodet-int8")
        coarse = Network(path, threads)
        noise = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
        exact, seen = (_logits(network, noise) for network in (self._network, coarse))
        if np.abs(seen - exact).mean() < OVERFLOW * np.abs(exact - exact.mean()).mean():
            self._weights, self._network = path, coarse

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (n, 4) xyxy px and scores (n,) of the people in ``image``, best first.

        Raises `ChorosError` when ``image`` is not uint8 RGB (H, W, 3).
        """
        check_image(image)
        image, times = halved(image, 2 * max(self.sizes))
        found = [self._detect_at(image, size) for size in self.sizes]
        boxes = times * np.concatenate([boxes for boxes, _ in found])
        scores = np.concatenate([scores for _, scores in found])
        best = suppress_overlapping(boxes, scores, self.nms_iou)
        return boxes[best], scores[best]

    def _detect_at(self, image: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        letterbox = CornerLetterbox.fit(image.shape[0], image.shape[1], size)
        outputs = self._network.run(None, {self._network.input: network_input(image, letterbox)})
        boxes, scores = decode(outputs, letterbox.canvas, self.score)
        return letterbox.boxes_from_crop(boxes), scores


def _logits(network: Network, blob: np.ndarray) -> np.ndarray:  # (1, 3, h, w) -> (cells, 44)
    """The distances' logits of all strides, in an order of the sizes."""
    outputs = [output[0] for output in network.run(None, {network.input: blob}) if output.shape[2] == SIDES]
    return np.concatenate(sorted(outputs, key=len))


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

    ``outputs`` are, for each stride s and in any order, probabilities (1, cells, classes), person first, and logits
    (1, cells, 44) of the distances left, top, right, bottom; cells = h/s * w/s, by rows.
    """
    sides = {output.shape[1]: output[0] for output in outputs if output.shape[2] == SIDES}
    classes = {output.shape[1]: output[0] for output in outputs if output.shape[2] != SIDES}
    all_boxes, all_scores = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.float32)]
    for stride in _STRIDES:
        rows, columns = canvas[0] // stride, canvas[1] // stride
        person = classes[rows * columns][:, 0]
        (cells,) = np.nonzero(person > score)
        logits = sides[rows * columns][cells].reshape(-1, 4, _BINS)
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
