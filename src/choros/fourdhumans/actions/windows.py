"""Windows of tracklets for the network that tells actions, and what it says of a whole tracklet.

A window is at any place of a track (the released training always takes its first frames), and whoever is in sight in
some frame of it may be a neighbour (the released one leaves out those who are there from before to after it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from choros.datasets.tracklets import joined
from choros.fourdhumans.actions.config import ActionConfig
from choros.fourdhumans.actions.network import ActionTokens, ActionTransformer
from choros.fourdhumans.released_layers import POSE_SHAPE, normalised

STEP = 32  # frames of each window that are said, with a window's other frames around them (the authors' demo)


class TrackOfTokens(Protocol):
    """What a window needs of one person over T frames, as `choros.datasets.tracklets.Tracklet` has it."""

    @property
    def frames(self) -> np.ndarray:
        """(T,) rising, by one clock for all people."""

    @property
    def pose_shape(self) -> np.ndarray:
        """(T, 229) rotation matrices, betas, place (its z / 200)."""

    @property
    def detected(self) -> np.ndarray:
        """(T,) bool."""

    @property
    def joints(self) -> np.ndarray | None:
        """(T, 45, 3) metres, in the camera's axes."""

    @property
    def appearance(self) -> np.ndarray | None:
        """(T, D) 0 where there is none."""


def neighbours(frames: np.ndarray, others: Sequence[TrackOfTokens]) -> list[int]:
    """Which of the others are detected in some of the ``frames``."""
    found = []
    for number, other in enumerate(others):
        at = joined(frames, other.frames)
        if other.detected[at[at >= 0]].any():
            found.append(number)
    return found


def window_tokens(
    frames: np.ndarray, people: Sequence[TrackOfTokens], config: ActionConfig, mean: Tensor, std: Tensor
) -> ActionTokens:
    """One window (1, T, P) of ``frames`` (T,); the first of the people is asked about, too many are left out."""
    T, P = len(frames), config.people
    pose = np.zeros((T, P, POSE_SHAPE), np.float32)
    detected = np.zeros((T, P), bool)
    joints = np.zeros((T, P, 45, 3), np.float32)
    appearance = np.zeros((T, P, config.appearance_in), np.float32) if config.appearance else None
    for p, person in enumerate(people[:P]):
        at = joined(frames, person.frames)
        there = at >= 0
        at = at[there]
        pose[there, p], detected[there, p] = person.pose_shape[at], person.detected[at]
        if person.joints is not None:
            joints[there, p] = person.joints[at]
        if appearance is not None and person.appearance is not None:
            appearance[there, p] = person.appearance[at]
    if config.places_about_first and detected[:, 0].any():
        seen = np.flatnonzero(detected[:, 0])
        middle = seen[np.abs(seen - T // 2).argmin()]
        pose[..., -3:] -= pose[middle, 0, -3:].copy()
    return ActionTokens(
        normalised(torch.from_numpy(pose), mean, std)[None],
        torch.from_numpy(detected)[None],
        torch.from_numpy(joints)[None] if config.joints else None,
        None if appearance is None else torch.from_numpy(appearance)[None],
    )


def stacked(windows: Sequence[ActionTokens]) -> ActionTokens:
    """Windows of one size as a batch."""
    batch: list[Any] = [
        None if parts[0] is None else torch.cat(parts) for parts in zip(*windows, strict=True)
    ]
    return ActionTokens(*batch)


@torch.no_grad()
def action_scores(
    network: ActionTransformer,
    person: TrackOfTokens,
    others: Sequence[TrackOfTokens],
    mean: Tensor,
    std: Tensor,
) -> Tensor:
    """How sure the network is of each action in every frame of a tracklet, (T, actions) 0 to 1.

    Windows slide by `STEP` frames and are read in their middles. ``mean`` and ``std`` are those of mean_std.npy.
    """
    config, n = network.config, len(person.frames)
    step = min(STEP, config.frames)
    network.eval()
    scores = torch.zeros(n, config.actions)
    for begin in range(0, n, step):
        end = min(begin + step, n)
        first = max(0, min(begin - (config.frames - step) // 2, n - config.frames))
        frames = person.frames[first : first + config.frames]
        near = [others[k] for k in neighbours(frames, others)]
        answers = network(window_tokens(frames, [person, *near], config, mean, std))
        scores[begin:end] = answers.actions[0, begin - first : end - first, 0].sigmoid()
    return scores
