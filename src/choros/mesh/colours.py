"""The colour of each person: the same in films, pages, plots and files."""

from __future__ import annotations

import numpy as np

# Okabe and Ito's colours that people with any colour vision tell apart (jfly.uni-koeln.de/color), without
# black, then softer ones between them; neighbours in the list are far apart in hue and in lightness.
PALETTE = np.array(
    [
        (86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66), (0, 114, 178),
        (213, 94, 0), (153, 222, 196), (170, 68, 153), (221, 204, 190), (102, 102, 204), (153, 153, 51),
    ],
    np.uint8,
)  # fmt: skip


def colour_of(person: int) -> tuple[int, int, int]:
    """RGB 0..255 of an identity; the same in every frame, panel and video."""
    r, g, b = PALETTE[(person - 1) % len(PALETTE)].tolist()
    return r, g, b
