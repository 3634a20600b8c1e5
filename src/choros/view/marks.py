"""The flat marks on a frame: a person's number on a tag, the dashed outline of a ghost, a 2D skeleton.

All sizes follow the height of the image, so that a mark looks the same at 480p and at 4K.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]  # RGB 0..255
Box = tuple[int, int, int, int]  # x0, y0, x1, y1 px, ends excluded

# COCO-17 keypoints that a line joins.
LIMBS = (
    (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14),
    (14, 16), (0, 5), (0, 6),
)  # fmt: skip
MIN_CONFIDENCE = 0.2  # of a keypoint that is drawn
_DARK: Colour = (20, 20, 24)
_LIGHT: Colour = (250, 250, 250)


def _line_px(image: NDArray[np.uint8]) -> int:
    """Width of a line that is thin but seen, px: 1 up to 540 rows, 2 at 720p, 6 at 4K."""
    return max(1, round(image.shape[0] / 360))


def _line_for(image: NDArray[np.uint8], tall_px: float) -> int:
    """The same for something so many px tall: thinner where it is small."""
    return min(_line_px(image), max(1, int(tall_px / 120)))


def tag(
    image: NDArray[np.uint8],  # (H, W, 3) RGB, written in place
    text: str,
    place: tuple[float, float],  # x, y px: what the tag stands above
    colour: Colour,
    solid: bool,  # else dark with a coloured rim
    taken: list[Box],  # tags that it must not cover
) -> Box:
    """Write a short text on a tag above a place, inside the image and clear of other tags where it can be."""
    height, width = image.shape[:2]
    scale, stroke = max(height / 1350, 0.4), max(1, round(height / 600))
    (text_width, text_height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, stroke)
    pad = round(0.45 * text_height)
    tag_width, tag_height = max(text_width, text_height) + 2 * pad, text_height + 2 * pad
    x, y = place[0] - tag_width / 2, place[1] - tag_height - pad

    def moved(right: int, down: int) -> Box:
        x0 = round(min(max(x + right * (tag_width + 1), 1), max(width - tag_width - 1, 1)))
        y0 = round(min(max(y + down * (tag_height + 1), 1), max(height - tag_height - 1, 1)))
        return x0, y0, x0 + tag_width, y0 + tag_height

    tries = [moved(right, -up) for up in (0, 1, -1, 2) for right in (0, 1, -1)]
    box = next((b for b in tries if not any(_meet(b, other) for other in taken)), tries[0])

    luminance = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    ink = _DARK if solid and luminance > 120 else _LIGHT
    rim = max(1, _line_px(image) // 2)
    last = (box[2] - 1, box[3] - 1)
    cv2.rectangle(image, box[:2], last, colour if solid else _DARK, -1)
    cv2.rectangle(image, box[:2], last, _DARK if solid else colour, rim)
    corner = (box[0] + (tag_width - text_width) // 2, box[1] + pad + text_height)
    cv2.putText(image, text, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, stroke, cv2.LINE_AA)
    return box


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def dashed(
    image: NDArray[np.uint8],  # (H, W, 3) RGB, written in place
    mask: NDArray[np.bool_],  # (h, w), a part of the image
    corner: tuple[int, int],  # x, y px of the mask's first pixel in the image
    colour: Colour,
) -> None:
    """A dashed line around a shape, thinner around a small one."""
    width = _line_for(image, mask.shape[0])
    dash = 2 + 4 * width
    # Where the image cuts the shape off it goes on outside, and its outline with it.
    (height, width_px), (x, y), beyond = image.shape[:2], corner, 2 * width
    left, top = beyond * (x == 0), beyond * (y == 0)
    right, bottom = beyond * (x + mask.shape[1] == width_px), beyond * (y + mask.shape[0] == height)
    whole = np.pad(np.pad(mask, ((top, bottom), (left, right)), mode="edge"), 1)
    contours, _ = cv2.findContours(
        whole.astype(np.uint8),
        cv2.RETR_EXTERNAL,
        cv2.CHAIN_APPROX_NONE,
        offset=(x - left - 1, y - top - 1),
    )
    for contour in contours:
        if len(contour) < 2 * dash:
            continue  # a crumb
        for start in range(0, len(contour), 2 * dash):
            piece = contour[start : start + dash]
            cv2.polylines(image, [piece], False, _DARK, 2 * width, cv2.LINE_AA)
            cv2.polylines(image, [piece], False, colour, width, cv2.LINE_AA)


def skeleton(
    image: NDArray[np.uint8],  # (H, W, 3) RGB, written in place
    keypoints_px: NDArray[np.float32],  # (17, 3) x_px, y_px, confidence
    colour: Colour,
) -> None:
    """COCO-17 keypoints that are sure enough, joined by the limbs; dark rims keep them apart from bodies."""
    # cv2 counts from the centre of the first pixel, in sixteenths here.
    points = np.round((keypoints_px[:, :2] - 0.5) * 16)
    sure = (keypoints_px[:, 2] >= MIN_CONFIDENCE) & (np.abs(points) < 2**24).all(1)
    if not sure.any():
        return
    width = _line_for(image, np.ptp(keypoints_px[sure, 1]))
    places = [(int(x), int(y)) for x, y in np.where(sure[:, None], points, 0)]
    for ink, thickness in ((_DARK, 2 * width), (colour, width)):
        for a, b in LIMBS:
            if sure[a] and sure[b]:
                cv2.line(image, places[a], places[b], ink, thickness, cv2.LINE_AA, 4)
    for place, is_sure in zip(places, sure, strict=True):
        if is_sure:
            cv2.circle(image, place, 8 * (width + 1), _LIGHT, -1, cv2.LINE_AA, 4)
