"""What the lifter learns, for the training loop: made-up clips, its mixture's likelihood, and the prior that ships."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.lifter.lift import network_metadata
from choros.lifter.network import Hypotheses, Lifter, LifterConfig, PersonView, person_view
from choros.rotation import rotmat_to_rotvec
from choros.training.lifter.batch import ClipConfig, sample
from choros.training.lifter.losses import LifterTargets, losses
from choros.training.lifter.poses import PoseClip, poses
from choros.training.lifter.recipe import LifterRecipe
from choros.training.mocap import MocapTask


class LifterBatch(NamedTuple):
    """What the network sees, and the truth."""

    view: PersonView
    truth: LifterTargets


class LifterTask(MocapTask):
    """From 2D keypoints to several likely bodies."""

    system = "lifter"
    recipe: LifterRecipe
    network: Lifter

    def __init__(
        self, clips: Sequence[PoseClip], recipe: LifterRecipe, config: LifterConfig, data: ClipConfig
    ) -> None:
        super().__init__(recipe, network_metadata(config), lambda: Lifter(config))
        self.clips, self.data = clips, data
        self.points = Points.of(BodyModel.load())
        self._template = _tensor(self.points.joint_template)
        self._dirs = _tensor(self.points.joint_dirs[..., :10])
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay
        )

    def batch(self, step: int, part: int) -> LifterBatch:
        """Clips as a noisy network would report them."""
        made = sample(self.clips, self.points, self.data, self.recipe.seed, step)
        B, T = made.dt_s.shape
        view = person_view(_tensor(made.keypoints), torch.eye(3).expand(B, T, 3, 3), _tensor(made.dt_s))
        rotations, joints_cam, betas = map(_tensor, (made.rotations, made.joints_cam, made.betas))
        return LifterBatch(view, LifterTargets(rotations, joints_cam, betas, view.spread))

    def predict(self, batch: LifterBatch) -> Hypotheses:
        """What it says about whole clips, beginning without memory."""
        nothing = torch.zeros(len(batch.truth.betas), self.network.config.width)
        found: Hypotheses = self.network(batch.view, nothing)[0]
        return found

    def losses(
        self, predicted: Hypotheses, batch: LifterBatch, step: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The likelihood, with joints at the rest places of the shape that it says."""
        rest = self._template + torch.einsum("jcb,ntb->ntjc", self._dirs, predicted.betas)
        total = losses(predicted, batch.truth, rest, self.recipe, self.recipe.sharpness_at(step))
        return total, {}

    def tensors(self, average: nn.Module) -> dict[str, Tensor]:
        """The network, and the prior of poses with which its answers are refined."""
        prior = pose_prior(self.clips, self.data, self.recipe.seed)
        return super().tensors(average) | {
            f"prior.{name}": torch.as_tensor(value) for name, value in prior.items()
        }


def pose_prior(clips: Sequence[PoseClip], data: ClipConfig, seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """Mean and precision root of the body poses of 21 joints that training sees; see ``PosePrior``."""
    n = 4000
    seen, _ = poses(np.random.default_rng([seed, 2**32]), clips, n, 1, np.ones(n, int), data.variety)
    rotvec = rotmat_to_rotvec(seen[:, 0, 1:22].astype(np.float64)).reshape(-1, 63)
    covariance = np.cov(rotvec.T) + 0.1**2 * np.eye(63)
    return {"mean": rotvec.mean(0), "precision_root": np.linalg.cholesky(np.linalg.inv(covariance)).T}


def _tensor(array: Any) -> Tensor:
    return torch.as_tensor(np.asarray(array), dtype=torch.float32)
