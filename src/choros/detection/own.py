"""choros's own keypoint network: a 3:4 crop of each person, heatmaps, all crops in one run.

MoveNet Lightning's trunk, taught by ``choros train keypoints`` that a crop's maps are of the person in its middle, and
not of who stands beside them.
"""

from __future__ import annotations

from pathlib import Path

from choros.detection.eyes.graph import OnnxGraph
from choros.detection.eyes.normalisation import Normalisation
from choros.detection.eyes.top_down import TopDown, TopDownKeypoints, heatmap_keypoints
from choros.devices import CPU, Device
from choros.run_identity import Identity, sha256_of
from choros.weights import load, shipped

SYSTEM = "keypoints"
CROP_SIZE = (256, 192)
#: RGB in -1..1, as MoveNet's trunk takes them.
_PIXELS = Normalisation((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))


class OwnKeypoints(TopDownKeypoints):
    """A network in a file that ``choros train keypoints`` wrote; none ships.

    Confidence is the largest value of a map; how often keypoints of one are right depends on the weights.
    Thread-safe and without state. Raises ``ChorosError`` where ``weights_path`` is of something else.
    """

    def __init__(self, weights_path: Path, threads: int = 2, device: Device = CPU) -> None:
        self.weights_path = weights_path
        tensors, _ = load(self.weights_path, SYSTEM)
        numbers = {name: tensor.float().numpy() for name, tensor in tensors.items()}
        graph = OnnxGraph(shipped("keypoints-graph"), CROP_SIZE, threads, device, numbers)
        super().__init__(graph, TopDown(SYSTEM, "choros's own heatmaps", heatmap_keypoints, _PIXELS))

    def identity(self) -> Identity:
        """By what its results are decided, for a header."""
        return {
            "family": self.family,
            "crop_px": list(self.crops.size_px),
            "room": self.room,
            "weights": sha256_of(self.weights_path),
        }
