"""The pose transformer's task for the training loop: masked tokens of tracks from what was seen of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from choros.datasets.mocap import MocapClip
from choros.fourdhumans import pose_transformer
from choros.fourdhumans.config import PoseTransformerConfig
from choros.fourdhumans.pose_transformer import PoseTransformer
from choros.training.mocap import MocapTask
from choros.training.pose_transformer.losses import completion_loss
from choros.training.pose_transformer.recipe import PoseTransformerRecipe
from choros.training.pose_transformer.track_windows import TrackBatch, batch_of, captured, improvised


class PoseTransformerTask(MocapTask):
    """Masked tokens are said from the others (supplement S.4)."""

    system = pose_transformer.SYSTEM
    recipe: PoseTransformerRecipe
    network: PoseTransformer

    def __init__(
        self, clips: Sequence[MocapClip], recipe: PoseTransformerRecipe, config: PoseTransformerConfig
    ) -> None:
        super().__init__(recipe, pose_transformer.network_metadata(config), lambda: PoseTransformer(config))
        made_up = improvised(recipe.improvised, recipe.improvised_s, recipe.seed)
        self._tracks = [*captured(clips), *made_up]
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.lr, betas=recipe.betas, weight_decay=recipe.weight_decay
        )

    def batch(self, step: int, part: int) -> TrackBatch:
        """Windows of tracks with what tracking loses."""
        return batch_of(self._tracks, self.recipe, np.random.default_rng([self.recipe.seed, step, part]))

    def predict(self, batch: TrackBatch) -> Tensor:
        """Tokens of the instants that are asked for."""
        return self.network(batch.window)

    def losses(self, predicted: Tensor, batch: TrackBatch, step: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Distances of joints and places."""
        return completion_loss(predicted.float(), batch.truth, batch.near_s, self.recipe)
