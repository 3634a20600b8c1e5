"""``choros train``: train the networks that ship, on one's own machine; CoMotion is in ``train_comotion``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeVar

from tyro.conf import arg, subcommand

from choros.cli.arguments import Flag, OptionalFile, commit
from choros.cli.train_comotion import Comotion
from choros.cli.train_pseudo_label import PseudoLabel
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.datasets.mocap import MocapClip
    from choros.training.mocap import MocapRecipe, MocapTask

AnyRecipe = TypeVar("AnyRecipe", bound="MocapRecipe")


@dataclass
class FromMocap:
    """What the networks have in common that learn from motion capture."""

    mocap: Annotated[Path, arg(metavar="DIR")]
    """Folder of motion capture: BVH, asf/amc, exponential maps, DeepMimic; or a packed .npz of clips."""
    output: Annotated[OptionalFile, arg(aliases=["-o"])] = None
    """File to write: the weights; NETWORK.safetensors if not given. The same command again goes on after a stop."""
    steps: Annotated[int | None, arg(metavar="N", constructor=int, help_behavior_hint="")] = None
    """Gradient steps; the schedule is scaled to them. Those of the recipe if not given."""
    seed: int = 1
    """Another seed gives another run; the same one, the same weights."""
    any_licence: Flag = False
    """Also train on clips whose licence forbids giving the weights away."""

    network: ClassVar[str]

    def run(self) -> None:
        """Train on the clips of motion capture until the steps are done or Ctrl-C, and write the weights.

        Raises ``ChorosError`` for a seed or number of steps that cannot be.
        """
        from choros.cli.progress import RunProgress
        from choros.cli.stopping import stopping
        from choros.datasets.mocap import learned_and_held_out
        from choros.outputs import check_output, claimed
        from choros.training.mocap import train_from_mocap

        output = self.output or Path(f"{self.network}.safetensors")
        if self.seed < 0 or (self.steps is not None and self.steps < 1):
            raise ChorosError("--seed is 0 or more, and --steps 1 or more; leave them out for the recipe's.")
        check_output(output, self.mocap if self.mocap.is_file() else None)
        with claimed(output), stopping() as stop, RunProgress() as progress:
            progress.say(f"reading {self.mocap}")
            found, _ = learned_and_held_out(self.mocap, shippable_only=not self.any_licence)
            if not found:
                raise ChorosError(
                    f"{self.mocap} holds no motion capture that weights to give away may learn from; give another "
                    "folder, or --any-licence to train for yourself."
                )
            about = {
                "licence": "Apache-2.0" if all(clip.shippable for clip in found) else "not for distribution",
                "data": sorted({f"{clip.source} ({clip.licence})" for clip in found}),
                "frames": sum(len(clip.transl) for clip in found),
                "commit": commit(),
                "command": self._command(),
            }
            progress.say("preparing the first batch")
            train_from_mocap(self.task(found), output, about, progress.update, stop)
        print(f"{output}: trained on {about['frames']} frames of motion")

    def _command(self) -> str:
        """What makes the same weights again, from a folder of that name."""
        said = [f"choros train {self.network} --mocap {self.mocap.name} --seed {self.seed}"]
        if self.steps is not None:
            said.append(f"--steps {self.steps}")
        if self.any_licence:
            said.append("--any-licence")
        return " ".join(said)

    def task(self, found: Sequence[MocapClip]) -> MocapTask:
        """What the network learns from the clips that were found."""
        raise NotImplementedError

    def as_asked(self, recipe: AnyRecipe) -> AnyRecipe:
        """The recipe with the seed and the number of steps that were asked for."""
        return replace(recipe, seed=self.seed, steps=recipe.steps if self.steps is None else self.steps)


@dataclass
class Lifter(FromMocap):
    """From 2D keypoints to bodies, for the lifter system: one core, an hour."""

    network = "lifter"

    def task(self, found: Sequence[MocapClip]) -> MocapTask:
        """The lifter on clips of bodies, with the losses and noise of its recipe."""
        from choros.lifter.network import LifterConfig
        from choros.training.lifter.batch import ClipConfig
        from choros.training.lifter.poses import PoseClip
        from choros.training.lifter.recipe import LifterRecipe
        from choros.training.lifter.task import LifterTask

        clips = [PoseClip.of(clip) for clip in found]
        return LifterTask(clips, self.as_asked(LifterRecipe()), LifterConfig(), ClipConfig())


@dataclass
class MotionModel(FromMocap):
    """What moves people in synthetic scenes: two cores, a quarter of an hour."""

    network = "motion-model"

    def task(self, found: Sequence[MocapClip]) -> MocapTask:
        """The model of motion by which people of scenes move."""
        from choros.scenes.motion.motion_model import MotionModelConfig
        from choros.training.motion_model.recipe import MotionModelRecipe
        from choros.training.motion_model.task import MotionModelTask

        return MotionModelTask(found, self.as_asked(MotionModelRecipe()), MotionModelConfig())


@dataclass
class FromMocapInSizes(FromMocap):
    """What the networks of GLAMR and 4DHumans have in common."""

    size: Literal["small", "paper"] = "small"
    """The network that ships, or the paper's."""

    def _command(self) -> str:
        return super()._command() + ("" if self.size == "small" else f" --size {self.size}")


@dataclass
class Infiller(FromMocapInSizes):
    """The poses of people whom nobody saw for a while, for GLAMR: one core, a few minutes."""

    network = "infiller"

    def task(self, found: Sequence[MocapClip]) -> MocapTask:
        """GLAMR's motion infiller of the chosen size."""
        from choros.glamr.config import INFILLER_PRESETS
        from choros.training.glamr.recipe import InfillerRecipe
        from choros.training.glamr.task import InfillerTask

        return InfillerTask(found, self.as_asked(InfillerRecipe()), INFILLER_PRESETS[self.size])


@dataclass
class Trajectory(FromMocapInSizes):
    """Where people go, from how their bodies move, for GLAMR: one core, a few minutes."""

    network = "trajectory"

    def task(self, found: Sequence[MocapClip]) -> MocapTask:
        """GLAMR's trajectory predictor of the chosen size."""
        from choros.glamr.config import TRAJECTORY_PRESETS
        from choros.training.glamr.recipe import TrajectoryRecipe
        from choros.training.glamr.task import TrajectoryTask

        return TrajectoryTask(found, self.as_asked(TrajectoryRecipe()), TRAJECTORY_PRESETS[self.size])


@dataclass
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


@dataclass
class Train:
    """Train choros's networks on your own machine."""

    what: Annotated[
        Annotated[Lifter, subcommand("lifter")]
        | Annotated[MotionModel, subcommand("motion-model")]
        | Annotated[Infiller, subcommand("infiller")]
        | Annotated[Trajectory, subcommand("trajectory")]
        | Annotated[PoseTransformer, subcommand("pose-transformer")]
        | Annotated[Comotion, subcommand("comotion")]
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
