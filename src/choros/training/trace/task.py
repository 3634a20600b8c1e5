"""What the small TRACE learns, for the training loop: sketches, films and footage, and people of keypoints alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from choros.body import BodyModel
from choros.trace.config import TraceConfig
from choros.trace.maps import TraceMaps
from choros.trace.network import SYSTEM, TraceNetwork
from choros.trace.regression import PeopleAnswers, PersonSamples
from choros.training.lifter.poses import PoseClip
from choros.training.loop import StepPlan, Task
from choros.training.schedule import warmup_cosine
from choros.training.trace.batch import TraceBatch, batch_of
from choros.training.trace.beginning import calmed
from choros.training.trace.clip import TraceClip, some_frames
from choros.training.trace.held_out import figures
from choros.training.trace.lone import LonePeople, Loner
from choros.training.trace.recipe import TraceRecipe
from choros.training.trace.sketched import sketched_clip
from choros.training.trace.terms import map_terms, motion_terms, person_terms, place_error, weighted


class Lessons(NamedTuple):
    """What a run learns from."""

    motions: Sequence[PoseClip]  # of people of sketches
    films: Sequence[TraceClip]  # rendered
    footage: Sequence[TraceClip]  # real
    held_out: Sequence[TraceClip]


class StepBatch(NamedTuple):
    """What the network sees in a step, and the truth."""

    clips: TraceBatch | None
    lone: LonePeople


class Predicted(NamedTuple):
    """What the network says."""

    maps: TraceMaps | None
    samples: PersonSamples | None
    people: PeopleAnswers | None
    lone: tuple[Tensor, Tensor, Tensor]  # pose (N, 24, 6), betas (N, 10), camera (N, 3)


class TraceTask(Task):
    """Teacher forcing at true centres (paper): people are read from the maps where they are."""

    system = SYSTEM
    network: TraceNetwork

    def __init__(
        self,
        lessons: Lessons,
        recipe: TraceRecipe,
        config: TraceConfig,
        output: Path,
        about: Mapping[str, Any],
    ) -> None:
        self.lessons, self.recipe, self.config = lessons, recipe, config
        self.output, self.about = output, about
        self.network = calmed(TraceNetwork(config, seed=recipe.seed))
        self.body = BodyModel.load(detail="light")
        self.body.skinned_points(
            "coco17"
        )  # kept from here on: what inference mode made could not be learned through
        self._loner = Loner(lessons.motions, self.body, config, recipe.lone)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay
        )

    def prepare(self, step: int) -> StepPlan:
        """All learns at once, but for the first steps, in which there are no maps."""
        self.network.train()
        recipe = self.recipe
        alone = min(recipe.lone_steps, recipe.steps // 2)
        if step < alone:
            return StepPlan(
                recipe.lr * warmup_cosine(step, alone, recipe.warmup, least_fall=0.1), stage="people"
            )
        rate = warmup_cosine(step - alone, recipe.steps - alone, recipe.warmup, least=0.01)
        return StepPlan(recipe.clips_lr * rate, stage="clips")

    def batch(self, step: int, part: int) -> StepBatch:
        """Clips as chance has it, and lone people; follows from the seed and the step."""
        recipe, config = self.recipe, self.config
        lone = self._loner.draw(recipe.seed, step, part)
        if step < min(recipe.lone_steps, recipe.steps // 2):
            return StepBatch(None, lone)
        rng = np.random.default_rng([recipe.seed, step, part, 5])
        n_sketched, n_kept = recipe.clips
        kept = [some for some in (self.lessons.films, self.lessons.footage) if some]
        clips = [self._sketch((step + part * recipe.steps) * n_sketched + k) for k in range(n_sketched)]
        for number in range(n_kept if kept else 0):
            some = kept[(step + number) % len(kept)]
            clips.append(some_frames(some[int(rng.integers(len(some)))], recipe.frames, rng))
        return StepBatch(batch_of(clips, config, recipe.kernels), lone)

    def _sketch(self, number: int) -> TraceClip:
        """The ``number``-th sketch; nothing is kept, so that a run goes on anywhere."""
        recipe, config = self.recipe, self.config
        how = replace(recipe.sketches, frames=recipe.frames)
        return sketched_clip(
            self.lessons.motions,
            self.body,
            how,
            config.image_size_px,
            config.map_size,
            (recipe.seed, number, 7),
        )

    def predict(self, batch: StepBatch) -> Predicted:
        """Maps of all frames, and everybody where they are."""
        clips, lone = batch
        regressors = self.network.regressors
        alone = (*regressors.body(lone.feature), regressors.camera(lone.feature, lone.guess))
        if clips is None:
            return Predicted(None, None, None, alone)
        maps, _ = self.network.clip(clips.answers, clips.flow, None)
        samples = self.network.sample(maps, clips.places, clips.frames)
        return Predicted(maps, samples, regressors(samples), alone)

    def losses(
        self, predicted: Predicted, batch: StepBatch, step: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The recipe's sum, and all terms."""
        clips, config, weights = batch.clips, self.config, self.recipe.weights
        maps, samples, people, _ = predicted
        alone = person_terms(*predicted.lone, batch.lone.truth, self.body, config)
        total, terms = weighted(alone, weights), {f"lone_{name}": value for name, value in alone.items()}
        if clips is None or maps is None or samples is None or people is None:
            return total, terms
        seen = map_terms(maps, clips)
        seen |= person_terms(people.pose6d, people.betas, people.camera, clips.people, self.body, config)
        seen["guess"] = place_error(samples.camera, clips.people)
        seen |= motion_terms(people, clips, self.body, config)
        return total + weighted(seen, weights), terms | seen

    def sample(self, average: nn.Module, step: int) -> dict[str, Any]:
        """Figures of held-out scenes."""
        return figures(cast(TraceNetwork, average), self.lessons.held_out, self.body, self.recipe.kernels)

    def keep(self, average: nn.Module, step: int) -> None:
        """Write the weights so far."""
        self.write(self.output, average, step)

    def write(self, path: Path, average: nn.Module, step: int) -> None:
        """The file of weights after ``step`` steps."""
        cast(TraceNetwork, average).save(path, {**self.about, "steps": step, "seed": self.recipe.seed})
