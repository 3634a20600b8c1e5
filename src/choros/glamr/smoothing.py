"""Poses smoothed as far as each joint's own errors ask for, and no further: tremble goes, a kick stays.

For each joint and frame a parabola is laid through its rotations over time, weighted by a Gaussian, without lag. How
wide that is, is told by the data (Lepski's rule: Goldenshluger and Nemirovski, Math. Methods Stat. 1997): the widest
that says nothing else than all narrower ones do but for the errors of the joint, which are those that
the widest leaves in most frames. A hand that rests is averaged over long, a foot that kicks hardly at all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from choros.rotation import special_procrustes

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Widths that are tried, shares of the widest: standard deviations of the Gaussian.
SHARES = (0.25, 0.4, 0.63, 1.0)
LEAST = 0.7  # share of an error at least that a fit keeps: neighbouring frames err alike
DOUBT = 2.0  # deviations, by which two widths may differ and say the same
PARABOLA = 1.5  # how much wider a parabola is that leaves as much of an error as a plain average
REACH_S = 0.04  # over which two widths are compared about a frame, a standard deviation


def smoothed(rotations: Floats, seen: Bools, times_s: Floats, widest_s: float) -> Floats:
    """Rotations (n, J, 3, 3) smoothed over time where they were ``seen`` (n,), at most over ``widest_s``.

    That is the standard deviation of the Gaussian whose plain average trembles as little as the widest parabola does.
    """
    if widest_s <= 0 or seen.sum() < 5:
        return rotations
    frame_s = float(np.median(np.diff(times_s)))
    error = _error(rotations, seen, _parabola(rotations, seen, PARABOLA * widest_s / frame_s)[0])
    chosen, kept = rotations, [(rotations, np.ones(len(rotations)))]
    fits = np.ones(rotations.shape[:2], bool)
    for share in SHARES:
        width = PARABOLA * share * widest_s / frame_s
        if width < 0.5:
            continue
        wider, noise = _parabola(rotations, seen, width)
        for narrower, of_it in kept:
            apart = np.linalg.norm(wider - narrower, axis=(-1, -2))
            fits &= _nearby(apart, REACH_S / frame_s) <= DOUBT * error * np.maximum(of_it, LEAST)[:, None]
        chosen = np.where(fits[..., None, None], wider, chosen)
        kept.append((wider, noise))
    return special_procrustes(chosen)


def _error(rotations: Floats, seen: Bools, widest: Floats) -> Floats:
    """How large a joint's error is as a rule, (J,), as the norm of matrices: what the ``widest`` fit leaves.

    Half of the frames leave less. Who moves fast for a while, a kick, is fast in few of them.
    """
    left = np.linalg.norm((rotations - widest)[seen], axis=(-1, -2))
    return np.asarray(np.median(left, axis=0))


def _parabola(rotations: Floats, seen: Bools, width: float) -> tuple[Floats, Floats]:
    """A parabola fitted about each frame under a Gaussian of ``width`` frames.

    Its value there, (n, J, 3, 3), and what is left of independent errors of 1, (n,).
    """
    n = len(rotations)
    reach = int(np.ceil(3.5 * width))
    lag = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (lag / width) ** 2)
    flat = np.where(seen[:, None], rotations.reshape(n, -1), 0.0)
    inside = seen.astype(np.float64)

    def moment(values: Floats, power: int, squared: bool = False) -> Floats:
        weight = (kernel**2 if squared else kernel) * (lag / width) ** power
        padded = np.concatenate(
            [np.zeros((reach, *values.shape[1:])), values, np.zeros((reach, *values.shape[1:]))]
        )
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(lag), axis=0)
        return np.asarray(windows @ weight)

    S = [moment(inside, power) for power in range(5)]
    normal = np.stack([np.stack([S[i + j] for j in range(3)], -1) for i in range(3)], -2)
    normal += 1e-6 * np.eye(3)
    inverse = np.linalg.inv(normal)[:, 0]  # (n, 3) of the value at the frame
    value = sum(inverse[:, i, None] * moment(flat, i) for i in range(3))
    Q = [moment(inside, power, squared=True) for power in range(5)]
    gain = sum(inverse[:, i] * inverse[:, j] * Q[i + j] for i in range(3) for j in range(3))
    found = np.where(seen[:, None, None, None], np.asarray(value).reshape(rotations.shape), rotations)
    return found, np.sqrt(np.maximum(gain, 0))


def _nearby(apart: Floats, frames: float) -> Floats:
    """Root mean square of distances (n, J) over the frames about each."""
    return np.asarray(np.sqrt(gaussian_filter1d(apart**2, max(frames, 0.5), axis=0, mode="nearest")))
