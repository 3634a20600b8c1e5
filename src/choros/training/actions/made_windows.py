"""Batches for the small network of actions: windows of takes as tracking sees them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.fourdhumans.actions.config import ActionConfig
from choros.fourdhumans.actions.network import ActionTokens
from choros.fourdhumans.actions.people import PersonTokens
from choros.fourdhumans.actions.windows import stacked, window_tokens
from choros.training.actions.lifted_takes import LiftedTake
from choros.training.actions.losses import ActionTruth
from choros.training.pose_transformer.track_noise import seen_and_asked

#: Windows from which the usual tokens are told, and the least spread that counts as one.
MEASURED, LEAST_STD = 400, 0.02
MISSED = 0.5  # share of the people of whom stretches are missing


class MadeWindows:
    """Windows of takes, drawn so that every action comes about as often as any other.

    ``mean`` and ``std`` (229,) are those of tokens, of other windows if those are given as ``usual``.
    """

    def __init__(
        self,
        takes: Sequence[LiftedTake],
        config: ActionConfig,
        seed: int,
        usual: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.takes, self.config = takes, config
        #: Of each action, (take, person, instant) where it is done; then all that there is.
        self._done: list[NDArray[np.int64]] = []
        places = [
            np.stack([np.full(len(t), k), np.full(len(t), p), t, *one.labels.true[t].T], 1)
            for k, take in enumerate(takes)
            for p, one in enumerate(take)
            for t in [np.flatnonzero(one.tokens.detected)]
        ]
        table = np.concatenate(places)
        for action in range(config.actions):
            self._done.append(table[table[:, 3 + action] > 0, :3])
        self._done = [where for where in self._done if len(where)] + [table[:, :3]]
        self.mean, self.std = torch.zeros(229), torch.ones(229)
        if usual is not None:
            self.mean, self.std = usual
            return
        tokens, _ = self.draw(MEASURED, np.random.default_rng([seed, 7]))
        shown = tokens.pose_shape[tokens.detected]
        self.mean, self.std = shown.mean(0), shown.std(0).clamp_min(LEAST_STD)

    def draw(self, batch: int, rng: np.random.Generator) -> tuple[ActionTokens, ActionTruth]:
        """So many windows."""
        made = [self._window(rng) for _ in range(batch)]
        tokens, truths = zip(*made, strict=True)
        labels, known, detected = (torch.cat(parts) for parts in zip(*truths, strict=True))
        return stacked(tokens), ActionTruth(labels, known, detected)

    def _window(self, rng: np.random.Generator) -> tuple[ActionTokens, tuple[Tensor, Tensor, Tensor]]:
        where = self._done[int(rng.integers(len(self._done)))]
        number, asked, at = where[int(rng.integers(len(where)))].tolist()
        take, config = self.takes[number], self.config
        wanted = at - int(rng.integers(config.frames)) + np.arange(config.frames)
        order = [asked, *(k for k in rng.permutation(len(take)) if k != asked)][: config.people]
        people = [_missed(take[k].tokens, 1 / config.fps, rng) for k in order]
        tokens = window_tokens(wanted, people, config, self.mean, self.std)
        flags = np.zeros((2, config.frames, config.people, config.actions), bool)
        for p, k in enumerate(order):
            inside = (wanted >= 0) & (wanted < len(take[k].labels.true))
            flags[:, inside, p] = take[k].labels.true[wanted[inside]], take[k].labels.known[wanted[inside]]
        labels, known = torch.from_numpy(flags)[:, None]
        return tokens, (labels.float(), known, tokens.detected)


def _missed(tokens: PersonTokens, step_s: float, rng: np.random.Generator) -> PersonTokens:
    """Somebody of whom now and then stretches were not seen, beside those out of the picture."""
    if rng.random() >= MISSED or not tokens.detected.any():
        return tokens
    return tokens._replace(detected=seen_and_asked(rng, tokens.detected, 1, step_s)[0])
