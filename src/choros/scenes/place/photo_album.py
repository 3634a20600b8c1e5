"""A folder of photographs that scenes cut pictures from: backgrounds, prints on clothes, posters.

The pictures are the user's; which of them and which part is drawn at random, the same for the same seed and folder.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.detection import PersonFinder
from choros.errors import ChorosError
from choros.video import picture


class Album:
    """The pictures of a folder and of those inside it, in the order of their names.

    Raises ``ChorosError`` for a folder without pictures.
    """

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in picture.SUFFIXES)
        if not self.paths:
            raise ChorosError(
                f"{folder} holds no photographs; give a folder with {', '.join(sorted(picture.SUFFIXES))} files."
            )

    def cut(self, rng: np.random.Generator, width: int, height: int, least: float = 0.4) -> NDArray[np.uint8]:
        """A part of a picture, (height, width, 3) uint8 RGB, at least that share of the picture's shorter side.

        Raises ``ChorosError`` for a file that is no picture.
        """
        path = self.paths[int(rng.integers(len(self.paths)))]
        try:
            photo, _ = picture.read(path)
        except picture.Unreadable as error:
            raise ChorosError(f"{path} cannot be used ({error}); take it out of the folder.") from error
        whole = min(photo.shape[1] / width, photo.shape[0] / height)  # the largest part of that shape
        scale = whole * float(rng.uniform(least, 1.0))
        w, h = max(int(width * scale), 1), max(int(height * scale), 1)
        x = int(rng.integers(photo.shape[1] - w + 1))
        y = int(rng.integers(photo.shape[0] - h + 1))
        part = photo[y : y + h, x : x + w]
        return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    def empty_cut(
        self, rng: np.random.Generator, width: int, height: int, tries: int = 12
    ) -> NDArray[np.uint8] | None:
        """A ``cut`` in which the embedded detector finds nobody, since truth knows only a scene's own people.

        None if that many have somebody in them.
        """
        for _ in range(tries):
            cut = self.cut(rng, width, height, 0.7)
            if not len(_finder().find(cut)):
                return cut
        return None


@lru_cache(maxsize=1)
def _finder() -> PersonFinder:
    return PersonFinder.default(fast=True, exact=True)  # a seed makes the same scene everywhere
