"""``choros train hmr2``: HMR 2.0 as published, on the public sets that the user has."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from choros.cli.arguments import OptionalFile, commit
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.body import BodyModel
    from choros.datasets.sample import Samples
    from choros.training.fourdhumans.recipe import Recipe
    from choros.training.fourdhumans.task import Hmr2Task


@dataclass
class Hmr2:
    """One person's body from a crop of them (4DHumans), at full size: days on eight GPUs."""

    mocap: Annotated[Path, arg(metavar="DIR")]
    """Folder of motion capture, for the adversary and for which poses are plausible."""
    body: Annotated[Path, arg(metavar="FILE")]
    """Your own SMPL file, whose shapes the sets' labels speak."""
    data: Annotated[tuple[str, ...], arg(metavar="NAME=LABELS,IMAGES...")]
    """The recipe's sets: each file of labels and the folder of its pictures."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("hmr2.safetensors")
    """File to write: the weights. The same command again goes on after a stop."""
    recipe: Literal["2.0a", "2.0b"] = "2.0b"
    """2.0a: four sets, and an encoder that stays as it is. 2.0b: seven, and all of it learns."""
    encoder: OptionalFile = None
    """ViTPose's checkpoint of the same size, with which the encoder begins."""
    steps: Annotated[int | None, arg(metavar="N", constructor=int, help_behavior_hint="")] = None
    """Gradient steps; those of the recipe if not given."""
    batch: Annotated[int | None, arg(metavar="N", constructor=int, help_behavior_hint="")] = None
    """Crops at a time; those of the recipe if not given."""
    accumulate: int = 1
    """Batches of a step; the paper's eight processes are 8."""
    seed: int = 1
    """Another seed gives another run."""
    threads: int = 4
    """That read pictures."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU if there is one."""

    def run(self) -> None:
        """Train until the steps are done or Ctrl-C, and write the weights.

        Raises ``ChorosError`` for numbers that cannot be, files that cannot be read, and sets that are missing.
        """
        from choros.body import BodyModel
        from choros.cli.progress import RunProgress
        from choros.cli.stopping import stopping
        from choros.outputs import check_output, claimed
        from choros.training.loop import train

        recipe, device = self._recipe(), self._device()
        body, sets = BodyModel.load(self.body), self._sets()
        check_output(self.output, None)
        checkpoint, log = (
            self.output.with_name(f"{self.output.name}.{what}") for what in ("checkpoint", "jsonl")
        )
        with claimed(self.output), stopping() as stop, RunProgress() as progress:
            progress.say(f"reading {self.mocap}")
            task = self._task(recipe, body, sets, device)
            progress.say("making the first batch")
            loop = recipe.loop(self.seed, bf16=device == "cuda")
            state = train(task, loop, checkpoint, log, stop=stop, report=progress.update)
        print(f"{self.output}: {state.step} of {recipe.steps} steps")

    def _recipe(self) -> Recipe:
        """The recipe in the numbers that were asked for."""
        from choros.training.fourdhumans.recipe import RECIPES

        asked = [n for n in (self.steps, self.batch, self.accumulate, self.threads) if n is not None]
        if min(asked) < 1 or self.seed < 0:
            raise ChorosError("--steps, --batch, --accumulate and --threads are 1 or more, --seed 0 or more.")
        whole = RECIPES[self.recipe]
        if whole.frozen_encoder and self.encoder is None:
            raise ChorosError(
                f"the encoder of recipe {self.recipe} stays as it is: give ViTPose's checkpoint (--encoder)."
            )
        return replace(
            whole,
            steps=self.steps or whole.steps,
            batch=self.batch or whole.batch,
            accumulate=self.accumulate,
        )

    def _device(self) -> str:
        """Where to train, with all cores where that is the CPU."""
        import torch

        on_gpu = torch.cuda.is_available() if self.device == "auto" else self.device == "cuda"
        if on_gpu and not torch.cuda.is_available():
            raise ChorosError("there is no GPU that PyTorch can use; give --device cpu.")
        if not on_gpu:
            torch.set_num_threads(os.cpu_count() or 1)
        return "cuda" if on_gpu else "cpu"

    def _task(self, recipe: Recipe, body: BodyModel, sets: dict[str, list[Samples]], device: str) -> Hmr2Task:
        """What is learned, and from what."""
        import numpy as np
        import torch

        from choros.datasets.mocap import learned_and_held_out
        from choros.fourdhumans.hmr2.config import Hmr2Config
        from choros.training.fourdhumans.feed import Feed
        from choros.training.fourdhumans.plausibility import PosePlausibility
        from choros.training.fourdhumans.task import Hmr2Task

        config = Hmr2Config()
        clips, _ = learned_and_held_out(self.mocap, shippable_only=False)
        if not clips:
            raise ChorosError(f"{self.mocap} holds no motion capture to learn from; give another folder.")
        poses = np.concatenate([clip.body_pose for clip in clips])
        feed = Feed(
            recipe, sets, poses, PosePlausibility(poses),
            width_px=config.encoder.width_px, smpl_shapes=True, threads=self.threads,
        )  # fmt: skip
        about = {
            "licence": "that of its data and of SMPL, see there",
            "data": sorted(recipe.shares),
            "recipe": self.recipe,
            "commit": commit(),
        }
        return Hmr2Task(
            recipe, config, body, feed, self.output, about,
            seed=self.seed, encoder=self.encoder, device=torch.device(device),
        )  # fmt: skip

    def _sets(self) -> dict[str, list[Samples]]:
        """The samples of each set, file by file."""
        from choros.training.fourdhumans.sets import open_set

        sets: dict[str, list[Samples]] = {}
        for text in self.data:
            name, _, paths = text.partition("=")
            labels, _, images = paths.partition(",")
            if not (name and labels and images):
                raise ChorosError(f'"{text}" names no set; write it as coco=LABELS,IMAGES.')
            sets.setdefault(name, []).append(open_set(name, labels, images))
        return sets
