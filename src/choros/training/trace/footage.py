"""Real pictures as clips for TRACE: a camera that turns is put before them, and everything known turns along.

The paper moves crops over footage of standing cameras. A crop that moves is a camera that turns, nearly; here it is
one, exactly: the picture is seen by a camera that turns about its own place, so people, their places and the turn
itself are true as far as the labels are (`choros train pseudo-label`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.backbones.trunk import COARSEST_PX, ImageTrunk
from choros.body import BodyModel
from choros.crops import Letterbox
from choros.rotation import rotvec_to_rotmat
from choros.training.comotion.footage import PseudoLabels
from choros.training.comotion.labelled_clip import LabelledClip, mirrored
from choros.training.comotion.views import again
from choros.training.trace.clip import TraceClip, answered, load_clip, save_clip

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class FootageRecipe:
    """How pictures are seen; all ours."""

    frames: int = 3
    pictures: int = 120  # at most, of all that are labelled
    turn_rad: float = 0.05  # between two frames, of cameras that turn
    still: float = 0.3  # share of cameras that do not
    aside_rad: float = 0.06  # how far the first view is turned from the picture
    zoom: tuple[float, float] = (0.8, 1.5)


def turned_clip(
    clip: LabelledClip, recipe: FootageRecipe, square_px: int, rng: np.random.Generator
) -> tuple[LabelledClip, Floats]:
    """What a turning camera sees of a picture with labels, in squares; and the way to its first axes, (T, 4, 4)."""
    T = recipe.frames
    clip = again(mirrored(clip) if rng.random() < 0.5 else clip, T)
    height, width = clip.images.shape[1:3]
    box = Letterbox(width, height, square_px)
    K = np.asarray(clip.K[0], np.float64)
    zoom = np.exp(rng.uniform(*np.log(recipe.zoom)))
    seen_K = box.K(K).copy()
    seen_K[[0, 1], [0, 1]] *= zoom
    speed = rng.normal(0, recipe.turn_rad, 3) * [0.6, 1, 0.4] * (rng.random() >= recipe.still)
    first = rng.normal(0, recipe.aside_rad, 3) * [0.7, 1, 0.7]
    R = rotvec_to_rotmat(first + np.arange(T)[:, None] * speed)  # from the picture's axes to the view's
    to_square = seen_K @ R @ np.linalg.inv(K)
    images = np.stack([_warped(image, H, box) for image, H in zip(clip.images, to_square, strict=True)])
    path = np.tile(np.eye(4), (T, 1, 1))
    path[:, :3, :3] = R[0] @ np.swapaxes(R, -1, -2)
    return _labels(clip, images, R, to_square, K, seen_K, box), path


def _warped(image: NDArray[np.uint8], H: Floats, box: Letterbox) -> NDArray[np.uint8]:
    """A picture through a homography from its corner to the square's, black outside the letterbox."""
    to_corner = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    warp = to_corner @ H @ np.linalg.inv(to_corner)
    square = np.asarray(cv2.warpPerspective(image, warp, (box.size, box.size)), np.uint8)
    x0, y0, x1, y1 = (round(side) for side in _content(box))
    shown = np.zeros_like(square)
    shown[y0:y1, x0:x1] = square[y0:y1, x0:x1]
    return shown


def _content(box: Letterbox) -> tuple[float, float, float, float]:
    return box.left_px, box.top_px, box.size - box.left_px, box.size - box.top_px


def _labels(
    clip: LabelledClip,
    images: NDArray[np.uint8],
    R: Floats,
    to_square: Floats,
    K: Floats,
    seen_K: Floats,
    box: Letterbox,
) -> LabelledClip:  # fmt: skip
    """What is known, as the views have it."""
    x0, y0, x1, y1 = _content(box)
    points, _ = _through(clip.points_px, to_square)
    keypoints, ahead = _through(clip.keypoints_px[..., :2], to_square)
    inside = np.all((keypoints > [x0, y0]) & (keypoints < [x1, y1]), -1) & ahead
    seen = clip.keypoints_px[..., 2] * inside
    depth = K[0, 0] / np.exp(clip.rho.astype(np.float64))
    across = (clip.points_px[:, :, 0] - K[:2, 2]) / K[[0, 1], [0, 1]]
    pelvis = np.concatenate([across, np.ones_like(across[..., :1])], -1) * depth[..., None]
    depth = np.einsum("tab,tpb->tpa", R, pelvis)[..., 2]
    known = clip.pointed > 0
    there = (known & np.all((points > [x0, y0]) & (points < [x1, y1]), -1)).sum(-1) >= 3
    good = there & (depth > 0.3)
    rotations = clip.rotations.astype(np.float64)
    rotations[:, :, 0] = R[:, None] @ rotations[:, :, 0]
    rho = np.log(seen_K[0, 0] / np.maximum(depth, 0.3))
    return replace(
        clip,
        images=images,
        K=np.tile(seen_K, (len(R), 1, 1)).astype(np.float32),
        keypoints_px=np.concatenate([keypoints, seen[..., None]], -1).astype(np.float32),
        rotations=rotations.astype(np.float32),
        about_pelvis=np.einsum("tab,tpkb->tpka", R, clip.about_pelvis).astype(np.float32),
        points_px=np.where(known[..., None], points, 0).astype(np.float32),
        rho=rho.astype(np.float32),
        size_px=(1.7 * np.exp(rho)).astype(np.float32),
        pointed=clip.pointed * there[..., None],
        posed=clip.posed & good,
        placed=clip.placed & good,
        content_px=box.content_px(COARSEST_PX),
    )


def _through(points_px: Floats, H: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Points (T, ..., 2) by homographies (T, 3, 3), and which are before the camera."""
    ones = np.concatenate([points_px, np.ones((*points_px.shape[:-1], 1))], -1)
    seen = np.einsum("tab,t...b->t...a", H, ones)
    ahead = seen[..., 2] > 1e-3
    return seen[..., :2] / np.where(ahead, seen[..., 2], 1)[..., None], ahead


def kept_footage(
    folder: Path, parts: Sequence[PseudoLabels], recipe: FootageRecipe, trunk: ImageTrunk, body: BodyModel,
    square_px: int, map_size: int, seed: int,
    *, tell: Callable[[int], None] = lambda done: None, stop: Callable[[], bool] = lambda: False,
) -> list[TraceClip]:  # fmt: skip
    """Pictures of sets of pseudo-labels, as clips that a folder keeps; those that lack are made until ``stop``.

    Pictures are drawn by the seed, each once; of films some.
    """
    folder.mkdir(parents=True, exist_ok=True)
    places = [(part, int(first)) for part in parts for first in part.starts(1)]
    order = np.random.default_rng([seed, 13]).permutation(len(places))[: recipe.pictures]
    clips: list[TraceClip] = []
    for number, place in enumerate(order):
        path = folder / f"picture-{number:04d}.npz"
        if not path.is_file():
            if stop():
                break
            part, first = places[place]
            rng = np.random.default_rng([seed, number, 17])
            seen, to_first = turned_clip(part.clip(range(first, first + 1), body), recipe, square_px, rng)
            save_clip(path, answered(seen, trunk, to_first, map_size))
        clip = load_clip(path)
        if clip.labels.placed.any():
            clips.append(clip)
        tell(number + 1)
    return clips
