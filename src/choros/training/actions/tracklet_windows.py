"""Batches of windows of tracklets, with the labels of everyone in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from choros.datasets.tracklets import (
    BACKBONE,
    LABELS,
    PEOPLE,
    Tracklet,
    joined,
    read_tracklet,
    tracklet_name,
    tracklets_of,
)
from choros.evaluation.metrics.actions import SCORED_ACTIONS
from choros.fourdhumans.actions.config import ActionConfig
from choros.fourdhumans.actions.network import ActionTokens
from choros.fourdhumans.actions.windows import neighbours, stacked, window_tokens
from choros.fourdhumans.released_layers import BETAS, ROTATIONS
from choros.training.actions.losses import ActionTruth

#: Columns of the labels that the network tells, by how many it tells.
TOLD = {len(SCORED_ACTIONS): np.array(SCORED_ACTIONS) - 1, LABELS: np.arange(LABELS)}


class TrackletWindows:
    """Windows of everybody in folders of tracklets; which, follows from the generator that is given."""

    def __init__(
        self,
        folders: Sequence[Path],
        config: ActionConfig,
        mean: Tensor,
        std: Tensor,
        people_only: bool = False,
    ) -> None:
        """``mean`` and ``std`` are those of mean_std.npy. Raises ``ChorosError`` if a folder holds no tracklets."""
        self.config, self.mean, self.std = config, mean, std
        self.least = PEOPLE if people_only else BACKBONE
        self.clips: dict[tuple[str, str, str], list[Path]] = {}
        for folder in folders:
            self.clips |= tracklets_of(folder)
        self.paths = [path for clip in self.clips.values() for path in clip]

    def draw(self, batch: int, rng: np.random.Generator) -> tuple[ActionTokens, ActionTruth]:
        """So many windows. Raises ``ChorosError`` for a damaged file."""
        made = [self.window(int(k), rng) for k in rng.integers(0, len(self.paths), batch)]
        tokens, truths = zip(*made, strict=True)
        return stacked(tokens), ActionTruth(*(torch.cat(parts) for parts in zip(*truths, strict=True)))

    def window(self, number: int, rng: np.random.Generator) -> tuple[ActionTokens, ActionTruth]:
        """A window of one tracklet, anywhere in it, with some of those who are in sight in it as neighbours."""
        path, config = self.paths[number], self.config
        person = read_tracklet(path)
        start = int(rng.integers(0, max(len(person) - config.frames, 0) + 1))
        frames = person.frames[start : start + config.frames]
        frames = np.concatenate([frames, frames[-1] + 1 + np.arange(config.frames - len(frames))])
        others = [read_tracklet(other) for other in self.clips[tracklet_name(path).clip] if other != path]
        near = rng.permutation(neighbours(frames, others))[: config.people - 1]
        people = [person, *(others[k] for k in near)]
        tokens = window_tokens(frames, people, config, self.mean, self.std)
        return tokens, self._truth(frames, people, tokens.detected)

    def _truth(self, frames: np.ndarray, people: Sequence[Tracklet], detected: Tensor) -> ActionTruth:
        T, P = len(frames), self.config.people
        labels = np.zeros((T, P, self.config.actions), np.float32)
        labelled = np.zeros((T, P), bool)
        pose = np.zeros((T, P, people[0].pose_shape.shape[1]), np.float32)
        columns = TOLD[self.config.actions]
        for p, person in enumerate(people):
            at = joined(frames, person.frames)
            there = at >= 0
            at = at[there]
            labels[there, p] = person.labels[at][:, columns]
            labelled[there, p] = person.labelled_by[at] >= self.least
            pose[there, p] = person.pose_shape[at]
        rotations, betas, place = torch.from_numpy(pose).split([ROTATIONS, BETAS, 3], -1)
        return ActionTruth(
            torch.from_numpy(labels)[None],
            torch.from_numpy(labelled)[None, ..., None].expand(-1, -1, -1, self.config.actions),
            detected,
            rotations.unflatten(-1, (24, 3, 3))[None],
            betas[None],
            place[None],
        )


def hidden(detected: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Which tokens (B, T, P) bool are hidden: ``share`` of those of each window that have a detection, rounded down."""
    masked = torch.zeros_like(detected)
    for row, there in zip(masked, detected, strict=True):
        known = there.flatten().nonzero()[:, 0].numpy()
        row.view(-1)[torch.from_numpy(rng.permutation(known)[: int(share * len(known))])] = True
    return masked
