"""Clips without pictures: people of motion capture, and MoveNet's answers drawn as it would give them.

Nobody is rendered and no trunk looks, so a clip costs milliseconds, and poses, cameras and mistakes are the lifter's
(`choros.training.lifter.batch`): limbs of different clips, people seated, lying and upside down, cameras held anyhow.
Only a network that takes nothing but the answers (`ComotionConfig.maps`) can learn from them.

What a heatmap looks like was read off real ones, of 120 pictures of COCO val2017 with true keypoints: a keypoint's
logit falls with the logarithm of the distance in cells, nearly whatever the size of the person; it is fainter where the
other side's keypoint is; and the way that is told from the middle of a person falls short.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.backbones.movenet import WAY
from choros.backbones.trunk import COARSEST_PX
from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.crops import Letterbox
from choros.datasets.mocap import learned_and_held_out
from choros.keypoints import box_of_keypoints
from choros.skeleton import MIRROR_COCO17
from choros.training.comotion.batch import EncodedClip
from choros.training.comotion.labelled_clip import HEIGHT_M, LabelledClip
from choros.training.comotion.labels import about_pelvis
from choros.training.lifter.batch import Batch, ClipConfig, sample
from choros.training.lifter.keypoint_noise import log_uniform
from choros.training.lifter.poses import PoseClip

Floats = NDArray[np.floating]

#: Px of the picture for each cell of the answers.
CELL_PX = 4

#: Logits, in spreads of the trunk's map: where nothing is, how fast they fall from a keypoint, over how many cells.
NOTHING, NOTHING_SPREAD, FALL, FALL_CELLS = -3.9, 0.6, 1.35, 1.0
#: Of large people they fall over more cells, so many of the person's own.
FALL_SHARE = 0.01
#: What differs from cell to cell; peaks that are nobody's, of each keypoint in a picture, and their height.
FLICKER, FALSE_PEAKS, FALSE_HEIGHT = 0.2, 0.4, (-0.9, 0.5)

#: A keypoint's height is this much of the logit of its confidence, give or take; how much lower the other side's
#: heatmap is there.
HEIGHT, HEIGHT_SPREAD, OTHER_SIDE, OTHER_SIDE_SPREAD = 0.45, 0.3, 0.9, 0.5

#: Noise of the ways from the middle, in spreads of the map.
WAY_SPREAD = 0.2

#: Share of the people who are hidden for a while, in clips that are long enough; heights and ways of whom nobody sees.
GONE, UNSEEN, FAR = 0.3, -30.0, 100.0

#: Share of a first box that must be in view for its person to be found.
LEAST_IN_VIEW = 0.3


@cache
def motions_of(mocap: Path) -> tuple[PoseClip, ...]:
    """The clips of a folder of motion capture that may shape published weights; read once per process."""
    learned, _ = learned_and_held_out(mocap, shippable_only=True)
    return tuple(PoseClip.of(motion) for motion in learned)


def sketched_clips(
    motions: Sequence[PoseClip],
    body: BodyModel,
    size: int,
    aspect: float,
    frames: int,
    people: tuple[int, int],
    seed: tuple[int, ...],
    start: int,
) -> Generator[EncodedClip]:
    """Clips without end from the ``start``-th on, pictures of ``aspect`` within squares of ``size`` px.

    ``body`` is the open one, on the CPU.
    """
    points = Points.of(body)
    for index in count(start):
        rng = np.random.default_rng([*seed, index])
        fov = float(log_uniform(rng, (15.0, 90.0), 1)[0])
        config = ClipConfig(
            batch=int(rng.integers(people[0], people[1] + 1)),
            frames=frames,
            field_of_view_deg=(fov, fov),
            height_share=(0.15, 1.4),
            aspects=(aspect, aspect),
            cut_off_rate=0.0,
        )
        number = int(rng.integers(1 << 31))
        cast = sample(motions, points, config, number, 0)
        yield sketched_clip(cast, body, size, aspect, fov, rng)


def sketched_clip(
    cast: Batch, body: BodyModel, size: int, aspect: float, fov_deg: float, rng: np.random.Generator
) -> EncodedClip:
    """The people (B) of a ``cast`` together before a camera whose longer side takes in ``fov_deg``."""
    box = Letterbox(round(1000 * min(aspect, 1)), round(1000 / max(aspect, 1)), size)
    x0, y0, x1, y1 = content = box.content_px(COARSEST_PX)
    focal = 0.5 * size / np.tan(np.deg2rad(fov_deg) / 2)
    K = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    reported = np.moveaxis(cast.keypoints, 0, 1).copy()  # (T, P, 17, 3)
    reported[..., :2] = reported[..., :2] * focal + size / 2
    reported[..., 2] *= ~_gone(rng, *reported.shape[:2])[..., None]
    clip = _labelled(cast, body, K, content, size, reported[..., 2])
    cells = np.concatenate([(reported[..., :2] - [x0, y0]) / CELL_PX, reported[..., 2:]], -1)
    maps = answers(cells, ((y1 - y0) // CELL_PX, (x1 - x0) // CELL_PX), rng)
    return EncodedClip(clip, (maps,), (x0, y0))


def answers(keypoints: Floats, shape: tuple[int, int], rng: np.random.Generator) -> Tensor:
    """The trunk's answers (T, 51, h, w), half precision, where it reports ``keypoints`` (T, P, 17, 3) in cells.

    Those of no confidence at all leave no trace.
    """
    T, P = keypoints.shape[:2]
    height, width = shape
    at = keypoints[..., :2].astype(np.float32)
    x, y = np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5
    away = np.hypot(x - at[..., 0, None, None], y[:, None] - at[..., 1, None, None])  # (T, P, 17, h, w)
    size = np.maximum(np.ptp(at, axis=2).max(-1), 4)  # (T, P)
    fall = FALL * np.log1p(away / (FALL_CELLS + FALL_SHARE * size[..., None, None, None]))
    confidence = np.clip(keypoints[..., 2], 0.02, 0.98)
    tall = HEIGHT * np.log(confidence / (1 - confidence)) + rng.normal(0, HEIGHT_SPREAD, (1, P, 17))
    tall = np.where(keypoints[..., 2] > 0, tall, UNSEEN)
    less = np.maximum(
        OTHER_SIDE + rng.normal(0, OTHER_SIDE_SPREAD, (1, P, 1)) + rng.normal(0, 0.3, (1, P, 17)), 0
    )
    own = (tall[..., None, None] - fall).max(1, initial=-np.inf)
    other = ((tall - less)[..., None, None] - fall).max(1, initial=-np.inf)[:, list(MIRROR_COCO17)]
    false = [_false_peaks(rng, x, y) for _ in range(17)]
    nothing = NOTHING + NOTHING_SPREAD * _wandering(rng, (T, 17, height, width), 8)
    # Chances add up where they are small.
    heat = np.logaddexp(np.maximum(np.maximum(own, other), false), nothing)
    heat = heat + FLICKER * _wandering(rng, heat.shape, 2)

    middle = at.mean(2)  # (T, P, 2)
    near = (
        np.hypot(x - middle[..., 0, None, None], y[:, None] - middle[..., 1, None, None])
        / size[..., None, None]
    )
    near = near + np.where(keypoints[..., 2].any(-1), 0, FAR)[..., None, None]
    whose = near.argmin(1)  # (T, h, w)
    there = np.exp(-0.5 * (near.min(1) / 0.4) ** 2)[:, None, None]
    of_them = at[np.arange(T)[:, None, None], whose]  # (T, h, w, 17, 2)
    way_x, way_y = (
        np.moveaxis(of_them[..., axis], -1, 1) - grid for axis, grid in enumerate((x, y[:, None]))
    )
    ways = np.stack([WAY[0] * way_y, WAY[1] * way_x], 2) * there
    ways = ways + WAY_SPREAD * _wandering(rng, ways.shape, 8)
    return torch.from_numpy(np.concatenate([heat, ways.reshape(T, 34, height, width)], 1)).half()


def _gone(rng: np.random.Generator, T: int, P: int) -> NDArray[np.bool_]:
    """Who of P people is hidden altogether in which of T frames, (T, P): some for a while, nobody in the first."""
    first = rng.integers(1, T + 1, P)
    last = first + rng.integers(0, T, P) * (rng.random(P) < GONE)
    time = np.arange(T)[:, None]
    return np.asarray((time >= first) & (time < last))


def _false_peaks(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """One keypoint's heatmap (h, w) of what is no person but looks like one, the same in all frames."""
    heat = np.full((len(y), len(x)), -np.inf, np.float32)
    for _ in range(rng.poisson(FALSE_PEAKS)):
        at, tall = rng.uniform(0, [len(x), len(y)]), rng.normal(*FALSE_HEIGHT)
        heat = np.maximum(heat, tall - FALL * np.log1p(np.hypot(x - at[0], y[:, None] - at[1]) / FALL_CELLS))
    return heat


def _wandering(rng: np.random.Generator, shape: tuple[int, ...], cells: int) -> NDArray[np.float32]:
    """Noise (..., h, w) of unit spread, alike over some cells."""
    height, width = shape[-2:]
    coarse = rng.standard_normal((*shape[:-2], -(-height // cells), -(-width // cells)), np.float32)
    return np.repeat(np.repeat(coarse, cells, -2), cells, -1)[..., :height, :width]


def _labelled(
    cast: Batch, body: BodyModel, K: Floats, content: tuple[int, int, int, int], size: int, confidence: Floats
) -> LabelledClip:
    """What is true of the cast, in the square."""
    rotations = np.moveaxis(cast.rotations, 0, 1)  # (T, P, ...)
    pelvis = np.moveaxis(cast.joints_cam, 0, 1)[:, :, 0]
    about = about_pelvis(rotations.astype(np.float64), cast.betas, body)
    in_view = (about + pelvis[:, :, None]) @ K.T
    before = in_view[..., 2] > 0.1
    points_px = in_view[..., :2] / np.maximum(in_view[..., 2:], 0.1)
    x0, y0, x1, y1 = content
    keypoints_px = points_px[:, :, 24:]
    inside = np.all((keypoints_px > [x0, y0]) & (keypoints_px < [x1, y1]), -1)
    boxes = np.array([box_of_keypoints(np.c_[points, np.ones(len(points))], 0.0) for points in points_px[0]])
    margin = 0.06 * (boxes[:, 2:] - boxes[:, :2]).max(-1, keepdims=True)
    boxes = boxes + margin * [-1, -1, 1, 1]
    cut = np.clip(boxes, [x0, y0, x0, y0], [x1, y1, x1, y1])
    area, left = (np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), -1) for b in (boxes, cut))
    known = np.any(inside, -1)  # (T, P)
    rho = np.log(K[0, 0] / pelvis[..., 2])
    T = len(rotations)
    return LabelledClip(
        images=np.zeros((0, size, size, 3), np.uint8),
        K=np.tile(K, (T, 1, 1)).astype(np.float32),
        camera_known=True,
        everyone=False,  # sketched heatmaps teach none
        first_box_px=cut.astype(np.float32),
        found=known[0] & (left > LEAST_IN_VIEW * area),
        keypoints_px=np.concatenate([keypoints_px, (inside & (confidence > 0.3))[..., None]], -1).astype(
            np.float32
        ),
        rotations=rotations.astype(np.float32),
        betas=cast.betas.astype(np.float32),
        about_pelvis=about.astype(np.float32),
        points_px=points_px.astype(np.float32),
        rho=rho.astype(np.float32),
        size_px=(HEIGHT_M * np.exp(rho)).astype(np.float32),
        pointed=(before & known[..., None]).astype(np.float32),
        posed=known,
        placed=known,
        shaped=np.ones(len(cast.betas), bool),
        content_px=content,
    )
