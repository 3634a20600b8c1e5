"""``choros train comotion``: a recipe of CoMotion, on the CPU, a GPU, or several under ``torchrun``.

What it has in common with the other trainings is in ``train_options``.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import arg

from choros.cli.arguments import Flag, OptionalFile, OptionalFolder, commit
from choros.cli.train_options import GOES_ON, OptionalCount, RunOptions, WatchOptions
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.comotion.config import ComotionConfig
    from choros.training.comotion.feed import Footage
    from choros.training.comotion.footage import PseudoLabels
    from choros.training.comotion.recipe import Recipe


@dataclass(kw_only=True)
class Comotion(WatchOptions, RunOptions):
    """Everyone's motion straight from pixels, taught in three stages of longer and longer clips."""

    recipe: Literal["small", "answers", "paper"] = "small"
    """small: the embedded size, on scenes. answers: smaller, on MoveNet's answers, also sketched. paper: on --data."""
    weights: OptionalFile = None
    """Begin with the weights that an earlier run wrote, at the step they are of."""
    stages: Annotated[tuple[int, ...], arg(metavar="1..3")] = (1, 2, 3)
    """Which stages of the recipe."""
    share: float = 1.0
    """Of the recipe's steps, in each stage; instead of --steps."""
    frames: OptionalCount = None
    """Of the clips of the last stage, instead of the recipe's (paper, table 6)."""
    trunk: Annotated[str | None, arg(metavar="NAME", constructor=str, help_behavior_hint="")] = None
    """Another image trunk than the recipe's."""
    no_hidden_state: Flag = False
    """Without memory but for the last pose (paper, A.2.1)."""
    standing_start: Flag = False
    """Everyone begins as somebody who stands in their box (paper, A.2.1)."""
    workers: int = 1
    """Processes that render scenes, for each kind of clip."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU if there is one."""
    mocap: OptionalFolder = None
    """Motion capture for the people of scenes, and for clips that are sketched without pictures."""
    photos: OptionalFolder = None
    """Photographs for backgrounds of scenes."""
    wardrobe: OptionalFolder = None
    """MakeHuman's clothes for the people of scenes."""
    data: Annotated[
        tuple[str, ...], arg(metavar="NAME=LABELS,IMAGES|NAME=DIR...", help_behavior_hint="")
    ] = ()
    """Public sets that you have, for the paper's recipe; or folders that choros train pseudo-label wrote, for any."""
    data_share: float = 0.2
    """Of the clips that a stage learns from, for the folders of --data together."""
    licence: Annotated[str | None, arg(metavar="TEXT", constructor=str, help_behavior_hint="")] = None
    """Of the weights; Apache-2.0 for those of choros's own scenes, else unknown."""

    def run(self) -> None:
        """Train from scenes, and footage if given, until the steps are done or Ctrl-C; a checkpoint is kept."""
        import torch

        from choros.cli.progress import RunProgress
        from choros.cli.stopping import stopping
        from choros.comotion.network import SYSTEM
        from choros.outputs import claimed
        from choros.scenes import SceneConfig
        from choros.training.comotion.feed import Options
        from choros.training.comotion.footage import with_footage
        from choros.training.comotion.train import train
        from choros.training.run_files import RunFiles

        self.check_run()
        output = self.output or Path(SYSTEM)
        footage, labelled = self._data()
        recipe = with_footage(self._recipe(), labelled, self.data_share)
        device = self._join(torch.cuda.is_available() if self.device == "auto" else self.device == "cuda")
        if device == "cpu":
            beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # processes that torchrun started here
            torch.set_num_threads(max(1, (os.cpu_count() or 2) // beside - self.workers))
        ingredients: dict[str, Any] = {"mocap": self.mocap, "photos": self.photos, "wardrobe": self.wardrobe}
        options = Options(
            seed=self.seed,
            workers=self.workers,
            device=device,
            network=self._network(recipe),
            scene=SceneConfig(width=640, height=640, **ingredients),
            footage=footage,
            tensorboard=self.tensorboard,
        )
        own = not any(ingredients.values()) and not self.data
        about = {
            "licence": self.licence or ("Apache-2.0" if own else "that of its data, see there"),
            "data": sorted({source.data for stage in recipe.stages for source in stage.sources})
            + [f"{name}: {folder.name}" for name, folder in ingredients.items() if folder]
            + [f"{name}: {parts[0].licence}" for name, parts in labelled.items()],
            "recipe": self.recipe,
            "commit": commit(),
            "command": self._command(),
        }
        leads = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun started: it writes
        with claimed(output) if leads else nullcontext(), stopping(self.minutes) as stop:
            with RunProgress(on_terminal=True) as progress:
                progress.say("making the network")
                watch = self.watch(SYSTEM, progress, stop, device) if leads else None
                ended = train(
                    recipe, output, options, about, start=self.weights, until=self.until, stop=stop,
                    report=progress.update, watch=watch, tell=progress.say,
                )  # fmt: skip
            more = "" if ended else f"; not at its end: {GOES_ON}"
            print(f"{RunFiles.of(output).weights}: trained{more}")

    def _command(self) -> str:
        """What makes such weights again, from folders of these names."""
        said = [f"choros train comotion --recipe {self.recipe} {self.said()}"]
        said.append(f"--stages {' '.join(map(str, self.stages))} --share {self.share:g}")
        said += [
            f"--{name} {value}" for name in ("frames", "trunk") if (value := getattr(self, name)) is not None
        ]
        said += [
            f"--{name} {folder.name}"
            for name in ("mocap", "photos", "wardrobe")
            if (folder := getattr(self, name)) is not None
        ]
        said += [
            f"--{name.replace('_', '-')}"
            for name in ("no_hidden_state", "standing_start")
            if getattr(self, name)
        ]
        places = [text.partition("=") for text in self.data if "," not in text]
        folders = [f"{name}={Path(place).name}" for name, _, place in places]
        if folders:
            said.append(f"--data {' '.join(folders)} --data-share {self.data_share:g}")
        return " ".join(said)

    def _recipe(self) -> Recipe:
        from choros.training.comotion.recipe import RECIPES, scaled

        whole = RECIPES[self.recipe]
        if self.frames is not None and self.frames < 1:
            raise ChorosError("--frames is 1 or more; leave it out for the recipe's.")
        if self.workers < 0:
            raise ChorosError("--workers is 0 or more.")
        if (
            not self.stages
            or not set(self.stages) <= set(range(1, len(whole.stages) + 1))
            or not 0 < self.share < float("inf")
        ):
            raise ChorosError(f"--stages are some of 1 to {len(whole.stages)}, and --share is more than 0.")
        chosen = [whole.stages[number - 1] for number in sorted(set(self.stages))]
        if self.frames is not None:
            sources = tuple(replace(source, frames=self.frames) for source in chosen[-1].sources)
            chosen[-1] = replace(chosen[-1], sources=sources)
        if self.mocap is None or self.trunk is not None:  # of whom, and for whom, none can be drawn
            chosen = [
                replace(stage, sources=tuple(source for source in stage.sources if source.data != "sketched"))
                for stage in chosen
            ]
        recipe = replace(whole, stages=tuple(chosen))
        if self.steps is None:
            return scaled(recipe, max(len(chosen), round(self.share * recipe.steps)))
        if self.share != 1:
            raise ChorosError("--steps and --share say the same in two ways; give one of them.")
        return scaled(recipe, self.steps)

    def _network(self, recipe: Recipe) -> ComotionConfig:
        from choros.comotion.config import PRESETS

        config = PRESETS[recipe.network]
        if self.trunk is not None:
            config = replace(config, trunk=self.trunk)
        return replace(
            config,
            hidden_state=config.hidden_state and not self.no_hidden_state,
            learned_initialisation=config.learned_initialisation and not self.standing_start,
        )

    def _data(self) -> tuple[dict[str, Footage], dict[str, list[PseudoLabels]]]:
        """All footage by name, and which of it is pseudo-labelled."""
        from choros.training.comotion.footage import (
            footage_of,
            open_pseudo_labels,
            open_set,
            pseudo_labelled,
        )

        if not 0 < self.data_share < 1:
            raise ChorosError("--data-share is more than 0 and less than 1.")
        sets: dict[str, list[Any]] = {}
        labelled: dict[str, list[PseudoLabels]] = {}
        for text in self.data:
            name, _, paths = text.partition("=")
            labels, comma, images = paths.partition(",")
            if not name or not labels or bool(comma) != bool(images):
                raise ChorosError(f'"{text}" names no data; write it as coco=LABELS,IMAGES or NAME=DIR.')
            if comma:
                sets.setdefault(name, []).append(open_set(name, labels, images))
            else:
                labelled.setdefault(name, []).extend(open_pseudo_labels(labels))
        footage = {name: footage_of(samples) for name, samples in sets.items()}
        return footage | {name: pseudo_labelled(parts) for name, parts in labelled.items()}, labelled

    def _join(self, on_gpu: bool) -> str:
        """The device of this process; under ``torchrun`` also joins the others."""
        import torch

        if on_gpu and not torch.cuda.is_available():
            raise ChorosError("there is no GPU that PyTorch can use; give --device cpu.")
        if not torch.distributed.is_torchelastic_launched():
            return "cuda" if on_gpu else "cpu"
        torch.distributed.init_process_group("nccl" if on_gpu else "gloo")
        if not on_gpu:
            return "cpu"
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        return f"cuda:{os.environ['LOCAL_RANK']}"
