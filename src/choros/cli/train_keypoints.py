"""``choros train keypoints`` and ``choros train label-keypoints``: choros's own keypoint network and its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from choros.cli.arguments import OptionalFile, OptionalFolder, commit
from choros.cli.eyes import detector_named, eyes_named
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.training.keypoints.people import People
    from choros.training.keypoints.recipe import KeypointRecipe
    from choros.training.keypoints.task import Sources


@dataclass
class Keypoints:
    """Choros's own keypoint network, for --eyes: one core, an hour."""

    truth: Annotated[tuple[str, ...], arg(metavar="LABELS,IMAGES...", help_behavior_hint="")] = ()
    """People labelled by hand: files of COCO's form, each with the folder of its pictures. A tenth is held back."""
    taught: Annotated[tuple[Path, ...], arg(metavar="DIR...", help_behavior_hint="")] = ()
    """Folders that choros train label-keypoints wrote."""
    made_up: Annotated[tuple[Path, ...], arg(metavar="DIR...", help_behavior_hint="")] = ()
    """Folders that choros train label-keypoints --made-up wrote."""
    begin: Annotated[OptionalFile, arg(help_behavior_hint="")] = None
    """Weights to begin with: those that tools/build_keypoints.py makes of MoveNet, or an earlier run's."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("keypoints.safetensors")
    """Weights to write. The same command again goes on after a stop."""
    steps: Annotated[int | None, arg(metavar="N", constructor=int, help_behavior_hint="")] = None
    """Gradient steps; the schedule is scaled to them. Those of the recipe if not given."""
    share: float = 1.0
    """Learn from a share of the real pictures alone, to see what more of them are worth."""
    seed: int = 1
    """Another seed gives another run; the same one, the same weights."""
    licence: Annotated[str, arg(metavar="TEXT", help_behavior_hint="")] = "that of its data"
    """Of the weights."""

    def run(self) -> None:
        """Train until the steps are done or Ctrl-C. Raises ``ChorosError`` where nobody is given to learn from."""
        from choros import weights
        from choros.cli.progress import RunProgress
        from choros.cli.stopping import stopping
        from choros.outputs import check_output, claimed
        from choros.run_identity import sha256_of
        from choros.training.keypoints.network import SYSTEM, begun_with
        from choros.training.keypoints.recipe import KeypointRecipe
        from choros.training.keypoints.task import KeypointTask
        from choros.training.loop import train

        if not self.truth:
            raise ChorosError("there is nobody labelled by hand to hold back; give --truth LABELS,IMAGES.")
        if self.seed < 0 or (self.steps is not None and self.steps < 1) or not 0 < self.share <= 1:
            raise ChorosError("--seed is 0 or more, --steps 1 or more, and --share over 0 and at most 1.")
        if self.begin is None:
            raise ChorosError(
                "nothing is given to begin with; make MoveNet's weights with tools/build_keypoints.py begin FILE, and "
                "give --begin FILE."
            )
        recipe = KeypointRecipe(seed=self.seed)
        recipe = replace(recipe, steps=self.steps or recipe.steps)
        check_output(self.output)
        with claimed(self.output), stopping() as stop, RunProgress() as progress:
            progress.say("reading pictures")
            sources = self.sources(recipe)
            task = KeypointTask(begun_with(self.begin), sources, recipe)
            checkpoint, log = (
                self.output.with_name(f"{self.output.name}.{what}") for what in ("checkpoint", "jsonl")
            )
            state = train(task, recipe, checkpoint, log, stop=stop, report=progress.update)
            if state.step == recipe.steps:
                about = {
                    "system": SYSTEM,
                    "licence": self.licence,
                    "people": {name: len(one) for name, one in zip(_NAMES, sources.people(), strict=True)},
                    "steps": recipe.steps,
                    "commit": commit(),
                    "begun_with": sha256_of(self.begin),
                    "command": self._command(),
                }
                halves = {name: tensor.half() for name, tensor in state.average.state_dict().items()}
                weights.save(self.output, halves, about)
        if state.step == recipe.steps:
            print(f"{self.output}: trained on {sum(map(len, sources.people()))} people")

    def sources(self, recipe: KeypointRecipe) -> Sources:
        """What was given, read; the same pictures are held back whatever else is given."""
        from choros.training.keypoints.people import cut_out, fractions, read_people, split, together
        from choros.training.keypoints.people_set import IMAGES, LABELS
        from choros.training.keypoints.task import Sources

        truth: dict[str, People] = {}
        for text in self.truth:
            labels, comma, images = text.partition(",")
            if not comma:
                raise ChorosError(f"--truth takes a file and a folder, LABELS,IMAGES, not {text!r}.")
            truth |= read_people(Path(labels), Path(images))
        learned, held_out = split(truth, recipe.held_out)
        taught, made = (
            [one for folder in folders for one in read_people(folder / LABELS, folder / IMAGES).values()]
            for folders in (self.taught, self.made_up)
        )
        parts = (fractions(learned, self.share), fractions(taught, self.share), made)
        sets = [together(one) for one in parts]
        shares = (recipe.truth_share, recipe.taught_share, recipe.scenes_share)
        return Sources(list(zip(shares, sets, strict=True)), cut_out(together(sets[:2])), together(held_out))

    def _command(self) -> str:
        said = [f"choros train keypoints --seed {self.seed} --truth"]
        said += [",".join(Path(part).name for part in text.split(",")) for text in self.truth]
        for flag, folders in (("--taught", self.taught), ("--made-up", self.made_up)):
            said += [flag, *(folder.name for folder in folders)] if folders else []
        said += [f"--begin {self.begin.name}"] if self.begin else []
        said += [] if self.steps is None else [f"--steps {self.steps}"]
        return " ".join(said + ([] if self.share == 1 else [f"--share {self.share:g}"]))


_NAMES = ("true joints", "two teachers", "made up")


@dataclass
class LabelKeypoints:
    """Have two networks label pictures and videos, as data for choros train keypoints; or make up crowds."""

    inputs: Positional[Annotated[tuple[Path, ...], arg(metavar="VIDEO|DIR...", help_behavior_hint="")]]
    """Videos, and folders of pictures that have nothing to do with each other, at any depth."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="DIR")]
    """New folder to write to: pictures, and people in COCO's form."""
    teachers: Annotated[tuple[str, str], arg(metavar="EYES EYES")] = ("thunder", "lightning")
    """Two networks, as --eyes takes them: joints are taught where both agree."""
    detector: Annotated[str, arg(metavar="NAME|FILE.onnx")] = "nanodet"
    """What finds the people, as --detector takes it."""
    leave_out: Annotated[tuple[Path, ...], arg(metavar="LABELS...", help_behavior_hint="")] = ()
    """Files of COCO's form: pictures of their names have true labels already."""
    every: Annotated[int, arg(metavar="N")] = 6
    """Of a video's frames, one in so many."""
    made_up: Annotated[int, arg(metavar="N")] = 0
    """In place of footage, so many pictures of made-up crowds with true joints."""
    mocap: OptionalFolder = None
    """Motion capture, archives of it or folders, that most people of the made-up crowds act out."""
    seed: int = 77
    """Of the made-up crowds."""
    licence: Annotated[str, arg(metavar="TEXT", help_behavior_hint="")] = "unknown"
    """Of the footage, and where it is from; kept with the labels."""

    def run(self) -> None:
        """Write the folder. Raises ``ChorosError`` if nothing is named, or nobody found."""
        from choros.cli.progress import RunProgress
        from choros.devices import CPU
        from choros.training.keypoints.made_up import made_up
        from choros.training.keypoints.people_set import Labeller, write_labelled, write_people

        if bool(self.inputs) == bool(self.made_up) or self.every < 1 or self.made_up < 0:
            raise ChorosError("give either footage to label or --made-up N, N and --every from 1.")
        if self.mocap and not self.made_up:
            raise ChorosError("--mocap is of made-up crowds; give --made-up N with it.")
        with RunProgress("loading") as progress:
            if self.made_up:
                pictures = made_up(self.made_up, self.seed, self.mocap)
                counts = write_people(pictures, self.output, "made up by choros, Apache-2.0")
            else:
                teachers: Sequence[str] = self.teachers
                a, b = (eyes_named(name, CPU) for name in teachers)
                labeller = Labeller(detector_named(self.detector, CPU), (a, b))
                counts = write_labelled(
                    self.inputs, self.output, labeller, leave_out=self.leave_out, every=self.every,
                    licence=self.licence, report=lambda name, done: progress.count(done, None),
                )  # fmt: skip
        print(f"{self.output}: {counts['people']} people in {counts['pictures']} pictures")
