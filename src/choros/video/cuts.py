"""Cuts: where a video jumps to another shot, into which nobody of the last one can be followed. Online.

Two pictures of one shot show the same things: in the same places, or all moved alike, as by a camera that pans, or
each a little, as by a camera that goes about. Where nothing of this holds, or all is suddenly larger or smaller, there
was a cut. Brightness does not count, so flashes and fades are none; a picture that shows next to nothing (black, white,
fog) is passed over, and what comes after it is compared with what was before. A dissolve, which has no such
moment, is not found.

A detector keeps one small picture. Two pictures of a camera that stands still, nearly all there are, take .2 ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

#: Parts of the picture along each side, and steps of a colour.
PARTS, LEVELS = 3, 32

#: Pixels looked at along the shorter side for colours, and along the longer one for what is where.
SAMPLES, LONG_SIDE_PX = 48, 96

#: Mean brightness that pictures are brought to, so that exposure does not count.
BRIGHTNESS = 96

#: Side of the patches that are compared, px of the small picture; corners followed in it, and the distance of two.
PATCH_PX, CORNERS, APART_PX = 9, 80, 5.0

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class CutRules:
    """All ours, by 2,400 joins of real clips and 12,000 steps within them. Shares are of the picture's textured part.

    Colours alone tell no cut to another camera in the same room, and structure alone none of somebody who dances
    before a plain wall; so both must have changed, colours much more where frames are far apart.
    """

    texture: float = 3.0  # standard deviation of grey levels above which a patch has texture
    least_textured: float = 0.04  # share of a picture that must have it, or it says nothing
    dark: float = 16.0  # mean brightness below which a picture without texture says nothing of colours either
    same: float = 0.6  # correlation above which a patch is the same
    enough: float = 0.45  # share that is the same in two pictures of one shot
    some: float = 0.2  # share without which they are of two, unless points can be followed
    followed: float = 0.15  # share of points
    fewest: int = 6  # of them
    agree: float = 0.6  # share of their distances that changed alike
    zoom: float = 1.18  # factor of size from frame to frame, of a cut to a closer view
    zoom_per_s: float = 2.0  # the same in frames that are far apart
    recoloured: float = 0.01  # colours of two shots differ by this at least
    far_s: float = 0.25  # frames this far apart need a change as between two places
    recoloured_far: float = 0.07


class Sketch(NamedTuple):
    """What is kept of a picture."""

    colours: Floats  # (27, 32), see ``layout``
    grey: NDArray[np.uint8]  # (h, w) the small picture
    textured: NDArray[np.bool_]  # () whether it shows enough to be known again
    brightness: NDArray[np.float32]  # () mean


def sketch(image: NDArray[np.uint8], rules: CutRules | None = None) -> Sketch:
    """What a picture, (H, W, 3) uint8 RGB, is known again by; needs nothing of other pictures."""
    rules = rules or CutRules()
    height, width = image.shape[:2]
    times = max(-(-max(height, width) // LONG_SIDE_PX), 1)
    height, width = max(height // times, 1), max(width // times, 1)
    # Of large pictures every second or fourth pixel will do before the area filter, and green is near enough to grey.
    step = 1 if times % 2 else 2 if times % 4 else 4
    green = np.ascontiguousarray(image[: height * times : step, : width * times : step, 1])
    grey = np.asarray(cv2.resize(green, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    spread = _spread(grey.astype(np.float32))[1]
    textured = np.array((spread > rules.texture**2).mean() >= rules.least_textured)
    textured &= min(height, width) >= 2 * PATCH_PX
    return Sketch(layout(image), grey, textured, np.array(grey.mean(), np.float32))


def layout(image: NDArray[np.uint8]) -> Floats:
    """Which share of each part's pixels is at most how bright, of a picture (H, W, 3): (27, 32)."""
    step = max(1, min(image.shape[:2]) // SAMPLES)
    few = image[::step, ::step]
    even = np.minimum(few * (BRIGHTNESS / max(float(few.mean()), 1.0)), 255).astype(np.uint8)
    shares = [
        np.bincount(channel.ravel() // (256 // LEVELS), minlength=LEVELS) / max(channel.size, 1)
        for rows in np.array_split(even, PARTS)
        for part in np.array_split(rows, PARTS, axis=1)
        for channel in np.moveaxis(part, -1, 0)
    ]
    return np.cumsum(shares, -1).astype(np.float32)


def change(before: Floats, after: Floats) -> float:
    """How far colours moved between two layouts, as a share of the whole range.

    The area between two cumulative distributions is the earth mover's distance: noise at the border of two levels
    hardly counts.
    """
    return float(np.abs(after - before).mean())


def is_cut(before: Sketch, after: Sketch, apart_s: float, rules: CutRules | None = None) -> bool:
    """Whether two pictures taken ``apart_s`` after each other are of two shots."""
    rules = rules or CutRules()
    far = apart_s > rules.far_s
    if before.grey.shape != after.grey.shape:
        return True
    if change(before.colours, after.colours) < (rules.recoloured_far if far else rules.recoloured):
        return False
    if not (before.textured and after.textured):
        return change(before.colours, after.colours) > rules.recoloured_far
    a, b = before.grey.astype(np.float32), after.grey.astype(np.float32)
    same = _share_kept(a, b, (0, 0), rules)
    if same >= rules.enough:
        return False
    even_a, even_b = _even(a), _even(b)
    taper = cv2.createHanningWindow(a.shape[::-1], cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(even_a, even_b, taper)
    same = max(same, _share_kept(a, b, (round(x), round(y)), rules))
    if same >= rules.enough:
        return False
    zoom = max((_followed(even_a, even_b, begin, rules) for begin in ((x, y), (0.0, 0.0))), key=len)
    most = rules.zoom * rules.zoom_per_s ** max(apart_s - 0.1, 0)
    if len(zoom):
        return not 1 / most < np.median(zoom) < most
    return same < rules.some


class CutDetector:
    """Tells for the frames of one video, in order, which of them begin another shot."""

    def __init__(self, rules: CutRules | None = None) -> None:
        self._rules = rules or CutRules()
        self._last: Sketch | None = None  # the last one that said anything
        self._last_s = 0.0

    def step(self, now: Sketch, time_s: float) -> bool:
        """Whether another shot begins with this frame; never with the first."""
        last, rules = self._last, self._rules
        if not now.textured and (now.brightness < rules.dark or (last is not None and last.textured)):
            return False
        begins = last is not None and bool(last.textured) == bool(now.textured)
        begins = begins and last is not None and is_cut(last, now, time_s - self._last_s, rules)
        self._last, self._last_s = now, time_s
        return begins

    def state(self) -> Mapping[str, NDArray[Any]]:
        """All that the next frame depends on, for a checkpoint."""
        if self._last is None:
            return {}
        return {f"cuts_{name}": part for name, part in self._last._asdict().items()} | {
            "cuts_s": np.array(self._last_s)
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from ``state()``, which may be part of a larger one."""
        self._last, self._last_s = None, 0.0
        if "cuts_s" in state:
            self._last = Sketch(*(state[f"cuts_{name}"].copy() for name in Sketch._fields))
            self._last_s = float(state["cuts_s"])


def _spread(grey: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the patch around each pixel."""
    mean = _box(grey)
    return mean, np.maximum(_box(grey * grey) - mean * mean, 0)


def _box(values: Floats, side_px: int = PATCH_PX) -> Floats:
    return np.asarray(cv2.blur(values, (side_px, side_px), borderType=cv2.BORDER_REFLECT), np.float32)


def _share_kept(a: Floats, b: Floats, shift: tuple[int, int], rules: CutRules) -> float:
    """Share of textured patches of ``a`` that are the same in ``b``, where all has moved by ``shift``, x and y px."""
    (height, width), (x, y) = a.shape, shift
    if width - abs(x) < 2 * PATCH_PX or height - abs(y) < 2 * PATCH_PX:
        return 0.0
    a = np.ascontiguousarray(a[max(-y, 0) : height - max(y, 0), max(-x, 0) : width - max(x, 0)])
    b = np.ascontiguousarray(b[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)])
    (mean_a, spread_a), (mean_b, spread_b) = _spread(a), _spread(b)
    alike = (_box(a * b) - mean_a * mean_b) / np.sqrt(spread_a * spread_b + 1e-3)
    in_a, in_b = spread_a > rules.texture**2, spread_b > rules.texture**2
    # Of a flash only what it did not burn out can be known again, so the picture that shows less counts.
    return float((in_a & in_b & (alike > rules.same)).sum() / max(min(in_a.sum(), in_b.sum()), 1))


def _even(grey: Floats) -> Floats:
    """Contrast of the detail, evened out: neither brightness nor haze count."""
    detail = grey - _box(grey, 2 * PATCH_PX + 1)
    power = np.maximum(_box(detail * detail, 2 * PATCH_PX + 1), 0)  # rounding makes it less than nothing
    return detail / (np.sqrt(power) + 4)


def _followed(a: Floats, b: Floats, begin: tuple[float, float], rules: CutRules) -> NDArray[np.float64]:
    """By which factors distances changed between the points that can be followed from ``a`` to ``b``; else none.

    They are searched for where ``begin``, a shift in px, takes them, and must move together.
    """
    first, second = (np.clip(40 * picture + 128, 0, 255).astype(np.uint8) for picture in (a, b))
    points = cv2.goodFeaturesToTrack(first, CORNERS, 0.05, APART_PX)
    nothing = np.zeros(0)
    if points is None:
        return nothing
    shift = np.array(begin, np.float32)
    how: dict[str, Any] = {
        "winSize": (PATCH_PX, PATCH_PX),
        "maxLevel": 2,
        "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
    }
    there, found, _ = cv2.calcOpticalFlowPyrLK(first, second, points, points + shift, **how)
    back, again, _ = cv2.calcOpticalFlowPyrLK(second, first, there, there - shift, **how)
    keep = (found[:, 0] > 0) & (again[:, 0] > 0) & (np.linalg.norm(back - points, axis=-1)[:, 0] < 0.5)
    keep[keep] = [
        _correlation((first, second), p, q) > 0.8
        for p, q in zip(points[keep, 0], there[keep, 0], strict=True)
    ]
    if keep.sum() < max(rules.fewest, rules.followed * len(points)):
        return nothing
    before, after = pdist(points[keep, 0]), pdist(there[keep, 0])
    wide = before > 2 * APART_PX
    ratio = after[wide] / before[wide]
    together = np.abs(ratio - np.median(ratio)) < 0.15 * np.median(ratio) if len(ratio) else nothing
    return ratio if len(ratio) and together.mean() >= rules.agree else nothing


def _correlation(pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]], at: Floats, other: Floats) -> float:
    """Of the patches around a point of each of two pictures."""
    a, b = (
        cv2.getRectSubPix(picture, (PATCH_PX, PATCH_PX), (float(x), float(y))).astype(np.float64).ravel()
        for picture, (x, y) in zip(pictures, (at, other), strict=True)
    )
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b) + 1e-6))
