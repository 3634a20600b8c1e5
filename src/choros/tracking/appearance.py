"""What people look like, as few colours as tell them apart: trunk, thighs and shins, read at the keypoints.

Cheap enough for every frame and enough to know who steps out from behind a post; no network, no training.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PARTS = ("trunk", "thighs", "shins")

#: Where colours are read, as shares of the four corners (left and right shoulder, left and right hip).
_TRUNK = np.array(
    [
        [(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v]
        for u in (0.2, 0.35, 0.5, 0.65, 0.8)
        for v in (0.15, 0.3, 0.45, 0.6, 0.75)
    ]
)
_ALONG = np.linspace(0.2, 0.9, 8)[:, None]  # of a limb
_CORNERS = [5, 6, 11, 12]
_LIMBS = {1: [(11, 13), (12, 14)], 2: [(13, 15), (14, 16)]}


@dataclass(frozen=True)
class Colours:
    """``lab`` (n, 3 parts, 3) CIE L*a*b*; ``weight`` (n, 3) 0 to 1, how much of the part could be read."""

    lab: Floats
    weight: Floats


def read_colours(
    image: NDArray[np.uint8],  # (H, W, 3) RGB
    keypoints: Floats,  # (n, 17, 3) x_px, y_px, confidence
    min_confidence: float = 0.3,
) -> Colours:
    """The mean colour of each part of each person."""
    n = len(keypoints)
    place, confidence = keypoints[..., :2], keypoints[..., 2]
    points = [np.einsum("pc,ncx->npx", _TRUNK, place[:, _CORNERS])]
    sure = [np.repeat(confidence[:, _CORNERS].min(-1, keepdims=True), len(_TRUNK), 1)]
    part = [np.zeros(len(_TRUNK), int)]
    for index, limbs in _LIMBS.items():
        for a, b in limbs:
            points.append(place[:, None, a] + _ALONG * (place[:, b] - place[:, a])[:, None])
            sure.append(np.repeat(confidence[:, [a, b]].min(-1, keepdims=True), len(_ALONG), 1))
            part.append(np.full(len(_ALONG), index))
    at, parts = np.concatenate(points, 1), np.concatenate(part)
    height, width = image.shape[:2]
    inside = ((at >= 0) & (at < [width, height])).all(-1)
    weight = inside & (np.concatenate(sure, 1) >= min_confidence)
    column = np.clip(np.floor(np.nan_to_num(at)), 0, [width - 1, height - 1]).astype(int)
    rgb = image[column[..., 1], column[..., 0]].astype(np.float32) / 255  # (n, points, 3)
    lab = cv2.cvtColor(rgb.reshape(1, -1, 3), cv2.COLOR_RGB2LAB).reshape(rgb.shape) if n else rgb
    member = (parts == np.arange(len(PARTS))[:, None]) * weight[:, None]  # (n, 3, points)
    count = member.sum(-1)
    mean = (member @ lab.astype(np.float64)) / np.maximum(count, 1)[..., None]
    return Colours(mean, count / np.bincount(parts))


def alikeness(
    a: Colours,  # n people
    b: Colours,  # m people
    std_lab: float = 14.0,
    unknown: float = 0.5,
) -> Floats:  # (n, m) 0 to 1
    """How alike people look; ``unknown`` where no part of both was read.

    ``std_lab`` is how far the mean colour of the same clothes moves from one sight to another.
    """
    weight = a.weight[:, None] * b.weight[None]
    squared = ((a.lab[:, None] - b.lab[None]) ** 2).sum(-1)
    total = weight.sum(-1)
    mean = (weight * squared).sum(-1) / np.maximum(total, 1e-9)
    return np.where(total > 0.2, np.exp(-0.5 * mean / std_lab**2), unknown)


def remember(old: Colours, new: Colours, share: Floats) -> Colours:
    """Colours after another sight, which counts for ``share`` (n,) of the memory where it was fully read."""
    step = np.where(old.weight > 0, share[:, None] * new.weight, (new.weight > 0).astype(float))
    lab = old.lab + step[..., None] * (new.lab - old.lab)
    return Colours(lab, np.maximum(old.weight, new.weight))


def recognised(
    new: Colours,  # n people
    old: Colours,  # m people
    least: float = 0.8,
    clearly: float = 1.4,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:  # (k,) of the new, (k,) of the old
    """Who of the new is one of the old: alike by ``least``, and ``clearly`` more than anybody else of either is."""
    alike = alikeness(new, old, unknown=0.0)
    if not alike.size:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    rival = np.zeros_like(alike)
    for axis in (0, 1):
        top = np.sort(np.pad(alike, [(2, 0) if a == axis else (0, 0) for a in (0, 1)]), axis=axis)
        first, second = (np.take(top, [place], axis=axis) for place in (-1, -2))
        rival = np.maximum(rival, np.where(alike == first, second, first))
    which, who = np.nonzero((alike >= least) & (alike > clearly * rival))
    return which, who
