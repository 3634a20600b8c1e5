"""``choros train hmr2``: the small HMR 2.0, or the one as published, on the public sets that the user has."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from choros.cli.arguments import Flag, OptionalFile, OptionalFolder, commit
from choros.cli.train_options import GOES_ON, OptionalCount, RunOptions
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.body import BodyModel
    from choros.cli.progress import RunProgress
    from choros.datasets.sample import Samples
    from choros.training.fourdhumans.recipe import Recipe
    from choros.training.fourdhumans.small.lessons import Lessons
    from choros.training.fourdhumans.small.recipe import SmallRecipe
    from choros.training.fourdhumans.task import Hmr2Task
    from choros.training.keypoints.people import People


@dataclass(kw_only=True)
class Hmr2(RunOptions):
    """One person's body from a crop of them (4DHumans): the small network that ships, or the paper's at full size."""

    recipe: Literal["small", "2.0a", "2.0b"] = "small"
    """small: on scenes and marked people, an hour or two. 2.0a: four sets, a frozen encoder. 2.0b: seven sets, days."""
    mocap: Annotated[Path, arg(metavar="DIR")]
    """Motion capture: by it people of scenes move; for the paper's recipes the adversary's, and what is plausible."""
    data: Annotated[tuple[str, ...], arg(metavar="NAME=LABELS,IMAGES...", help_behavior_hint="")] = ()
    """small: people with marked joints, in COCO's form. Else the recipe's sets: labels, and the folder of pictures."""
    crops: OptionalFolder = None
    """small: folder for what is seen in crops, so that it is looked at once; beside the weights if not given."""
    scenes: OptionalCount = None
    """small: how many are filmed, instead of the recipe's."""
    any_licence: Flag = False
    """small: also learn from motion capture whose licence forbids giving the weights away."""
    licence: Annotated[str | None, arg(metavar="TEXT", constructor=str, help_behavior_hint="")] = None
    """small: of the weights."""
    body: OptionalFile = None
    """Your own SMPL file, whose shapes the sets' labels speak; the paper's recipes need it, as the rest below."""
    encoder: OptionalFile = None
    """ViTPose's checkpoint of the same size, with which the encoder begins."""
    batch: OptionalCount = None
    """Crops at a time; those of the recipe if not given."""
    accumulate: int = 1
    """Batches of a step; the paper's eight processes are 8."""
    threads: int = 4
    """That read pictures."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU if there is one."""

    def run(self) -> None:
        """Train until the steps are done or it is stopped, and write the weights.

        Raises ``ChorosError`` for numbers that cannot be, files that cannot be read, and sets that are missing.
        """
        self.check_run()
        if self.recipe == "small":
            self._run_small()
        else:
            self._run_paper()

    def _run_small(self) -> None:
        """Look at crops, unless they are kept, and learn from them."""
        from choros.cli.progress import RunProgress
        from choros.cli.stopping import stopping
        from choros.fourdhumans.hmr2.small.config import SmallConfig
        from choros.outputs import check_output, claimed
        from choros.training.fourdhumans.small.recipe import SmallRecipe
        from choros.training.fourdhumans.small.task import SmallTask
        from choros.training.loop import train
        from choros.training.run_files import RunFiles

        if self.body or self.encoder or self.batch or self.accumulate != 1:
            raise ChorosError(
                "--body, --encoder, --batch and --accumulate are of the paper's recipes; name one with --recipe."
            )
        recipe = SmallRecipe(seed=self.seed)
        recipe = replace(
            recipe,
            steps=self.steps or recipe.steps,
            crops=replace(recipe.crops, scenes=recipe.crops.scenes if self.scenes is None else self.scenes),
        )
        output = self.output or Path("hmr2-small.safetensors")
        files = RunFiles.of(output)
        check_output(files.weights, None)
        others = bool(self.data) or self.any_licence
        about = {
            "licence": self.licence or ("that of its data, see there" if others else "Apache-2.0"),
            "recipe": "small",
            "commit": commit(),
            "command": self._said(),
        }
        with claimed(output), stopping(self.minutes) as stop, RunProgress(on_terminal=True) as progress:
            lessons, data = self._lessons(recipe, output, progress, stop)
            if stop():
                print(f"{output}: not all crops are looked at; {GOES_ON}")
                return
            task = SmallTask(lessons, recipe, SmallConfig(), files.weights, about | {"data": data})
            state = train(
                task, recipe, files.checkpoint, files.log, until=self.until, tensorboard=self.tensorboard,
                stop=stop, report=progress.update, tell=progress.say,
            )  # fmt: skip
        more = "" if state.step == recipe.steps else f"; {GOES_ON}"
        print(f"{files.weights}: {state.step} of {recipe.steps} steps{more}")

    def _lessons(
        self, recipe: SmallRecipe, output: Path, progress: RunProgress, stop: Callable[[], bool]
    ) -> tuple[Lessons, list[str]]:
        """Whom the small network learns from, and what that is, in words."""
        from choros.datasets.mocap import learned_and_held_out
        from choros.training.fourdhumans.small.lessons import gathered
        from choros.training.keypoints.people import read_people
        from choros.training.lifter.poses import PoseClip

        progress.say(f"reading {self.mocap}")
        clips, _ = learned_and_held_out(self.mocap, shippable_only=not self.any_licence)
        marked: dict[str, People] = {}
        for name, labels, images in map(self._set, self.data):
            progress.say(f"reading {name}")
            marked |= read_people(Path(labels), Path(images))

        def tell(name: str, done: int) -> None:
            progress.say(f"looking at {name}")
            progress.count(done, None, what="parts")

        folder = self.crops or output.with_name(f"{output.name}.crops")
        poses = [PoseClip.of(clip) for clip in clips]
        lessons = gathered(folder, recipe, self.mocap, poses, marked, tell=tell, stop=stop)
        data = [f"{recipe.crops.scenes} scenes, {lessons.scenes.people} crops"]
        data += [f"{self._set(text)[0]}, {lessons.marked.people} crops" for text in self.data]
        return lessons, data + sorted({f"{clip.source} ({clip.licence})" for clip in clips})

    def _said(self) -> str:
        """What makes such weights again, from a folder of that name."""
        names = " ".join(text.partition("=")[0] for text in self.data)
        scenes = "" if self.scenes is None else f" --scenes {self.scenes}"
        data = f" --data {names}" if names else ""
        licence = " --any-licence" if self.any_licence else ""
        return (
            f"choros train hmr2 --recipe small --mocap {self.mocap.name} {self.said()}{scenes}{data}{licence}"
        )

    def _run_paper(self) -> None:
        """As published, at full size."""
        from choros.body import BodyModel
        from choros.cli.progress import RunProgress
        from choros.cli.stopping import stopping
        from choros.outputs import check_output, claimed
        from choros.training.loop import train
        from choros.training.run_files import RunFiles

        if self.body is None:
            raise ChorosError("the sets' labels speak the shapes of SMPL; give your own file of it (--body).")
        recipe, device = self._recipe(), self._device()
        body, sets = BodyModel.load(self.body), self._sets()
        output = self.output or Path("hmr2.safetensors")
        files = RunFiles.of(output)
        check_output(files.weights, None)
        with claimed(output), stopping(self.minutes) as stop, RunProgress() as progress:
            progress.say(f"reading {self.mocap}")
            task = self._task(recipe, body, sets, device, files.weights)
            progress.say("making the first batch")
            loop = recipe.loop(self.seed, bf16=device == "cuda")
            state = train(
                task, loop, files.checkpoint, files.log, until=self.until, tensorboard=self.tensorboard,
                stop=stop, report=progress.update,
            )  # fmt: skip
        print(f"{files.weights}: {state.step} of {recipe.steps} steps")

    def _recipe(self) -> Recipe:
        """The recipe in the numbers that were asked for."""
        from choros.training.fourdhumans.recipe import RECIPES

        if min(n for n in (self.batch, self.accumulate, self.threads) if n is not None) < 1:
            raise ChorosError("--batch, --accumulate and --threads are 1 or more.")
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

    def _task(
        self, recipe: Recipe, body: BodyModel, sets: dict[str, list[Samples]], device: str, output: Path
    ) -> Hmr2Task:
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
            recipe, config, body, feed, output, about,
            seed=self.seed, encoder=self.encoder, device=torch.device(device),
        )  # fmt: skip

    def _sets(self) -> dict[str, list[Samples]]:
        """The samples of each set, file by file."""
        from choros.training.fourdhumans.sets import open_set

        sets: dict[str, list[Samples]] = {}
        for name, labels, images in map(self._set, self.data):
            sets.setdefault(name, []).append(open_set(name, labels, images))
        return sets

    @staticmethod
    def _set(text: str) -> tuple[str, str, str]:
        """Name, labels and folder of pictures, as they are written."""
        name, _, paths = text.partition("=")
        labels, _, images = paths.partition(",")
        if not (name and labels and images):
            raise ChorosError(f'"{text}" names no set; write it as coco=LABELS,IMAGES.')
        return name, labels, images
