"""Keypoint networks that see one person in a crop: heatmaps (TinyPose, HRNet, ViTPose), or SimCC (RTMPose)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.crops import CropSpec
from choros.detection.eyes.dark import peaks
from choros.detection.eyes.graph import OnnxGraph, Outputs, Size
from choros.detection.eyes.normalisation import IMAGENET_RGB, Normalisation
from choros.detection.protocols import check_image
from choros.run_identity import Identity

Floats = NDArray[np.float32]

#: The sides of the crop over those of the smallest that holds the box: 1.25 in the configs of mmpose
#: (``GetBBoxCenterScale``) and of PaddleDetection's keypoint networks alike.
ROOM = 1.25


@dataclass(frozen=True)
class TopDown:
    """One kind of answer: ``read`` gives (n, K, 3) x, y in px of the crop, (0, 0) its corner, and confidence in 0..1.

    It gives None where what came out of a graph is of another kind.
    """

    name: str
    what: str
    read: Callable[[Outputs, Size], Floats | None]
    normalisation: Normalisation = IMAGENET_RGB


class TopDownKeypoints:
    """A keypoint network of a user's, in crops of the size that its graph says; for ``keypoints_from``.

    All crops of a picture go through one run where the graph leaves the size of a batch free. Thread-safe and without
    state. Confidence is what the network says of itself; see the readers of each kind.
    """

    def __init__(self, graph: OnnxGraph, kind: TopDown, room: float = ROOM) -> None:
        self.family, self.sha256, self.room = kind.name, graph.sha256, room
        height, width = graph.size
        self.crops = CropSpec((width, height), room)
        self._graph, self._kind = graph, kind

    def identity(self) -> Identity:
        """By what its results are decided, for a header."""
        return {
            "family": self.family,
            "crop_px": list(self.crops.size_px),
            "room": self.room,
            "weights": self._graph.identity(),
        }

    def estimate(self, image: NDArray[np.uint8], boxes_px: NDArray[np.floating]) -> Floats:
        """COCO-17 keypoints (n, 17, 3), x_px, y_px, confidence, of the person in the middle of each box (n, 4) xyxy.

        Raises ``ChorosError`` when ``image`` is not uint8 RGB (H, W, 3).
        """
        check_image(image)
        if not len(boxes_px):
            return np.zeros((0, 17, 3), np.float32)
        crops = self.crops.around(boxes_px)
        outputs = self._graph.run(self._kind.normalisation.blob(crops.cut(image)))
        found = self._kind.read(outputs, self._graph.size)
        if found is None:
            raise self._graph.unlike("it answers otherwise than in its first run")
        found = found[:, :17]
        found[..., :2] = crops.from_crop(found[..., :2])
        return found


# --- heatmaps -------------------------------------------------------------------------------------


def heatmap_keypoints(outputs: Outputs, size: Size) -> Floats | None:
    """Peaks of heatmaps (n, K, H / s, W / s), as TinyPose and HRNet have them: a cell is s px, whose first is at 0.

    Confidence is the largest value of the map, cut off at 0 and 1. Both was measured with TinyPose on 985 people of
    COCO val2017 (CC BY 2.0) with true joints: cells are 4.02 and 3.99 px, from -.7 and -.2 px; and the value is the
    chance that a keypoint is right to .1, mostly .03 (right as of `movenet.chance_of_right`). Of others nobody knows.
    """
    maps = _heatmaps(outputs, size)
    return None if maps is None else _at_peaks(maps, np.array(size[::-1]) / maps.shape[:1:-1])


def udp_keypoints(outputs: Outputs, size: Size) -> Floats | None:
    """The same of networks that learned unbiased maps (UDP, Huang et al. 2020, section 3.2), as ViTPose in mmpose.

    The middles of the first and the last cell are those of the first and the last pixel.
    """
    maps = _heatmaps(outputs, size)
    return (
        None
        if maps is None
        else _at_peaks(maps, (np.array(size[::-1]) - 1) / (np.array(maps.shape[:1:-1]) - 1))
    )


def _heatmaps(outputs: Outputs, size: Size) -> Floats | None:
    """The one output that is heatmaps; there may be others of two axes, as PaddleDetection's argmax."""
    maps = [array for array in outputs.values() if array.ndim == 4 and array.dtype.kind == "f"]
    if len(maps) != 1 or any(array.ndim > 2 for array in outputs.values() if array is not maps[0]):
        return None
    height, width = maps[0].shape[2:]
    strides = [s for s in (2, 4, 8) if (height * s, width * s) == tuple(size)]
    return maps[0] if strides else None


def _at_peaks(maps: Floats, cell_px: NDArray[np.float64]) -> Floats:
    found = peaks(maps)
    found[..., :2] *= cell_px.astype(np.float32)
    found[..., 2] = found[..., 2].clip(0, 1)
    return found


# --- SimCC ----------------------------------------------------------------------------------------


def simcc_keypoints(outputs: Outputs, size: Size) -> Floats | None:
    """The likeliest of W r bins along x and H r along y, outputs (n, K, W r) and (n, K, H r) with r bins a pixel.

    SimCC (Li et al. 2022, equation 3), as RTMPose's codec in mmpose reads them. Confidence is the lower of the two
    peaks, cut off at 0 and 1; RTMPose's are about 1 where it is sure.
    """
    lines = _lines(outputs, size)
    if lines is None:
        return None
    bins = np.stack([line.argmax(-1) for line in lines], -1).astype(np.float32)
    sure = np.minimum(lines[0].max(-1), lines[1].max(-1)).clip(0, 1)
    return np.concatenate([bins * np.float32(size[1] / lines[0].shape[-1]), sure[..., None]], -1)


def _lines(outputs: Outputs, size: Size) -> tuple[Floats, Floats] | None:
    """The bins along x and along y, whichever comes first in the graph."""
    lines = [array for array in outputs.values() if array.ndim == 3 and array.dtype.kind == "f"]
    if len(outputs) != 2 or len(lines) != 2 or lines[0].shape[1] != lines[1].shape[1]:
        return None
    names = [name.lower() for name in outputs]
    swapped = names[0].endswith("y") or names[1].endswith("x")
    for x, y in [lines[::-1], lines] if swapped else [lines, lines[::-1]]:
        a_px, rest = divmod(x.shape[-1], size[1])
        if a_px and not rest and y.shape[-1] == a_px * size[0]:
            return x, y
    return None


KINDS = (
    TopDown("heatmap", "heatmaps, as of TinyPose and HRNet", heatmap_keypoints),
    TopDown("udp-heatmap", "heatmaps learned by UDP, as of ViTPose", udp_keypoints),
    TopDown("simcc", "bins along x and y, as of RTMPose", simcc_keypoints),
)
