"""``choros train``: train the networks that ship, on one's own machine; CoMotion is in ``train_comotion``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeVar

from tyro.conf import arg, subcommand

from choros.cli.arguments import Flag, commit
from choros.cli.train_comotion import Comotion
from choros.cli.train_hmr2 import Hmr2
from choros.cli.train_keypoints import Keypoints, LabelKeypoints
from choros.cli.train_options import GOES_ON, RunOptions, WatchOptions, leads
from choros.cli.train_pseudo_label import PseudoLabel
from choros.cli.train_trace import Trace
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.cli.progress import RunProgress
    from choros.cli.stopping import Stop
    from choros.datasets.mocap import MocapClip
    from choros.training.loop import Watch
    from choros.training.mocap import MocapRecipe, MocapTask

AnyRecipe = TypeVar("AnyRecipe", bound="MocapRecipe")


@dataclass(kw_only=True)
class FromMocap(RunOptions):
    """What the networks have in common that learn from motion capture."""

    mocap: Annotated[Path, arg(metavar="DIR")]
    """Folder of motion capture: BVH, asf/amc, exponential maps, DeepMimic; or a packed .npz of clips."""
    any_licence: Flag = False
    """Also train on clips whose licence forbids giving the weights away."""

    network: ClassVar[str]

    def run(self) -> None:
        """Train on the clips of motion capture until the steps are done or it is stopped; the weights are kept.

        Raises ``ChorosError`` for a seed or number of steps that cannot be.
        """
        from choros.cli.progress import RunProgress
        from choros.cli.stopping import stopping
        from choros.datasets.mocap import learned_and_held_out
        from choros.outputs import check_output, claimed
        from choros.training.mocap import train_from_mocap
        from choros.training.run_files import RunFiles

        self.check_run()
        output = self.output or Path(f"{self.network}.safetensors")
        weights = RunFiles.of(output).weights
        check_output(weights, self.mocap if self.mocap.is_file() else None)
        first = leads()
        held = claimed(output) if first else nullcontext()
        with held, stopping(self.minutes) as stop, RunProgress(on_terminal=True) as progress:
            progress.say(f"reading {self.mocap}")
            watch = self.watched(progress, stop) if first else None
            found, held_out = learned_and_held_out(
                self.mocap,
                shippable_only=not self.any_licence,
                tell=lambda clips: progress.count(clips, None, what="clips"),
            )
            about = {
                "licence": "Apache-2.0" if all(clip.shippable for clip in found) else "not for distribution",
                "data": sorted({f"{clip.source} ({clip.licence})" for clip in found}),
                "frames": sum(len(clip.transl) for clip in found),
                "commit": commit(),
                "command": self._command(),
            }
            progress.say(f"preparing {about['frames']} frames of motion")
            task = self.task(found)
            if not held_out:
                progress.note("held-out figures: off, for nothing of this motion can be held out")
            self.show(task, held_out or found, bool(held_out))
            state = train_from_mocap(
                task, output, about, progress.update, stop, until=self.until, tensorboard=self.tensorboard,
                watch=watch, tell=progress.say,
            )  # fmt: skip
        more = (
            ""
            if state.step == task.recipe.steps
            else f", {state.step} of {task.recipe.steps} steps; {GOES_ON}"
        )
        if first:
            print(f"{weights}: trained on {about['frames']} frames of motion{more}")

    def watched(self, progress: RunProgress, stop: Stop) -> Watch | None:
        """What measures the weights on real footage; None where they are no system's."""
        return None

    def show(self, task: MocapTask, clips: Sequence[MocapClip], held_out: bool) -> None:
        """Give the task the clips that samples are made of."""
        task.show(clips, held_out)

    def _command(self) -> str:
        """What makes the same weights again, from a folder of that name."""
        said = f"choros train {self.network} --mocap {self.mocap.name} {self.said()}"
        return said + (" --any-licence" if self.any_licence else "")

    def task(self, found: Sequence[MocapClip]) -> MocapTask:
        """What the network learns from the clips that were found."""
        raise NotImplementedError

    def as_asked(self, recipe: AnyRecipe) -> AnyRecipe:
        """The recipe with the seed and the number of steps that were asked for."""
        return replace(recipe, seed=self.seed, steps=recipe.steps if self.steps is None else self.steps)


@dataclass(kw_only=True)
class Lifter(WatchOptions, FromMocap):
    """From 2D keypoints to bodies, for the lifter system: one core, an hour."""

    network = "lifter"

    def watched(self, progress: RunProgress, stop: Stop) -> Watch | None:
        """Figures of the lifter system with these weights."""
        return self.watch(self.network, progress, stop)

    def show(self, task: MocapTask, clips: Sequence[MocapClip], held_out: bool) -> None:
        """As matrices, which the lifter learns from."""
        from choros.training.lifter.poses import PoseClip

        task.show([PoseClip.of(clip) for clip in clips], held_out)

    def task(self, found: Sequence[MocapClip]) -> MocapTask:
        """The lifter on clips of bodies, with the losses and noise of its recipe."""
        from choros.lifter.network import LifterConfig
        from choros.training.lifter.batch import ClipConfig
        from choros.training.lifter.poses import PoseClip
        from choros.training.lifter.recipe import LifterRecipe
        from choros.training.lifter.task import LifterTask

        clips = [PoseClip.of(clip) for clip in found]
        return LifterTask(clips, self.as_asked(LifterRecipe()), LifterConfig(), ClipConfig())


@dataclass(kw_only=True)
class MotionModel(FromMocap):
    """What moves people in synthetic scenes: two cores, a quarter of an hour."""

    network = "motion-model"

    def task(self, found: Sequence[MocapClip]) -> MocapTask:
        """The model of motion by which people of scenes move."""
        from choros.scenes.motion.motion_model import MotionModelConfig
        from choros.training.motion_model.recipe import MotionModelRecipe
        from choros.training.motion_model.task import MotionModelTask

        return MotionModelTask(found, self.as_asked(MotionModelRecipe()), MotionModelConfig())


@dataclass(kw_only=True)
class FromMocapInSizes(FromMocap):
    """What the networks of GLAMR and 4DHumans have in common."""

    size: Literal["small", "paper"] = "small"
    """The network that ships, or the paper's."""

    def _command(self) -> str:
        return super()._command() + ("" if self.size == "small" else f" --size {self.size}")


@dataclass(kw_only=True)
class Infiller(FromMocapInSizes):
    """The poses of people whom nobody saw for a while, for GLAMR: one core, a few minutes."""

    network = "infiller"
    mixed: float = 0.0
    """Share of what it sees, 0 to 1, that is made of several clips and varied, as the lifter's poses are."""

    def check_run(self) -> None:
        """Raise ``ChorosError`` for a share that cannot be, too."""
        super().check_run()
        if not 0 <= self.mixed <= 1:
            raise ChorosError("--mixed is a share from 0 to 1.")

    def task(self, found: Sequence[MocapClip]) -> MocapTask:
        """GLAMR's motion infiller of the chosen size."""
        from choros.glamr.config import INFILLER_PRESETS
        from choros.training.glamr.recipe import InfillerRecipe
        from choros.training.glamr.task import InfillerTask

        recipe = self.as_asked(InfillerRecipe(mixed=self.mixed))
        return InfillerTask(found, recipe, INFILLER_PRESETS[self.size])

    def _command(self) -> str:
        return super()._command() + (f" --mixed {self.mixed:g}" if self.mixed else "")


@dataclass(kw_only=True)
class Trajectory(FromMocapInSizes):
    """Where people go, from how their bodies move, for GLAMR: one core, a few minutes."""

    network = "trajectory"

    def task(self, found: Sequence[MocapClip]) -> MocapTask:
        """GLAMR's trajectory predictor of the chosen size."""
        from choros.glamr.config import TRAJECTORY_PRESETS
        from choros.training.glamr.recipe import TrajectoryRecipe
        from choros.training.glamr.task import TrajectoryTask

        return TrajectoryTask(found, self.as_asked(TrajectoryRecipe()), TRAJECTORY_PRESETS[self.size])


@dataclass(kw_only=True)
class PoseTransformer(FromMocapInSizes):
    """Poses and places of people before, after and between sights, for 4DHumans: one core, an hour."""

    network = "pose-transformer"

    def task(self, found: Sequence[MocapClip]) -> MocapTask:
        """4DHumans' pose transformer of the chosen size."""
        from choros.fourdhumans.config import POSE_TRANSFORMER_PRESETS
        from choros.training.pose_transformer.recipe import POSE_TRANSFORMER_RECIPES
        from choros.training.pose_transformer.task import PoseTransformerTask

        recipe = self.as_asked(POSE_TRANSFORMER_RECIPES[self.size])
        return PoseTransformerTask(found, recipe, POSE_TRANSFORMER_PRESETS[self.size])


@dataclass(kw_only=True)
class Actions(FromMocap):
    """What people do, by their poses and places over time, for choros actions: one core, half an hour."""

    network = "actions"

    def task(self, found: Sequence[MocapClip]) -> MocapTask:
        """The small network of actions, on clips and scenes whose actions are known."""
        from choros.training.actions.small import SmallActionRecipe, SmallActionTask

        return SmallActionTask(found, self.as_asked(SmallActionRecipe()))


@dataclass
class Train:
    """Train choros's networks on your own machine."""

    what: Annotated[
        Annotated[Lifter, subcommand("lifter")]
        | Annotated[MotionModel, subcommand("motion-model")]
        | Annotated[Infiller, subcommand("infiller")]
        | Annotated[Trajectory, subcommand("trajectory")]
        | Annotated[Keypoints, subcommand("keypoints")]
        | Annotated[LabelKeypoints, subcommand("label-keypoints")]
        | Annotated[PoseTransformer, subcommand("pose-transformer")]
        | Annotated[Actions, subcommand("actions")]
        | Annotated[Comotion, subcommand("comotion")]
        | Annotated[Hmr2, subcommand("hmr2")]
        | Annotated[Trace, subcommand("trace")]
        | Annotated[PseudoLabel, subcommand("pseudo-label")],
        arg(name=""),  # no heading of its own in the help
    ]

    @property
    def output(self) -> Path | None:
        """What the chosen network is written to; None takes its own name."""
        return self.what.output

    def run(self) -> None:
        """Train the chosen network."""
        self.what.run()
