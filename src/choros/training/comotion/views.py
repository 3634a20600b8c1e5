"""A clip through a view that turns, zooms and pans: everything known of everybody goes with it, exactly.

A view takes points x of the picture to ``s R x + t``. Seen so, a camera of intrinsics ``(f, c)`` is one that is rolled
by R and has ``(s f, s R c + t)``: people turn about its axis, and whatever is behind a point of theirs stays behind it.
So a camera's roll and a person's nearness can be had from any footage, and motion from a single picture.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.backbones.trunk import COARSEST_PX
from choros.crops import Letterbox
from choros.training.comotion.labelled_clip import LabelledClip

Floats = NDArray[np.float64]

#: A picture that shrinks by more than this is averaged first: bilinear sampling alone would skip pixels.
SHRINKS = 0.7

#: What a clip has of each of its frames.
PER_FRAME = (
    "images", "K", "keypoints_px", "rotations", "about_pelvis", "points_px", "rho", "size_px", "pointed", "posed",
    "placed",
)  # fmt: skip

#: Share of a first box that must be in view for its person to be found.
LEAST_IN_VIEW = 0.3


class Views(NamedTuple):
    """Similarities, one for each of T frames, from px of a picture to px of a square; angles are clockwise."""

    scale: Floats  # (T,) square px per picture px
    angle_rad: Floats  # (T,)
    shift_px: Floats  # (T, 2)

    @classmethod
    def about(cls, at_px: Floats, lands_px: Floats, scale: Floats, angle_rad: Floats) -> Views:
        """Those that take ``at_px`` (T, 2) of the picture to ``lands_px`` (T, 2) of the square."""
        unmoved = cls(scale, angle_rad, np.zeros_like(lands_px))
        return unmoved._replace(shift_px=lands_px - unmoved.to_square(at_px[:, None])[:, 0])

    @property
    def turn(self) -> Floats:  # (T, 2, 2)
        """R of each."""
        c, s = np.cos(self.angle_rad), np.sin(self.angle_rad)
        return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)

    @property
    def affine(self) -> Floats:  # (T, 3, 3)
        """Each as a matrix of homogeneous coordinates."""
        matrix = np.tile(np.eye(3), (len(self.scale), 1, 1))
        matrix[:, :2, :2], matrix[:, :2, 2] = self.scale[:, None, None] * self.turn, self.shift_px
        return matrix

    def to_square(self, points_px: NDArray[np.floating]) -> Floats:
        """Points (T, ..., 2) of the picture, in the square."""
        within = (1,) * (points_px.ndim - 2)
        turned = np.einsum("tab,t...b->t...a", self.turn, points_px)
        return self.scale.reshape(-1, *within, 1) * turned + self.shift_px.reshape(-1, *within, 2)


def viewed(
    clip: LabelledClip, views: Views, size: int, shape: tuple[int, int] | None = None, border: int = 0
) -> LabelledClip:
    """What ``views`` show of a clip of as many frames, or of a single one again and again, in squares of ``size`` px.

    ``shape``, width and height, is that of the pictures within the square, all of it without. Of whom nothing known is
    in view nothing is known. ``border``, a grey, is what is beyond the clip's own pictures.
    """
    T = len(views.scale)
    clip = clip if len(clip) == T else again(clip, T)
    box = Letterbox(*(shape or (size, size)), size)
    x0, y0, x1, y1 = content = box.content_px(COARSEST_PX)
    frames = np.zeros((T, size, size, 3), np.uint8)
    for image, affine, frame in zip(clip.images, views.affine, frames, strict=True):
        frame[y0:y1, x0:x1] = _sampled(image, affine, size, border)[y0:y1, x0:x1]

    points_px = views.to_square(clip.points_px)
    known = clip.pointed[..., None] > 0
    low = points_px.min(-2, initial=np.inf, where=known)
    high = points_px.max(-2, initial=-np.inf, where=known)
    inside = np.all((high > [x0, y0]) & (low < [x1, y1]), -1)  # (T, P)
    keypoints = clip.keypoints_px.astype(np.float64)
    keypoints[..., :2] = views.to_square(keypoints[..., :2])
    seen = np.all((keypoints[..., :2] > [x0, y0]) & (keypoints[..., :2] < [x1, y1]), -1)
    whole = turned_boxes(clip.first_box_px.astype(np.float64), views)
    cut = np.clip(whole, [x0, y0, x0, y0], [x1, y1, x1, y1])
    area, left = (np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), -1) for b in (whole, cut))
    roll = np.tile(np.eye(3), (T, 1, 1))
    roll[:, :2, :2] = views.turn
    rotations = clip.rotations.copy()
    rotations[:, :, 0] = roll[:, None] @ rotations[:, :, 0]
    K = views.affine @ clip.K
    K[:, :2, :2] = views.scale[:, None, None] * clip.K[:, :2, :2]  # the turn has gone into the people
    return replace(
        clip,
        images=frames,
        content_px=content,
        K=K.astype(np.float32),
        first_box_px=cut.astype(np.float32),
        found=clip.found & (left > LEAST_IN_VIEW * area) & inside[0],
        keypoints_px=(keypoints * seen[..., None]).astype(np.float32),
        rotations=rotations.astype(np.float32),
        about_pelvis=np.einsum("tab,tpkb->tpka", roll, clip.about_pelvis).astype(np.float32),
        points_px=np.where(known, points_px, 0).astype(np.float32),
        rho=(clip.rho + np.log(views.scale)[:, None]).astype(np.float32),
        size_px=(clip.size_px * views.scale[:, None]).astype(np.float32),
        pointed=clip.pointed * inside[..., None],
        posed=clip.posed & inside,
        placed=clip.placed & inside,
    )


def turned_boxes(boxes_px: Floats, views: Views) -> Floats:
    """Boxes (P, 4) xyxy of the first frame in the first view: of the ellipses in them, which people fill better."""
    middle = views.to_square((boxes_px[None, :, :2] + boxes_px[None, :, 2:]) / 2)[0]
    half = views.scale[0] * np.sqrt((boxes_px[:, 2:] - boxes_px[:, :2]) ** 2 / 4 @ views.turn[0].T ** 2)
    return np.concatenate([middle - half, middle + half], -1)


def again(clip: LabelledClip, T: int) -> LabelledClip:
    """A clip of a single frame, T times that frame. Raises `ValueError` for longer ones."""
    if len(clip) != 1:
        raise ValueError(f"{T} views of {len(clip)} frames")
    repeated: dict[str, Any] = {name: np.repeat(getattr(clip, name), T, 0) for name in PER_FRAME}
    return replace(clip, **repeated)


def _sampled(image: NDArray[np.uint8], affine: Floats, size: int, border: int) -> NDArray[np.uint8]:
    """An image (H, W, 3) through one view, (size, size, 3)."""
    scale = float(np.hypot(*affine[:2, 0]))
    to_picture = np.eye(3)
    if scale < SHRINKS:
        height, width = image.shape[:2]
        small = max(1, round(width * scale)), max(1, round(height * scale))
        to_picture = np.diag([width / small[0], height / small[1], 1.0])
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
    # cv2 counts from pixel centres, half a pixel inside the corner that we count from.
    to_corner = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    warp = to_corner @ affine @ to_picture @ np.linalg.inv(to_corner)
    return np.asarray(cv2.warpAffine(image, warp[:2], (size, size), borderValue=(border,) * 3), np.uint8)
