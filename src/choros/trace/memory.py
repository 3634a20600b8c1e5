"""TRACE's memory unit: who in a frame is one of those who were there before, hidden for a while or not (paper 3.3).

People's places in this frame are moved back by the motion that the network sees in them, and compared with the places
that are remembered. The paper follows those of the first frame, and whoever is new is nobody; here everyone is followed
unless a number of subjects is asked for, which the paper names as future work. Costs grow with the people who are live.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class MemoryRules:
    """The paper's constants (supplement 2.3) by their meaning, as the published program has it."""

    remembered_height: float = (
        0.05  # lambda_c: of a centre, from which what is seen takes the remembered's place
    )
    least_scale: float = 0.13  # lambda_s: of subjects; who is smaller is too far away to be one
    alike: float = 0.05  # lambda_d: two people so near in the camera's numbers are one
    gate: float = 1.0  # lambda_m: the greatest distance of the same person
    weights: tuple[float, float, float] = (1.2, 2.5, 25.0)  # W: of x and y, metres, and of 1 / (1 + z)
    forgotten_s: float = 100 / 30  # lambda_f: 100 frames, 30 a second
    largest_motion: float = 0.06  # release: a longer motion, in the camera's numbers, is taken for none
    gate_growth_s: float = (
        0.5  # ours: somebody hidden may go on; the gate grows by so much of itself in a second
    )
    everyone_scale: float = (
        0.03  # ours, in place of ``least_scale`` where everyone is followed: some 70 m away
    )


def weighted_places(pelvis_cam: Floats, rules: MemoryRules) -> Floats:
    """Places (n, 3) in metres, in which distances are those of the memory, (n, 3)."""
    x, y, z = np.moveaxis(np.asarray(pelvis_cam, np.float64), -1, 0)
    return np.stack([x, y, 1 / (1 + np.maximum(z, 0))], -1) * rules.weights


def distances(remembered_cam: Floats, seen_cam: Floats, rules: MemoryRules) -> Floats:
    """How far people seen (m, 3) are from those remembered (n, 3), metres both, (n, m)."""
    a, b = weighted_places(remembered_cam, rules), weighted_places(seen_cam, rules)
    return np.asarray(np.linalg.norm(a[:, None] - b[None], axis=-1))


def similarities(remembered_cam: Floats, seen_cam: Floats, unseen_s: Floats, rules: MemoryRules) -> Floats:
    """1 of the same place and 0 at the gate, (n, m); below is nobody. ``unseen_s`` (n,) is since the last sight."""
    gate = rules.gate * (1 + rules.gate_growth_s * np.asarray(unseen_s, np.float64))
    return 1 - distances(remembered_cam, seen_cam, rules) / gate[:, None]


def camera_before(camera: Floats, motion: Floats, rules: MemoryRules) -> Floats:
    """Where people at (s, y, x), (m, 3), were a frame ago; a ``motion`` (m, 3) that is too long to be one is none."""
    small = np.linalg.norm(motion, axis=-1, keepdims=True) <= rules.largest_motion
    return np.asarray(camera - np.where(small, motion, 0))


def distinct(camera: Floats, height: Floats, rules: MemoryRules) -> Flags:
    """Of people at (s, y, x), (m, 3), those to whom nobody with a higher centre is so near that they are the same."""
    keep = np.zeros(len(camera), bool)
    for one in np.argsort(-np.asarray(height), kind="stable"):
        away = np.linalg.norm(camera[keep] - camera[one], axis=-1)
        keep[one] = bool((away > rules.alike).all())
    return keep


def large_enough(camera: Floats, subjects: int | None, rules: MemoryRules) -> Flags:
    """Which of the people at (s, y, x), (m, 3), are near enough to be followed."""
    return np.asarray(camera[:, 0] >= (rules.everyone_scale if subjects is None else rules.least_scale))


def subjects_among(camera: Floats, subjects: int) -> Flags:
    """The so many nearest of the people at (s, y, x), (m, 3): the subjects of a first frame (release)."""
    chosen = np.zeros(len(camera), bool)
    chosen[np.argsort(-camera[:, 0], kind="stable")[:subjects]] = True
    return chosen
