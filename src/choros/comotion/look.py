"""What the network sees in a picture, and how finely it is shown it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from choros.backbones.trunk import COARSEST_PX, ImageTrunk
from choros.comotion.encoder import ImageTokens
from choros.comotion.network import ComotionNetwork
from choros.crops import Letterbox

#: Pictures of few sizes, of sides that the trunk's strides divide: onnxruntime plans each size anew.
FINER_STEP = 0.25


class Look:
    """``trunk`` gives the maps of the network's own."""

    def __init__(self, network: ComotionNetwork, trunk: ImageTrunk) -> None:
        self._network, self._trunk = network, trunk

    def finer(
        self,
        image: NDArray[np.uint8],  # (H, W, 3)
        boxes_px: NDArray[np.floating],  # (n, 4) xyxy of people in it
        best_height_px: float,
        finest: float,
    ) -> float:
        """How many times finer than its square the network is to see a picture, for people to be of that height."""
        config = self._network.config
        if not len(boxes_px) or not config.evidence:
            return 1.0
        height_px = float(np.median(boxes_px[:, 3] - boxes_px[:, 1]))
        in_square_px = height_px * config.image_size_px / max(image.shape[:2])
        wanted = best_height_px / max(in_square_px, 1.0)
        return min(max(1.0, round(wanted / FINER_STEP) * FINER_STEP), finest)

    def tokens(self, image: NDArray[np.uint8], finer: float) -> ImageTokens:
        """A picture (H, W, 3) uint8 RGB encoded, shown ``finer`` times as large as the network's square."""
        height, width = image.shape[:2]
        config = self._network.config
        letterbox = Letterbox(width, height, round(config.image_size_px * finer))
        square = letterbox.cut(image)
        x0, y0, x1, y1 = (0, 0, *square.shape[:2]) if config.padded else letterbox.content_px(COARSEST_PX)
        part = torch.tensor(square[y0:y1, x0:x1], device=self._network.body.device)
        maps = self._trunk(part.permute(2, 0, 1)[None].float() / 255)
        return self._network.encoder.tokens(maps, (x0 / finer, y0 / finer), finer)
