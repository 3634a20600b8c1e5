"""How tall people are beside each other, from the floor that they share: what one camera can know of size.

One picture cannot tell a small person who is near from a tall one who is far; the feet can, where everybody
stands on one floor. For a given pitch of the camera every upright person says how high the camera is above
the floor, counted in their own length from ankle to shoulder. The camera has one height, so those counts are
the ratios of their lengths; with what is believed of everybody's length before, each other person's length is a
ruler. n strangers leave an error of a population's spread over the root of n, one given height nearly none.

Every pitch on a grid keeps its own account of each person, so nothing has to be known of the camera beforehand;
a camera that turns or climbs shows as scatter, and its rulers count for little. Pitch and height of the camera are
weighed together on a grid, because people come in two sizes: among adults the small one may be a child.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.lifter.uprightness import ANKLES, HIPS, KNEES, PITCHES_RAD, SHOULDERS

Floats = NDArray[np.float64]
Gone = NDArray[np.float32]

N_PITCHES = len(PITCHES_RAD)
#: Heights of the camera above people's ankles that are thought of, log of metres: .25 to 12.
LOG_HEIGHTS = np.arange(np.log(0.25), np.log(12.0), 0.03)
N_HEIGHTS = len(LOG_HEIGHTS)


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
    """What is known of n people's lengths from ankle to shoulder, the floor considered."""

    child: Floats  # (n,) chance
    log_length: Floats  # (n, 2) of metres, as an adult and as a child
    variance: Floats  # (n, 2)


def nobody_gone() -> Gone:
    """The account of those who left: log of what they said of pitch and height, (N_PITCHES, N_HEIGHTS)."""
    return np.zeros((N_PITCHES, N_HEIGHTS), np.float32)


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
    log_length: Floats,  # (n, 2) believed of each without the floor, as an adult and as a child
    log_std: Floats,  # (n, 2)
    child: Floats,  # (n,) chance that they are a child, without the floor
    gone: Gone,  # (N_PITCHES, N_HEIGHTS)
    rules: FloorRules,
) -> Ruler:
    """Everybody's length, the others' and their own taken together."""
    own = _own_variance(memory, rules)  # (n, N_PITCHES)
    words = [_word(*person) for person in zip(memory, own, log_length, log_std, child, strict=True)]
    everything = _start(rules) + gone + sum((whole for whole, _ in words), np.zeros(()))
    everything = everything + -0.5 * memory[:, 2].sum(0)[:, None] / rules.sight_std**2
    out = Ruler(child.copy(), log_length.copy(), log_std**2)
    for i, (whole, halves) in enumerate(words):
        if memory[i, 0, 0] <= 0:
            continue
        others = everything - whole
        each = np.stack([others + half for half in halves])  # (2, N_PITCHES, N_HEIGHTS)
        weight = np.exp(each - each.max())
        out.child[i] = weight[1].sum() / weight.sum()
        measured = LOG_HEIGHTS - memory[i, 1, :, None]  # log of the length, (N_PITCHES, N_HEIGHTS)
        for k in range(2):
            if not weight[k].any():
                continue
            share = weight[k] / weight[k].sum()
            prior, noise = log_std[i, k] ** 2, own[i, :, None]
            mean = (log_length[i, k] * noise + measured * prior) / (prior + noise)
            expected = (share * mean).sum()
            variance = (share * (prior * noise / (prior + noise) + (mean - expected) ** 2)).sum()
            out.log_length[i, k], out.variance[i, k] = expected, variance
    return out


def retire(
    gone: Gone,  # (N_PITCHES, N_HEIGHTS)
    memory: Floats,  # (n, 3, N_PITCHES) of those who leave, and as for ``rulers``
    log_length: Floats,
    log_std: Floats,
    child: Floats,
    rules: FloorRules,
) -> Gone:  # (N_PITCHES, N_HEIGHTS)
    """The account of everybody gone, with these people in it."""
    own = _own_variance(memory, rules)
    said = np.zeros((N_PITCHES, N_HEIGHTS))
    for person in zip(memory, own, log_length, log_std, child, strict=True):
        said += _word(*person)[0] - 0.5 * person[0][2][:, None] / rules.sight_std**2
    return gone + said.astype(np.float32)


def faded(gone: Gone, dt_s: float, rules: FloorRules) -> Gone:
    """The account of everybody gone, some time later."""
    return gone * np.float32(np.exp(-dt_s / rules.memory_s))


def _start(rules: FloorRules) -> Floats:
    """Log of what is believed of pitch and height before anybody is seen, (N_PITCHES, N_HEIGHTS)."""
    pitch = ((PITCHES_RAD - rules.pitch_rad) / rules.pitch_std_rad) ** 2
    height = ((LOG_HEIGHTS - np.log(rules.camera_height_m)) / rules.camera_height_std) ** 2
    return np.asarray(-0.5 * (pitch[:, None] + height))


def _word(
    memory: Floats, own: Floats, log_length: Floats, log_std: Floats, child: float
) -> tuple[Floats, tuple[Floats, Floats]]:
    """Log of what one person says of pitch and height, and its parts as an adult and as a child."""
    if memory[0, 0] <= 0:
        nothing = np.zeros((N_PITCHES, N_HEIGHTS))
        return nothing, (nothing, nothing)
    measured = LOG_HEIGHTS - memory[1, :, None]
    parts = []
    for k, chance in enumerate((1 - child, child)):
        variance = log_std[k] ** 2 + own[:, None]
        parts.append(
            np.log(max(chance, 1e-30))
            - 0.5 * np.log(variance)
            - 0.5 * (measured - log_length[k]) ** 2 / variance
        )
    return np.logaddexp(*parts), (parts[0], parts[1])


def _own_variance(memory: Floats, rules: FloorRules) -> Floats:
    """Of what people's sights say together: (n, N_PITCHES), infinite for those without one."""
    weight, squares = memory[:, 0], memory[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        one = rules.sight_std**2 + squares / weight
        return np.where(weight > 0, one / weight, np.inf) + rules.own_std**2
