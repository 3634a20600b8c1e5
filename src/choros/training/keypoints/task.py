"""What the keypoint network learns: where a person's joints are, and that a neighbour's are none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from choros.training.keypoints.held_out import measured, turned
from choros.training.keypoints.network import SYSTEM, KeypointNetwork
from choros.training.keypoints.optimiser import RelativeAdam
from choros.training.keypoints.people import People
from choros.training.keypoints.recipe import KeypointRecipe
from choros.training.keypoints.variation import lesson, target
from choros.training.loop import StepPlan, Task
from choros.training.schedule import warmup_cosine


class Lessons(NamedTuple):
    """B crops and what is to be found in them."""

    images: Tensor  # (B, 3, H, W) RGB in -1..1
    maps: Tensor  # (B, 17, H / 4, W / 4)
    weights: Tensor  # (B, 17)


@dataclass(frozen=True, eq=False)
class Sources:
    """Sets with the share of the crops that each gives, who is pasted beside them, and who is held back."""

    sets: Sequence[tuple[float, People]]
    cut_outs: NDArray[np.uint8]  # (n, H, W, 4)
    held_out: People

    def people(self) -> list[People]:
        """The sets alone."""
        return [people for _, people in self.sets]

    def shares(self) -> NDArray[np.float64]:
        """Shares of those that hold somebody, their sum 1."""
        given = np.array([share if len(people) else 0.0 for share, people in self.sets])
        return np.asarray(given / given.sum())


class KeypointTask(Task):
    """Heatmaps of one person's joints in a crop that may show others, too."""

    system = SYSTEM
    network: KeypointNetwork

    def __init__(self, network: KeypointNetwork, sources: Sources, recipe: KeypointRecipe) -> None:
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.sources, self.recipe = sources, recipe
        network.freeze(recipe.frozen)
        learning = [p for p in network.parameters() if p.requires_grad]
        self.optimiser = RelativeAdam(learning, recipe.lr)

    def prepare(self, step: int) -> StepPlan:
        """The learning rate rises, and falls along half a cosine."""
        share = warmup_cosine(step, self.recipe.steps, self.recipe.warmup, least=0.01)
        return StepPlan(self.recipe.lr * share)

    def batch(self, step: int, part: int) -> Lessons:
        """Crops of people out of all sets, as chance has it."""
        rng = np.random.default_rng([self.recipe.seed, step, part])
        chosen = rng.choice(len(self.sources.sets), self.recipe.batch, p=self.sources.shares())
        images, maps, weights = [], [], []
        for which in chosen:
            people = self.sources.sets[which][1]
            person = people.people[rng.integers(len(people))]
            one = lesson(
                person, people.pictures[person.picture], self.sources.cut_outs, rng, self.recipe.variety
            )
            images.append(one.image)
            maps.append(target(one, self.recipe.sigma))
            weights.append(one.known + self.recipe.absent * one.absent)
        return Lessons(
            as_input(np.stack(images)),
            torch.from_numpy(np.stack(maps)),
            torch.from_numpy(np.stack(weights)).float(),
        )

    def predict(self, batch: Lessons) -> Tensor:
        """Logits of the maps."""
        maps: Tensor = self.network(batch.images)
        return maps

    def losses(self, predicted: Tensor, batch: Lessons, step: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Cross-entropy of every cell with the Gaussians, summed over a map, mean over the joints that are taught."""
        cells = functional.binary_cross_entropy_with_logits(predicted.float(), batch.maps, reduction="none")
        each = cells.sum((2, 3)) * batch.weights
        return each.sum() / batch.weights.sum().clamp_min(1.0) / 10, {}

    def sample(self, average: nn.Module, step: int) -> dict[str, Any]:
        """How well the average does on those who are held back, as they are and turned by any angle, at one look."""
        held_out = self.sources.held_out
        figures = {f"held_out/{name}": value for name, value in measured(average, held_out).items()}
        if len(over := turned(held_out)):
            figures |= {f"held_out/turned_{name}": value for name, value in measured(average, over).items()}
        return figures


def as_input(crops: NDArray[np.uint8]) -> Tensor:
    """Crops (B, H, W, 3) RGB as the network takes them, (B, 3, H, W) in -1..1."""
    planes = torch.from_numpy(crops).permute(0, 3, 1, 2)
    return planes.float() * (2 / 255) - 1
