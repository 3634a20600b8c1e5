"""HMR 2.0's training as data: what it learns from, what is frozen, how each loss counts, for how many steps.

"Paper" is 4DHumans' text and supplement (S), "release" the code of its authors; where both give a number and they
differ, the paper's is taken and the release's stands beside it. Whoever trains has the sets; none comes with choros.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from choros.training.loop import LoopConfig

#: Crops of a batch for which the weights of losses were chosen: S.3. The release sums its losses over a batch, but for
#: the adversary's, which it divides by the batch: elsewhere the two would not be as they were.
BATCH = 48


@dataclass(frozen=True)
class LossWeights:
    """Weights of `choros.training.fourdhumans.losses`: S.3, the same in the release."""

    keypoints_2d: float = 0.01
    keypoints_3d: float = 0.05
    global_orient: float = 0.001
    body_pose: float = 0.001
    betas: float = 0.0005
    adversary: float = 0.0005
    discriminator: float = 0.0005  # release


@dataclass(frozen=True)
class Augmentation:
    """How a crop differs each time it is learned from: release; the paper does not tell."""

    shift: float = 0.02  # spread, share of the box; cut at one spread, as the scale's
    scale: float = 0.3
    turn_deg: float = 30.0  # spread; cut at two
    turn_rate: float = 0.6
    mirror_rate: float = 0.5
    gain: float = 0.2  # at most, of each colour
    extreme_rate: float = 0.1  # crops of a part of the person


@dataclass(frozen=True)
class Filters:
    """Which labels may teach: S.2, and where it gives no number the release."""

    confidence: float = 0.3  # of a keypoint, from which on it counts (release)
    keypoints: int = 5  # S.2
    betas: float = 3.0  # S.2: beyond it a shape is unnatural


@dataclass(frozen=True)
class Recipe:
    """A whole run."""

    shares: dict[str, float]  # of the crops, by set
    steps: int
    lr: float
    batch: int  # crops, on each process
    frozen_encoder: bool
    accumulate: int = 1  # batches of a step; S.3 has eight processes, one of which may take eight
    weight_decay: float = 1e-4  # S.3
    adam: tuple[float, float] = (0.9, 0.999)  # S.3
    losses: LossWeights = LossWeights()
    augmentation: Augmentation = Augmentation()
    filters: Filters = Filters()
    log_every: int = 100
    checkpoint_every: int = 10_000  # release

    def __post_init__(self) -> None:
        if not math.isclose(sum(self.shares.values()), 1):
            raise ValueError(f"the shares of the sets make {sum(self.shares.values()):g}, not 1")

    def loop(self, seed: int, bf16: bool) -> LoopConfig:
        """How the loop goes: gradients are not cut and weights not averaged (release)."""
        return LoopConfig(
            steps=self.steps,
            seed=seed,
            clip_norm=math.inf,
            ema=0.0,
            bf16=bf16,
            log_every=self.log_every,
            checkpoint_every=self.checkpoint_every,
        )


#: S.2 and S.3. Of HMR 2.0a the shares are not told: those of its four sets in 2.0b, to each other.
HMR2A = Recipe(
    shares={"human36m": 0.2, "mpii": 0.2, "mpi-inf-3dhp": 0.2, "coco": 0.4},
    steps=100_000,
    lr=1e-4,
    batch=512,
    frozen_encoder=True,
)

#: S.2 and S.3, on eight processes. The release's shares: Human3.6M .1, MPII .1, MPI-INF-3DHP .02, AVA .19,
#: AI Challenger .19, InstaVariety .2, COCO .2, half of it with ViTPose's keypoints.
HMR2B = Recipe(
    shares={
        "human36m": 0.1,
        "mpii": 0.1,
        "mpi-inf-3dhp": 0.1,
        "ava": 0.15,
        "ai-challenger": 0.15,
        "instavariety": 0.2,
        "coco": 0.2,
    },
    steps=1_000_000,
    lr=1e-5,
    batch=BATCH,
    frozen_encoder=False,
)

RECIPES = {"2.0a": HMR2A, "2.0b": HMR2B}
