"""Trainings from motion capture: what their recipes have in common, and the one file that each of them writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from choros import weights
from choros.seeding import seeded
from choros.training.loop import LoopConfig, Report, StepPlan, Task, train
from choros.training.schedule import warmup_cosine


@dataclass(frozen=True)
class MocapRecipe(LoopConfig):
    """A run on motion capture; the learning rate rises, falls along half a cosine, and stays over a hundredth."""

    lr: float = 1e-3
    warmup: int = 200  # steps


class MocapTask(Task):
    """A network that learns from motion capture in one stage."""

    recipe: MocapRecipe
    about: Mapping[str, Any]  # metadata of the weights, without which nobody can load them

    def __init__(self, recipe: MocapRecipe, about: Mapping[str, Any], make: Callable[[], nn.Module]) -> None:
        """``make`` gives the network; its first weights follow from the recipe's seed."""
        self.recipe, self.about = recipe, about
        with seeded(recipe.seed):
            self.network = make()

    def prepare(self, step: int) -> StepPlan:
        """All of the network learns."""
        self.network.train()
        share = warmup_cosine(step, self.recipe.steps, self.recipe.warmup, least=0.01)
        return StepPlan(self.recipe.lr * share)

    def tensors(self, average: nn.Module) -> dict[str, Tensor]:
        """What the file of weights holds: the average in half precision."""
        return {name: tensor.half() for name, tensor in average.state_dict().items()}


def train_from_mocap(
    task: MocapTask,
    output: Path,
    metadata: Mapping[str, Any],
    report: Report = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> nn.Module:
    """Train and write ``output`` (safetensors) with ``metadata`` beside the task's own; returns the average network.

    A checkpoint stands beside it as ``output.checkpoint``, from which training goes on if there is one, and a log as
    ``output.jsonl``. ``report`` is told of every step and its loss; ``stop`` is asked after each, and once it says so
    the run is kept in the checkpoint and ends without ``output``.
    """
    checkpoint, log = (output.with_name(f"{output.name}.{what}") for what in ("checkpoint", "jsonl"))
    run = task.recipe
    state = train(task, run, checkpoint, log, stop=stop, report=report)
    if state.step == run.steps:
        about = {**task.about, **metadata, "steps": run.steps, "seed": run.seed}
        weights.save(output, task.tensors(state.average), about)
    return state.average
