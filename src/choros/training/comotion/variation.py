"""What makes a clip more than one: windows and colours when it is made, people, boxes and K each time it is used.

Boxes are given as a detector would: of what is to be seen rather than of the whole person, and never quite right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.training.comotion.labelled_clip import LabelledClip, mirrored, windowed
from choros.training.comotion.views import Views, again, viewed


@dataclass(frozen=True)
class Variation:
    """Ranges; all of our choosing, since the paper gives none."""

    #: Of the picture's longer side; over 1, black is around it.
    window_share: tuple[float, float] = (0.6, 1.25)
    aspects: tuple[float, ...] = (1, 1, 4 / 3, 16 / 9, 9 / 16)  # width over height
    #: Of the clips: one of the people is looked at, by a camera that may be rolled and near.
    close_rate: float = 0.7
    roll_deg: float = 45.0  # at most, either way
    rolled_rate: float = 0.5  # the others are rolled by a few degrees
    height_share: tuple[float, float] = (0.2, 1.5)  # of the looked at, of the picture's height
    #: Of these clips, and of single pictures that become clips: the view moves.
    moving_rate: float = 0.4
    pan: float = 0.15  # spread of the way over a second, in sizes of the person
    zoom: float = 0.15  # spread of the logarithm over a second
    turn_deg: float = 6.0  # likewise
    gain: float = 0.15  # spread of the logarithm, of each colour
    gamma: float = 0.3  # likewise
    saturation: tuple[float, float] = (0.4, 1.4)
    grey_rate: float = 0.1
    blur_rate: float = 0.2
    blur_px: tuple[float, float] = (0.5, 1.5)
    erased_rate: float = 0.3  # of the clips: rectangles are painted over
    erased_most: int = 3
    erased_share: tuple[float, float] = (0.05, 0.25)  # of the picture's longer side, each side of them
    #: Of the trunk's maps, whose channels have a usual spread of about 1: of the logarithm of a channel's gain, and of
    #: what is added to all of it.
    map_gain: float = 0.1
    map_shift: float = 0.1
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
    frames: int | None = None,
) -> LabelledClip:
    """A window of the clip in a square of ``size`` px, mirrored half of the time, in other colours.

    ``aspect`` is the window's width over its height, one of ``config.aspects`` if it is None. ``frames`` makes a clip
    of a single picture, by a view that moves.
    """
    aspect = float(rng.choice(config.aspects)) if aspect is None else aspect
    still = len(clip) == 1 and frames is not None and frames > 1
    if clip.found.any() and (still or rng.random() < config.close_rate):
        clip = close_up(clip, rng, size, config, aspect, frames or len(clip))
    else:
        height, width = clip.images.shape[1:3]
        longer = max(height, width) * rng.uniform(*config.window_share)
        w, h = _shape(aspect, longer)
        x0, y0 = (round(rng.uniform(*sorted((0, whole - part)))) for whole, part in ((width, w), (height, h)))
        clip = windowed(clip, (x0, y0, x0 + w, y0 + h), size)
        clip = again(clip, frames) if still and frames else clip
    if rng.random() < 0.5:
        clip = mirrored(clip)
    clip = replace(clip, images=recoloured(clip.images, rng, config))
    return erased(clip, rng, config) if rng.random() < config.erased_rate else clip


def _shape(aspect: float, longer: float) -> tuple[int, int]:
    """Width and height of a picture, px."""
    return round(longer * min(aspect, 1)), round(longer / max(aspect, 1))


def close_up(
    clip: LabelledClip, rng: np.random.Generator, size: int, config: Variation, aspect: float, frames: int
) -> LabelledClip:
    """``frames`` of a clip, or of a single picture, by a camera that looks at somebody and may be rolled and move."""
    x0, y0, x1, y1 = clip.first_box_px[rng.choice(np.flatnonzero(clip.found))].astype(np.float64)
    w, h = _shape(aspect, size)
    rolled = rng.random() < config.rolled_rate
    angle = rng.uniform(-1, 1) * config.roll_deg if rolled else rng.normal(0, 3)
    person_px = max(x1 - x0, y1 - y0)
    low, high = np.log(config.height_share)
    # Enlarged no further than fourfold: there is nothing more to be seen.
    scale = min(np.exp(rng.uniform(low, high)) * h / person_px, 4.0)
    at = np.array([x0, y0]) + rng.uniform(0.2, 0.8, 2) * [x1 - x0, y1 - y0]
    lands = size / 2 + rng.uniform(-0.3, 0.3, 2) * [w, h]
    time = np.linspace(-0.5, 0.5, frames) * (frames - 1) / 12  # seconds, about
    moves = float(frames > 1 and rng.random() < config.moving_rate)
    zoom, turn, *pan = rng.normal(size=4) * [config.zoom, config.turn_deg, config.pan, config.pan] * moves
    views = Views.about(
        np.tile(at, (frames, 1)),
        lands + time[:, None] * pan * person_px * scale,
        scale * np.exp(zoom * time),
        np.deg2rad(angle + turn * time),
    )
    return viewed(clip, views, size, (w, h), int(rng.integers(256)) if rng.random() < 0.5 else 0)


def erased(clip: LabelledClip, rng: np.random.Generator, config: Variation) -> LabelledClip:
    """Rectangles painted over in all frames; keypoints in them are not seen, though still known."""
    size = clip.images.shape[1]
    images, keypoints = clip.images.copy(), clip.keypoints_px.copy()
    x0, y0, x1, y1 = clip.content_px or (0, 0, size, size)
    for _ in range(int(rng.integers(1, config.erased_most + 1))):
        side = rng.uniform(*config.erased_share, 2) * size
        low = rng.uniform([x0, y0], [x1, y1]) - side / 2
        (left, top), (right, bottom) = np.clip([low, low + side], [x0, y0], [x1, y1]).astype(int).tolist()
        images[:, top:bottom, left:right] = rng.integers(256, size=3)
        hit = np.all((keypoints[..., :2] >= [left, top]) & (keypoints[..., :2] < [right, bottom]), -1)
        keypoints[hit, 2] = 0
    return replace(clip, images=images, keypoints_px=keypoints)


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


def disturbed(maps: Tensor, rng: np.random.Generator, config: Variation) -> Tensor:
    """One of the trunk's maps (T, B, C, h, w) with each channel of each clip a little stronger or weaker."""
    gain, shift = (
        torch.from_numpy(rng.normal(size=(*maps.shape[1:3], 1, 1)) * spread).to(maps)
        for spread in (config.map_gain, config.map_shift)
    )
    return maps * gain.exp() + shift


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
