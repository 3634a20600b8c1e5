"""The training of GLAMR's two networks in numbers; the paper's (appendices C and D) where it gives them."""

from __future__ import annotations

from dataclasses import dataclass

from choros.training.mocap import MocapRecipe


@dataclass(frozen=True)
class CvaeRecipe(MocapRecipe):
    """What both runs have in common."""

    warmup: int = 100
    sample_every: int = 250
    clip_norm: float = 5.0  # appendices C and D
    ema: float = 0.995
    batch: int = 16  # the paper's is 1024 for the infiller, 256 for trajectories
    tempos: tuple[float, ...] = (0.85, 1.0, 1.18)
    divergence: float = 1e-3  # appendices C and D


@dataclass(frozen=True)
class InfillerRecipe(CvaeRecipe):
    """A run of the motion infiller. The losses are means over frames of sums over joints."""

    steps: int = 1500
    lr: float = 2e-3
    noise: float = 0.02  # at most, of the poses seen
    mixed: float = 0.0  # share of windows that are made of several and varied, as the lifter's poses are
    joints: float = 6.0  # ours: joints' places, m², so that what matters most is learned first


@dataclass(frozen=True)
class TrajectoryRecipe(CvaeRecipe):
    """A run of the trajectory predictor. The losses are means over frames."""

    steps: int = 2500
    #: Appendix D: 100; the shorter ones come cheap, and from short clips too.
    frames: tuple[int, ...] = (50, 100)
    noise_m: float = 0.005  # at most, of the joints seen
    per_frame: float = 0.1  # the authors' code, of the change of heading; ours of all eleven numbers
