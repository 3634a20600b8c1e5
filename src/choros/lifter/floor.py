"""How tall people are beside each other, from the floor that they share: what one camera can know of size.

One picture cannot tell a small person who is near from a tall one who is far; the feet can, where everybody
stands on one floor. For a given pitch of the camera every upright person says how high the camera is above
the floor, counted in their own length from ankle to shoulder. The camera has one height, so those counts are
the ratios of their lengths; with what is believed of everybody's length before, each other person's length is a
ruler. n strangers leave an error of a population's spread over the root of n, one given height nearly none.

Every pitch on a grid keeps its own account of each person, so nothing has to be known of the camera beforehand;
a camera that turns or climbs shows as scatter, and its rulers count for little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.lifter.uprightness import ANKLES, HIPS, KNEES, PITCHES_RAD, SHOULDERS

Floats = NDArray[np.float64]

N_PITCHES = len(PITCHES_RAD)


@dataclass(frozen=True)
class FloorRules:
    """What is believed before anybody was seen, and how much a sight says. Standard deviations are of logarithms."""

    pitch_rad: float = np.deg2rad(8.0)  # of street, room and phone cameras
    pitch_std_rad: float = np.deg2rad(10.0)
    camera_height_m: float = 1.6
    camera_height_std: float = 0.5
    sight_std: float = 0.03  # of one independent sight: gait, lean, keypoints
    own_std: float = 0.015  # of a person's habit: stoop, shoes, how keypoints lie on them
    sight_s: float = 1.0  # seconds of one person that count as one independent sight
    memory_s: float = 60.0  # of sights, so that a camera may turn
    min_confidence: float = 0.5


class Ruler(NamedTuple):
    """What the floor says of n people's lengths from ankle to shoulder, others' lengths considered, not their own."""

    log_length: Floats  # (n,) of metres
    variance: Floats  # (n,) infinite where the floor says nothing


def no_sights(n: int) -> Floats:
    """The account of people before they are seen: (n, 3, N_PITCHES) weight, mean and squares about it."""
    return np.zeros((n, 3, N_PITCHES))


def nobody_gone() -> Floats:
    """The account of those who left: (4, N_PITCHES) weight, mean, squares, and cost of the pitch."""
    return np.zeros((4, N_PITCHES))


def observe(
    memory: Floats,  # (n, 3, N_PITCHES)
    keypoints: Floats,  # (n, 17, 3) x_px, y_px, confidence
    K: Floats,  # (3, 3)
    dt_s: Floats,  # (n,) since each person's previous sight, 0 on the first
    rules: FloorRules,
) -> Floats:  # (n, 3, N_PITCHES)
    """The accounts after one more sight; who is not upright and whole in the picture adds nothing."""
    shoulder, hip, knee, ankle = (keypoints[:, pair].mean(1) for pair in (SHOULDERS, HIPS, KNEES, ANKLES))
    length = ankle[:, 1] - shoulder[:, 1]
    upright = keypoints[:, SHOULDERS + HIPS + KNEES + ANKLES, 2].min(-1) >= rules.min_confidence
    upright &= (shoulder[:, 1] < hip[:, 1]) & (hip[:, 1] < knee[:, 1]) & (knee[:, 1] < ankle[:, 1])
    upright &= np.abs(shoulder[:, 0] - ankle[:, 0]) < 0.3 * length
    upright &= (knee[:, 1] - hip[:, 1]) > 0.25 * length  # nobody who sits
    top, foot = ((point[:, 1, None] - K[1, 2]) / K[1, 1] for point in (shoulder, ankle))
    c, s = np.cos(PITCHES_RAD), np.sin(PITCHES_RAD)
    # A foot at some depth and shoulders one length above it, both on their rays; then the camera's height.
    with np.errstate(divide="ignore", invalid="ignore"):
        camera = (c - s * top) / (foot - top) * (foot * c + s)
    camera = np.where(upright[:, None], camera, 1.0)
    height = np.log(np.maximum(camera, 0.2))
    share = np.where(upright, np.minimum(dt_s, rules.sight_s) / rules.sight_s, 0)[:, None]
    fade = np.exp(-dt_s / rules.memory_s)[:, None]
    weight, mean, squares = memory[:, 0] * fade, memory[:, 1], memory[:, 2] * fade
    weight = weight + share
    step = height - mean
    mean = mean + step * share / np.maximum(weight, 1e-9)
    squares = squares + share * step * (height - mean)
    squares = squares + share * (camera < 0.2)  # feet at or above the horizon: not this pitch
    return np.stack([weight, mean, squares], 1)


def rulers(
    memory: Floats,  # (n, 3, N_PITCHES)
    log_length: Floats,  # (n,) believed of each without the floor
    log_std: Floats,  # (n,)
    gone: Floats,  # (4, N_PITCHES)
    rules: FloorRules,
) -> tuple[Ruler, Floats]:  # and the chance of each pitch (N_PITCHES,)
    """What everybody's length is beside the others'."""
    weight, camera, squares = memory.transpose(1, 0, 2)
    own = _own_variance(weight, squares, rules)  # (n, N_PITCHES), infinite for those without a sight
    height = camera + log_length[:, None]  # log of the camera's height above the ankles, by each person
    precision = 1 / (log_std[:, None] ** 2 + own)
    first, first_precision = np.log(rules.camera_height_m), 1 / rules.camera_height_std**2
    total = precision.sum(0) + first_precision + gone[0]
    pull = (precision * height).sum(0) + first_precision * first + gone[0] * gone[1]
    mean = pull / total
    cost = 0.5 * ((PITCHES_RAD - rules.pitch_rad) / rules.pitch_std_rad) ** 2 + gone[3]
    cost = cost + 0.5 * squares.sum(0) / rules.sight_std**2
    cost = cost + 0.5 * (precision * (height - mean) ** 2).sum(0) + 0.5 * first_precision * (first - mean) ** 2
    cost = cost + 0.5 * (gone[2] + gone[0] * (gone[1] - mean) ** 2)
    cost = cost + 0.5 * np.log(total) - 0.5 * np.log(np.where(precision > 0, precision, 1)).sum(0)
    chance = np.exp(cost.min() - cost)
    chance /= chance.sum()

    others = total - precision  # of the camera's height, without each person's own word
    length = (pull - precision * height) / others - camera  # (n, N_PITCHES)
    seen = weight[:, 0] > 0
    expected = (chance * length).sum(-1)
    variance = (chance * (1 / others + np.where(seen[:, None], own, 0) + (length - expected[:, None]) ** 2)).sum(-1)
    return Ruler(np.where(seen, expected, 0), np.where(seen, variance, np.inf)), chance


def retire(
    gone: Floats,  # (4, N_PITCHES)
    memory: Floats,  # (n, 3, N_PITCHES) of those who leave
    log_length: Floats,  # (n,)
    log_std: Floats,  # (n,)
    rules: FloorRules,
) -> Floats:  # (4, N_PITCHES)
    """The account of everybody gone, with these people in it."""
    gone = gone.copy()
    for (weight, camera, squares), length, std in zip(memory, log_length, log_std, strict=True):
        if weight[0] <= 0:
            continue
        precision = 1 / (std**2 + _own_variance(weight, squares, rules))
        step = camera + length - gone[1]
        gone[0] += precision
        gone[1] += step * precision / gone[0]
        gone[2] += precision * step * (camera + length - gone[1])
        gone[3] += 0.5 * squares / rules.sight_std**2
    return gone


def faded(gone: Floats, dt_s: float, rules: FloorRules) -> Floats:
    """The account of everybody gone, some time later."""
    keep = np.exp(-dt_s / rules.memory_s)
    return gone * np.array([[keep], [1], [keep], [keep]])


def _own_variance(weight: Floats, squares: Floats, rules: FloorRules) -> Floats:
    """Of what people's sights say together: (n, N_PITCHES), infinite for those without one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        one = rules.sight_std**2 + squares / weight
        return np.where(weight > 0, one / weight, np.inf) + rules.own_std**2
