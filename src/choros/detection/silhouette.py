"""Person or background, pixel by pixel: MediaPipe's selfie segmenter (Google, Apache-2.0) on a crop of a person.

It was made for video calls and does as well on whole people at some distance: IoU .80 to .90 on people of COCO
who stand alone. It tells people from background but not one person from another, so its answer is somebody's
outline only where nobody else is near.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.crops import Crop, CropSpec
from choros.detection.protocols import check_image
from choros.devices import CPU, Device
from choros.onnx_session import Network
from choros.run_identity import Identity, sha256_of
from choros.weights import shipped

CROP_PX = 256


class Silhouette(NamedTuple):
    """A square part of a picture, and how sure each of its pixels is of being person."""

    person: NDArray[np.float32]  # (CROP_PX, CROP_PX) 0 to 1
    crop: Crop  # which part that is


class Segmenter:
    """The embedded network, about 6 ms a person on one core. Thread-safe and without state.

    ``room`` is the side of the square crop over the box's longer side; ``threads`` is per run, on ``device``.
    """

    def __init__(
        self, room: float = 1.15, threads: int = 1, weights: Path | None = None, device: Device = CPU
    ) -> None:
        self.crops = CropSpec((CROP_PX, CROP_PX), room)
        self._weights = weights or shipped("segmenter")
        self._network = Network(self._weights, threads, device=device)

    @property
    def place(self) -> str:
        """The device that the network came to."""
        return self._network.place

    def identity(self) -> Identity:
        """By what its results are decided, for a header."""
        return {"room": self.crops.room, "weights": sha256_of(self._weights)}

    def silhouette(self, image: np.ndarray, box_px: np.ndarray) -> Silhouette:
        """The person in the middle of a box (4,) xyxy px; ``image`` is uint8 RGB (H, W, 3)."""
        check_image(image)
        crop = self.crops.around(box_px)
        picture = crop.cut(image).astype(np.float32) / 255
        person = self._network.run(None, {self._network.input: picture.transpose(2, 0, 1)[None]})[0]
        return Silhouette(person[0, 0], crop)
