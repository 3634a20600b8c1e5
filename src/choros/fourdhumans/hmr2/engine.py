"""HMR 2.0 as a pose engine: everyone's body in one picture, from their boxes, by a camera of known or assumed K."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.crops import Floats
from choros.detection import Detections
from choros.devices import CPU, Device
from choros.errors import ChorosError
from choros.fourdhumans.hmr2.config import CROP
from choros.fourdhumans.hmr2.decoder import CropBodies
from choros.fourdhumans.hmr2.network import Hmr2Network, normalised
from choros.fourdhumans.hmr2.placing import placed
from choros.fourdhumans.hmr2.posed_people import PosedPeople as PosedPeople
from choros.fourdhumans.hmr2.released import load_released
from choros.fourdhumans.hmr2.small.engine import SmallEngine

#: Crops that are looked at together: more are no faster on a CPU, and each takes memory.
BATCH = 8


class Hmr2Engine:
    """Looks at the crop of everybody and puts their bodies where the picture's camera sees them.

    The encoder computes in the ``device``'s dtype; bfloat16 is quicker where a CPU or GPU has it.
    """

    def __init__(self, network: Hmr2Network, body: BodyModel, device: Device = CPU) -> None:
        self._place = device.torch_device()
        self.network, self.body = network.to(self._place).eval(), body
        self._lower = device.torch_dtype()

    @classmethod
    def released(
        cls, weights_path: str | Path, body_path: str | Path | None, device: Device = CPU
    ) -> Hmr2Engine:
        """With the checkpoint that 4DHumans' authors released, and the user's SMPL file.

        Raises ``ChorosError`` without the latter, and as `load_released` and `BodyModel.load` do.
        """
        if body_path is None:
            raise ChorosError(
                f"{weights_path} tells SMPL's pose and shape; give your own SMPL file (.pkl or .npz) with it."
            )
        body = BodyModel.load(body_path)
        return cls(load_released(weights_path)[0], body, device)

    @staticmethod
    def small(weights_path: str | Path | None = None, body_path: str | Path | None = None) -> SmallEngine:
        """The small network instead, which ships and needs no file of anybody's; see `SmallEngine.load`."""
        return SmallEngine.load(weights_path, body_path)

    @torch.inference_mode()
    def pose(self, image: NDArray[np.uint8], people: Detections, K: Floats) -> PosedPeople:
        """The bodies of the ``people`` in an image (H, W, 3) RGB, in their order; ``K`` (3, 3) px of the picture."""
        parts = [
            self._pose(image, people.boxes_px[start : start + BATCH], K)
            for start in range(0, len(people), BATCH)
        ]
        if not parts:
            return PosedPeople.nobody()
        return PosedPeople(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _pose(self, image: NDArray[np.uint8], boxes_px: NDArray[np.floating], K: Floats) -> PosedPeople:
        crops = CROP.around(boxes_px)
        seen = normalised(crops.cut(image), self.network.config.encoder.width_px).to(self._place)
        bodies = CropBodies(*(part.cpu() for part in self.network(seen, self._lower)))
        found = placed(bodies, crops, K, self.body)
        return PosedPeople(*(part.double().numpy() for part in found))
