"""Contact sheets: many pictures on one, for looking at results side by side."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError


def contact_sheet(
    images: Sequence[NDArray[np.uint8]],  # each (H, W, 3) RGB
    columns: int,
    captions: Sequence[str] | None = None,
    gap_px: int = 4,
) -> NDArray[np.uint8]:  # (H, W, 3) RGB
    """Pictures in rows of ``columns``, in reading order, in cells that fit the largest.

    Raises ``ChorosError`` if there is no picture.
    """
    if not images:
        raise ChorosError("a contact sheet needs at least one picture.")
    height = max(image.shape[0] for image in images) + gap_px
    width = max(image.shape[1] for image in images) + gap_px
    lines = -(-len(images) // columns)
    sheet = np.full((lines * height + gap_px, columns * width + gap_px, 3), 255, np.uint8)
    for i, image in enumerate(images):
        y, x = gap_px + (i // columns) * height, gap_px + (i % columns) * width
        sheet[y : y + image.shape[0], x : x + image.shape[1]] = image
        if captions is not None:
            for ink, stroke in ((0, 3), (255, 1)):
                cv2.putText(
                    sheet, captions[i], (x + 4, y + 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (ink,) * 3, stroke,
                    cv2.LINE_AA,
                )  # fmt: skip
    return sheet
