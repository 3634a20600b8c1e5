"""What networks of each family want pixels to be: the order of colours, their mean and their spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Normalisation:
    """Pixels in 0..255 less ``mean``, over ``std``, both in the order in which the network has the colours."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bgr: bool = False

    def blob(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures (n, H, W, 3) RGB as a network takes them, (n, 3, H, W)."""
        planes = pictures[..., ::-1] if self.bgr else pictures
        blob = np.ascontiguousarray(planes.transpose(0, 3, 1, 2), np.float32)
        # Lists of three of the narrowest type: float32 stays float32.
        blob -= np.array(self.mean, np.float32)[:, None, None]
        blob *= (1 / np.array(self.std, np.float32))[:, None, None]
        return blob

    def identity(self) -> dict[str, Any]:
        """For a header."""
        return {"mean": list(self.mean), "std": list(self.std), "bgr": self.bgr}


#: ImageNet's, of 0..255: TinyPose and PicoDet (PaddleDetection, configs), ViTPose, HRNet and RTMPose (mmpose, the
#: data preprocessors of their configs, which turn BGR to RGB).
IMAGENET_RGB = Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))

#: The same numbers on BGR: RTMDet (mmdetection, configs/rtmdet, ``bgr_to_rgb=False``).
IMAGENET_BGR = Normalisation((103.53, 116.28, 123.675), (57.375, 57.12, 58.395), bgr=True)

#: As they are: YOLOX since its release 0.1.1 (its ``ValTransform``, ``legacy=False``) and RTMO (mmpose's config).
PLAIN_BGR = Normalisation(bgr=True)
