"""The motion model's task for the training loop: the velocity from noise to a window's codes (flow matching)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from choros.body.kinematics import posed_joints
from choros.datasets.mocap import MocapClip
from choros.errors import ChorosError
from choros.scenes.motion.motion_features import FPS, decode
from choros.scenes.motion.motion_model import SYSTEM, MotionModel, MotionModelConfig, model_metadata
from choros.scenes.motion.rest_skeleton import Floats
from choros.training.mocap import MocapTask
from choros.training.motion_model.components import fit_to_windows
from choros.training.motion_model.losses import flow_loss, on_the_way
from choros.training.motion_model.recipe import MotionModelRecipe
from choros.training.motion_model.windows import open_skeleton, windows_of
from choros.training.sheets import passing, side_by_side

#: Samples: how many windows, of how many there are pictures, and of how many of their moments.
SHOWN, PICTURED, MOMENTS = 256, 6, 6
SAMPLE_SEED = 900_002


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
        if not len(windows.rows):
            raise ChorosError(
                "in no second and a half of this motion capture does anybody stay on their feet."
            )
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
        rng, recipe = np.random.default_rng([self.recipe.seed, step, part]), self.recipe
        drawn = torch.from_numpy(rng.choice(len(self._codes), recipe.batch, p=self._chance))
        return self._begun(self._codes[drawn], self._pasts[drawn], rng)

    def _begun(self, codes: Tensor, pasts: Tensor, rng: np.random.Generator) -> FlowBatch:
        """Somewhere on the way to the codes (B, codes) of windows with these pasts (B, past_codes)."""
        count, recipe = len(codes), self.recipe
        chance = torch.from_numpy(rng.random((count, 3))).float()
        noise = torch.from_numpy(rng.normal(size=(count, self.config.codes))).float()
        blur = torch.from_numpy(rng.normal(size=(count, self.config.past_codes))).float()
        past = pasts + recipe.past_noise * chance[:, :1] * blur
        known = (chance[:, 1:2] > recipe.begin_rate).float()
        return FlowBatch(codes, noise, chance[:, 2:], past, known)

    @cached_property
    def _unseen(self) -> Tensor | None:
        """What samples are of: windows (n, window, N_FEATURES) of what is shown, the same at every step."""
        found = windows_of(self.shown, self.config, replace(self.recipe, tempos=(1.0,)))
        if not len(found.rows):
            return None
        return found.rows[np.random.default_rng(SAMPLE_SEED).choice(len(found.rows), SHOWN, p=found.chance)]

    @torch.no_grad()
    def look(self, average: nn.Module) -> tuple[dict[str, float], list[NDArray[np.uint8]]]:
        """The loss; how motions went on after their half second, and how they go on by the model."""
        rows, model, rng = self._unseen, cast(MotionModel, average), np.random.default_rng(SAMPLE_SEED)
        if rows is None:
            return {}, []
        past = self.config.past
        seen = self._begun(model.windows.encode(rows), model.pasts.encode(rows[:, :past]), rng)
        velocity = model.flow(on_the_way(seen.noise, seen.codes, seen.time), seen.time, seen.past, seen.known)
        pictures = []
        for truth in rows[:PICTURED].numpy():
            went, goes = (self._moments(some) for some in (truth, model.draw(rng, 1, truth[:past])[0]))
            pictures += side_by_side(passing(went), passing(goes))
        return {"loss": float(flow_loss(velocity, seen.noise, seen.codes, self._importance))}, pictures

    def _moments(self, rows: Floats) -> Floats:
        """Joints (MOMENTS, 24, 3) of a window (window, N_FEATURES) from the end of its past on, metres."""
        times_s, body = np.linspace(self.config.past, self.config.window - 1, MOMENTS) / FPS, open_skeleton()
        acting = decode(rows.astype(np.float64), times_s, body)
        return posed_joints(acting.R_local, body.joints_rest, acting.pelvis)[1]

    def predict(self, batch: FlowBatch) -> Tensor:
        """The velocity on the way from noise to codes."""
        between = on_the_way(batch.noise, batch.codes, batch.time)
        velocity: Tensor = self.network.flow(between, batch.time, batch.past, batch.known)
        return velocity

    def losses(self, predicted: Tensor, batch: FlowBatch, step: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """How far it is off, by how much each component moves the body."""
        return flow_loss(predicted, batch.noise, batch.codes, self._importance), {}
