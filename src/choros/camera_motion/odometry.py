"""Visual odometry: how the camera turned and went, from what stands still behind the people.

Corners of the background are followed from frame to frame (Shi and Tomasi 1994; Lucas and Kanade, pyramidal) and
compared with where they were in a key frame some moments ago, so that errors add up per key frame, not per frame.
It works online and keeps two pictures; where the background has no texture its weight is 0. The geometry is in
``epipolar`` and ``scale_from_ground``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.camera_motion.epipolar import RelativeRotation, turn_between
from choros.camera_motion.evidence import CameraEvidence, GroundEvidence
from choros.camera_motion.place_recognition import PlaceMemory, view_of
from choros.camera_motion.scale_from_ground import ground_between
from choros.errors import ChorosError
from choros.motion import Motion
from choros.reopening import open_again
from choros.rotation import rotvec_to_rotmat

Floats = NDArray[np.float64]
Grey = NDArray[np.uint8]

LONG_SIDE_PX = 960  # of the picture that corners are followed in; larger ones are reduced
CORNERS = 240  # that are followed
APART = 0.02  # the least distance between two, share of the long side
TEXTURE = 4e-4  # the least eigenvalue of a corner (cv2.cornerMinEigenVal); a flat wall's noise has less
MARGIN = 0.08  # around a person's box, share of its larger side: clothes, hair, and boxes that are small
BACK_PX = 0.5  # a corner followed there and back again ends at most so far from where it was
TOO_FEW = 0.6  # share of a key frame's corners that must be left
TOO_FAR = (
    0.1  # corners may move, in the median, by that share of the long side; then comes the next key frame
)
KEY_AGREES = 0.7  # share of the corners that must agree with the key frame, or it is replaced
SURE_RAD = np.radians(0.1)  # an error of the turn with which it weighs half
SURE_OF_WAY = 0.02  # the same for how far the camera went, its heights above the ground


class Passed(NamedTuple):
    """The ground that passed below the camera until now, in axes of the camera now."""

    frames: int  # so many, in even steps
    step: Floats  # (3,) where the camera went in each of them; its height when they began is 1
    up: Floats  # (3,) unit, square to the ground
    weight: float  # 0 to 1


class Odometry:
    """Follows the background of one video. ``step`` takes its frames in order."""

    def __init__(self) -> None:
        self._grey: Grey | None = None  # of the last frame
        self._points = self._key_points = np.zeros(
            (0, 2), np.float32
        )  # (N, 2) there, and in the key frame; cv2's px
        self._K_key = np.eye(3)
        self._R_key_last: Floats = np.eye(3)
        self._sigma_rad = 0.0  # of that turn
        self._wanted = 0  # corners that the key frame began with
        self._turn: Floats = np.eye(3)  # R_last_now of the last frame that had one
        self._way: Floats | None = None  # and where the camera was going
        self.went = False  # whether the last step's background shows that the camera did not only turn
        self.passed: Passed | None = None  # what the last step's background shows of the ground
        self._place, self._place_sigma = np.zeros(3), 0.0  # last known, heights and axes of the key frame
        self._since = 0  # frames since then

    def step(
        self,
        image: NDArray[np.uint8],  # (H, W, 3) RGB
        people_px: NDArray[np.floating[Any]],  # (n, 4) boxes x0, y0, x1, y1
        K: Floats,  # (3, 3) px
        up: Floats | None = None,  # (3,) unit, about the way up, camera axes
    ) -> tuple[Floats, float]:
        """The turn since the last frame, R_last_now (3, 3), and its weight from 0 to 1; 0 for a first frame.

        With ``up`` the ground is looked for too, see ``passed``.
        """
        scale = min(1.0, LONG_SIDE_PX / max(image.shape[:2]))
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        if scale < 1:
            size = round(scale * image.shape[1]), round(scale * image.shape[0])
            grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
        K = np.diag([grey.shape[1] / image.shape[1], grey.shape[0] / image.shape[0], 1.0]) @ K
        still = _beside(people_px * scale, grey)

        self._follow(grey, still)
        found = turn_between(self._key_points + 0.5, self._points + 0.5, self._K_key, K, self._guess())
        turn, weight = np.eye(3), 0.0
        self.went = found.way is not None
        self.passed = self._passed(found, K, up)
        if np.isfinite(found.sigma_rad):
            turn = self._R_key_last.T @ found.R_after_before.T
            weight = 1 / (1 + (found.sigma_rad**2 + self._sigma_rad**2) / SURE_RAD**2)
            self._R_key_last, self._sigma_rad = found.R_after_before.T, found.sigma_rad
            self._turn, self._way = turn, found.way if found.way is not None else self._way
        self._grey = grey
        moved = self._points - self._key_points
        if (
            weight == 0
            or len(self._points) < TOO_FEW * self._wanted
            or found.agree.mean() < KEY_AGREES
            or np.median(np.linalg.norm(moved, axis=1)) > TOO_FAR * max(grey.shape)
        ):
            self._begin(grey, still, K, self._points[found.agree])
        return turn, weight

    def _passed(self, found: RelativeRotation, K: Floats, up: Floats | None) -> Passed | None:
        self._since += 1
        R = found.R_after_before
        ground = None
        if up is not None:
            points = self._key_points + 0.5, self._points + 0.5
            ground = ground_between(*points, self._K_key, K, found, R.T @ up)
        if ground is None:
            return None
        height = 1 + ground.up @ self._place
        step = R @ (ground.went - self._place) / (self._since * height)
        weight = 1 / (1 + (ground.sigma**2 + self._place_sigma**2) / SURE_OF_WAY**2)
        passed = Passed(self._since, step, R @ ground.up, weight)
        self._place, self._place_sigma, self._since = ground.went, ground.sigma, 0
        return passed

    def _guess(self) -> tuple[Floats, Floats] | None:
        """The camera goes on as it did."""
        return None if self._way is None else ((self._R_key_last @ self._turn).T, self._way)

    def _follow(self, grey: Grey, still: NDArray[np.uint8]) -> None:
        """Corners of the last picture to this one; those that are lost, or now on somebody, are dropped."""
        if self._grey is None or self._grey.shape != grey.shape or not len(self._points):
            self._points = self._key_points = self._points[:0]
            return
        there = cv2.calcOpticalFlowPyrLK(self._grey, grey, self._points, None)  # type: ignore[call-overload]
        back = cv2.calcOpticalFlowPyrLK(grey, self._grey, there[0], None)  # type: ignore[call-overload]
        x, y = np.round(there[0]).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < grey.shape[1]) & (y < grey.shape[0])
        keep = inside & (there[1][:, 0] > 0) & (back[1][:, 0] > 0)
        keep &= np.linalg.norm(back[0] - self._points, axis=1) < BACK_PX
        keep[keep] = still[y[keep], x[keep]] > 0
        self._points, self._key_points = there[0][keep], self._key_points[keep]

    def _begin(self, grey: Grey, still: NDArray[np.uint8], K: Floats, known: NDArray[np.float32]) -> None:
        """A key frame: corners that are known to be of the background, and new ones between them."""
        apart = APART * max(grey.shape)
        free = still.copy()
        for x, y in known:
            cv2.circle(free, (round(float(x)), round(float(y))), round(apart), 0, -1)
        new, texture = cv2.goodFeaturesToTrackWithQuality(grey, CORNERS, 0.01, apart, free)[:2]
        if new is not None:
            new = new[:, 0][texture[:, 0] > TEXTURE]
            known = np.concatenate([known, new[: max(CORNERS - len(known), 0)]])
        self._points = self._key_points = np.ascontiguousarray(known, np.float32)
        self._K_key, self._R_key_last, self._sigma_rad = K, np.eye(3), 0.0
        self._place, self._place_sigma, self._since = np.zeros(3), 0.0, 0
        self._wanted = len(known)


def _beside(people_px: NDArray[np.floating[Any]], grey: Grey) -> NDArray[np.uint8]:
    """Where nobody is, 255, else 0, (H, W); corners need some pixels around them, so the border counts too."""
    free = np.zeros_like(grey)
    free[4:-4, 4:-4] = 255
    for x0, y0, x1, y1 in np.nan_to_num(people_px):
        margin = MARGIN * max(x1 - x0, y1 - y0)
        box = np.round([x0 - margin, y0 - margin, x1 + margin, y1 + margin]).clip(0, 2**15).astype(int)
        free[box[1] : box[3], box[0] : box[2]] = 0
    return free


def camera_evidence(
    motion: Motion,
    source: str | Path,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> CameraEvidence:
    """What a video tells of the camera in the frames of a motion, in its people's absence.

    Frames of both belong together where their time stamps are equal; a frame that the video lacks weighs 0.
    ``progress(done, total)`` is called after each frame. Raises ``ChorosError`` if the two do not belong
    together, or the video cannot be read.
    """
    turn, weight = np.tile(np.eye(3), (max(len(motion) - 1, 0), 1, 1)), np.zeros(max(len(motion) - 1, 0))
    went = np.zeros(len(weight), bool)
    ground = GroundEvidence(np.zeros((len(weight), 3)), np.zeros((len(weight), 3)), np.zeros(len(weight)))
    up = None
    index_of = {pts: index for index, pts in enumerate(motion.pts)}
    odometry, last = Odometry(), -2
    places, again, shown = PlaceMemory(), {}, None
    with open_again(source, motion, prefetch=2) as reader:
        for frame in reader:
            index = index_of.get(frame.pts)
            if index is None:
                continue
            cut = bool(motion.cut_before[index])
            follows = index == last + 1 and not cut
            if not follows:
                odometry = Odometry()
            people = motion.in_frame(index)
            up = _up_of(people, None if cut else up)
            if cut and shown is not None:
                places.end(view_of(last, *shown))
                found = places.recognise(view_of(index, frame.image, people["box_px"], motion.K[index]))
                again.update({} if found is None else {index: found})
            shown = frame.image, people["box_px"], motion.K[index]
            step = odometry.step(frame.image, people["box_px"], motion.K[index], up)
            if follows:
                turn[index - 1], weight[index - 1] = step
                went[index - 1] = odometry.went
                if odometry.passed is not None:
                    _fill(ground, odometry.passed, turn[:index])
            last = index
            progress(index + 1, len(motion))
    if last < 0 and len(motion):
        raise ChorosError(
            f"{source} has none of the time stamps of the motion, which was tracked in "
            f"{motion.header.source or 'another video'}; give the video that it came from."
        )
    return CameraEvidence(turn, weight, went, ground, again)


def _up_of(people: NDArray[np.void], otherwise: Floats | None) -> Floats | None:
    """(3,) unit, the way up in camera axes by the mean of people's trunks."""
    if not len(people):
        return otherwise
    trunk = rotvec_to_rotmat(people["global_orient"].astype(np.float64))[:, :, 1].mean(0)
    return np.asarray(trunk / max(float(np.linalg.norm(trunk)), 1e-9))


def _fill(ground: GroundEvidence, passed: Passed, turn: Floats) -> None:
    """What passed until the camera now into the frames before it; ``turn`` are (n, 3, 3) R_t_next to it."""
    step, up = passed.step, passed.up
    for t in range(len(turn) - 1, len(turn) - 1 - passed.frames, -1):
        step, up = turn[t] @ step, turn[t] @ up
        ground.step[t], ground.up[t], ground.weight[t] = step, up, passed.weight
