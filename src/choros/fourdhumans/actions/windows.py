"""Windows of tracklets for the network that tells actions, and what it says of a whole tracklet.

A window is at any place of a track (the released training always takes its first frames), and whoever is in sight in
some frame of it may be a neighbour (the released one leaves out those who are there from before to after it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from choros.datasets.tracklets import Tracklet, joined
from choros.fourdhumans.actions.config import ActionConfig
from choros.fourdhumans.actions.network import ActionTokens, ActionTransformer
from choros.fourdhumans.released_layers import POSE_SHAPE, normalised

STEP = 32  # frames of each window that are said, with a window's other frames around them (the authors' demo)


def neighbours(frames: np.ndarray, others: Sequence[Tracklet]) -> list[int]:
    """Which of the others are detected in some of the ``frames``."""
    found = []
    for number, other in enumerate(others):
        at = joined(frames, other)
        if other.detected[at[at >= 0]].any():
            found.append(number)
    return found


def window_tokens(
    frames: np.ndarray, people: Sequence[Tracklet], config: ActionConfig, mean: Tensor, std: Tensor
) -> ActionTokens:
    """One window (1, T, P) of ``frames`` (T,); the first of the people is asked about, too many are left out."""
    T, P = len(frames), config.people
    pose = np.zeros((T, P, POSE_SHAPE), np.float32)
    detected = np.zeros((T, P), bool)
    joints = np.zeros((T, P, 45, 3), np.float32)
    appearance = np.zeros((T, P, config.appearance_in), np.float32) if config.appearance else None
    for p, person in enumerate(people[:P]):
        at = joined(frames, person)
        there = at >= 0
        at = at[there]
        pose[there, p], detected[there, p] = person.pose_shape[at], person.detected[at]
        joints[there, p] = person.joints[at]
        if appearance is not None and person.appearance is not None:
            appearance[there, p] = person.appearance[at]
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
    network: ActionTransformer, person: Tracklet, others: Sequence[Tracklet], mean: Tensor, std: Tensor
) -> Tensor:
    """How sure the network is of each action in every frame of a tracklet, (T, actions) 0 to 1.

    Windows slide by `STEP` frames and are read in their middles. ``mean`` and ``std`` are those of mean_std.npy.
    """
    config, n = network.config, len(person)
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
