"""The task of the network that tells actions, for the training loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from choros.fourdhumans.actions import network as actions
from choros.fourdhumans.actions.network import ActionAnswers, ActionTokens, ActionTransformer
from choros.seeding import seeded
from choros.training.actions.losses import ActionTruth, action_losses
from choros.training.actions.recipe import ActionRecipe
from choros.training.actions.tracklet_windows import TrackletWindows, hidden
from choros.training.loop import StepPlan, Task
from choros.training.schedule import warmup_cosine


class ActionBatch(NamedTuple):
    """Windows, what is known of them, and what is hidden of them (B, T, P)."""

    tokens: ActionTokens
    truth: ActionTruth
    masked: Tensor


class ActionTask(Task):
    """Actions of people from their tracklets, some tokens hidden."""

    system = actions.SYSTEM
    network: ActionTransformer

    def __init__(
        self, windows: TrackletWindows, recipe: ActionRecipe, network: ActionTransformer | None = None
    ) -> None:
        """``network`` is one that goes on learning; a new one's first weights follow from the recipe's seed."""
        self.windows, self.recipe = windows, recipe
        with seeded(recipe.seed):
            self.network = network or ActionTransformer(windows.config)
        groups = layer_groups(self.network, recipe.layer_decay)
        self.optimiser = torch.optim.AdamW(
            groups, lr=recipe.lr, betas=recipe.betas, weight_decay=recipe.weight_decay
        )

    def prepare(self, step: int) -> StepPlan:
        """All of the network learns."""
        self.network.train()
        warmup = max(1, round(self.recipe.warmup * self.recipe.steps))
        return StepPlan(self.recipe.lr * warmup_cosine(step, self.recipe.steps, warmup))

    def batch(self, step: int, part: int) -> ActionBatch:
        """Windows of tracklets."""
        rng = np.random.default_rng([self.recipe.seed, step, part])
        tokens, truth = self.windows.draw(self.recipe.batch, rng)
        return ActionBatch(tokens, truth, hidden(tokens.detected, self.recipe.masked, rng))

    def predict(self, batch: ActionBatch) -> ActionAnswers:
        """What everyone does."""
        return self.network(batch.tokens, batch.masked)

    def losses(
        self, predicted: ActionAnswers, batch: ActionBatch, step: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Cross-entropy of actions, and errors of poses and places if the recipe wants them."""
        return action_losses(predicted, batch.truth, self.recipe)


def layer_groups(network: ActionTransformer, decay: float) -> list[dict[str, Any]]:
    """Parameters by layer for the optimiser, with the share of the learning rate that each layer has.

    The heads learn in full, the last block by ``decay``, the one before by its square and so on down to what makes
    tokens.
    """
    depth = len(network.blocks)
    heads = (network.action_head, network.pose_head, network.place_head, getattr(network, "clip_head", None))
    below_heads: dict[nn.Parameter, int] = {p: 0 for head in heads if head for p in head.parameters()}
    for number, block in enumerate(network.blocks):
        below_heads |= dict.fromkeys(block.parameters(), depth - number)
    layers: dict[int, list[nn.Parameter]] = {}
    for parameter in network.parameters():
        layers.setdefault(below_heads.get(parameter, depth + 1), []).append(parameter)
    return [{"params": layers[below], "lr_share": decay**below} for below in sorted(layers)]
