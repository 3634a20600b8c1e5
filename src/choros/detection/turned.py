"""Which way up people are in pictures: a video filmed on its side, with nothing in it that says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from choros.detection.finder import Detections, PersonFinder

SHOULDERS, HIPS = slice(5, 7), slice(11, 13)  # of COCO-17

#: A turn must show people so many times better than the picture as it is, and in so many pictures.
BETTER, LEAST_PICTURES = 1.5, 2


def rotation_hint(finder: PersonFinder, images: Sequence[NDArray[np.uint8]]) -> int:
    """By how many degrees clockwise, 0, 90, 180 or 270, pictures (H, W, 3) are to be turned for people to stand.

    0 unless another turn is clearly better: people lie down, too.
    """
    by_turn = np.zeros((len(images), 4))
    for picture, image in enumerate(images):
        for quarters in range(4):
            turned = np.ascontiguousarray(np.rot90(image, -quarters))
            by_turn[picture, quarters] = _standing(finder.find(turned), finder.options.certain_score)
    best = int(by_turn.sum(0).argmax())
    agree = int((by_turn[:, best] > BETTER * by_turn[:, 0]).sum())
    clear = by_turn[:, best].sum() > BETTER * by_turn[:, 0].sum()
    return 90 * best if best and clear and agree >= min(LEAST_PICTURES, len(images)) else 0


def _standing(people: Detections, certain_score: float) -> float:
    """How well people are seen whose shoulders are above their hips, and more above than beside them."""
    keypoints = people.keypoints[people.scores >= certain_score]
    spine = (keypoints[:, HIPS, :2] - keypoints[:, SHOULDERS, :2]).mean(1)
    upright = spine[:, 1] > np.abs(spine[:, 0])
    return float(keypoints[upright, :, 2].mean(-1).sum())
