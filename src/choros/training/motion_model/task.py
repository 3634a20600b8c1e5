"""The motion model's task for the training loop: the velocity from noise to a window's codes (flow matching)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from choros.datasets.mocap import MocapClip
from choros.scenes.motion.motion_model import SYSTEM, MotionModel, MotionModelConfig, model_metadata
from choros.training.mocap import MocapTask
from choros.training.motion_model.components import fit_to_windows
from choros.training.motion_model.losses import flow_loss, on_the_way
from choros.training.motion_model.recipe import MotionModelRecipe
from choros.training.motion_model.windows import windows_of


class FlowBatch(NamedTuple):
    """B windows as codes, and where on the way to them the network is asked."""

    codes: Tensor  # (B, codes)
    noise: Tensor  # (B, codes)
    time: Tensor  # (B, 1)
    past: Tensor  # (B, past_codes)
    known: Tensor  # (B, 1) 1 where the past is told, else 0


class MotionModelTask(MocapTask):
    """What moves people in synthetic scenes: half a second of motion given the half second before."""

    system = SYSTEM
    recipe: MotionModelRecipe
    network: MotionModel

    def __init__(
        self, clips: Sequence[MocapClip], recipe: MotionModelRecipe, config: MotionModelConfig
    ) -> None:
        windows = windows_of(clips, config, recipe)
        about = model_metadata(config) | {"windows": len(windows.rows)}
        super().__init__(recipe, about, lambda: MotionModel(config))
        self.config = config
        fit_to_windows(self.network, windows, recipe)
        with torch.no_grad():
            parts = windows.rows.split(4096)
            self._codes = torch.cat([self.network.windows.encode(part) for part in parts])
            self._pasts = torch.cat([self.network.pasts.encode(part[:, : config.past]) for part in parts])
        self._chance = windows.chance
        std = self.network.windows.std
        self._importance = std / std.mean() + 0.1
        self.optimiser = torch.optim.AdamW(
            self.network.flow.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay
        )

    def batch(self, step: int, part: int) -> FlowBatch:
        """Windows by their chance, their pasts a little off and now and then not told."""
        rng, recipe = np.random.default_rng([self.recipe.seed, step]), self.recipe
        drawn = torch.from_numpy(rng.choice(len(self._codes), recipe.batch, p=self._chance))
        chance = torch.from_numpy(rng.random((recipe.batch, 3))).float()
        noise = torch.from_numpy(rng.normal(size=(recipe.batch, self.config.codes))).float()
        blur = torch.from_numpy(rng.normal(size=(recipe.batch, self.config.past_codes))).float()
        past = self._pasts[drawn] + recipe.past_noise * chance[:, :1] * blur
        known = (chance[:, 1:2] > recipe.begin_rate).float()
        return FlowBatch(self._codes[drawn], noise, chance[:, 2:], past, known)

    def predict(self, batch: FlowBatch) -> Tensor:
        """The velocity on the way from noise to codes."""
        between = on_the_way(batch.noise, batch.codes, batch.time)
        velocity: Tensor = self.network.flow(between, batch.time, batch.past, batch.known)
        return velocity

    def losses(self, predicted: Tensor, batch: FlowBatch, step: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """How far it is off, by how much each component moves the body."""
        return flow_loss(predicted, batch.noise, batch.codes, self._importance), {}
