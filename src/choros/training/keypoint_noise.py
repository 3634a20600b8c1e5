"""What a 2D keypoint network makes of true keypoints: noise, confidences, dropouts, swaps, truncation.

A model of MoveNet as it behaves on people of all sizes: errors that last over frames, confidences that fall
with the error, guesses with less confidence for what cannot be seen, legs and arms that change sides. The
rates were set beside what ``PersonFinder`` does on made-up scenes, where the truth is known: half of the
visible keypoints are within 1 to 2.5 % of the person's size, a tenth of wrists and ankles off by over 15 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.keypoints import RELATIVE_SIGMAS

Floats = NDArray[np.float64]

#: Pairs of the limbs that a network confuses: elbows and wrists, knees and ankles.
ARMS = np.array([[7, 8], [9, 10]])
LEGS = np.array([[13, 14], [15, 16]])
LIMBS = np.concatenate([ARMS, LEGS]).ravel()
EVERYTHING = np.array([[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12], [13, 14], [15, 16]])


@dataclass(frozen=True)
class KeypointNoise:
    """Rates and sizes; ``share`` means of the person's longer side in the image."""

    lasting_share: tuple[float, float] = (0.006, 0.025)  # per clip, at COCO's mean sigma
    lasting_s: float = 0.2  # how long an error lasts
    bias_share: float = 0.008  # per clip and keypoint: annotators' habits against our regressor
    pixel: tuple[float, float] = (0.2, 1.5)  # px of white noise
    person_px: tuple[float, float] = (60.0, 700.0)  # longer side
    outlier_rate: float = 0.02  # of head and trunk; of arms and legs three times as much
    outlier_share: float = 0.15
    occluder_rate: float = 0.35  # clips in which something stands before a part of the person
    flicker_rate: float = 0.03  # single keypoints that go missing for a frame
    swap_rate: float = 0.15  # clips in which limbs change sides for a while
    hidden_share: float = 0.10  # error of a guess
    far_side_share: float = 0.6  # confidence that is left to a limb behind the trunk


def corrupt(
    rng: np.random.Generator,
    true: Floats,  # (B, T, 17, 2) on the plane z = 1
    depth: Floats,  # (B, T, 17) metres
    window: Floats,  # (B, 4) x0, y0, x1, y1 of the image on the same plane
    dt_s: Floats,  # (B,) seconds between frames
    noise: KeypointNoise,
) -> Floats:  # (B, T, 17, 3) x, y, confidence
    """True keypoints as a network would report them."""
    B, T, J, _ = true.shape
    size = np.ptp(true, axis=2).max(-1)  # (B, T)
    size = np.maximum(size, 1e-3)[..., None, None]
    sigma = RELATIVE_SIGMAS[:, None]

    hidden = (true < window[:, None, None, :2]).any(-1) | (true > window[:, None, None, 2:]).any(-1)
    hidden |= _occluded(rng, true, noise)
    hidden |= rng.random((B, T, J)) < noise.flicker_rate

    lasting = _lasting(rng, (B, T, J, 2), dt_s, noise.lasting_s)
    error = lasting * sigma * rng.uniform(*noise.lasting_share, (B, 1, 1, 1))
    error += rng.normal(size=(B, 1, J, 2)) * noise.bias_share
    pixels = log_uniform(rng, noise.person_px, (B, 1, 1, 1))
    error += rng.normal(size=error.shape) * rng.uniform(*noise.pixel, (B, 1, 1, 1)) / pixels
    outlier = rng.random((B, T, J)) < noise.outlier_rate * np.where(np.isin(np.arange(J), LIMBS), 3, 1)
    error += outlier[..., None] * rng.normal(size=error.shape) * noise.outlier_share

    # Arms and legs behind the trunk are guessed from less, and reported with less confidence.
    trunk = depth[..., [5, 6, 11, 12]].mean(-1, keepdims=True)
    behind = (depth > trunk + 0.08) & np.isin(np.arange(J), LIMBS)
    error *= np.where(behind, 2.0, 1.0)[..., None]

    size_of_error = np.linalg.norm(error, axis=-1)
    confidence = rng.normal(0.85, 0.06, (B, 1, 1)) + rng.normal(0, 0.08, (B, T, J)) - 3.0 * size_of_error
    confidence *= np.where(
        behind, noise.far_side_share + (1 - noise.far_side_share) * rng.random((B, T, J)), 1
    )
    guess = _lasting(rng, (B, T, J, 2), dt_s, noise.lasting_s) * noise.hidden_share
    error = np.where(hidden[..., None], guess, error)
    confidence = np.where(hidden, rng.uniform(0.03, 0.6, (B, T, J)), np.clip(confidence, 0.05, 0.99))

    seen = true + error * size
    # A network cannot point outside the crop, which ends at most a little outside the image.
    margin = 0.05 * size
    seen = np.clip(seen, window[:, None, None, :2] - margin, window[:, None, None, 2:] + margin)
    reported = np.concatenate([seen, confidence[..., None]], -1)
    _swap_sides(rng, reported, noise)
    return reported


def log_uniform(rng: np.random.Generator, limits: tuple[float, float], size: int | tuple[int, ...]) -> Floats:
    """Numbers whose logarithm is uniform."""
    low, high = limits
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def _lasting(rng: np.random.Generator, shape: tuple[int, ...], dt_s: Floats, lasting_s: float) -> Floats:
    """Unit Gaussian noise (B, T, ...) whose correlation over time falls as exp(-t / lasting_s)."""
    white = rng.normal(size=shape)
    keep = np.exp(-dt_s / lasting_s).reshape(-1, *[1] * (len(shape) - 2))
    out = white.copy()
    for t in range(1, shape[1]):
        out[:, t] = keep * out[:, t - 1] + np.sqrt(1 - keep**2) * white[:, t]
    return out


def _occluded(rng: np.random.Generator, true: Floats, noise: KeypointNoise) -> NDArray[np.bool_]:
    """(B, T, 17) what a half plane hides for a part of the clip: furniture, a pole, somebody else."""
    B, T = true.shape[:2]
    centre = true.mean(axis=(1, 2))
    reach = np.ptp(true, axis=2).max(-1).mean(1)
    angle = np.where(rng.random(B) < 0.6, np.pi / 2, rng.uniform(0, 2 * np.pi, B))  # most hide the legs
    normal = np.stack([np.cos(angle), np.sin(angle)], -1)
    offset = rng.uniform(-0.3, 0.4, B) * reach
    beyond = ((true - centre[:, None, None]) * normal[:, None, None]).sum(-1) > offset[:, None, None]
    begin, length = rng.integers(-T, T, B), rng.integers(1, 2 * T, B)
    frame = np.arange(T)
    during = (frame >= begin[:, None]) & (frame < (begin + length)[:, None])
    active = np.asarray(rng.random(B) < noise.occluder_rate)
    return beyond & during[..., None] & active[:, None, None]


def _swap_sides(rng: np.random.Generator, reported: Floats, noise: KeypointNoise) -> None:
    """Exchange left and right limbs, in place, for a run of frames in some clips."""
    B, T = reported.shape[:2]
    for clip in np.flatnonzero(rng.random(B) < noise.swap_rate):
        pairs = (LEGS, LEGS, ARMS, EVERYTHING)[rng.integers(4)]
        begin = rng.integers(0, T)
        run = slice(begin, begin + rng.integers(1, max(2, T // 3)))
        left, right = pairs.T
        both = np.concatenate([left, right])
        reported[clip, run, both] = reported[clip, run, np.concatenate([right, left])]
        reported[clip, run, both, 2] *= rng.uniform(0.4, 1.0)
