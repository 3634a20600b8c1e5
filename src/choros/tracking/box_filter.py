"""Where a person's box is and will be: a Kalman filter in the image, in units of the person's own height.

The centre moves at a speed that changes like a random walk; width and height drift. A box that is far from
what was expected, as of somebody cut off by a table, moves the filter less (Student's t in place of Gauss, by
one step of its iteratively reweighted form), so that the box of a person who is half hidden stays whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: One box over time. Lengths in px, variances in px² and px²/s², sizes as natural logarithms.
BOX_STATE = np.dtype(
    [
        ("centre_px", "f8", (2,)),
        ("speed_px_s", "f8", (2,)),
        ("place_var", "f8", (2,)),  # of each coordinate: place, place with speed, speed
        ("place_speed_cov", "f8", (2,)),
        ("speed_var", "f8", (2,)),
        ("log_size", "f8", (2,)),  # width, height
        ("log_size_var", "f8", (2,)),
    ]
)


@dataclass(frozen=True)
class BoxRules:
    """Standard deviations, fitted on one detector's boxes of walking people (frames 1 to 400 of vtest).

    Lengths are shares of the person's height in the image.
    """

    centre_std: float = 0.02  # of a detected box
    centre_std_px: float = 2.5
    crowded: float = 3.0  # these grow by this times the overlap (IoU) with somebody else's box
    log_size_std: tuple[float, float] = (0.1, 0.03)  # width, height
    log_size_std_px: float = 3.5  # added, over width and height
    first_speed_std: float = 0.6  # per second: of somebody seen for the first time
    speed_drift: float = 0.35  # per second, after one second
    log_size_drift: tuple[float, float] = (0.15, 0.1)  # after one second
    freedom: float = 4.0  # of Student's t: how soon a box counts as an outlier
    coast_memory_s: float = 2.0  # how soon an unseen person's speed is forgotten


def noise_of(boxes_px: Floats, rules: BoxRules, overlap: Floats | None = None) -> tuple[Floats, Floats]:
    """Standard deviations of detected boxes, (n, 4) xyxy px: of centres (n, 1) px, and of log sizes (n, 2).

    ``overlap`` (n,) is the IoU with whoever is nearest; None for people who stand alone.
    """
    size = np.maximum(np.asarray(boxes_px, np.float64)[:, 2:] - boxes_px[:, :2], 1.0)
    more = np.ones((len(size), 1)) if overlap is None else 1 + rules.crowded * overlap[:, None]
    centre = np.hypot(rules.centre_std * size[:, 1:], rules.centre_std_px)
    return centre * more, np.hypot(rules.log_size_std, rules.log_size_std_px / size) * more


def begin(boxes_px: Floats, rules: BoxRules) -> NDArray[np.void]:
    """States, (n,) BOX_STATE, of boxes seen for the first time, (n, 4) xyxy px."""
    state = np.zeros(len(boxes_px), BOX_STATE)
    state["centre_px"], state["log_size"] = _measured(boxes_px)
    centre_std, size_std = noise_of(boxes_px, rules)
    state["place_var"] = centre_std**2
    state["speed_var"] = (rules.first_speed_std * np.exp(state["log_size"][:, 1:])) ** 2
    state["log_size_var"] = size_std**2
    return state


def turn(state: NDArray[np.void], homography: Floats) -> NDArray[np.void]:
    """The states after the camera turned, which moves image points by ``homography`` (3, 3); sizes stay."""

    def moved(points_px: Floats) -> Floats:
        across = np.concatenate([points_px, np.ones((len(points_px), 1))], -1) @ homography.T
        return across[:, :2] / np.maximum(across[:, 2:], 0.05)

    after, step_s = state.copy(), 1e-3
    after["centre_px"] = moved(state["centre_px"])
    ahead = moved(state["centre_px"] + step_s * state["speed_px_s"])
    after["speed_px_s"] = (ahead - after["centre_px"]) / step_s
    return after


def predict(state: NDArray[np.void], dt_s: float, rules: BoxRules) -> NDArray[np.void]:
    """The states ``dt_s`` later."""
    after = state.copy()
    drift = (rules.speed_drift * np.exp(state["log_size"][:, 1:])) ** 2
    after["centre_px"] += dt_s * state["speed_px_s"]
    after["place_var"] += (
        dt_s * (2 * state["place_speed_cov"] + dt_s * state["speed_var"]) + drift * dt_s**3 / 3
    )
    after["place_speed_cov"] += dt_s * state["speed_var"] + drift * dt_s**2 / 2
    after["speed_var"] += drift * dt_s
    after["log_size_var"] += np.square(rules.log_size_drift) * dt_s
    return after


def coast(state: NDArray[np.void], dt_s: float, rules: BoxRules) -> NDArray[np.void]:
    """States of people whom nobody saw for ``dt_s``: ever slower."""
    after = state.copy()
    after["speed_px_s"] *= np.exp(-dt_s / rules.coast_memory_s)
    return after


def update(
    state: NDArray[np.void], boxes_px: Floats, rules: BoxRules, overlap: Floats | None = None
) -> NDArray[np.void]:
    """The states after boxes were seen, (n, 4) xyxy px, one each; ``overlap`` as in ``noise_of``."""
    after = state.copy()
    centre, log_size = _measured(boxes_px)
    centre_std, size_std = noise_of(boxes_px, rules, overlap)
    miss = centre - state["centre_px"]
    total = state["place_var"] + _doubted(centre_std**2, miss, state["place_var"], rules)
    gain, speed_gain = state["place_var"] / total, state["place_speed_cov"] / total
    after["centre_px"] += gain * miss
    after["speed_px_s"] += speed_gain * miss
    after["speed_var"] -= speed_gain * state["place_speed_cov"]
    after["place_speed_cov"] -= gain * state["place_speed_cov"]
    after["place_var"] -= gain * state["place_var"]
    miss = log_size - state["log_size"]
    total = state["log_size_var"] + _doubted(size_std**2, miss, state["log_size_var"], rules)
    gain = state["log_size_var"] / total
    after["log_size"] += gain * miss
    after["log_size_var"] -= gain * state["log_size_var"]
    return after


def boxes_of(state: NDArray[np.void]) -> Floats:
    """The boxes themselves, (n, 4) xyxy px."""
    half = 0.5 * np.exp(state["log_size"])
    return np.concatenate([state["centre_px"] - half, state["centre_px"] + half], -1)


def _measured(boxes_px: Floats) -> tuple[Floats, Floats]:
    """Centres (n, 2) px and logarithms of width and height (n, 2)."""
    boxes = np.asarray(boxes_px, np.float64)
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    return 0.5 * (boxes[:, :2] + boxes[:, 2:]), np.log(size)


def _doubted(noise: Floats, miss: Floats, expected: Floats, rules: BoxRules) -> Floats:
    """The variance of a measurement, larger the farther it is from what was expected."""
    squared = miss**2 / (noise + expected)
    return noise * (rules.freedom + squared) / (rules.freedom + 1)
