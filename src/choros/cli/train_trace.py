"""``choros train trace``: the small TRACE, on films of scenes, sketches of motion capture and real footage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from choros.cli.arguments import Flag, OptionalFolder, commit
from choros.cli.train_options import GOES_ON, OptionalCount, RunOptions
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.cli.progress import RunProgress
    from choros.training.trace.recipe import TraceRecipe
    from choros.training.trace.task import Lessons


@dataclass(kw_only=True)
class Trace(RunOptions):
    """Everyone and the camera at once (TRACE), in the small size that ships."""

    mocap: Annotated[Path, arg(metavar="DIR")]
    """Motion capture: by it people of sketches and of scenes move."""
    scenes: OptionalCount = None
    """How many are filmed, instead of the recipe's."""
    films: OptionalFolder = None
    """Folder for what is seen in films and footage, so that it is looked at once; beside the weights if not given."""
    data: Annotated[tuple[str, ...], arg(metavar="NAME=DIR...", help_behavior_hint="")] = ()
    """Real footage: folders that choros train pseudo-label wrote."""
    any_licence: Flag = False
    """Also learn from motion capture whose licence forbids giving the weights away."""
    licence: Annotated[str | None, arg(metavar="TEXT", constructor=str, help_behavior_hint="")] = None
    """Of the weights."""
    threads: int = 2
    """Of the processor."""

    def run(self) -> None:
        """Film, look and train until the steps are done or it is stopped, and write the weights.

        Raises ``ChorosError`` for numbers that cannot be and files that cannot be read.
        """
        import torch

        from choros.cli.progress import RunProgress
        from choros.cli.stopping import stopping
        from choros.outputs import check_output, claimed
        from choros.trace.config import PRESETS
        from choros.training.loop import train
        from choros.training.run_files import RunFiles
        from choros.training.trace.recipe import TraceRecipe
        from choros.training.trace.task import TraceTask

        self.check_run()
        if self.threads < 1:
            raise ChorosError("--threads is 1 or more.")
        recipe = TraceRecipe(seed=self.seed)
        recipe = replace(recipe, steps=self.steps or recipe.steps)
        files = RunFiles.of(self.output or Path("trace.safetensors"))
        check_output(files.weights, None)
        torch.set_num_threads(self.threads)
        others = bool(self.data) or self.any_licence
        about = {
            "licence": self.licence or ("that of its data, see there" if others else "Apache-2.0"),
            "recipe": "small",
            "commit": commit(),
            "command": self._said(),
        }
        with (
            claimed(files.weights),
            stopping(self.minutes) as stop,
            RunProgress(on_terminal=True) as progress,
        ):
            lessons, data = self._lessons(recipe, files.weights, progress, stop)
            if stop():
                print(f"{files.weights}: not everything is looked at; {GOES_ON}")
                return
            task = TraceTask(lessons, recipe, PRESETS["small"], files.weights, about | {"data": data})
            state = train(
                task, recipe.loop, files.checkpoint, files.log, until=self.until, tensorboard=self.tensorboard,
                stop=stop, report=progress.update, tell=progress.say,
            )  # fmt: skip
        more = "" if state.step == recipe.steps else f"; {GOES_ON}"
        print(f"{files.weights}: {state.step} of {recipe.steps} steps{more}")

    def _lessons(
        self, recipe: TraceRecipe, output: Path, progress: RunProgress, stop: Callable[[], bool]
    ) -> tuple[Lessons, list[str]]:
        """What the network learns from, and what that is, in words."""
        from choros.datasets.mocap import learned_and_held_out
        from choros.training.comotion.footage import open_pseudo_labels
        from choros.training.lifter.poses import PoseClip
        from choros.training.trace.lessons import gathered

        progress.say(f"reading {self.mocap}")
        clips, _ = learned_and_held_out(self.mocap, shippable_only=not self.any_licence)
        sets = {name: open_pseudo_labels(folder) for name, folder in map(self._set, self.data)}

        def tell(what: str, done: int) -> None:
            progress.say(what)
            progress.count(done, None, what="parts")

        n_scenes = recipe.scenes if self.scenes is None else self.scenes
        lessons = gathered(
            self.films or output.with_name(f"{output.name}.films"), recipe, [PoseClip.of(clip) for clip in clips],
            self.mocap, n_scenes, sets, tell=tell, stop=stop,
        )  # fmt: skip
        data = [f"{n_scenes} scenes, {len(lessons.films)} clips"]
        data += [f"{name}: {parts[0].licence}" for name, parts in sets.items()]
        data += [f"{len(lessons.footage)} clips of real pictures"] if sets else []
        return lessons, data + sorted({f"{clip.source} ({clip.licence})" for clip in clips})

    def _said(self) -> str:
        """What makes such weights again, from folders of these names."""
        data = " ".join(f"{name}={name}" for name, _ in map(self._set, self.data))
        scenes = "" if self.scenes is None else f" --scenes {self.scenes}"
        said = f"choros train trace --mocap {self.mocap.name} {self.said()}{scenes}"
        return f"{said} --data {data}" if data else said

    @staticmethod
    def _set(text: str) -> tuple[str, str]:
        """Name and folder, as they are written."""
        name, _, folder = text.partition("=")
        if not (name and folder):
            raise ChorosError(f'"{text}" names no set; write it as people=DIR.')
        return name, folder
