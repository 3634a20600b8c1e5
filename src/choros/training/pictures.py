"""Pictures of labelled samples, read when they are learned from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.datasets.sample import Sample
from choros.errors import ChorosError


def read_picture(sample: Sample) -> NDArray[np.uint8]:  # (H, W, 3) RGB
    """The picture of a sample, the right way up. Raises ``ChorosError`` if it cannot be read."""
    return np.ascontiguousarray(np.rot90(read_rgb(sample.image), -sample.quarter_turns_cw))


def read_rgb(path: Path | None) -> NDArray[np.uint8]:  # (H, W, 3) RGB
    """A picture as it is stored. Raises ``ChorosError`` if it cannot be read."""
    stored = None if path is None else cv2.imread(str(path))
    if stored is None:
        raise ChorosError(f"{path} is no picture that can be read; look whether the set is complete.")
    return np.ascontiguousarray(stored[..., ::-1]).astype(np.uint8, copy=False)
