"""The tasks of GLAMR's two networks for the training loop: reconstructing motion capture from its visible frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from choros.datasets.mocap import MocapClip
from choros.glamr import infiller, trajectory
from choros.glamr.config import InfillerConfig, TrajectoryConfig
from choros.glamr.egocentric import ego_to_global
from choros.glamr.infiller import MotionInfiller
from choros.glamr.trajectory import TrajectoryPredictor
from choros.training.glamr.losses import Reconstruction, infiller_loss, joints_of, trajectory_loss
from choros.training.glamr.mocap_windows import (
    R_Z_UP,
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
from choros.training.sheets import passing, side_by_side

#: Samples: how many windows or stretches, of how many there are pictures, and of how many of their moments.
SHOWN, PICTURED, MOMENTS = 64, 6, 6
SAMPLE_SEED = 900_002
PELVIS_UP_M = np.array([0, 0, 0.95])  # of poses that stand nowhere


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
        rng = np.random.default_rng([self.recipe.seed, step, part])
        recipe = self.recipe
        return gapped(self._tracks, self.config, recipe.batch, recipe.noise, rng, recipe.mixed)

    def predict(self, batch: GappedPoses) -> Reconstruction:
        """The motion, of a code that is drawn from the posterior."""
        window = batch.window
        context = self.network.see(window)
        posterior = self.network.posterior(context, window, batch.truth)
        divergence = posterior.divergence(self.network.prior(context, window)).mean()
        code = posterior.draw(torch.randn_like(posterior.mean))
        return Reconstruction(self.network.fill(context, window, code), divergence)

    @cached_property
    def _gaps(self) -> GappedPoses | None:
        """What samples are of: gaps in what is shown, the same at every step; None where no clip is long enough."""
        tracks = pose_columns(versions(self.shown, (1.0,), mirrored=False))
        rng = np.random.default_rng(SAMPLE_SEED)
        return gapped(tracks, self.config, SHOWN, self.recipe.noise, rng) if tracks else None

    @torch.no_grad()
    def look(self, average: nn.Module) -> tuple[dict[str, float], list[NDArray[np.uint8]]]:
        """The likeliest poses of frames that nobody saw: how far joints are off about the pelvis; moments of some."""
        if self._gaps is None:
            return {}, []
        window, truth, exists = self._gaps
        network = cast(MotionInfiller, average)
        context, after = network.see(window), slice(self.config.context, None)
        said = network.fill(context, window, network.prior(context, window).mean)
        joints, true = (joints_of(columns) for columns in (said, truth[:, after]))
        hidden = exists[:, after] & ~window.seen[:, after]
        miss_mm = 1000 * (joints - true).norm(dim=-1).mean(-1)
        pictures = []
        upright = [some.double().numpy() @ R_Z_UP.T + PELVIS_UP_M for some in (true, joints)]
        for person in range(PICTURED):
            gap = np.flatnonzero(hidden[person].numpy())
            moments = (
                gap[np.linspace(0, len(gap) - 1, MOMENTS).astype(int)] if len(gap) else np.arange(MOMENTS)
            )
            was, filled = (passing(some[person, moments]) for some in upright)
            pictures += side_by_side(was, filled)
        return {"hidden_mpjpe_mm": float(miss_mm[hidden].mean())}, pictures

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
        rng = np.random.default_rng([self.recipe.seed, step, part])
        frames = int(rng.choice(self.recipe.frames))
        return stretches(self._walks, self.recipe.batch, frames, self.recipe.noise_m, rng)

    def predict(self, batch: WalkBatch) -> Reconstruction:
        """The path, of a code that is drawn from the posterior."""
        context = self.network.context(trajectory.joint_features(batch.joints), batch.lengths)
        posterior = self.network.posterior(context, batch.ego, batch.lengths)
        divergence = posterior.divergence(self.network.prior(context, batch.lengths)).mean()
        code = posterior.draw(torch.randn_like(posterior.mean))
        return Reconstruction(self.network.decode(context, code), divergence)

    @cached_property
    def _stretches(self) -> WalkBatch | None:
        """What samples are of: stretches of what is shown, the same at every step; None where none is long enough."""
        walks = walks_of(versions(self.shown, (1.0,), mirrored=False))
        frames = [n for n in self.recipe.frames if any(len(walk.ego) >= n for walk in walks)]
        rng = np.random.default_rng(SAMPLE_SEED)
        return stretches(walks, SHOWN, max(frames), 0.0, rng) if frames else None

    @torch.no_grad()
    def look(self, average: nn.Module) -> tuple[dict[str, float], list[NDArray[np.uint8]]]:
        """The likeliest paths: how far they are off on the whole way, from a common start; moments of some."""
        if self._stretches is None:
            return {}, []
        joints, ego, _ = self._stretches
        said = torch.stack(cast(TrajectoryPredictor, average).predict_all(list(joints)))
        origin = torch.zeros_like(ego[:, 0, :3])
        (places, turned), (true_places, true_turned) = (ego_to_global(path, origin) for path in (said, ego))
        moments = torch.linspace(0, ego.shape[1] - 1, MOMENTS).long()
        pictures = []
        went, goes = (
            (joints @ R.mT + at[:, :, None])[:PICTURED, moments].double().numpy()
            for at, R in ((true_places, true_turned), (places, turned))
        )
        for person in range(PICTURED):
            pictures += side_by_side(went[person], goes[person])
        return {"path_error_m": float((places - true_places).norm(dim=-1).mean())}, pictures

    def losses(
        self, predicted: Reconstruction, batch: WalkBatch, step: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Equation 8."""
        return trajectory_loss(predicted, batch, self.recipe, self.network.spread), {}
