"""How the camera turned since the last frame, told from a small picture of what stands behind the people. Online.

Trackers turn their predictions by it, so that people are looked for where a camera that pans or shakes shows them.
Two small grey pictures are brought together by phase correlation (Kuglin and Hines 1975), corners of the background
are followed from there (Shi and Tomasi 1994; Lucas and Kanade, pyramidal) and a turn is fitted to them robustly. The
full geometry of a video, to the hundredth of a degree, is for ``odometry``; this is made to take two
milliseconds a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.journal import State
from choros.rotation import rotmat_between, rotvec_to_rotmat

Floats = NDArray[np.float64]
Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class BackgroundRules:
    """All ours, tried on made-up scenes with cameras that swing at 60 degrees a second, shake, ride and stand still.

    Pixels are those of the small picture.
    """

    long_side_px: int = 256  # at most
    corners: int = 120
    apart_px: float = 6.0
    texture: float = (
        4e-4  # least eigenvalue of a corner (cv2.cornerMinEigenVal); a flat wall's noise has less
    )
    margin: float = 0.08  # around a person's box, share of its larger side: clothes, hair, small boxes
    border_px: int = 4
    window_px: int = 11
    levels: int = 2  # halvings of the picture, after a guess that is good to some pixels
    back_px: float = 0.5  # a corner followed there and back again ends at most so far from where it was
    scales_px: tuple[float, ...] = (8.0, 4.0, 2.0, 1.0, 1.0)  # of the robust weights, step by step
    outlier_px: float = 1.2
    fewest: int = 10  # corners that agree, or nothing is known
    least_share: float = 0.4  # of those that were followed
    still_px: float = 0.3  # noise of a corner: who moved by less did not move
    still_share: float = (
        0.35  # so many corners did not move, and the camera stands: logos and titles are fewer
    )
    bridge_s: float = 0.12  # a picture in which nothing is recognised (a blur) is stepped over for this long
    fresh_s: float = 2.0  # of a camera that stands: light changes, and what stands about is moved


class Background(NamedTuple):
    """What one picture shows behind the people."""

    grey: Grey  # (h, w) the small picture
    corners_px: NDArray[np.float32]  # (N, 2) in it, cv2's px
    people_px: NDArray[np.float32]  # (n, 4) xyxy boxes in it, with their margins
    times: NDArray[np.int64]  # () how many times smaller it is than the whole picture, whose corner it shares


def background(
    image: NDArray[np.uint8],  # (H, W, 3) RGB
    people_px: NDArray[np.floating[Any]],  # (n, 4) xyxy boxes
    rules: BackgroundRules | None = None,
) -> Background:
    """The background of one picture; needs nothing of other pictures."""
    rules = rules or BackgroundRules()
    height, width = image.shape[:2]
    # Whole numbers of pixels become one: that is many times quicker. Of a large picture every second or fourth will
    # do before the area filter, and green is near enough to grey.
    times = -(-max(height, width) // rules.long_side_px)
    step = 1 if times <= 5 else 2 if times <= 8 else 4
    times = -(-times // step) * step
    height, width = max(height // times, 1), max(width // times, 1)
    grey = np.ascontiguousarray(image[: height * times : step, : width * times : step, 1])
    grey = np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    boxes = np.nan_to_num(np.asarray(people_px, np.float32).reshape(-1, 4)) / np.float32(times)
    margin = rules.margin * np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])[:, None]
    boxes = (boxes + margin * np.array([-1, -1, 1, 1])).astype(np.float32)
    corners, texture = cv2.goodFeaturesToTrackWithQuality(
        grey, rules.corners, 0.01, rules.apart_px, _free(grey.shape, boxes, rules.border_px)
    )[:2]
    found = np.zeros((0, 2), np.float32) if corners is None else corners[texture[:, 0] > rules.texture, 0]
    return Background(grey, found, boxes, np.array(times))


def _free(shape: tuple[int, ...], boxes_px: NDArray[np.float32], border_px: int) -> Grey:
    """Where nobody is, 255, else 0, (h, w)."""
    free = np.zeros(shape, np.uint8)
    free[border_px : shape[0] - border_px, border_px : shape[1] - border_px] = 255
    for x0, y0, x1, y1 in np.clip(np.round(boxes_px), 0, 2**15).astype(int):
        free[y0:y1, x0:x1] = 0
    return free


def turn_between(
    before: Background,
    after: Background,
    K: Floats,  # (3, 3) px of the whole picture
    rules: BackgroundRules,
) -> tuple[Floats | None, bool]:
    """R_after_before (3, 3), what is at p before being at R p after, camera axes; and whether anything is known.

    None for a camera that stands still, and where nothing is known: too little texture, or no agreement.
    """
    height, width = before.grey.shape
    same = before.grey.shape == after.grey.shape and before.times == after.times
    if not same or len(before.corners_px) < rules.fewest:
        return None, False
    K = np.diag([1 / before.times, 1 / before.times, 1.0]) @ K
    guess = _turned_by(_shift(before, after, rules), K, (width, height))
    begin = _project(_rays(before.corners_px, K) @ guess.T, K).astype(np.float32)
    points_px, which = _followed(before, after, begin, rules)
    if len(which) < rules.fewest:
        return None, False
    from_px = before.corners_px[which]
    moved = np.linalg.norm(points_px - from_px, axis=1)
    if (moved < rules.still_px).mean() >= rules.still_share:
        return None, True
    R, error_px = _fit(_rays(from_px, K), points_px.astype(np.float64), K, guess, rules)
    agree = error_px < rules.outlier_px
    known = bool(agree.sum() >= rules.fewest and agree.mean() >= rules.least_share)
    return (R if known else None), known


def _shift(before: Background, after: Background, rules: BackgroundRules) -> Floats:
    """(2,) px by which the picture as a whole moved, good to about two pixels, people left out."""
    spectra = []
    for picture in (before, after):
        free = _free(picture.grey.shape, picture.people_px, 0)
        grey = picture.grey.astype(np.float32)
        detail = (grey - cv2.blur(grey, (15, 15))) * (free > 0)
        detail = np.asarray(cv2.resize(detail, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
        height, width = detail.shape
        taper = np.outer(_taper(height), _taper(width))
        spectra.append(np.fft.rfft2(detail * taper))
    cross = spectra[1] * spectra[0].conj()
    peaks = np.fft.irfft2(cross / (np.abs(cross) + 1e-6 * np.abs(cross).max() + 1e-12), detail.shape)
    y, x = np.unravel_index(int(np.argmax(peaks)), peaks.shape)
    return 2.0 * np.array([(x + width // 2) % width - width // 2, (y + height // 2) % height - height // 2])


def _taper(length: int) -> NDArray[np.float32]:
    """Falls to zero at both ends, over a fifth of the length each."""
    ends = np.minimum(np.arange(length) + 0.5, np.arange(length)[::-1] + 0.5) / (0.2 * length)
    return np.sin(0.5 * np.pi * np.minimum(ends, 1)).astype(np.float32) ** 2


def _turned_by(shift_px: Floats, K: Floats, size: tuple[int, int]) -> Floats:
    """The turn without roll that moves the middle of the picture by so much."""
    middle = np.array(size) / 2 - 0.5
    a, b = _rays(np.stack([middle, middle + shift_px]), K)
    return rotmat_between(a, b)


def _followed(
    before: Background, after: Background, begin_px: NDArray[np.float32], rules: BackgroundRules
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Where corners went, (M, 2), and which they are, (M,); not those that are lost or behind somebody now."""
    how: dict[str, Any] = {
        "winSize": (rules.window_px, rules.window_px),
        "maxLevel": rules.levels,
        "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
    }
    corners = before.corners_px
    there, found, _ = cv2.calcOpticalFlowPyrLK(before.grey, after.grey, corners, begin_px.copy(), **how)
    back, again, _ = cv2.calcOpticalFlowPyrLK(
        after.grey, before.grey, there, corners + there - begin_px, **how
    )
    height, width = after.grey.shape
    x, y = np.round(np.clip(there, -1, 2**15)).astype(int).T
    keep = (x >= 0) & (y >= 0) & (x < width) & (y < height) & (found[:, 0] > 0) & (again[:, 0] > 0)
    keep &= np.linalg.norm(back - corners, axis=1) < rules.back_px
    keep[keep] = _free(after.grey.shape, after.people_px, 0)[y[keep], x[keep]] > 0
    return there[keep], np.flatnonzero(keep)


def _fit(
    before: Floats, after_px: Floats, K: Floats, R: Floats, rules: BackgroundRules
) -> tuple[Floats, Floats]:
    """The turn that moves rays (N, 3) to points (N, 2), and how far each is off, px: Gauss and Newton, robust.

    A change of focal length is fitted beside it and left aside. What points do not tell (roll, if they are few and
    close together) stays as it is.
    """
    focal = K[[0, 1], [0, 1]]
    log_zoom = 0.0

    def missed() -> tuple[Floats, Floats]:
        """Places (N, 2) in focal lengths, and errors (N, 2) px."""
        seen = before @ R.T
        plane = np.exp(log_zoom) * seen[:, :2] / np.maximum(seen[:, 2:], 1e-2)
        return plane, _image(plane, K) - after_px

    for scale_px in rules.scales_px:
        plane, error_px = missed()
        x, y = plane.T
        slopes = np.stack(
            [-x * y, 1 + x * x, -y, x, -1 - y * y, x * y, x, y], axis=-1
        ).reshape(-1, 2, 4) * focal[:, None]  # fmt: skip
        weight = 1 / (1 + (error_px**2).sum(-1) / scale_px**2) ** 2
        weighed = (slopes * weight[:, None, None]).reshape(-1, 4)
        normal = weighed.T @ slopes.reshape(-1, 4)
        normal += np.diag([1e-6 * np.trace(normal)] * 4)
        step = np.linalg.solve(normal, -weighed.T @ error_px.reshape(-1))
        R = rotvec_to_rotmat(step[:3]) @ R
        log_zoom = float(np.clip(log_zoom + step[3], -0.5, 0.5))
    return R, np.linalg.norm(missed()[1], axis=-1)


def _rays(points_px: NDArray[np.floating[Any]], K: Floats) -> Floats:
    """Points (N, 2), cv2's px, as directions (N, 3) with z = 1, camera axes."""
    return np.column_stack([points_px + 0.5, np.ones(len(points_px))]) @ np.linalg.inv(K).T


def _image(plane: Floats, K: Floats) -> Floats:
    """Points (N, 2) at z = 1 to cv2's px."""
    return plane @ K[:2, :2].T + K[:2, 2] - 0.5


def _project(points_cam: Floats, K: Floats) -> Floats:
    return _image(points_cam[:, :2] / np.maximum(points_cam[:, 2:], 1e-2), K)


class BackgroundMotion:
    """Follows the background of one video, frame by frame; it keeps one small picture.

    That picture is the last one in which the camera is known to have moved, not the last one: what is too slow to be
    told from noise adds up until it shows.
    """

    def __init__(self, rules: BackgroundRules | None = None) -> None:
        self._rules = rules or BackgroundRules()
        self._key: Background | None = None
        self._key_s = self._known_s = (
            0.0  # times of that picture, and of the last one in which it was recognised
        )

    def step(self, now: Background, K: Floats, time_s: float) -> Floats | None:
        """The turn that predictions have yet to make, R (3, 3): what is thought to be at p is at R p now.

        None if the camera stands still, in a first frame, and where the background tells nothing.
        """
        turn, known = (None, False) if self._key is None else turn_between(self._key, now, K, self._rules)
        self._known_s = time_s if known else self._known_s
        stale = time_s - self._key_s > self._rules.fresh_s or time_s - self._known_s > self._rules.bridge_s
        if self._key is None or turn is not None or stale:
            self._key, self._key_s, self._known_s = now, time_s, time_s
        return turn

    def state(self) -> State:
        """All that the next frame depends on, for a checkpoint."""
        if self._key is None:
            return {}
        return {f"background_{name}": part for name, part in self._key._asdict().items()} | {
            "background_s": np.array([self._key_s, self._known_s])
        }

    def restore(self, state: State) -> None:
        """Continue from ``state()``, which may be part of a larger one."""
        if "background_s" not in state:
            self._key, self._key_s, self._known_s = None, 0.0, 0.0
            return
        self._key = Background(*(state[f"background_{name}"].copy() for name in Background._fields))
        self._key_s, self._known_s = (float(v) for v in state["background_s"])
