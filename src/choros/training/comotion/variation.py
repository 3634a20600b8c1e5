"""What makes a clip more than one: windows and colours when it is made, people, boxes and K each time it is used.

Boxes are given as a detector would: of what is to be seen rather than of the whole person, and never quite right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.training.comotion.labelled_clip import LabelledClip, mirrored, windowed


@dataclass(frozen=True)
class Variation:
    """Ranges; all of our choosing, since the paper gives none."""

    #: Of the picture's longer side; over 1, black is around it.
    window_share: tuple[float, float] = (0.6, 1.25)
    aspects: tuple[float, ...] = (1, 1, 4 / 3, 16 / 9, 9 / 16)  # width over height
    gain: float = 0.1  # spread of the logarithm, of each colour
    gamma: float = 0.2  # likewise
    saturation: tuple[float, float] = (0.5, 1.3)
    grey_rate: float = 0.05
    blur_rate: float = 0.15
    blur_px: tuple[float, float] = (0.5, 1.5)
    box_shift: float = 0.05  # spread of each side, share of the box
    focal: tuple[float, float] = (0.75, 1.35)  # times the true one, where that is known (paper 3)
    focal_rate: float = 0.5  # of the clips whose K is known
    unknown_focal: tuple[float, float] = (0.6, 2.5)  # times the longer side, where it is not (paper A.4)


def varied(
    clip: LabelledClip,
    rng: np.random.Generator,
    size: int,
    config: Variation,
    aspect: float | None = None,
) -> LabelledClip:
    """A window of the clip, the same in all frames, in a square of ``size`` px, mirrored half of the time.

    ``aspect`` is the window's width over its height, one of ``config.aspects`` if it is None.
    """
    height, width = clip.images.shape[1:3]
    longer = max(height, width) * rng.uniform(*config.window_share)
    aspect = float(rng.choice(config.aspects)) if aspect is None else aspect
    w, h = round(longer * min(aspect, 1)), round(longer / max(aspect, 1))
    x0, y0 = (round(rng.uniform(*sorted((0, whole - part)))) for whole, part in ((width, w), (height, h)))
    clip = windowed(clip, (x0, y0, x0 + w, y0 + h), size)
    if rng.random() < 0.5:
        clip = mirrored(clip)
    return replace(clip, images=recoloured(clip.images, rng, config))


def recoloured(
    images: NDArray[np.uint8], rng: np.random.Generator, config: Variation
) -> NDArray[np.uint8]:  # (T, H, W, 3) RGB
    """The frames of a clip under other light and before another lens, all alike."""
    gain = np.exp(rng.normal(0, config.gain, 3))
    gamma = np.exp(rng.normal(0, config.gamma))
    saturation = 0.0 if rng.random() < config.grey_rate else rng.uniform(*config.saturation)
    blur = rng.uniform(*config.blur_px) if rng.random() < config.blur_rate else 0.0
    levels = np.linspace(0, 1, 256)[:, None] ** gamma * gain
    table = np.clip(levels * 255 + 0.5, 0, 255).astype(np.uint8)[None]  # (1, 256, 3)
    grey = np.full((3, 3), 1 / 3)
    mix = saturation * np.eye(3) + (1 - saturation) * grey
    out = np.empty_like(images)
    for image, made in zip(images, out, strict=True):
        picture = cv2.LUT(image, table)
        if saturation != 1:
            picture = cv2.transform(picture, mix)
        if blur:
            picture = cv2.GaussianBlur(picture, (0, 0), blur)
        made[:] = picture
    return out


def detected_boxes(
    clip: LabelledClip, rng: np.random.Generator, config: Variation
) -> NDArray[np.float32]:  # (P, 4) xyxy
    """First boxes as a detector gives them: somewhere between the whole person's and that of what is seen."""
    size = clip.images.shape[1]
    boxes = clip.first_box_px.astype(np.float64)
    seen = seen_boxes(clip)
    boxes = boxes + rng.random((len(boxes), 1)) * (seen - boxes)
    side = np.maximum(boxes[:, 2:] - boxes[:, :2], 1)
    boxes = boxes + rng.normal(size=boxes.shape) * config.box_shift * np.tile(side, 2)
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:] - 2), np.maximum(boxes[:, 2:], boxes[:, :2] + 2)
    return np.clip(np.concatenate([low, high], -1), 0, size).astype(np.float32)


def seen_boxes(clip: LabelledClip) -> NDArray[np.float64]:  # (P, 4) xyxy
    """Around the keypoints that are seen in the first frame, with a margin, within the first boxes.

    Who shows fewer than four keeps the first box.
    """
    points = clip.keypoints_px[0].astype(np.float64)
    seen = points[..., 2:] > 0
    low = np.where(seen, points[..., :2], np.inf).min(1)
    high = np.where(seen, points[..., :2], -np.inf).max(1)
    enough = seen.sum((1, 2)) >= 4
    low, high = np.where(enough[:, None], low, 0), np.where(enough[:, None], high, 0)
    margin = 0.12 * (high - low).max(-1, keepdims=True, initial=0)
    first = clip.first_box_px
    box = np.concatenate(
        [np.maximum(low - margin, first[:, :2]), np.minimum(high + margin, first[:, 2:])], -1
    )
    return np.where(enough[:, None], box, first)


def assumed_focal(clip: LabelledClip, rng: np.random.Generator, config: Variation) -> NDArray[np.float32]:
    """K (T, 3, 3) as it is given to the network: made up where it is not known, at times wrong where it is."""

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    K = clip.K.copy()
    if clip.camera_known:
        if rng.random() < config.focal_rate:
            K[:, :2, :2] *= between(*config.focal)
    else:
        K[:, :2, :2] *= between(*config.unknown_focal) * clip.images.shape[1] / K[0, 0, 0]
    return K
