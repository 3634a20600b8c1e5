"""A clip as CoMotion is trained on it: frames, and beside them what is known of everybody in them.

Here is what such a clip is, and how it looks through a window or in a mirror. Where clips come from is for
`choros.training.comotion.labels`, which windows and colours are taken for `choros.training.comotion.variation`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.backbones.trunk import COARSEST_PX
from choros.crops import Letterbox
from choros.skeleton import COCO17, MIRROR_COCO17, MIRROR_JOINTS

Singles = NDArray[np.float32]

#: Paper A.4: annotators' hips are this many times as far apart as SMPL's.
HIPS_APART = 2.0

#: A person's size in the image is that of someone of this height in T-pose, seen from the front, metres.
HEIGHT_M = 1.7

LEFT_HIP, RIGHT_HIP = COCO17.index("left_hip"), COCO17.index("right_hip")
MIRROR_POINTS = [*MIRROR_JOINTS, *(24 + k for k in MIRROR_COCO17)]


@dataclass(frozen=True, eq=False)
class LabelledClip:
    """T frames with the P people who are labelled in them; what is unknown is zero, and the masks say so."""

    images: NDArray[np.uint8]  # (T, H, W, 3) RGB
    K: Singles  # (T, 3, 3) px
    camera_known: bool  # else K is a guess and another will do as well
    everyone: bool  # all who are to be seen are labelled, so that heatmaps can be taught
    first_box_px: Singles  # (P, 4) xyxy of whom a detector would find in the first frame, cut at the edge
    found: NDArray[np.bool_]  # (P,) who that is
    keypoints_px: Singles  # (T, P, 17, 3) COCO-17, 1 if it is seen, else 0
    rotations: Singles  # (T, P, 24, 3, 3)
    betas: Singles  # (P, 10)
    about_pelvis: Singles  # (T, P, 41, 3) metres, of `points_about_pelvis`
    points_px: Singles  # (T, P, 41, 2)
    rho: Singles  # (T, P) log of px per metre
    size_px: Singles  # (T, P)
    pointed: Singles  # (T, P, 41) 1 or a detector's confidence where a point is known
    posed: NDArray[np.bool_]  # (T, P)
    placed: NDArray[np.bool_]  # (T, P)
    shaped: NDArray[np.bool_]  # (P,)
    #: x0, y0, x1, y1: beyond is padding; None if nothing is.
    content_px: tuple[int, int, int, int] | None = None

    def __len__(self) -> int:
        return len(self.images)


def narrow_hips(keypoints_px: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where SMPL's hips are by annotators' COCO-17 keypoints (..., 17, 3) x, y, confidence (A.4).

    Gives the keypoints (..., 17, 2), hips half as far apart about the same middle, and a confidence (...,) that
    is 0 unless both hips are known: one alone does not tell where the middle is.
    """
    points = keypoints_px[..., :2].copy()
    hips = points[..., [LEFT_HIP, RIGHT_HIP], :]
    middle = hips.mean(-2, keepdims=True)
    points[..., [LEFT_HIP, RIGHT_HIP], :] = middle + (hips - middle) / HIPS_APART
    return points, keypoints_px[..., [LEFT_HIP, RIGHT_HIP], 2].min(-1)


def windowed(clip: LabelledClip, window_px: tuple[int, int, int, int], size: int) -> LabelledClip:
    """What a ``window_px`` (x0, y0, x1, y1) of the picture shows, in a square of ``size`` px.

    People who are out of the window are out of the picture: not found, and not known.
    """
    x0, y0, x1, y1 = window_px
    frames = np.stack([_cut(image, window_px, size) for image in clip.images])
    box = Letterbox(x1 - x0, y1 - y0, size)
    corner = np.array([x0, y0])
    to_window = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]])

    known = clip.pointed[..., None] > 0
    low = clip.points_px.min(-2, initial=np.inf, where=known)
    high = clip.points_px.max(-2, initial=-np.inf, where=known)
    inside = np.all((high > [x0, y0]) & (low < [x1, y1]), -1)  # (T, P)
    cut = np.clip(clip.first_box_px, [x0, y0, x0, y0], [x1, y1, x1, y1])
    area, left = (np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), -1) for b in (clip.first_box_px, cut))
    seen = np.all((clip.keypoints_px[..., :2] > [x0, y0]) & (clip.keypoints_px[..., :2] < [x1, y1]), -1)
    keypoints = clip.keypoints_px * seen[..., None]
    keypoints[..., :2] = box.to_crop(clip.keypoints_px[..., :2] - corner)
    return replace(
        clip,
        images=frames,
        content_px=box.content_px(COARSEST_PX),
        K=box.K(to_window @ clip.K).astype(np.float32),
        first_box_px=box.boxes_to_crop(cut - np.tile(corner, 2)).astype(np.float32),
        found=clip.found & (left > 0.3 * area) & inside[0],
        keypoints_px=keypoints.astype(np.float32),
        points_px=box.to_crop(clip.points_px - corner).astype(np.float32),
        rho=(clip.rho + np.log(box.scale)).astype(np.float32),
        size_px=(clip.size_px * box.scale).astype(np.float32),
        pointed=clip.pointed * inside[..., None],
        posed=clip.posed & inside,
        placed=clip.placed & inside,
    )


def in_square(clip: LabelledClip, size: int) -> LabelledClip:
    """The whole picture in a square of ``size`` px."""
    height, width = clip.images.shape[1:3]
    return windowed(clip, (0, 0, width, height), size)


def mirrored(clip: LabelledClip) -> LabelledClip:
    """Left and right exchanged, in the picture and in everybody."""
    width = clip.images.shape[2]
    flip = np.diag([-1.0, 1, 1])
    K = flip @ clip.K @ flip
    K[:, 0, 2] = width - clip.K[:, 0, 2]
    box = clip.first_box_px[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [width, 0, width, 0]
    keypoints = clip.keypoints_px[:, :, list(MIRROR_COCO17)] * [-1, 1, 1] + [width, 0, 0]
    points = clip.points_px[:, :, MIRROR_POINTS] * [-1, 1] + [width, 0]
    return replace(
        clip,
        images=np.ascontiguousarray(clip.images[:, :, ::-1]),
        K=K.astype(np.float32),
        first_box_px=box.astype(np.float32),
        keypoints_px=keypoints.astype(np.float32),
        rotations=(flip @ clip.rotations[:, :, list(MIRROR_JOINTS)] @ flip).astype(np.float32),
        about_pelvis=(clip.about_pelvis[:, :, MIRROR_POINTS] * [-1, 1, 1]).astype(np.float32),
        points_px=points.astype(np.float32),
        pointed=clip.pointed[:, :, MIRROR_POINTS],
    )


def _cut(image: NDArray[np.uint8], window_px: tuple[int, int, int, int], size: int) -> NDArray[np.uint8]:
    """The window of an image (H, W, 3), black where it reaches beyond, as `Letterbox` brings it to a square."""
    x0, y0, x1, y1 = window_px
    width, height = x1 - x0, y1 - y0
    shift = np.array([[1, 0, -x0], [0, 1, -y0]], np.float64)
    part = cv2.warpAffine(image, shift, (width, height), flags=cv2.INTER_LINEAR)
    return Letterbox(width, height, size).cut(np.asarray(part, np.uint8))
