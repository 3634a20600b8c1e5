"""How a camera turned between two pictures, from points of the background seen in both (two-view geometry).

Two models are fitted robustly: a camera that only turned, or zoomed, and one that also moved. The second is believed
where it explains more of the points: movement too small to show would leave the turn undetermined, and movement that
is denied would be taken for one. All under known K.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.rotation import rotvec_to_rotmat

Floats = NDArray[np.float64]

LEAST_NOISE_PX = 0.03  # of tracked points, however well they happen to fit
OUTLIER_PX = 1.2  # a point that misses the model by more is not of the background
COARSE_PX = 3.0  # the same while the model is being found
TRIES = 100  # pairs of points from which a first turn is guessed
FIVES = 300  # fives of points from which a first movement is guessed
FINE_STEPS_PX = (1.0,) * 6  # scale of the robust weights in each step of a fit
STEPS_PX = (4.0, 2.0, *FINE_STEPS_PX)
FEWEST = 12  # points of the background that say anything
LEAST_SHARE = 0.4  # of all points that must agree
GAIN = 0.1  # share of the points that only a movement must explain, more than lie near its lines by chance
DELTA = 1e-6  # for derivatives by differences; rays and turns are of order 1


class RelativeRotation(NamedTuple):
    """A turn between two pictures and how well it is known."""

    R_after_before: Floats  # (3, 3) camera axes before the turn to those after it
    sigma_rad: float  # standard deviation of its angle; inf where the points say nothing
    agree: NDArray[np.bool_]  # (N,) which points moved as the background does
    way: Floats | None  # (3,) unit, along which the background moved, camera axes after; None: it only turned


class _Fit(NamedTuple):
    R: Floats  # (3, 3)
    way: Floats | None  # (3,)
    error_px: Floats  # (N,) distance of each pair of points to the model in both pictures together
    slopes_px: Floats  # (N, m, p) derivatives of the residuals, those by the turn first

    @property
    def agree(self) -> NDArray[np.bool_]:  # (N,)
        return self.error_px < OUTLIER_PX

    @property
    def missed_px(self) -> float:
        return float(np.minimum(self.error_px, OUTLIER_PX).sum())


def turn_between(
    before_px: NDArray[np.floating[Any]],  # (N, 2)
    after_px: NDArray[np.floating[Any]],  # (N, 2) the same points in the other picture
    K_before: Floats,  # (3, 3)
    K_after: Floats,  # (3, 3)
    guess: tuple[Floats, Floats] | None = None,  # R_after_before (3, 3) and ``RelativeRotation.way``
) -> RelativeRotation:
    """The turn of a camera from points that do not move in the world, but for up to half of them.

    A change of focal length that K does not tell of is found and left aside. Without ``FEWEST`` points that
    agree, or if fewer than ``LEAST_SHARE`` of them do, the turn is none at all and ``sigma_rad`` inf. A guess
    helps where two movements explain the points almost alike.
    """
    nothing = RelativeRotation(np.eye(3), np.inf, np.zeros(len(before_px), bool), None)
    if len(before_px) < FEWEST:
        return nothing
    before, after = rays(before_px, K_before), rays(after_px, K_after)
    focal_px = float(np.sqrt(K_after[0, 0] * K_after[1, 1]))
    R, zoom = _first_guess(before, after, focal_px)
    best = _fit_turned(before, after, focal_px, R, zoom)
    enough = best.agree.mean() + GAIN
    if enough <= 1:
        begins = _from_fives(before, after, focal_px, best.R) + ([] if guess is None else [guess])
        for begin in begins:
            moved = _fit_moved(before, after, focal_px, *begin)
            if moved.agree.mean() >= enough and (best.way is None or moved.missed_px < best.missed_px):
                best = moved
    agree = best.agree
    if agree.sum() < FEWEST or agree.mean() < LEAST_SHARE:
        return nothing
    slopes = best.slopes_px[agree]
    noise_px = max(float(np.sqrt(np.mean(best.error_px[agree] ** 2))), LEAST_NOISE_PX)
    spread = np.linalg.pinv(np.einsum("nmp,nmq->pq", slopes, slopes))[:3, :3] * noise_px**2
    return RelativeRotation(best.R, float(np.sqrt(np.trace(spread))), agree, best.way)


def rays(points_px: NDArray[np.floating[Any]], K: Floats) -> Floats:
    """Points (N, 2) of a picture as directions (N, 3) with z = 1, camera axes."""
    return np.column_stack([points_px, np.ones(len(points_px))]) @ np.linalg.inv(K).T


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))


def _first_guess(before: Floats, after: Floats, focal_px: float) -> tuple[Floats, float]:
    """The turn and zoom that most points agree with, of those that pairs of points give."""
    pairs = np.random.default_rng(0).integers(0, len(before), (TRIES, 2))
    a, b = before[pairs], after[pairs]  # (TRIES, 2, 3)
    apart = [np.linalg.norm(x[:, 1] - x[:, 0], axis=1) for x in (a, b)]
    zoom = np.clip(apart[1] / np.maximum(apart[0], 1e-9), 0.5, 2.0)
    R = _axes(b * np.stack([1 / zoom, 1 / zoom, np.ones(TRIES)], axis=1)[:, None]) @ _axes(a).mT
    missed = (_transfer(before, after, R, zoom) ** 2).sum(-1) * focal_px**2
    best = int(np.argmin(np.minimum(missed, COARSE_PX**2).sum(-1)))
    return R[best], float(zoom[best])


def _axes(two_rays: Floats) -> Floats:  # (..., 2, 3) -> (..., 3, 3) right-handed axes, columns
    along = _unit(two_rays[..., 0, :])
    across = _unit(np.cross(along, two_rays[..., 1, :]))
    return np.stack([along, across, np.cross(along, across)], axis=-1)


# --- a camera that turns and zooms ------------------------------------------------------------------


def _transfer(before: Floats, after: Floats, R: Floats, zoom: Floats | float) -> Floats:
    """How far points (N, 3) of one picture land from where they are in the other, (..., N, 2), focal lengths."""
    seen = before @ R.mT
    depth = np.where(seen[..., 2:] > 1e-3, seen[..., 2:], np.nan)  # behind the camera: no picture
    landed = np.asarray(zoom)[..., None, None] * seen[..., :2] / depth
    return np.nan_to_num(landed - after[:, :2], nan=1e3)


def _fit_turned(before: Floats, after: Floats, focal_px: float, R: Floats, zoom: float) -> _Fit:
    def residual(step: Floats) -> Floats:
        # The change is shared by both pictures, hence the root of two.
        return (
            _transfer(before, after, rotvec_to_rotmat(step[:3]) @ R, zoom * np.exp(step[3]))
            * focal_px
            / np.sqrt(2)
        )

    for scale_px in STEPS_PX:
        step = _robust_step(residual, 4, scale_px)
        R, zoom = rotvec_to_rotmat(step[:3]) @ R, float(zoom * np.exp(step[3]))
    return _fitted(residual, R, None)


# --- a camera that turns and moves ------------------------------------------------------------------


def _fit_moved(before: Floats, after: Floats, focal_px: float, R: Floats, way: Floats) -> _Fit:
    def residual(step: Floats) -> Floats:
        return (
            _sampson(before, after, rotvec_to_rotmat(step[:3]) @ R, _bent(way, step[3:]))[:, None] * focal_px
        )

    for scale_px in FINE_STEPS_PX:
        step = _robust_step(residual, 5, scale_px)
        R, way = rotvec_to_rotmat(step[:3]) @ R, _bent(way, step[3:])
    return _fitted(residual, R, way)


def _from_fives(
    before: Floats, after: Floats, focal_px: float, R_turned: Floats
) -> list[tuple[Floats, Floats]]:
    """A turn and a way from five points that many others agree with; of two turns that nearer to ``R_turned``."""
    flat_before, flat_after = (np.ascontiguousarray(rays[:, :2]) for rays in (before, after))
    E, _ = cv2.findEssentialMat(
        flat_before, flat_after, np.eye(3), cv2.RANSAC, 0.999, OUTLIER_PX / focal_px, FIVES
    )
    if E is None:
        return []
    *turns, way = cv2.decomposeEssentialMat(E[:3])
    R = max((np.asarray(turn) for turn in turns), key=lambda turn: float(np.trace(turn @ R_turned.T)))
    return [(np.asarray(R, np.float64), np.asarray(way, np.float64)[:, 0])]


def _bent(way: Floats, step: Floats) -> Floats:
    """A direction (3,) turned by a small step (2,) across it."""
    return _unit(way + np.linalg.svd(way[None])[2][1:].T @ step)


def _sampson(before: Floats, after: Floats, R: Floats, way: Floats) -> Floats:
    """Distance (N,) of pairs of points to the epipolar geometry, focal lengths (Hartley and Zisserman, 11.4.3)."""
    E = np.cross(np.eye(3), way) @ R
    line_after, line_before = before @ E.T, after @ E
    size = (line_after[:, :2] ** 2).sum(-1) + (line_before[:, :2] ** 2).sum(-1)
    return np.asarray((after * line_after).sum(-1) / np.sqrt(np.maximum(size, 1e-18)))


# --- both -------------------------------------------------------------------------------------------


def _slopes(residual: Callable[[Floats], Floats], parameters: int) -> tuple[Floats, Floats]:
    """Residuals (N, m) at no step, and their derivatives (N, m, parameters)."""
    here = residual(np.zeros(parameters))
    steps = DELTA * np.eye(parameters)
    return here, np.stack([(residual(step) - here) / DELTA for step in steps], axis=-1)


def _robust_step(residual: Callable[[Floats], Floats], parameters: int, scale_px: float) -> Floats:
    """One step of Gauss and Newton with Geman and McClure's weights."""
    here, slopes = _slopes(residual, parameters)
    weight = 1 / (1 + (here**2).sum(-1) / scale_px**2) ** 2
    normal = np.einsum("n,nmp,nmq->pq", weight, slopes, slopes)
    damping = 1e-6 * np.trace(normal) * np.eye(parameters)
    return np.linalg.solve(normal + damping, -np.einsum("n,nmp,nm->p", weight, slopes, here))


def _fitted(residual: Callable[[Floats], Floats], R: Floats, way: Floats | None) -> _Fit:
    here, slopes = _slopes(residual, 4 if way is None else 5)
    return _Fit(R, way, np.linalg.norm(here, axis=-1), slopes)
