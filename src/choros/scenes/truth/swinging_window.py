"""A moving camera made of one that stood still: a window that swings about somebody (GLAMR, appendix A).

What the window shows becomes the video. Its corner keeps to whole pixels, so pictures are copied, not resampled, and
the truth stays exact: the principal point moves, camera axes and people stay. Whoever is outside the window is there
all the same, and not seen: half of the time, as the appendix wants it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.motion import Motion
from choros.scenes.truth.scene_truth import VISIBLE_FRACTION, SceneTruth
from choros.scenes.truth.writers import WELL_CODED
from choros.video import VideoWriter, open_video

Corners = NDArray[np.int64]


@dataclass(frozen=True)
class Swing:
    """How the window is and moves; lengths are shares of the picture's height.

    The appendix has 300 x 600 px and a swing of 200 px in Human3.6M's pictures, which are 1000 px high.
    """

    width: float = 0.3
    height: float = 0.6
    reach: float = 0.2  # to either side of the person's middle
    period_s: float = 4.8

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the window in a picture of some size, even numbers of px."""
        w, h = (2 * round(share * height / 2) for share in (self.width, self.height))
        if not (32 <= w <= width and 32 <= h <= height):
            raise ChorosError(
                f"a window of {w}x{h} px is not between 32x32 px and the video, {width}x{height} px; "
                "choose other shares of its height."
            )
        return w, h


def swinging(motion: Motion, swing: Swing, person: int | None = None) -> Corners:  # (T, 2)
    """Column and row of the window's corner in each frame, about the middle of a person's box.

    ``person`` is the one with the most frames unless given; where they have no box, the middle goes straight from
    where it was to where it will be. The window never leaves the picture. Raises ``ChorosError`` without people.
    """
    if not len(motion.rows):
        raise ChorosError(
            f"there is nobody in the truth of {motion.header.source or 'this video'} to swing about; "
            "take a video with people."
        )
    if person is None:
        person = int(np.bincount(motion.row_person).argmax())
    about = motion.person(person)
    middle = (about.box_px[:, :2] + about.box_px[:, 2:]).astype(np.float64) / 2
    times_s = motion.pts_s
    x, y = (np.interp(times_s, about.pts_s, middle[:, axis]) for axis in (0, 1))
    x += swing.reach * motion.height * np.sin(2 * np.pi * (times_s - times_s[0]) / swing.period_s)
    size = np.array(swing.size(motion.width, motion.height))
    corners = np.round(np.column_stack([x, y]) - size / 2).astype(np.int64)
    return np.clip(corners, 0, [motion.width, motion.height] - size)


def windowed_motion(
    motion: Motion,
    corners: Corners,  # (T, 2) px
    size: tuple[int, int],  # px
    fraction: NDArray[np.floating[Any]]
    | None = None,  # (N,) of each row's person that could be seen; else by visible
) -> Motion:
    """The same people as the window shows them; those outside it too, as not visible, with their boxes outside."""
    frames, rows = motion.frames.copy(), motion.rows.copy()
    frames["K"] = _moved(frames["K"], corners)
    corner = corners[rows["frame"]].astype(np.float32)
    cut, share = _cut(motion.box_px, corner, size)
    rows["visible"] = (motion.visible if fraction is None else fraction) * share >= VISIBLE_FRACTION
    whole = motion.box_px - np.tile(corner, 2)
    rows["box_px"] = np.where(rows["visible"][:, None], cut, whole)
    rows["keypoints_px"] = _shifted(motion.keypoints_px, corner, size)
    return Motion(replace(motion.header, width=size[0], height=size[1]), frames, rows)


def windowed_truth(truth: SceneTruth, corners: Corners, size: tuple[int, int]) -> SceneTruth:
    """All that is true of everybody as the window shows them; (T, 2) px and px."""
    corner = np.broadcast_to(corners[:, None].astype(np.float32), (*truth.in_frame.shape, 2))
    cut, share = _cut(truth.box_px, corner, size)
    inside = truth.in_frame & np.all(cut[..., 2:] - cut[..., :2] >= 2, axis=-1)
    there = inside[..., None]
    return replace(
        truth,
        K=_moved(truth.K, corners),
        in_frame=inside,
        amodal_box_px=np.where(there, truth.amodal_box_px - np.tile(corner, 2), 0).astype(np.float32),
        box_px=np.where(there, cut, 0).astype(np.float32),
        visible_fraction=np.where(inside, truth.visible_fraction * share, 0).astype(np.float32),
        keypoints_px=np.where(there[..., None], _shifted(truth.keypoints_px, corner, size), 0),
        head_px=np.where(there[..., None], _shifted(truth.head_px, corner, size), 0),
    )


def write_dynamic(
    video: str | Path,
    motion: Motion,
    folder: str | Path,
    swing: Swing | None = None,
    person: int | None = None,
    truth: SceneTruth | None = None,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> None:
    """``video.mp4`` and ``motion.npz`` of the window into a folder, and ``arrays.npz`` if there is a ``SceneTruth``.

    Frames of video and motion belong together where their time stamps are equal; the motion then has the frames
    that were written. ``progress(done, total)`` is called after each. Raises ``ChorosError`` if the two do not
    belong together, a window does not fit, or the folder holds something.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ChorosError(f"{folder} holds something already; name a new folder.")
    swing = swing or Swing()
    size, corners = swing.size(motion.width, motion.height), swinging(motion, swing, person)
    index_of = {pts: index for index, pts in enumerate(motion.pts)}
    done = 0
    with open_video(video, prefetch=2, image_fps=motion.fps) as reader:
        if (reader.info.width, reader.info.height) != (motion.width, motion.height):
            raise ChorosError(
                f"{video} is {reader.info.width}x{reader.info.height} px, but its truth is of a video of "
                f"{motion.width}x{motion.height} px; give the two that belong together."
            )
        folder.mkdir(parents=True, exist_ok=True)
        with VideoWriter(folder / "video.mp4", *size, motion.fps, crf=WELL_CODED) as out:
            for frame in reader:
                if frame.pts in index_of:
                    x, y = corners[index_of[frame.pts]]
                    out.write(frame.image[y : y + size[1], x : x + size[0]], frame.pts)
                    done += 1
                    progress(done, len(motion))
    if done != len(motion):
        raise ChorosError(
            f"{video} has {done} of the {len(motion)} frames that its truth tells of; "
            "give the two that belong together."
        )
    fraction = None
    if truth is not None:
        fraction = truth.visible_fraction[motion.row_frame, np.searchsorted(truth.person, motion.row_person)]
        windowed_truth(truth, corners, size).save(folder / "arrays.npz")
    windowed_motion(motion, corners, size, fraction).save(folder / "motion.npz")


def _moved(K: NDArray[np.float64], corners: Corners) -> NDArray[np.float64]:  # (T, 3, 3) px
    moved = K.copy()
    moved[:, :2] -= corners[..., None] * K[:, 2:]
    return moved


def _cut(
    box_px: NDArray[np.floating[Any]],  # (..., 4)
    corner: NDArray[np.floating[Any]],  # (..., 2)
    size: tuple[int, int],
) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """Boxes in the window and cut at its edge, (..., 4) px, and the share of their area that is left, (...,)."""
    cut = np.clip(box_px - np.tile(corner, 2), 0, [*size, *size])
    left, whole = (np.prod(box[..., 2:] - box[..., :2], axis=-1) for box in (cut, box_px))
    return cut, left / np.maximum(whole, 1e-9)


def _shifted(
    points_px: NDArray[np.float32],  # (..., K, 3) x, y, confidence
    corner: NDArray[np.floating[Any]],  # (..., 2)
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Keypoints in the window; those outside are not seen. What was not known (all zero) stays so."""
    shifted = points_px - np.concatenate([corner, np.zeros_like(corner[..., :1])], axis=-1)[..., None, :]
    inside = np.all((shifted[..., :2] >= 0) & (shifted[..., :2] < size), axis=-1)
    shifted[..., 2] *= inside
    return np.where(points_px.any(axis=-1, keepdims=True), shifted, 0).astype(np.float32)
