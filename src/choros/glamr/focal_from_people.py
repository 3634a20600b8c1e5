"""The focal length that explains best how people stand on one floor, and how far it may be off.

Nobody knows the lens, but people are of some 1.7 m, upright and on one floor, which a focal length must agree with:

- their soles, as far away as they look small, lie in one plane, whose slope seen from the camera grows with it;
- they lean outwards in the picture as the vertical vanishing point says, which it moves away;
- who is seen from above in the lower part of the picture and straight on in the middle is upright in one world.

The first tells f tan(tilt), the second f / tan(tilt), from which f follows (Lv, Zhao and Nevatia, TPAMI 2006); the
third needs no tilt. Upright edges of the background say the second better. Of a level camera, or people who are all as
far away, all this says little, and what was assumed stays: so much is told by the spread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from choros.camera_motion.background_lines import Lines, angles_off
from choros.glamr.looks_at_people import Looks, with_focal

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FocalRules:
    """What is believed before anybody is seen, and how much looks say; ours, chosen on made-up scenes.

    Of each measure the first number is that of one second's look, ``_person`` what all looks at one person share, and
    ``_all`` what those at everybody share.
    """

    log_focal: float = 0.5  # of the assumed one: lenses of 34 to 79 degrees, where 53 are assumed
    tilt_rad: float = 0.14  # of street, room and phone cameras
    tilt_std: float = 0.25
    roll_rad: float = 0.04
    height_m: float = 1.6
    log_height: float = 0.7
    size: float = 0.06  # logarithm of how far away people are
    size_person: float = 0.05
    lean_rad: float = 0.05  # in the picture
    lean_person: float = 0.04
    upright_rad: float = 0.12  # of the body
    upright_person: float = 0.03
    upright_all: float = 0.02
    outlier: float = 2.0  # sigmas from which on a look pulls no harder
    edge_rad: float = 0.01  # of the background, a quarter of the picture long: lenses bend them too
    edge_outlier: float = 3.0
    starts: tuple[float, ...] = (0.6, 1.0, 1.6)  # times the assumed focal length
    steps: int = 60  # at most
    least_evidence: float = 1.0  # of what is believed before: with less nothing is changed


class FocalEstimate(NamedTuple):
    """What people say of a lens."""

    times: float  # of the focal length that was assumed
    spread: float  # standard deviation of its logarithm
    tilt_rad: float  # of the camera, down is positive
    height_m: float  # of the camera over the floor
    n_people: int

    def better(self, rules: FocalRules) -> bool:
        """Whether people say enough for the assumption to be given up."""
        return bool(self.spread**-2 > (1 + rules.least_evidence) * rules.log_focal**-2)


def focal_from_looks(
    looks: Looks, rules: FocalRules | None = None, lines: Lines | None = None
) -> FocalEstimate:
    """The focal length, for the one that ``looks`` were made with; ``lines`` are of the background."""
    rules = rules or FocalRules()
    if not len(looks):
        return FocalEstimate(1.0, rules.log_focal, rules.tilt_rad, rules.height_m, 0)
    residuals = _residuals_of(looks, rules, lines)
    found = [
        least_squares(
            residuals, [np.log(start), rules.tilt_rad, 0, np.log(rules.height_m), 0, 0],
            x_scale=[0.2, 0.1, 0.03, 0.3, 0.03, 0.03], max_nfev=rules.steps,
        )
        for start in rules.starts
    ]  # fmt: skip
    best = min(found, key=lambda one: one.cost)
    covariance = np.linalg.inv(best.jac.T @ best.jac)
    log_times, tilt, _, log_height = best.x[:4]
    return FocalEstimate(
        float(np.exp(log_times)), float(np.sqrt(covariance[0, 0])), float(tilt), float(np.exp(log_height)),
        looks.n_people,
    )  # fmt: skip


def combined(estimates: list[FocalEstimate], rules: FocalRules | None = None) -> FocalEstimate:
    """One lens for several shots, each with a camera of its own; tilt and height are those of the surest."""
    before = (rules or FocalRules()).log_focal ** -2
    surest = min(estimates, key=lambda one: one.spread)
    told = [max(one.spread**-2 - before, 0.0) for one in estimates]
    total = before + sum(told)
    # Each is a mean of what its shot says and of the same belief, which counts once.
    said = [np.log(one.times) * (before + more) for one, more in zip(estimates, told, strict=True)]
    return surest._replace(
        times=float(np.exp(sum(said) / total)),
        spread=float(total**-0.5),
        n_people=sum(one.n_people for one in estimates),
    )


# --- residuals ----------------------------------------------------------------------------------------


def _residuals_of(looks: Looks, rules: FocalRules, lines: Lines | None) -> Callable[[Floats], Floats]:
    """Residuals, in standard deviations, of log focal, tilt, roll, log height, and everybody's lean (2)."""

    def residuals(x: Floats) -> Floats:
        log_times, tilt, roll, log_height, *lean = x
        there, R = with_focal(looks, float(np.exp(log_times))), level_axes(tilt, roll)
        believed = [
            log_times / rules.log_focal,
            (tilt - rules.tilt_rad) / rules.tilt_std,
            roll / rules.roll_rad,
            (log_height - np.log(rules.height_m)) / rules.log_height,
            *(np.array(lean) / rules.upright_all),
        ]
        parts = [
            _whitened(_off_the_floor(there, R) - log_height, looks, rules.size, rules.size_person),
            _whitened(_off_the_vertical(there, R), looks, rules.lean_rad, rules.lean_person),
            *(
                _whitened(off, looks, rules.upright_rad, rules.upright_person)
                for off in (_leaning(there, R) - lean).T
            ),
        ]
        people = _held_back(np.concatenate(parts), rules.outlier)
        edges = np.zeros(0) if lines is None else _off_the_edges(lines, there.K, R, rules)
        return np.concatenate([believed, people, edges])

    return residuals


def level_axes(tilt: float, roll: float) -> Floats:
    """The axes right, ahead and up of a world, rows (3, 3), in those of a camera tilted down and rolled so much."""
    up = np.array([np.sin(roll) * np.cos(tilt), -np.cos(roll) * np.cos(tilt), -np.sin(tilt)])
    ahead = np.array([0.0, 0.0, 1.0]) - up[2] * up
    ahead /= np.linalg.norm(ahead)
    return np.stack([np.cross(ahead, up), ahead, up])


def _off_the_floor(looks: Looks, R: Floats) -> Floats:
    """(n,) logarithm of how high the camera is over each sole, metres."""
    soles = looks.pelvis + (looks.R_camera_root @ looks.sole_root[..., None])[..., 0]
    return np.log(np.maximum(-soles @ R[2], 0.05))


def _off_the_vertical(looks: Looks, R: Floats) -> Floats:
    """(n,) rad between people in the picture and the way to the vertical vanishing point."""
    return angles_off(Lines(looks.ends_px, np.ones(len(looks))), looks.K, R[2])


def _leaning(looks: Looks, R: Floats) -> Floats:
    """(n, 2) how far people lean to the camera's right, and away from it, rad."""
    up = (looks.R_camera_root @ looks.up_root[..., None])[..., 0]
    return np.asarray(up @ R[:2].T)


def _off_the_edges(lines: Lines, K: Floats, R: Floats, rules: FocalRules) -> Floats:
    """(m,) of lines; what is far from upright counts as any other (Geman and McClure)."""
    off = angles_off(lines, K, R[2]) / rules.edge_rad
    return np.sqrt(lines.weight) * off / np.sqrt(1 + (off / rules.edge_outlier) ** 2)


def _whitened(off: Floats, looks: Looks, look: float, person: float) -> Floats:
    """Residuals (n,) with a part of their own and one that all of a person share, made independent, of unit spread."""
    n = int(looks.person.max()) + 1
    weight = np.bincount(looks.person, looks.weight, n)
    mean = np.bincount(looks.person, looks.weight * off, n) / np.maximum(weight, 1e-9)
    less = 1 - 1 / np.sqrt(1 + weight * (person / look) ** 2)
    return np.sqrt(looks.weight) / look * (off - (less * mean)[looks.person])


def _held_back(residuals: Floats, outlier: float) -> Floats:
    """Residuals whose squares grow only linearly beyond ``outlier`` (the smooth Huber loss)."""
    squares = 2 * outlier**2 * (np.sqrt(1 + (residuals / outlier) ** 2) - 1)
    return np.asarray(np.sign(residuals) * np.sqrt(squares))
