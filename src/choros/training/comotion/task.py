"""What CoMotion learns, for the training loop: clips of a recipe's stages unrolled through time, stage by stage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from choros import weights
from choros.comotion.config import PRESETS, TRUNK
from choros.comotion.network import SYSTEM, ComotionNetwork
from choros.errors import ChorosError
from choros.training.comotion.batch import Batch
from choros.training.comotion.feed import Feed, Options, held_out_clips
from choros.training.comotion.held_out import HeldOut
from choros.training.comotion.labelled_clip import LabelledClip
from choros.training.comotion.losses import weighted
from choros.training.comotion.recipe import Recipe, TrainingStage
from choros.training.comotion.unroll import Unrolled, clip_losses, unroll_batch
from choros.training.distributed import rank
from choros.training.loop import LoopConfig, StepPlan, Task
from choros.training.run_files import RunFiles
from choros.training.schedule import warmup_cosine


class ComotionTask(Task):
    """Everyone's motion straight from pixels, taught in stages.

    ``about`` is what the metadata of the weights in ``output`` say beside the network's own. With
    ``start``, weights that an earlier run wrote, it begins at their step. Raises ``ChorosError`` if those are of
    another network.
    """

    system = SYSTEM
    network: ComotionNetwork

    def __init__(
        self,
        recipe: Recipe,
        output: Path,
        options: Options,
        about: Mapping[str, Any],
        start: Path | None = None,
    ) -> None:
        self.recipe, self.options, self.about = recipe, options, about
        self.files = RunFiles.of(output)
        self.config = options.network or PRESETS[recipe.network]
        self.network = ComotionNetwork(self.config, seed=options.seed)
        if start is not None:
            self.first_step = self._restore(start)
        self.network.to(torch.device(options.device))
        # Of all parameters: those that a stage freezes have no gradient and are passed over.
        self.optimiser = torch.optim.AdamW(self.network.parameters(), weight_decay=recipe.weight_decay)
        held_out: Iterator[LabelledClip] = held_out_clips(recipe, options, self.network.body)
        self._held_out = HeldOut(held_out, self.files.samples, self.config.image_size_px, recipe.people)
        self._feed: Feed | None = None

    @property
    def loop(self) -> LoopConfig:
        """How the loop goes."""
        recipe = self.recipe
        return LoopConfig(
            steps=recipe.steps,
            seed=self.options.seed,
            clip_norm=recipe.clip_norm,
            ema=recipe.ema,
            bf16=torch.device(self.options.device).type == "cuda",
            log_every=recipe.log_every,
            checkpoint_every=recipe.checkpoint_every,
            sample_every=recipe.held_out_every if recipe.held_out_clips else 0,
        )

    def prepare(self, step: int) -> StepPlan:
        """Freeze what the step's stage freezes; a trunk that learns nothing does not change its mode either."""
        number, first = self.recipe.stage_at(step)
        stage = self.recipe.stages[number]
        self.network.train()
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(not stage.freezes(name))
        if stage.freezes(TRUNK):
            self.network.encoder.trunk.eval()  # type: ignore[attr-defined]
        return StepPlan(learning_rate(stage, step - first), stage.accumulate, stage.name)

    def batch(self, step: int, part: int) -> Batch:
        """Clips of the step's stage; of each process its own."""
        number, first = self.recipe.stage_at(step)
        accumulate = self.recipe.stages[number].accumulate
        drawn = (step - first) * accumulate + part % accumulate  # of this process's own clips
        if self._feed is None or (self._feed.stage, self._feed.drawn) != (number, drawn):
            self.close()
            self._feed = Feed(self.recipe, number, self.network, self.options, rank(), drawn)
        return self._feed.draw()

    def predict(self, batch: Batch) -> Unrolled:
        """Everyone in every frame of the clips."""
        return unroll_batch(self.network, batch)

    def losses(self, predicted: Unrolled, batch: Batch, step: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The stage's sum, and all terms."""
        stage = self.recipe.stages[self.recipe.stage_at(step)[0]]
        terms = clip_losses(self.network, predicted, batch)
        return weighted(terms, stage.losses), terms

    def notes(self) -> dict[str, Any]:
        """How many clips were made so far, in this stage."""
        return {"clips": self._feed.made} if self._feed is not None else {}

    def sample(self, average: nn.Module, step: int) -> dict[str, Any]:
        """Figures of held-out clips, and where pictures of them are; before the first step one clip's picture alone."""
        network, sheet = cast(ComotionNetwork, average), {"sample": str(self._held_out.sheet(step))}
        if step == 0:
            return sheet if self._held_out.draw(network, step) else {}
        return self._held_out.measure(network, step) | sheet

    def unchanged(self) -> Sequence[str]:
        """The trunk, while nothing learned in it."""
        return (TRUNK,) if self.network.has_shipped_trunk() else ()

    def keep(self, average: nn.Module, step: int) -> None:
        """Write the weights so far."""
        self.write(self.files.weights, average, step)

    def write(self, path: Path, average: nn.Module, step: int) -> None:
        """The file of weights after ``step`` steps."""
        about = {**self.about, "steps": step, "seed": self.options.seed}
        cast(ComotionNetwork, average).save(path, about)

    def close(self) -> None:
        """End the processes that make clips."""
        if self._feed is not None:
            self._feed.close()
            self._feed = None

    def _restore(self, start: Path) -> int:
        """Take over the weights of ``start``; the step that they are of."""
        tensors, metadata = weights.load(start, SYSTEM)
        if metadata.get("config") != json.loads(json.dumps(asdict(self.config))):
            raise ChorosError(
                f"{start} holds a network of another size; give weights of an earlier part of this run."
            )
        self.network.restore(tensors)
        return int(metadata["steps"])


def learning_rate(stage: TrainingStage, step: int) -> float:
    """Of the step after ``step`` steps of a stage: rises over a tenth of it at most, then falls."""
    warmup = max(1, min(stage.warmup, stage.steps // 10))
    return stage.lr * warmup_cosine(step, stage.steps, warmup, least_fall=stage.least_lr)
