"""Poses smoothed as far as each joint's own errors ask for, and no further: tremble goes, a kick stays.

For each joint and frame a polynomial is laid through its rotations over time, weighted by a Gaussian, without lag. How
wide that is, is told by the data (Lepski's rule: Goldenshluger and Nemirovski, Math. Methods Stat. 1997): the widest
that says nothing else than all narrower ones do but for the errors of the joint, which are those that
the widest leaves in most frames. A hand that rests is averaged over long, a foot that kicks hardly at all.

Two things keep peaks of speed. All but the widest fit are of fourth degree, which bends where a parabola as noisy cuts
corners. And where a joint moves by many errors in no time, widths that differ by a part of its errors already do not
say the same: errors of one frame do not show there, and the loss of speed does.
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
QUARTIC = 2.4  # and a polynomial of fourth degree, that leaves a little less
NARROWEST = 0.8  # frames: with less a fit is what it is laid through
REACH_S = 0.04  # over which two widths are compared about a frame, a standard deviation
QUICK = 3.2  # errors that a joint moves by in that time, from which on there is less doubt


def smoothed(rotations: Floats, seen: Bools, times_s: Floats, widest_s: float) -> Floats:
    """Rotations (n, J, 3, 3) smoothed over time where they were ``seen`` (n,), at most over ``widest_s``.

    That is the standard deviation of the Gaussian whose plain average trembles as little as the widest fit does.
    """
    if widest_s <= 0 or seen.sum() < 5:
        return rotations
    frame_s = float(np.median(np.diff(times_s)))
    widest = _fitted(rotations, seen, PARABOLA * widest_s / frame_s, degree=2)
    error = _error(rotations, seen, widest[0])
    widths = [width for share in SHARES if (width := QUARTIC * share * widest_s / frame_s) >= NARROWEST]
    quick = _moves(widest[0], seen, REACH_S / frame_s) / np.maximum(error, 1e-9) / QUICK
    chosen, kept, doubt = rotations, [(rotations, np.ones(len(rotations)))], np.full(quick.shape, DOUBT)
    fits = np.ones(rotations.shape[:2], bool)
    for wider, noise in [*(_fitted(rotations, seen, width, degree=4) for width in widths), widest]:
        for narrower, of_it in kept:
            apart = np.linalg.norm(wider - narrower, axis=(-1, -2))
            least = error * np.maximum(of_it, LEAST)[:, None]
            fits &= _nearby(apart, REACH_S / frame_s) <= doubt * least
        chosen = np.where(fits[..., None, None], wider, chosen)
        kept.append((wider, noise))
        doubt = DOUBT / np.maximum(1, quick) ** 3  # of all but the narrowest fit, which cuts no corner
    return special_procrustes(chosen)


def _error(rotations: Floats, seen: Bools, widest: Floats) -> Floats:
    """How large a joint's error is as a rule, (J,), as the norm of matrices: what the ``widest`` fit leaves.

    Half of the frames leave less. Who moves fast for a while, a kick, is fast in few of them.
    """
    left = np.linalg.norm((rotations - widest)[seen], axis=(-1, -2))
    return np.asarray(np.median(left, axis=0))


def _moves(rotations: Floats, seen: Bools, frames: float) -> Floats:
    """How far joints of rotations (n, J, 3, 3) move in so many frames about each, (n, J), as the norm of matrices."""
    step = np.linalg.norm(np.diff(rotations, axis=0), axis=(-1, -2)) * (seen[1:] & seen[:-1])[:, None]
    return np.maximum(np.pad(step, ((1, 0), (0, 0))), np.pad(step, ((0, 1), (0, 0)))) * frames


def _fitted(rotations: Floats, seen: Bools, width: float, degree: int) -> tuple[Floats, Floats]:
    """A polynomial fitted about each frame under a Gaussian of ``width`` frames.

    Its value there, (n, J, 3, 3), and what is left of independent errors of 1, (n,).
    """
    reach = int(np.ceil(3.5 * width))
    lag = np.arange(-reach, reach + 1) / width
    powers = lag[:, None] ** np.arange(degree + 1)
    counts = _windows(seen.astype(np.float64), reach) * np.exp(-0.5 * lag**2)  # (n, lags)
    normal = np.einsum("tl,li,lj->tij", counts, powers, powers, optimize=True) + 1e-6 * np.eye(degree + 1)
    weights = counts * (np.linalg.inv(normal)[:, 0] @ powers.T)  # of neighbours, for the value at the frame
    flat = np.where(seen[:, None], rotations.reshape(len(rotations), -1), 0.0)
    value = (weights[:, None] @ _windows(flat, reach).mT).reshape(rotations.shape)
    return np.where(seen[:, None, None, None], value, rotations), np.linalg.norm(weights, axis=-1)


def _windows(values: Floats, reach: int) -> Floats:
    """Of values (n, ...) those of ``reach`` frames before and after each, (n, ..., lags); 0 beyond the ends."""
    ends = [(reach, reach)] + [(0, 0)] * (values.ndim - 1)
    return np.lib.stride_tricks.sliding_window_view(np.pad(values, ends), 2 * reach + 1, axis=0)


def _nearby(apart: Floats, frames: float) -> Floats:
    """Root mean square of distances (n, J) over the frames about each."""
    return np.asarray(np.sqrt(gaussian_filter1d(apart**2, max(frames, 0.5), axis=0, mode="nearest")))
