"""The training of the small network of actions, which ships: on motion whose actions are known by construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from choros.datasets.mocap import MocapClip
from choros.evaluation.metrics.actions import average_precision
from choros.fourdhumans.actions import network as actions
from choros.fourdhumans.actions.config import ACTION_PRESETS, SMALL_ACTIONS, ActionConfig
from choros.fourdhumans.actions.network import ActionAnswers, ActionTokens, ActionTransformer
from choros.fourdhumans.actions.telling import tensors_of
from choros.training.actions.lifted_takes import LiftedTake, lifted
from choros.training.actions.made_windows import MadeWindows
from choros.training.actions.takes import captured, staged
from choros.training.actions.task import ActionBatch
from choros.training.actions.tracklet_windows import hidden
from choros.training.mocap import MocapRecipe, MocapTask


@dataclass(frozen=True)
class SmallActionRecipe(MocapRecipe):
    """A run; all numbers are ours."""

    steps: int = 1500
    batch: int = 24  # windows
    lr: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.02
    ema: float = 0.995
    masked: float = 0.1  # share of the tokens with a detection that are hidden
    staged: int = 400  # takes of scenes beside motion capture
    views: int = 4  # cameras that see a take
    held_out_windows: int = 600
    log_every: int = 20
    sample_every: int = 500


class SmallActionTask(MocapTask):
    """Actions of people from their tracks, some tokens hidden. Figures are of held-out clips and other scenes."""

    system = actions.SYSTEM
    recipe: SmallActionRecipe
    network: ActionTransformer

    def __init__(self, clips: Sequence[MocapClip], recipe: SmallActionRecipe) -> None:
        config = ACTION_PRESETS["small"]
        about = {**actions.network_metadata(config), "actions": list(SMALL_ACTIONS)}
        super().__init__(recipe, about, lambda: ActionTransformer(config))
        takes = self._takes(clips, config, recipe.staged, recipe.seed)
        self.windows = MadeWindows(takes, config, recipe.seed)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay
        )
        self._held_out: ActionBatch | None = None

    def batch(self, step: int, part: int) -> ActionBatch:
        """Windows of takes."""
        return self._drawn(
            self.windows, self.recipe.batch, np.random.default_rng([self.recipe.seed, step, part])
        )

    def predict(self, batch: ActionBatch) -> ActionAnswers:
        """What everyone does."""
        return self.network(batch.tokens, batch.masked)

    def losses(
        self, predicted: ActionAnswers, batch: ActionBatch, step: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Cross-entropy of the actions of which it is known whether they are done, of tokens that are hidden too."""
        counted = batch.truth.labelled & batch.truth.detected[..., None]
        loss = binary_cross_entropy_with_logits(
            predicted.actions[counted].float(), batch.truth.labels[counted]
        )
        return loss, {"actions": loss}

    def look(self, average: nn.Module) -> tuple[dict[str, float], list[NDArray[np.uint8]]]:
        """Average precision of each action that is done in the clips that are shown, and their mean; no pictures."""
        if self._held_out is None:
            seed, recipe = self.recipe.seed + 1_000_000, self.recipe
            takes = self._takes(self.shown, self.windows.config, recipe.staged // 4, seed)
            usual = self.windows.mean, self.windows.std
            windows = MadeWindows(takes, self.windows.config, seed, usual)
            self._held_out = self._drawn(windows, recipe.held_out_windows, np.random.default_rng(seed))
        precisions = precisions_of(average, self._held_out)
        return {f"ap_{name.replace(' ', '_')}": value for name, value in precisions.items()} | {
            "map": float(np.mean(list(precisions.values())))
        }, []

    def tensors(self, average: nn.Module) -> dict[str, Tensor]:
        """The average in half precision, and the usual tokens."""
        return tensors_of(cast(ActionTransformer, average), self.windows.mean, self.windows.std)

    def _takes(
        self, clips: Sequence[MocapClip], config: ActionConfig, number: int, seed: int
    ) -> list[LiftedTake]:
        """Captured clips and so many takes of scenes, as tracking sees them."""
        return lifted([*captured(clips), *staged(number, seed)], config.fps, self.recipe.views, seed)

    def _drawn(self, windows: MadeWindows, number: int, rng: np.random.Generator) -> ActionBatch:
        tokens, truth = windows.draw(number, rng)
        share = self.recipe.masked if windows is self.windows else 0.0
        return ActionBatch(tokens, truth, hidden(tokens.detected, share, rng))


@torch.no_grad()
def precisions_of(network: nn.Module, batch: ActionBatch, at_once: int = 32) -> dict[str, float]:
    """Average precision of each action over the tokens of whom it is known, where anybody does it."""
    network.eval()
    pose_shape, detected = batch.tokens.pose_shape, batch.tokens.detected
    few = [slice(k, k + at_once) for k in range(0, len(detected), at_once)]
    said = torch.cat([network(ActionTokens(pose_shape[some], detected[some])).actions for some in few])
    counted = batch.truth.labelled & batch.truth.detected[..., None]
    found = {}
    for number, name in enumerate(SMALL_ACTIONS):
        known = counted[..., number]
        scores, truth = said[..., number][known], batch.truth.labels[..., number][known] > 0
        if truth.any():
            order = scores.argsort(descending=True)
            found[name] = average_precision(truth[order].numpy(), int(truth.sum()))
    return found
