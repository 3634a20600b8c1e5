"""Trainings from motion capture: what their recipes have in common, and the one file that each of them writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from choros import weights
from choros.seeding import seeded
from choros.training.checkpoint import TrainingState
from choros.training.loop import LoopConfig, Report, StepPlan, Task, Tell, Watch, train
from choros.training.run_files import RunFiles
from choros.training.schedule import warmup_cosine
from choros.training.sheets import write_sheet


@dataclass(frozen=True)
class MocapRecipe(LoopConfig):
    """A run on motion capture; the learning rate rises, falls along half a cosine, and stays over a hundredth."""

    lr: float = 1e-3
    warmup: int = 200  # steps


class MocapTask(Task):
    """A network that learns from motion capture in one stage."""

    recipe: MocapRecipe
    about: Mapping[str, Any]  # metadata of the weights, without which nobody can load them
    files: RunFiles
    shown: Sequence[Any] = ()  # motion that samples are made of, as the task takes it
    held_out: bool = False  # whether it is not learned from, so that figures of it mean something
    columns: int = 2  # of a sheet of samples

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

    def show(self, clips: Sequence[Any], held_out: bool) -> None:
        """Make samples of these clips, which the task does not learn from if they are ``held_out``."""
        self.shown, self.held_out = clips, held_out

    def look(self, average: nn.Module) -> tuple[dict[str, float], list[NDArray[np.uint8]]]:
        """Figures of what is ``shown``, and pictures of the truth and the answers; none where it is too short."""
        return {}, []

    def sample(self, average: nn.Module, step: int) -> dict[str, Any]:
        """Figures of held-out motion, and where pictures of it are."""
        figures, pictures = self.look(average)
        told: dict[str, Any] = (
            {f"held_out/{name}": value for name, value in figures.items()} if self.held_out else {}
        )
        if pictures:
            write_sheet(self.files.sheet(step), pictures, self.columns)
            told["sample"] = str(self.files.sheet(step))
        return told

    def keep(self, average: nn.Module, step: int) -> None:
        """Write the weights so far."""
        self.write(self.files.weights, average, step)

    def write(self, path: Path, average: nn.Module, step: int) -> None:
        """The file of weights, with its metadata and how many steps it took."""
        weights.save(path, self.tensors(average), {**self.about, "steps": step, "seed": self.recipe.seed})

    def tensors(self, average: nn.Module) -> dict[str, Tensor]:
        """What the file of weights holds: the average in half precision."""
        return {name: tensor.half() for name, tensor in average.state_dict().items()}


def train_from_mocap(
    task: MocapTask,
    output: Path,
    metadata: Mapping[str, Any],
    report: Report = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
    *,
    until: int | None = None,
    tensorboard: bool = False,
    watch: Watch | None = None,
    tell: Tell = lambda _: None,
) -> TrainingState:
    """Train and write weights (safetensors) with ``metadata`` beside the task's own; returns what it has come to.

    ``output`` is the file of weights, or a folder for it (`RunFiles`). Beside it are a checkpoint, from which training
    goes on if there is one, a log, and pictures of held-out motion. ``report`` is told of every step and its loss;
    ``stop`` is asked after each, and once it says so, or at step ``until``, the run is kept as it stands, weights too.
    """
    task.about = {**task.about, **metadata}
    task.files = files = RunFiles.of(output)
    recipe = task.recipe if len(task.shown) else replace(task.recipe, sample_every=0)
    return train(
        task, recipe, files.checkpoint, files.log, until=until, tensorboard=tensorboard, stop=stop,
        report=report, watch=watch, tell=tell,
    )  # fmt: skip
