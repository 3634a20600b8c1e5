"""MoveNet SinglePose (Google, Apache-2.0) as a keypoint estimator: one square crop per person.

Lightning works on 192 px, Thunder on 256 px and takes about three times as long. The crop is a square around
the box with some room; what lies outside the image is black, as the network was trained.
"""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from choros.detection.protocols import check_image
from choros.detection.session import DATA, Network
from choros.devices import CPU, Device
from choros.run_identity import Identity, sha256_of

_CROP_PX = {"lightning": 192, "thunder": 256}

# Both networks are too modest: a keypoint they are 0.5 sure of is right five times in six. The logistic curve
# was fitted to the annotated people of benchmarks/detection.py, where it prints what is true.
_SURE_SLOPE, _SURE_HALF = 8.0, 0.28


class MoveNet:
    """The embedded keypoint networks.

    ``room`` is the side of the square crop over the box's longer side; ``threads`` is per run, on ``device``.
    Thread-safe and without state.
    """

    def __init__(
        self,
        variant: Literal["lightning", "thunder"] = "thunder",
        room: float = 1.25,
        threads: int = 2,
        weights: Path | None = None,
        device: Device = CPU,
    ) -> None:
        self.crop_px, self.room = _CROP_PX[variant], room
        self._weights = weights or DATA / f"movenet-{variant}.onnx"
        self._network = Network(self._weights, threads, device=device)

    def identity(self) -> Identity:
        """By what its results are decided, for a header."""
        return {"crop_px": self.crop_px, "room": self.room, "weights": sha256_of(self._weights)}

    def estimate(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        """Keypoints (n, 17, 3), x_px, y_px, confidence, of the person in the middle of each box (n, 4) xyxy.

        Raises `ChorosError` when ``image`` is not uint8 RGB (H, W, 3).
        """
        check_image(image)
        keypoints = np.empty((len(boxes_px), 17, 3), np.float32)
        for box, person in zip(crop_squares(boxes_px, self.room), keypoints, strict=True):
            crop = cut_square(image, box, self.crop_px)
            (found,) = self._network.run(None, {self._network.input: crop[None].astype(np.int32)})
            found = found.reshape(17, 3)
            person[:, :2] = box[:2] + found[:, 1::-1] * box[2]  # the network says y, x as shares of the crop
            person[:, 2] = chance_of_right(found[:, 2])
        return keypoints


def chance_of_right(confidence: np.ndarray) -> np.ndarray:  # (...) -> (...) in 0..1
    """MoveNet's confidence as the chance that the keypoint lies within one standard deviation of COCO (2 sigma
    times the root of the person's area) of where a person would annotate it; unseen ones count as wrong."""
    return 1 / (1 + np.exp(_SURE_SLOPE * (_SURE_HALF - confidence)))


def crop_squares(boxes_px: np.ndarray, room: float) -> np.ndarray:  # (n, 4) xyxy -> (n, 3) left, top, side
    """Squares around the boxes' centres, ``room`` times the longer side, in px of the image."""
    boxes = np.asarray(boxes_px, np.float64).reshape(-1, 4)
    side = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(-1) * room, 1.0)
    corner = (boxes[:, :2] + boxes[:, 2:] - side[:, None]) / 2
    return np.concatenate([corner, side[:, None]], -1)


def cut_square(image: np.ndarray, square: np.ndarray, size: int) -> np.ndarray:  # (size, size, 3) uint8
    """The square (left, top, side; px of the image) resampled to ``size`` px, black outside the image."""
    left, top, side = (float(value) for value in square)
    scale = side / size  # px of the image per px of the crop
    # cv2 counts from the centre of the first pixel, which lies half a pixel inside our origin.
    shift = 0.5 * scale - 0.5
    image_from_crop = np.array([[scale, 0.0, left + shift], [0.0, scale, top + shift]])
    return cv2.warpAffine(image, image_from_crop, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
