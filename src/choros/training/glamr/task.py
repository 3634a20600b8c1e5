"""The tasks of GLAMR's two networks for the training loop: reconstructing motion capture from its visible frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from choros.datasets.mocap import MocapClip
from choros.glamr import infiller, trajectory
from choros.glamr.config import InfillerConfig, TrajectoryConfig
from choros.glamr.infiller import MotionInfiller
from choros.glamr.trajectory import TrajectoryPredictor
from choros.training.glamr.losses import Reconstruction, infiller_loss, trajectory_loss
from choros.training.glamr.mocap_windows import (
    GappedPoses,
    WalkBatch,
    gapped,
    pose_columns,
    stretches,
    versions,
    walks_of,
)
from choros.training.glamr.recipe import InfillerRecipe, TrajectoryRecipe
from choros.training.mocap import MocapTask


class InfillerTask(MocapTask):
    """The motion infiller (section 3.1, appendix C): poses of frames that nobody saw."""

    system = infiller.SYSTEM
    recipe: InfillerRecipe
    network: MotionInfiller

    def __init__(self, clips: Sequence[MocapClip], recipe: InfillerRecipe, config: InfillerConfig) -> None:
        super().__init__(recipe, infiller.network_metadata(config), lambda: MotionInfiller(config))
        self.config = config
        self._tracks = pose_columns(versions(clips, recipe.tempos))
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=recipe.lr)

    def batch(self, step: int, part: int) -> GappedPoses:
        """Windows of motion with gaps."""
        rng = np.random.default_rng([self.recipe.seed, step])
        return gapped(self._tracks, self.config, self.recipe.batch, self.recipe.noise, rng)

    def predict(self, batch: GappedPoses) -> Reconstruction:
        """The motion, of a code that is drawn from the posterior."""
        window = batch.window
        context = self.network.see(window)
        posterior = self.network.posterior(context, window, batch.truth)
        divergence = posterior.divergence(self.network.prior(context, window)).mean()
        code = posterior.draw(torch.randn_like(posterior.mean))
        return Reconstruction(self.network.fill(context, window, code), divergence)

    def losses(
        self, predicted: Reconstruction, batch: GappedPoses, step: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Equation 2."""
        share = step / self.recipe.steps
        return infiller_loss(predicted, batch, self.recipe, self.config.context, share), {}


class TrajectoryTask(MocapTask):
    """The trajectory predictor (section 3.2, appendix D): where people go, from how their bodies move."""

    system = trajectory.SYSTEM
    recipe: TrajectoryRecipe
    network: TrajectoryPredictor

    def __init__(
        self, clips: Sequence[MocapClip], recipe: TrajectoryRecipe, config: TrajectoryConfig
    ) -> None:
        super().__init__(recipe, trajectory.network_metadata(config), lambda: TrajectoryPredictor(config))
        self._walks = walks_of(versions(clips, recipe.tempos))
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=recipe.lr)

    def batch(self, step: int, part: int) -> WalkBatch:
        """Stretches of walks, of one length."""
        rng = np.random.default_rng([self.recipe.seed, step])
        frames = int(rng.choice(self.recipe.frames))
        return stretches(self._walks, self.recipe.batch, frames, self.recipe.noise_m, rng)

    def predict(self, batch: WalkBatch) -> Reconstruction:
        """The path, of a code that is drawn from the posterior."""
        context = self.network.context(trajectory.joint_features(batch.joints), batch.lengths)
        posterior = self.network.posterior(context, batch.ego, batch.lengths)
        divergence = posterior.divergence(self.network.prior(context, batch.lengths)).mean()
        code = posterior.draw(torch.randn_like(posterior.mean))
        return Reconstruction(self.network.decode(context, code), divergence)

    def losses(
        self, predicted: Reconstruction, batch: WalkBatch, step: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Equation 8."""
        return trajectory_loss(predicted, batch, self.recipe, self.network.spread), {}
