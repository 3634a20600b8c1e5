"""MoveNet SinglePose (Google, Apache-2.0) as a keypoint estimator: one square crop per person.

Lightning works on 192 px, Thunder on 256 px and takes about three times as long. The crop is a square around
the box with some room; what lies outside the image is black, as the network was trained.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from choros.crops import CropSpec
from choros.detection.protocols import check_image
from choros.devices import CPU, Device
from choros.onnx_session import Network
from choros.run_identity import Identity, sha256_of
from choros.weights import shipped

_CROP_PX = {"lightning": 192, "thunder": 256}

# Both networks are too modest: a keypoint they are 0.5 sure of is right five times in six. The logistic curve
# was fitted to the annotated people of benchmarks/detection.py, where it prints what is true.
_SURE_SLOPE, _SURE_HALF = 8.0, 0.28


class MoveNet:
    """The embedded keypoint networks.

    ``room`` is the side of the square crop over the box's longer side; ``threads`` is per run, on ``device``: a second
    one costs a sixth more of a core's time, and frames are looked at side by side. Thread-safe and without state.
    """

    def __init__(
        self,
        variant: Literal["lightning", "thunder"] = "thunder",
        room: float = 1.25,
        threads: int = 1,
        weights: Path | None = None,
        device: Device = CPU,
    ) -> None:
        self.crop_px, self.room = _CROP_PX[variant], room
        self.crops = CropSpec((self.crop_px, self.crop_px), room)
        self._weights = weights or shipped(f"movenet-{variant}")
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
        crops = self.crops.around(boxes_px)
        for index, person in enumerate(keypoints):
            crop = crops[index]
            picture = crop.cut(image)[None].astype(np.int32)
            (found,) = self._network.run(None, {self._network.input: picture})
            found = found.reshape(17, 3)
            person[:, :2] = crop.from_shares(found[:, 1::-1])  # the network says y, x
            person[:, 2] = chance_of_right(found[:, 2])
        return keypoints


def chance_of_right(confidence: np.ndarray) -> np.ndarray:  # (...) -> (...) in 0..1
    """MoveNet's confidence as the chance that the keypoint is right; unseen ones count as wrong.

    Right is within one standard deviation of COCO (2 sigma times the root of the person's area) of where a person
    would annotate it.
    """
    return 1 / (1 + np.exp(_SURE_SLOPE * (_SURE_HALF - confidence)))
