"""Pictures cut for networks: letterboxes, which hold a whole image, and crops, which hold a box of it.

Each knows where points and boxes of the image lie in the picture that was cut, the way back, and the intrinsics K
there. Image coordinates are continuous and in pixels, with (0, 0) at the outer corner of the first pixel, so that
scaling an image by s scales coordinates by s. Networks were tuned on exactly the pixels that are made here: how a
picture is sampled differs between the classes, and that is meant.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = Any  # np.ndarray or torch.Tensor, the same kind out as in
Floats = NDArray[np.float64]

#: HMR 2.0 blurs before it cuts if a pixel of the crop is more than twice this many pixels of the image.
BLUR_FROM = 1.1
#: Standard deviations up to which that blur is summed, as scikit-image's, which HMR 2.0 was trained with.
BLUR_REACH = 4.0
#: How far around a sampled point bilinear sampling looks, px.
SAMPLED_PX = 2


class Placement(ABC):
    """Where an image lies in the picture that was cut from it; `Letterbox`, `CornerLetterbox` and `Crop` are such."""

    @abstractmethod
    def to_crop(self, points_px: Array) -> Array:
        """Image points (..., 2) px to the cut picture, px."""

    @abstractmethod
    def from_crop(self, points_px: Array) -> Array:
        """Points (..., 2) px of the cut picture to the image, px."""

    @abstractmethod
    def K(self, K: Floats) -> Floats:
        """Intrinsics (..., 3, 3) of the image to those of the cut picture."""

    def boxes_to_crop(self, boxes_px: Array) -> Array:
        """Boxes (..., 4) xyxy px of the image to the cut picture."""
        return self.to_crop(boxes_px.reshape(*boxes_px.shape[:-1], 2, 2)).reshape(boxes_px.shape)

    def boxes_from_crop(self, boxes_px: Array) -> Array:
        """Boxes (..., 4) xyxy px of the cut picture to the image."""
        return self.from_crop(boxes_px.reshape(*boxes_px.shape[:-1], 2, 2)).reshape(boxes_px.shape)


@dataclass(frozen=True)
class Letterbox(Placement):
    """An image scaled to fit a square and centred in it, to fractions of a pixel.

    ``scale`` is square px per image px; the image's corner lands at (``left_px``, ``top_px``).
    """

    width: int
    height: int
    size: int

    @property
    def scale(self) -> float:
        """Square px per image px."""
        return self.size / max(self.width, self.height)

    @property
    def left_px(self) -> float:
        """Where the image's left edge lies in the square."""
        return (self.size - self.width * self.scale) / 2

    @property
    def top_px(self) -> float:
        """Where the image's upper edge lies in the square."""
        return (self.size - self.height * self.scale) / 2

    @property
    def _affine(self) -> Floats:
        return np.array([[self.scale, 0, self.left_px], [0, self.scale, self.top_px], [0, 0, 1]])

    def cut(self, image: NDArray[np.uint8], border: int = 0) -> NDArray[np.uint8]:
        """Image (height, width, 3) to the square, (size, size, 3), ``border`` around it."""
        # cv2 counts from pixel centres, half a pixel inside the corner that we count from.
        to_corner = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
        warp = (to_corner @ self._affine @ np.linalg.inv(to_corner))[:2]
        if self.scale < 1:
            # An area filter first: bilinear sampling alone would skip pixels and shimmer.
            width, height = round(self.width * self.scale), round(self.height * self.scale)
            small = cv2.resize(image, (max(width, 1), max(height, 1)), interpolation=cv2.INTER_AREA)
            image = np.asarray(small, np.uint8)
            shrink = np.diag([self.width / image.shape[1], self.height / image.shape[0], 1.0])
            warp = (to_corner @ self._affine @ shrink @ np.linalg.inv(to_corner))[:2]
        square = cv2.warpAffine(image, warp, (self.size, self.size), borderValue=(border, border, border))
        return np.asarray(square, np.uint8)

    def content_px(self, step: int) -> tuple[int, int, int, int]:
        """The part of the square that the image covers, x0, y0, x1, y1, outwards to multiples of ``step`` px."""
        x0, y0 = (int(max(low, 0) // step) * step for low in (self.left_px, self.top_px))
        return x0, y0, self.size - x0, self.size - y0

    def to_crop(self, points_px: Array) -> Array:
        """Image points (..., 2) px to the square, px."""
        return points_px * self.scale + self._offset(points_px)

    def from_crop(self, points_px: Array) -> Array:
        """Points (..., 2) in the square to the image, px."""
        return (points_px - self._offset(points_px)) / self.scale

    def K(self, K: Floats) -> Floats:
        """Intrinsics (..., 3, 3) of the image to those of the square."""
        return self._affine @ K

    def _offset(self, like: Array) -> Array:
        offset = np.array([self.left_px, self.top_px])
        if isinstance(like, np.ndarray):
            return offset
        import torch

        return torch.as_tensor(offset, dtype=like.dtype, device=like.device)


def halved(image: NDArray[np.uint8], least_px: int) -> tuple[NDArray[np.uint8], int]:
    """An image (H, W, 3) halved as often as its longer side stays ``least_px``, and how many times smaller it is.

    For those who look at it in several sizes: the whole of a large picture is then averaged once. A row or column
    that is left over at the end goes.
    """
    times = 1
    while max(image.shape[:2]) >= 2 * least_px and min(image.shape[:2]) >= 2:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = np.asarray(
            cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA),
            np.uint8,
        )
        times *= 2
    return image, times


@dataclass(frozen=True)
class CornerLetterbox(Placement):
    """An image scaled to whole pixels, ``content``, at the top left of a ``canvas`` whose sides suit a network.

    Sizes are (height, width), px. The two sides are rounded, hence scaled, separately.
    """

    image: tuple[int, int]
    content: tuple[int, int]
    canvas: tuple[int, int]

    @classmethod
    def fit(cls, height: int, width: int, long_side: int, step: int = 32) -> CornerLetterbox:
        """The longer side of the image becomes ``long_side``; the canvas's sides are multiples of ``step``."""
        scale = long_side / max(height, width)
        content = max(1, round(height * scale)), max(1, round(width * scale))
        canvas = -(-content[0] // step) * step, -(-content[1] // step) * step
        return cls((height, width), content, canvas)

    def scaled(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Image (H, W, 3) to the content, (h, w, 3), without what pads it."""
        height, width = self.content
        # Averaging over areas is slow, and needed only where bilinear sampling would skip pixels.
        method = cv2.INTER_AREA if image.shape[0] > 2 * height else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)

    def to_crop(self, points_px: Array) -> Array:
        """Image points (..., 2) px to the canvas, px, both float32."""
        return points_px / self._image_px_of_a_canvas_px()

    def from_crop(self, points_px: Array) -> Array:
        """Points (..., 2) px of the canvas to the image, px, both float32."""
        return points_px * self._image_px_of_a_canvas_px()

    def K(self, K: Floats) -> Floats:
        """Intrinsics (..., 3, 3) of the image to those of the canvas."""
        (height, width), (content_height, content_width) = self.image, self.content
        return np.diag([content_width / width, content_height / height, 1.0]) @ K

    def _image_px_of_a_canvas_px(self) -> NDArray[np.float32]:  # (2,) x, y
        (height, width), (content_height, content_width) = self.image, self.content
        return np.array([width / content_width, height / content_height], np.float32)


@dataclass(frozen=True, eq=False)
class Crop(Placement):
    """Rectangles of an image, upright, each brought to ``size_px``; leading axes ``...`` are as many crops as wanted.

    Points of B crops are (B, ..., 2): those of the first crop, those of the second, and so on.
    """

    corner_px: Floats  # (..., 2) x, y of the upper left corner in the image; it may lie outside
    extent_px: (
        Floats  # (..., 2) width, height in the image; a negative width mirrors, its corner is the right one
    )
    size_px: tuple[int, int]  # width, height of the crop
    antialias: Literal["none", "gaussian"] = "none"

    def __getitem__(self, which: Any) -> Crop:
        """Some of the crops, as NumPy's indices pick them."""
        return Crop(self.corner_px[which], self.extent_px[which], self.size_px, self.antialias)

    def __iter__(self) -> Iterator[Crop]:
        """The crops along the first axis."""
        return (self[k] for k in range(len(self.corner_px)))

    @property
    def scale(self) -> Floats:
        """Crop px per image px along x and y, (..., 2)."""
        return np.array(self.size_px) / self.extent_px

    def to_crop(self, points_px: Array) -> Array:
        """Image points (..., 2) px to the crops, px."""
        corner, scale = _alike(points_px, self.corner_px, self.scale)
        return (points_px - corner) * scale

    def from_crop(self, points_px: Array) -> Array:
        """Points (..., 2) px of the crops to the image, px."""
        corner, scale = _alike(points_px, self.corner_px, self.extent_px / np.array(self.size_px))
        return corner + points_px * scale

    def from_shares(self, shares: Array) -> Array:
        """Points (..., 2) as shares of the crops' width and height to the image, px."""
        corner, extent = _alike(shares, self.corner_px, self.extent_px)
        return corner + shares * extent

    def K(self, K: Floats) -> Floats:
        """Intrinsics of the image, (3, 3) or one for each crop (..., 3, 3), to those of the crops, (..., 3, 3)."""
        affine = np.zeros((*self.corner_px.shape[:-1], 3, 3))
        affine[..., [0, 1], [0, 1]] = self.scale
        affine[..., :2, 2] = -self.corner_px * self.scale
        affine[..., 2, 2] = 1
        return affine @ K

    def cut(self, image: NDArray[Any], border: float = 0) -> NDArray[Any]:
        """The crops of an image (H, W, C), (..., height, width, C) of its type, ``border`` outside the image.

        Sampled bilinearly; with ``antialias="gaussian"`` strong shrinking blurs first (see `CropSpec`). Of an image of
        uint8 the result is rounded; who wants it exact gives float32.
        """
        corners, extents = self.corner_px.reshape(-1, 2), self.extent_px.reshape(-1, 2)
        width, height = self.size_px
        cuts = np.empty((len(corners), height, width, *image.shape[2:]), image.dtype)
        for cut, corner, extent in zip(cuts, corners, extents, strict=True):
            cut[:] = _sampled(image, corner, extent, self.size_px, border, self.antialias == "gaussian")
        return cuts.reshape(*self.corner_px.shape[:-1], *cuts.shape[1:])


@dataclass(frozen=True)
class CropSpec:
    """Which crop of a person a network wants: the smallest of its shape that holds the box, and some room.

    ``widened_to`` is a shape, width and height, to which the shorter side of a box is first stretched about its middle:
    a narrow box of someone upright thus gets no larger crop than a wide one. MoveNet is ``CropSpec((192, 192), 1.25)``;
    HMR 2.0 (4DHumans, ``hmr2/datasets/vitdet_dataset.py``) ``CropSpec((256, 256), 1.0, (192, 256), "gaussian")``.
    "gaussian" blurs where a pixel of the crop is more than 2.2 pixels of the image: with f half of that ratio, by a
    standard deviation of (f - 1) / 2 px.
    """

    size_px: tuple[int, int]  # width, height of the crop
    room: float = 1.0  # its sides over those of the smallest that holds the box
    widened_to: tuple[int, int] | None = None
    antialias: Literal["none", "gaussian"] = "none"
    least_px: float = 1.0  # of its width in the image

    def around(self, boxes_px: NDArray[np.floating[Any]]) -> Crop:
        """The crops about the middles of boxes (..., 4) xyxy px."""
        boxes = np.asarray(boxes_px, np.float64)
        sides = boxes[..., 2:] - boxes[..., :2]
        width, height = self.size_px
        if self.widened_to is not None:
            wide, high = self.widened_to
            sides = np.maximum(sides, sides[..., ::-1] * [wide / high, high / wide])
        fitting = (sides * [1.0, width / height]).max(-1, keepdims=True)
        extent = np.maximum(fitting * self.room, self.least_px) * [1.0, height / width]
        return Crop((boxes[..., :2] + boxes[..., 2:] - extent) / 2, extent, self.size_px, self.antialias)


def turned_square(
    image: NDArray[Any],
    middle_px: Floats,
    side_px: float,
    turn_rad: float,
    mirrored: bool,
    size_px: int,
) -> tuple[NDArray[Any], Floats]:
    """A square of an image (H, W, 3), turned, (size_px, size_px, 3) of its type on black; and where points lie there.

    The square has its middle (2,) and side in the image; what it shows is turned clockwise by ``turn_rad``, after it
    was mirrored if so asked. The second is the affine map (2, 3) from the image to the square. It is blurred before as
    `CropSpec` says of "gaussian".
    """
    scale = size_px / side_px
    cos, sin = scale * np.cos(turn_rad), scale * np.sin(turn_rad)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    affine = np.column_stack([linear, size_px / 2 - linear @ middle_px])
    factor, kind, moved = 1 / (2 * scale), image.dtype, np.zeros(2)
    if factor > BLUR_FROM:
        reach = np.full(2, side_px / np.sqrt(2))  # whatever the turn
        image, moved = _blurred(image, middle_px - reach, 2 * reach, (factor - 1) / 2)
    # cv2 counts from the centre of the first pixel, which lies half a pixel inside our origin.
    shift = affine[:, 2] + linear @ (moved + 0.5) - 0.5
    cut = cv2.warpAffine(image, np.column_stack([linear, shift]), (size_px, size_px), flags=cv2.INTER_LINEAR)
    return (cut if kind.kind == "f" else np.rint(cut)).astype(kind), affine


def turned_sides(sides: Floats, turn_rad: float) -> Floats:
    """Sides (2,) of the box about what fills the ellipse in a box, once that is turned."""
    return np.hypot(sides * np.cos(turn_rad), sides[::-1] * np.sin(turn_rad))


def fitted(width: int, height: int, into_width: int, into_height: int) -> tuple[int, int]:
    """The size, px, at which a picture just fits into another one, its shape kept."""
    scale = min(into_width / width, into_height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def in_bars(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The whole image, (h, w, 3), as large as fits into the middle of ``width`` x ``height`` px, on black."""
    w, h = fitted(image.shape[1], image.shape[0], width, height)
    if (w, h) != (image.shape[1], image.shape[0]):
        smaller = w < image.shape[1] or h < image.shape[0]
        image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    x, y = (width - w) // 2, (height - h) // 2
    shown = np.zeros((height, width, 3), np.uint8)
    shown[y : y + h, x : x + w] = image
    return shown


def _alike(points: Array, *of_crops: Floats) -> list[Array]:
    """Numbers (..., 2) of crops with axes put in so that they meet the points (..., *, 2) of each; of their kind."""
    lead = of_crops[0].shape[:-1]
    within = (1,) * (points.ndim - 1 - len(lead))
    laid_out = [numbers.reshape(*lead, *within, 2) for numbers in of_crops]
    if isinstance(points, np.ndarray):
        return list(laid_out)
    import torch

    return [torch.as_tensor(numbers, dtype=points.dtype, device=points.device) for numbers in laid_out]


def _sampled(
    image: NDArray[Any],
    corner: Floats,
    extent: Floats,
    size_px: tuple[int, int],
    border: float,
    blurred: bool,
) -> NDArray[Any]:
    """One crop of an image, bilinear, blurred before if it shrinks much."""
    scale = extent / size_px  # px of the image per px of the crop
    factor = float(np.abs(scale).max()) / 2
    if blurred and factor > BLUR_FROM:
        kind = image.dtype
        image, moved = _blurred(image, corner, extent, (factor - 1) / 2)
        cut = _warped(image, corner - moved, scale, size_px, border)
        return cut if kind.kind == "f" else np.rint(cut).astype(kind)
    return _warped(image, corner, scale, size_px, border)


def _warped(
    image: NDArray[Any], corner: Floats, scale: Floats, size_px: tuple[int, int], border: float
) -> NDArray[Any]:
    (scale_x, scale_y), (left, top) = scale.tolist(), corner.tolist()
    # cv2 counts from the centre of the first pixel, which lies half a pixel inside our origin.
    image_from_crop = np.array([
        [scale_x, 0.0, left + (0.5 * scale_x - 0.5)],
        [0.0, scale_y, top + (0.5 * scale_y - 0.5)],
    ])  # fmt: skip
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(image, image_from_crop, size_px, flags=how, borderValue=(border,) * 4)
    return np.asarray(cut).reshape(*cut.shape[:2], *image.shape[2:])


def _blurred(
    image: NDArray[Any], corner: Floats, extent: Floats, sigma_px: float
) -> tuple[NDArray[np.float32], Floats]:
    """The part of an image that a crop is sampled from, blurred as if all of it were; and where the part begins."""
    reach = int(BLUR_REACH * sigma_px + 0.5)
    around = reach + SAMPLED_PX
    low, high = np.minimum(corner, corner + extent), np.maximum(corner, corner + extent)
    height, width = image.shape[:2]
    x0, y0 = (np.clip(np.floor(low) - around, 0, [width - 1, height - 1])).astype(int).tolist()
    x1, y1 = (np.clip(np.ceil(high) + around, [x0 + 1, y0 + 1], [width, height])).astype(int).tolist()
    part = image[y0:y1, x0:x1].astype(np.float32)
    side = 2 * reach + 1
    soft = cv2.GaussianBlur(
        part, (side, side), sigma_px, sigmaY=sigma_px, borderType=cv2.BORDER_REPLICATE
    ).reshape(part.shape)
    return np.asarray(soft, np.float32), np.array([x0, y0], np.float64)
