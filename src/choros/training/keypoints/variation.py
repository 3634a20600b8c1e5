"""One person's crop as it is learned from: moved, turned, mirrored, half, from afar, behind things, beside somebody."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.crops import turned_sides
from choros.skeleton import COCO17, MIRROR_COCO17
from choros.training.comotion.variation import Variation, recoloured
from choros.training.keypoints.network import CELL_PX, HEIGHT_PX, WIDTH_PX
from choros.training.keypoints.people import CROP, Person
from choros.training.keypoints.recipe import CropVariety

Floats = NDArray[np.float64]

UPPER = [k for k, name in enumerate(COCO17) if not name.endswith(("hip", "knee", "ankle"))]
LOWER = [k for k, name in enumerate(COCO17) if name.endswith(("hip", "knee", "ankle"))]
MIRROR = list(MIRROR_COCO17)
_GREY = 114  # what neighbours are painted over with (`choros.detection.neighbours`)
_COLOURS = Variation()


class Lesson(NamedTuple):
    """A crop and what is to be found in it."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    points_px: Floats  # (17, 2) of the crop, corner at 0
    known: NDArray[np.bool_]  # (17,)
    absent: NDArray[np.bool_]  # (17,) known not to be seen


def lesson(
    person: Person,
    picture: NDArray[np.uint8],
    cut_outs: NDArray[np.uint8],  # (n, H, W, 4)
    rng: np.random.Generator,
    ranges: CropVariety,
) -> Lesson:
    """A crop of one person, as chance has it."""
    known, absent = person.keypoints_px[:, 2] > 0, person.absent.copy()
    box = _half(person, rng) if rng.random() < ranges.half_rate else person.box_px
    crop_from_image = _placed(box, rng, ranges)
    mirrored = rng.random() < 0.5
    if mirrored:
        crop_from_image = np.diag([-1.0, 1.0, 1.0]) @ crop_from_image
        crop_from_image[0, 2] += WIDTH_PX
    image = _warped(picture, crop_from_image)
    points = person.keypoints_px[:, :2] @ crop_from_image[:2, :2].T + crop_from_image[:2, 2]
    if mirrored:
        points, known, absent = points[MIRROR], known[MIRROR], absent[MIRROR]
    inside = ((points >= 0) & (points < [WIDTH_PX, HEIGHT_PX])).all(-1)
    absent |= known & ~inside
    known = known & inside
    if rng.random() < ranges.beside_rate and len(cut_outs):
        covered = _beside(image, cut_outs[rng.integers(len(cut_outs))], rng, ranges)
        at = np.clip(np.floor(points), 0, [WIDTH_PX - 1, HEIGHT_PX - 1]).astype(int)
        known &= ~covered[at[:, 1], at[:, 0]]
    if rng.random() < ranges.cover_rate:
        _cover(image, rng, ranges)
    return Lesson(_seen(image, rng, ranges), points, known, absent)


def target(lesson: Lesson, sigma: float) -> NDArray[np.float32]:  # (17, H / 4, W / 4)
    """A Gaussian, 1 at its top, for each joint that is known; nothing for the others."""
    x, y = (np.arange(side // CELL_PX) for side in (WIDTH_PX, HEIGHT_PX))
    cells = np.where(lesson.known[:, None], lesson.points_px / CELL_PX, 1e3)
    across = np.exp(-0.5 * ((x - cells[:, :1]) / sigma) ** 2)
    down = np.exp(-0.5 * ((y - cells[:, 1:]) / sigma) ** 2)
    return (down[:, :, None] * across[:, None, :]).astype(np.float32)


def _half(person: Person, rng: np.random.Generator) -> Floats:
    """The box of the joints above or below the hips, with some room; the whole box where few of them are known."""
    which = UPPER if rng.random() < 0.6 else LOWER
    points = person.keypoints_px[which]
    points = points[points[:, 2] > 0, :2]
    if len(points) < 4:
        return person.box_px
    low, high = points.min(0), points.max(0)
    room = np.maximum(0.15 * (high - low), 0.1 * (high - low).max())
    low, high = np.maximum(low - room, person.box_px[:2]), np.minimum(high + room, person.box_px[2:])
    return np.r_[low, high] if (high - low).min() > 16 else person.box_px


def _placed(box: Floats, rng: np.random.Generator, ranges: CropVariety) -> Floats:  # (3, 3)
    """From the picture to the crop: about the box's middle, turned, moved, larger or smaller."""
    turn = 0.0
    if rng.random() < ranges.turn_rate:
        turn = np.deg2rad(np.clip(rng.normal(0, ranges.turn_deg), -45, 45))
    if rng.random() < ranges.any_turn_rate:
        turn = rng.uniform(-np.pi, np.pi)
    sides = turned_sides(box[2:] - box[:2], turn)
    extent = CROP.around(np.r_[-sides, sides] / 2).extent_px
    extent = extent * np.exp(np.clip(rng.normal(0.05, ranges.scale), -0.3, 0.6))
    middle = (box[:2] + box[2:]) / 2 + rng.normal(0, ranges.shift, 2) * (box[2:] - box[:2]).max()
    scale = WIDTH_PX / extent[0]
    matrix = np.eye(3)
    matrix[:2, :2] = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix[:2, 2] = [WIDTH_PX / 2, HEIGHT_PX / 2] - matrix[:2, :2] @ middle
    return matrix


def _warped(picture: NDArray[np.uint8], crop_from_image: Floats) -> NDArray[np.uint8]:
    to_corner = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])  # cv2 counts from pixels' middles
    matrix = (to_corner @ crop_from_image @ np.linalg.inv(to_corner))[:2]
    return np.asarray(cv2.warpAffine(picture, matrix, (WIDTH_PX, HEIGHT_PX)), np.uint8)


def _beside(
    image: NDArray[np.uint8], other: NDArray[np.uint8], rng: np.random.Generator, ranges: CropVariety
) -> NDArray[np.bool_]:
    """Paste somebody, (H, W, 4), in front and beside; gives which pixels are theirs, (H, W)."""
    scale = np.exp(rng.uniform(*np.log(ranges.beside_scale)))
    side = rng.choice([-1.0, 1.0])
    middle = [
        WIDTH_PX * (0.5 + side * rng.uniform(*ranges.beside)),
        HEIGHT_PX * (0.5 + rng.normal(0, 0.08)),
    ]
    flip = rng.choice([-1.0, 1.0])
    matrix = np.array([
        [flip * scale, 0, middle[0] - flip * scale * WIDTH_PX / 2],
        [0, scale, middle[1] - scale * HEIGHT_PX / 2],
    ])  # fmt: skip
    pasted = np.asarray(cv2.warpAffine(other, matrix, (WIDTH_PX, HEIGHT_PX)))
    share = pasted[..., 3:].astype(np.float32) / 255
    image[:] = np.rint(image * (1 - share) + pasted[..., :3] * share)
    return np.asarray(share[..., 0] > 0.5)


def _cover(image: NDArray[np.uint8], rng: np.random.Generator, ranges: CropVariety) -> None:
    """Lay a rectangle of one colour or of noise over a part."""
    width, height = (round(side * rng.uniform(*ranges.cover)) for side in (WIDTH_PX, HEIGHT_PX))
    x, y = rng.integers(WIDTH_PX - width), rng.integers(HEIGHT_PX - height)
    what = rng.random()
    part = image[y : y + height, x : x + width]
    if what < 0.4:
        part[:] = _GREY
    elif what < 0.7:
        part[:] = rng.integers(0, 256, 3)
    else:
        part[:] = rng.integers(0, 256, part.shape)


def _seen(image: NDArray[np.uint8], rng: np.random.Generator, ranges: CropVariety) -> NDArray[np.uint8]:
    """Under other light, from afar, and stored badly."""
    if rng.random() < ranges.coarse_rate:
        share = 1 / np.exp(rng.uniform(*np.log(ranges.coarse)))
        small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        image = np.asarray(cv2.resize(small, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_LINEAR), np.uint8)
    image = recoloured(image[None], rng, _COLOURS)[0]
    if rng.random() < ranges.jpeg_rate:
        quality = int(rng.integers(*ranges.jpeg))
        stored = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR), np.uint8)
    return image
