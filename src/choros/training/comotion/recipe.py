"""CoMotion's training as data: which clips, how long, which losses, what is frozen, for how many steps.

The three stages are those of the paper (4.2): single images, short clips, longer clips. The text gives the sets,
the lengths of clips, the numbers of iterations and what is frozen; learning rates, sizes of batches and weights of
losses are ours. Recipes differ in numbers only: the loop is that of all networks, `choros.training.loop`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from choros.comotion.config import TRUNK
from choros.errors import ChorosError

#: The whole encoder, by the beginning of its parameters' names, as ``TRUNK``.
ENCODER = "encoder."


#: Shapes of pictures, width over height.
WIDE, TALL = 16 / 9, 9 / 16


@dataclass(frozen=True)
class ClipSource:
    """Clips of one kind; a micro-batch is drawn from one source."""

    data: str  # "scenes", "sketched", or the name of footage or of a public set that the user has
    frames: int  # of a clip
    share: float = 1.0  # of the micro-batches, to those of the stage's other sources
    fps: Fraction = Fraction(25)  # of scenes; other data have their own
    clips_per_scene: int = 4  # of scenes: cut from one, because making a scene takes a while
    people: tuple[int, int] = (1, 8)  # of scenes and sketches: at least and at most in one
    #: Width over height of all its pictures. A network without padding needs one, that a batch has one shape; None
    #: varies it.
    aspect: float | None = None


@dataclass(frozen=True)
class LossWeights:
    """Weights of `choros.training.comotion.losses`; what has no truth in a source has no loss there."""

    points_2d: float = 4.0
    points_3d: float = 4.0
    pose: float = 0.5
    depth: float = 1.0
    betas: float = 0.05
    betas_norm: float = 0.005  # paper 4.2, where betas are not known
    heatmaps: float = 0.5


@dataclass(frozen=True)
class TrainingStage:
    """Some steps of training on the same mixture."""

    name: str
    sources: tuple[ClipSource, ...]
    steps: int
    lr: float
    clips: int  # of a micro-batch, on each process
    accumulate: int = 1  # micro-batches of a step
    frozen: tuple[str, ...] = (TRUNK,)
    losses: LossWeights = LossWeights()
    warmup: int = 200  # steps over which the learning rate rises, a tenth of all at most; then along a cosine
    least_lr: float = 0.05  # of ``lr``, at the end
    kept_clips: int = 64  # of each source, in memory
    reuse: float = 4.0  # how often a clip is drawn, on average, each time with other people, boxes and K

    def freezes(self, name: str) -> bool:
        """Whether the parameter of that name, or all whose names begin so, stay as they are."""
        return any(name.startswith(part) for part in self.frozen)


@dataclass(frozen=True)
class Recipe:
    """A whole run; what is not the stages' own affair."""

    network: str  # one of `choros.comotion.config.PRESETS`
    stages: tuple[TrainingStage, ...]
    held_out: ClipSource  # held-out clips for the pictures and numbers of a run
    held_out_clips: int = 6
    people: int = 8  # paper 4: at most, of a clip
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    ema: float = 0.999
    log_every: int = 10  # steps
    checkpoint_every: int = 250
    held_out_every: int = 500

    @property
    def steps(self) -> int:
        """Of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[int, int]:
        """The stage that the step after ``step`` steps belongs to, by number, and the steps before that stage."""
        before = 0
        for number, stage in enumerate(self.stages):
            if step < before + stage.steps:
                return number, before
            before += stage.steps
        return len(self.stages), before


def scaled(recipe: Recipe, steps: int) -> Recipe:
    """The recipe with so many steps in all, each stage's share of them as before and at least one step.

    Raises ``ChorosError`` for fewer steps than stages.
    """
    if steps < len(recipe.stages):
        raise ChorosError(
            f"{steps} steps are too few for {len(recipe.stages)} stages; give more, or fewer stages."
        )
    ends = [0]
    for number in range(1, len(recipe.stages) + 1):
        before = sum(stage.steps for stage in recipe.stages[:number])
        least, most = ends[-1] + 1, steps - (len(recipe.stages) - number)
        ends.append(min(max(round(steps * before / recipe.steps), least), most))
    counts = [end - begin for begin, end in pairwise(ends)]
    stages = (replace(stage, steps=count) for stage, count in zip(recipe.stages, counts, strict=True))
    return replace(recipe, stages=tuple(stages))


#: As published. COCO's and MPII's pseudo-labels are 4DHumans's npz files, as InstaVariety's.
PAPER = Recipe(
    network="large",
    stages=(
        TrainingStage(
            "images",
            (ClipSource("instavariety", 1, 0.5), ClipSource("coco", 1, 0.3), ClipSource("mpii", 1, 0.2)),
            steps=300_000,
            lr=1e-4,
            clips=16,
            frozen=(),
            kept_clips=256,
            reuse=1.0,
        ),
        TrainingStage(
            "short clips",
            (
                ClipSource("instavariety", 1, 0.25),
                ClipSource("coco", 1, 0.15),
                ClipSource("mpii", 1, 0.1),
                ClipSource("bedlam", 4, 0.5),
            ),
            steps=300_000,
            lr=1e-4,
            clips=8,
            frozen=(ENCODER,),
        ),
        TrainingStage(
            "long clips",
            (ClipSource("bedlam", 16, 0.5), ClipSource("posetrack", 8, 0.25), ClipSource("jrdb", 16, 0.25)),
            steps=150_000,
            lr=5e-5,
            clips=4,
            frozen=(ENCODER,),
        ),
    ),
    held_out=ClipSource("bedlam", 16),
)

#: Scenes in place of the sets; the trunk has seen real people and stays as it is. Numbers are those of two
#: processes, one on each core of a small machine.
SMALL = Recipe(
    network="small",
    stages=(
        TrainingStage(
            "images",
            (
                ClipSource("scenes", 1, 0.75, clips_per_scene=24, aspect=WIDE),
                ClipSource("scenes", 1, 0.25, clips_per_scene=24, aspect=TALL),
            ),
            steps=6_000,
            lr=6e-4,
            clips=10,
            kept_clips=384,
            reuse=8.0,
        ),
        TrainingStage(
            "short clips",
            (
                ClipSource("scenes", 4, 0.45, clips_per_scene=10, aspect=WIDE),
                # Fewer frames: people move further from one to the next.
                ClipSource("scenes", 4, 0.2, fps=Fraction(25, 3), clips_per_scene=8, aspect=WIDE),
                ClipSource("scenes", 4, 0.2, fps=Fraction(25, 2), clips_per_scene=10, aspect=TALL),
                ClipSource("scenes", 1, 0.15, clips_per_scene=24, aspect=WIDE),
            ),
            steps=6_000,
            lr=4e-4,
            clips=4,
            kept_clips=96,
            reuse=6.0,
        ),
        TrainingStage(
            "long clips",
            (
                # Nobody hides somebody who is alone.
                ClipSource("scenes", 16, 0.4, people=(3, 8), aspect=WIDE),
                ClipSource("scenes", 16, 0.15, people=(3, 8), aspect=TALL),
                # Twice the time in as many frames: whoever is hidden for a second is hidden inside a clip.
                ClipSource("scenes", 16, 0.3, fps=Fraction(25, 2), people=(3, 8), aspect=WIDE),
                ClipSource(
                    "scenes", 16, 0.15, fps=Fraction(25, 3), clips_per_scene=3, people=(3, 8), aspect=WIDE
                ),
            ),
            steps=2_500,
            lr=3e-4,
            clips=2,
            frozen=(ENCODER,),
            kept_clips=24,
            reuse=8.0,
        ),
    ),
    held_out=ClipSource("scenes", 24, clips_per_scene=1, aspect=WIDE),
    held_out_clips=4,
    people=5,  # fewer than the paper's, so that few places in a batch stay empty
    ema=0.998,
    held_out_every=300,
)


def sketched(frames: int, share: float) -> tuple[ClipSource, ClipSource]:
    """Clips of motion capture without pictures (`choros.training.comotion.sketched`), in both shapes."""
    return (
        ClipSource("sketched", frames, 0.6 * share, people=(1, 4), aspect=WIDE),
        ClipSource("sketched", frames, 0.4 * share, people=(1, 4), aspect=TALL),
    )


#: For a network that takes MoveNet's answers alone: sketches beside scenes, and real pictures with ``--data``.
ANSWERS = replace(
    SMALL,
    network="answers",
    stages=(
        TrainingStage(
            "images",
            (
                ClipSource("scenes", 1, 0.3, clips_per_scene=24, aspect=WIDE),
                ClipSource("scenes", 1, 0.1, clips_per_scene=24, aspect=TALL),
                *sketched(1, 0.6),
            ),
            steps=6_000,
            lr=8e-4,
            clips=16,
            kept_clips=400,
            reuse=10.0,
        ),
        TrainingStage(
            "short clips",
            (
                ClipSource("scenes", 4, 0.2, clips_per_scene=10, aspect=WIDE),
                # Fewer frames: people move further from one to the next.
                ClipSource("scenes", 4, 0.1, fps=Fraction(25, 3), clips_per_scene=8, aspect=WIDE),
                ClipSource("scenes", 4, 0.1, fps=Fraction(25, 2), clips_per_scene=10, aspect=TALL),
                *sketched(4, 0.6),
            ),
            steps=6_000,
            lr=5e-4,
            clips=6,
            kept_clips=160,
            reuse=10.0,
        ),
        TrainingStage(
            "long clips",
            (
                # Nobody hides somebody who is alone.
                ClipSource("scenes", 12, 0.3, people=(3, 8), aspect=WIDE),
                # Twice the time in as many frames: whoever is hidden for a second is hidden inside a clip.
                ClipSource("scenes", 12, 0.2, fps=Fraction(25, 2), people=(3, 8), aspect=WIDE),
                *sketched(12, 0.5),
            ),
            steps=2_500,
            lr=3e-4,
            clips=3,
            frozen=(ENCODER,),
            kept_clips=60,
            reuse=8.0,
        ),
    ),
    people=4,
)

RECIPES = {"paper": PAPER, "small": SMALL, "answers": ANSWERS}
