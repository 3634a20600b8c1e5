"""What the small HMR 2.0 learns, for the training loop: kept crops and sketched people, its mixture's likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from choros import weights
from choros.body import BodyModel
from choros.body.gauss_newton import Points, PosePrior, float64
from choros.body.hypotheses import Hypotheses, PersonView, person_view
from choros.fourdhumans.hmr2.small.config import N_FEATURES, N_POINTS, SmallConfig
from choros.fourdhumans.hmr2.small.network import SYSTEM, SmallHmr2
from choros.seeding import seeded
from choros.training.fourdhumans.small.held_out import figures, tensors
from choros.training.fourdhumans.small.kept import Seen, together
from choros.training.fourdhumans.small.lessons import Lessons
from choros.training.fourdhumans.small.losses import SmallTargets, losses
from choros.training.fourdhumans.small.recipe import SmallRecipe
from choros.training.lifter.batch import ClipConfig, sample
from choros.training.loop import StepPlan, Task
from choros.training.schedule import warmup_cosine


class SmallBatch(NamedTuple):
    """What the network sees, and the truth."""

    view: PersonView
    features: Tensor  # (B, N_POINTS, N_FEATURES)
    shown: Tensor  # (B, N_POINTS)
    truth: SmallTargets


class SmallTask(Task):
    """From crops to several likely bodies. It begins with the lifter's weights, and with its prior of poses."""

    system = SYSTEM
    network: SmallHmr2

    def __init__(
        self,
        lessons: Lessons,
        recipe: SmallRecipe,
        config: SmallConfig,
        output: Path,
        about: Mapping[str, Any],
        lifter: Path | None = None,
    ) -> None:
        self.lessons, self.recipe, self.output, self.about = lessons, recipe, output, about
        with seeded(recipe.seed):
            self.network = SmallHmr2(config)
        self.prior, learned = begin_as_lifter(self.network, lifter)
        body = BodyModel.load(detail="light")
        self.body, self.coco, self.points = body, body.skinned_points("coco17"), Points.of(body)
        halves: dict[bool, list[nn.Parameter]] = {True: [], False: []}
        for name, parameter in self.network.named_parameters():
            halves[name in learned].append(parameter)
        groups = [
            {"params": halves[True], "lr_share": recipe.keypoint_half},
            {"params": halves[False], "lr_share": 1.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.lr, weight_decay=recipe.weight_decay)

    def prepare(self, step: int) -> StepPlan:
        """All learns; what was the lifter's more slowly."""
        self.network.train()
        return StepPlan(
            self.recipe.lr * warmup_cosine(step, self.recipe.steps, self.recipe.warmup, least=0.01)
        )

    def batch(self, step: int, part: int) -> SmallBatch:
        """Crops of scenes and of marked people as chance has it, and people who are sketched for this step."""
        rng = np.random.default_rng([self.recipe.seed, step, part, 3])
        n_scenes, n_marked, n_sketched = self.recipe.batch
        parts = []
        for seen, n, posed in (
            (self.lessons.scenes, n_scenes, 1.0),
            (self.lessons.marked, n_marked, self.recipe.taught),
        ):
            if seen.people:
                some = seen.some(rng.integers(seen.people, size=n))
                parts.append(some._replace(posed=np.float32(posed) * some.posed))
        return as_batch(together([*parts, self._sketched(n_sketched, step)]))

    def _sketched(self, n: int, step: int) -> Seen:
        """People without a picture, their keypoints as a noisy network would report them."""
        made = sample(
            self.lessons.clips, self.points, ClipConfig(batch=n, frames=1), self.recipe.seed + 1, step
        )
        known = np.ones((n, 17, 1))
        singles = (made.keypoints[:, 0], made.rotations[:, 0], made.betas, made.joints_cam[:, 0])
        keypoints, rotations, betas, joints = (part.astype(np.float32) for part in singles)
        return Seen(
            keypoints,
            np.zeros((n, N_POINTS, N_FEATURES), np.float16),
            np.zeros((n, N_POINTS), bool),
            rotations,
            betas,
            joints,
            np.concatenate([made.true_keypoints[:, 0], known], -1).astype(np.float32),
            np.ones(n, np.float32),
        )

    def predict(self, batch: SmallBatch) -> Hypotheses:
        """What it says of everybody."""
        found: Hypotheses = self.network(batch.view, batch.features, batch.shown)[0]
        return found

    def losses(
        self, predicted: Hypotheses, batch: SmallBatch, step: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The sum, and its terms."""
        terms = losses(predicted, batch.truth, self.body, self.coco, self.recipe)
        return torch.stack(list(terms.values())).sum(), terms

    def sample(self, average: nn.Module, step: int) -> dict[str, Any]:
        """Figures of who is held out."""
        network = cast(SmallHmr2, average).eval()
        found = figures(
            network, self.lessons.held_out_scenes, self.lessons.held_out_marked, self.points, self.prior
        )
        return {f"held_out/{name}": value for name, value in found.items()}

    def keep(self, average: nn.Module, step: int) -> None:
        """Write the weights so far."""
        self.write(self.output, average, step)

    def write(self, path: Path, average: nn.Module, step: int) -> None:
        """The file of weights as it ships."""
        cast(SmallHmr2, average).save(
            path, self.prior, {**self.about, "steps": step, "seed": self.recipe.seed}
        )


def as_batch(seen: Seen) -> SmallBatch:
    """People as tensors."""
    keypoints, features, shown, rotations, betas, joints, true_keypoints, posed = tensors(seen)
    n = len(keypoints)
    view = person_view(keypoints, torch.eye(3).expand(n, 3, 3), torch.zeros(n))
    truth = SmallTargets(rotations, betas, joints, true_keypoints, posed, view.spread)
    return SmallBatch(view, features, shown, truth)


def begin_as_lifter(network: SmallHmr2, path: Path | None) -> tuple[PosePrior, set[str]]:
    """Give the keypoint half the lifter's weights; None takes those that ship.

    Gives the lifter's prior of poses, and which parameters were its. Raises ``ChorosError`` for another file.
    """
    theirs, _ = weights.load(path or weights.shipped("lifter"), "lifter")
    theirs = {name: tensor.float() for name, tensor in theirs.items()}
    prior = PosePrior(*(float64(theirs.pop(f"prior.{name}")) for name in ("mean", "precision_root")))
    ours = {name.removesuffix("_l0"): tensor for name, tensor in theirs.items()}
    lacking = network.load_state_dict(ours, strict=False)
    if lacking.unexpected_keys:
        raise ValueError(f"the lifter has {lacking.unexpected_keys}, which the small HMR 2.0 lacks")
    return prior, set(ours)
