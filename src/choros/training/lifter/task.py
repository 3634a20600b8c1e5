"""What the lifter learns, for the training loop: made-up clips, its mixture's likelihood, and the prior that ships."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.body.hypotheses import Hypotheses, PersonView, person_view
from choros.body.kinematics import posed_joints
from choros.evaluation.metrics.pose import mpjpe_mm, pa_mpjpe_mm
from choros.lifter.lift import network_metadata
from choros.lifter.network import Lifter, LifterConfig
from choros.rotation import rotmat_to_rotvec
from choros.training.lifter.batch import Batch, ClipConfig, as_captured, sample
from choros.training.lifter.losses import LifterTargets, losses
from choros.training.lifter.poses import PoseClip, poses
from choros.training.lifter.recipe import LifterRecipe
from choros.training.lifter.samples import lifted_pictures, likeliest
from choros.training.mocap import MocapTask

#: Clips that samples are made of, and the seed of their cameras and of what is reported of them.
SHOWN, SAMPLE_SEED = 64, 900_002


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
        self.columns = 6
        self.points = Points.of(BodyModel.load())
        self._template = _tensor(self.points.joint_template)
        self._dirs = _tensor(self.points.joint_dirs[..., :10])
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay
        )

    def batch(self, step: int, part: int) -> LifterBatch:
        """Clips as a noisy network would report them."""
        return self._batch_of(sample(self.clips, self.points, self.data, self.recipe.seed, step, part))

    def _batch_of(self, made: Batch) -> LifterBatch:
        B, T = made.dt_s.shape
        view = person_view(_tensor(made.keypoints), torch.eye(3).expand(B, T, 3, 3), _tensor(made.dt_s))
        rotations, joints_cam, betas = map(_tensor, (made.rotations, made.joints_cam, made.betas))
        return LifterBatch(view, LifterTargets(rotations, joints_cam, betas, view.spread))

    def predict(self, batch: LifterBatch) -> Hypotheses:
        """What it says about whole clips, beginning without memory."""
        return _said(self.network, batch.view)

    def losses(
        self, predicted: Hypotheses, batch: LifterBatch, step: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The likelihood, with joints at the rest places of the shape that it says."""
        rest = self._template + torch.einsum("jcb,ntb->ntjc", self._dirs, predicted.betas)
        total = losses(predicted, batch.truth, rest, self.recipe, self.recipe.sharpness_at(step))
        return total, {}

    def tensors(self, average: nn.Module) -> dict[str, Tensor]:
        """The network, and the prior of poses with which its answers are refined."""
        return super().tensors(average) | {
            f"prior.{name}": torch.as_tensor(value) for name, value in self._prior.items()
        }

    @cached_property
    def _prior(self) -> dict[str, np.ndarray[Any, Any]]:
        return pose_prior(self.clips, self.data, self.recipe.seed)

    @cached_property
    def _seen(self) -> Batch:
        """What samples are of: people as they were captured, the same at every step."""
        config = as_captured(replace(self.data, batch=SHOWN))
        return sample(self.shown, self.points, config, SAMPLE_SEED, 0)

    @torch.no_grad()
    def look(self, average: nn.Module) -> tuple[dict[str, float], list[NDArray[np.uint8]]]:
        """The likeliest bodies, before any fit: their joints' errors; keypoints, truth and answer side by side."""
        seen = self._seen
        answers = likeliest(_said(average, self._batch_of(seen).view))
        B, T = seen.dt_s.shape
        rotations = answers.rotations.astype(np.float64).reshape(B * T, 24, 3, 3)
        rest = self.points.shaped(answers.betas.reshape(B * T, 10))[0]
        joints = posed_joints(rotations, rest)[1].reshape(B, T, 24, 3)
        figures = {
            "mpjpe_mm": float(mpjpe_mm(joints, seen.joints_cam).mean()),
            "pa_mpjpe_mm": float(pa_mpjpe_mm(joints, seen.joints_cam).mean()),
        }
        return figures, lifted_pictures(seen, answers, self.points)


def _said(network: nn.Module, view: PersonView) -> Hypotheses:
    nothing = torch.zeros(len(view.inputs), cast(Lifter, network).config.width)
    found: Hypotheses = network(view, nothing)[0]
    return found


def pose_prior(clips: Sequence[PoseClip], data: ClipConfig, seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """Mean and precision root of the body poses of 21 joints that training sees; see ``PosePrior``."""
    n = 4000
    seen, _ = poses(np.random.default_rng([seed, 2**32]), clips, n, 1, np.ones(n, int), data.variety)
    rotvec = rotmat_to_rotvec(seen[:, 0, 1:22].astype(np.float64)).reshape(-1, 63)
    covariance = np.cov(rotvec.T) + 0.1**2 * np.eye(63)
    return {"mean": rotvec.mean(0), "precision_root": np.linalg.cholesky(np.linalg.inv(covariance)).T}


def _tensor(array: Any) -> Tensor:
    return torch.as_tensor(np.asarray(array), dtype=torch.float32)
