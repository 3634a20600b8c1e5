"""Which way is up, learned from people who stand and walk: a camera's pitch without a word about the camera.

One picture of a person cannot tell a camera that looks down from a person who leans. Several people can: if
all stand on one floor, the camera is equally high above all of their feet, and only for the right pitch does
their size in the image say so. Every pitch keeps the mean and spread of the heights it would mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PITCHES_RAD = np.deg2rad(np.arange(-20.0, 70.1, 1.0))  # down is positive

SHOULDERS, HIPS, KNEES, ANKLES = [5, 6], [11, 12], [13, 14], [15, 16]


@dataclass(frozen=True)
class UprightRules:
    """What is believed before anybody was seen, and how much a sight says."""

    pitch_rad: float = np.deg2rad(8.0)  # of street, room and phone cameras
    pitch_std_rad: float = np.deg2rad(10.0)
    ankle_to_shoulder_m: float = 1.32
    log_height_std: float = 0.12  # of people's sizes and of their measured keypoints
    sight_s: float = 1.0  # seconds of one person that count as one independent sight
    memory_s: float = 60.0  # of people, so that a camera may turn
    lean_std_rad: float = 0.1  # of standing and walking people's trunks
    min_confidence: float = 0.5


def nothing_seen() -> Floats:
    """The memory at the start of a video: (3, pitches) weight, mean and sum of squares of log heights."""
    return np.zeros((3, len(PITCHES_RAD)))


def observe(
    memory: Floats,  # (3, pitches)
    keypoints: Floats,  # (n, 17, 3) x_px, y_px, confidence
    K: Floats,  # (3, 3)
    dt_s: float,
    rules: UprightRules,
) -> Floats:  # (3, pitches)
    """The memory after the people of one more frame."""
    weight, mean, square = memory * [[np.exp(-dt_s / rules.memory_s)], [1], [np.exp(-dt_s / rules.memory_s)]]
    shoulder, hip, knee, ankle = (keypoints[:, pair].mean(1) for pair in (SHOULDERS, HIPS, KNEES, ANKLES))
    sure = keypoints[:, SHOULDERS + HIPS + KNEES + ANKLES, 2].min(-1) >= rules.min_confidence
    length = ankle[:, 1] - shoulder[:, 1]
    straight = (shoulder[:, 1] < hip[:, 1]) & (hip[:, 1] < knee[:, 1]) & (knee[:, 1] < ankle[:, 1])
    straight &= np.abs(shoulder[:, 0] - ankle[:, 0]) < 0.3 * length
    straight &= (knee[:, 1] - hip[:, 1]) > 0.25 * length  # nobody who sits
    for top_px, foot_px in zip(shoulder[sure & straight, 1], ankle[sure & straight, 1], strict=True):
        top, foot = (np.array([top_px, foot_px]) - K[1, 2]) / K[1, 1]
        c, s = np.cos(PITCHES_RAD), np.sin(PITCHES_RAD)
        # A foot at depth d and shoulders a known length above it, both on their rays; then the camera's height.
        depth = rules.ankle_to_shoulder_m * (c - s * top) / (foot - top)
        above_m = depth * (foot * c + s)
        height = np.log(np.maximum(above_m, 0.3))
        share = dt_s / rules.sight_s
        step = height - mean
        weight = weight + share
        mean = mean + step * share / np.maximum(weight, 1e-9)
        square = square + share * step * (height - mean)
        square = square + share * (above_m < 0.3)  # feet at or above the horizon: not this pitch
    return np.stack([weight, mean, square])


def up(memory: Floats, rules: UprightRules) -> tuple[Floats, float]:
    """World's up in camera axes (3,), a unit vector, and its standard deviation, rad, people's lean included."""
    cost = 0.5 * ((PITCHES_RAD - rules.pitch_rad) / rules.pitch_std_rad) ** 2
    cost += 0.5 * memory[2] / rules.log_height_std**2
    chance = np.exp(cost.min() - cost)
    chance /= chance.sum()
    pitch = (chance * PITCHES_RAD).sum()
    variance = (chance * (PITCHES_RAD - pitch) ** 2).sum()
    return np.array([0, -np.cos(pitch), -np.sin(pitch)]), float(np.sqrt(variance + rules.lean_std_rad**2))
