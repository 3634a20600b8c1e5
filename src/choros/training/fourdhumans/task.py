"""What HMR 2.0 learns, for the training loop: bodies from crops, against an adversary that learns beside it (3.3, S.3).

The release takes two optimisers in turn. They have the same rates, neither sees the other's parameters, and both look
at the answers from before the step: one optimiser over both, one step, is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from choros.body import BodyModel
from choros.checkpoints import load_into
from choros.datasets.sample import Floats
from choros.fourdhumans.hmr2.config import Hmr2Config
from choros.fourdhumans.hmr2.decoder import CropBodies
from choros.fourdhumans.hmr2.network import SYSTEM, Hmr2Network
from choros.seeding import seeded
from choros.training.fourdhumans.discriminator import PoseDiscriminator
from choros.training.fourdhumans.feed import Batch, Feed
from choros.training.fourdhumans.keypoints44 import points44
from choros.training.fourdhumans.losses import adversarial_losses, body_losses, weighted
from choros.training.fourdhumans.recipe import Recipe
from choros.training.loop import StepPlan, Task


class Learners(nn.Module):
    """The network, and the adversary that it is to fool."""

    def __init__(self, config: Hmr2Config) -> None:
        super().__init__()
        self.hmr2 = Hmr2Network(config)
        self.discriminator = PoseDiscriminator()


class Hmr2Task(Task):
    """HMR 2.0 by a recipe.

    Batches come from a ``feed``; ``output`` is the file of weights, and ``about`` what its metadata say beside the
    network's own. With ``encoder``, a ViTPose checkpoint, the encoder begins as in the paper (S.1); one that is frozen
    learns nothing, and wants that. ``regressor`` as of `points44`. Raises ``ChorosError`` if the checkpoint is of
    another encoder.
    """

    system = SYSTEM
    network: Learners

    def __init__(
        self,
        recipe: Recipe,
        config: Hmr2Config,
        body: BodyModel,
        feed: Feed,
        output: Path,
        about: Mapping[str, Any],
        *,
        seed: int = 1,
        encoder: Path | None = None,
        regressor: Floats | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.recipe, self.feed, self.output, self.about, self.seed = recipe, feed, output, about, seed
        with seeded(seed):
            self.network = Learners(config)
        if encoder is not None:
            load_into(self.network.hmr2.encoder, encoder, rename=_of_the_encoder)
        self._device = device or torch.device("cpu")
        self.network.to(self._device)
        self.network.hmr2.encoder.requires_grad_(not recipe.frozen_encoder)
        self.body = body.to(self._device)
        self.points = points44(self.body, regressor)
        learning = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(
            learning, lr=recipe.lr, betas=recipe.adam, weight_decay=recipe.weight_decay
        )

    def prepare(self, step: int) -> StepPlan:
        """An encoder that learns nothing leaves out nothing either. The rate stays (S.3)."""
        self.network.train()
        if self.recipe.frozen_encoder:
            self.network.hmr2.encoder.eval()
        return StepPlan(self.recipe.lr, self.recipe.accumulate)

    def batch(self, step: int, part: int) -> Batch:
        """Crops of people, and captured bodies."""
        return self.feed.draw([self.seed, step, part]).to(self._device)

    def predict(self, batch: Batch) -> CropBodies:
        """The bodies in the crops."""
        return self.network.hmr2(batch.crops)

    def losses(self, predicted: CropBodies, batch: Batch, step: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The sum of both learners' losses, and all terms."""
        bodies = CropBodies(*(part.float() for part in predicted))
        terms = body_losses(bodies, batch.truth, self.body, self.points)
        terms |= adversarial_losses(bodies, batch.real_pose, batch.real_betas, self.network.discriminator)
        return weighted(terms, self.recipe.losses), terms

    def keep(self, average: nn.Module, step: int) -> None:
        """Write the weights so far."""
        about = {**self.about, "steps": step, "seed": self.seed}
        cast(Learners, average).hmr2.save(self.output, about)

    def close(self) -> None:
        """End the threads that make batches."""
        self.feed.close()


def _of_the_encoder(name: str) -> str | None:
    """The name of a tensor of ViTPose in its backbone; None for its keypoint head."""
    return name.removeprefix("backbone.") if name.startswith("backbone.") else None
