"""How TRACE is taught: weights of losses as in the paper and the published program, and the small size's schedule."""

from __future__ import annotations

from dataclasses import dataclass, field

from choros.training.loop import LoopConfig
from choros.training.trace.films import FilmRecipe
from choros.training.trace.footage import FootageRecipe
from choros.training.trace.lone import LoneRecipe
from choros.training.trace.sketched import SketchRecipe
from choros.training.trace.targets import CentreKernels


@dataclass(frozen=True)
class TraceWeights:
    """Weights of `choros.training.trace.terms`; the defaults are the paper's (supplement 2.3), or the release's."""

    centre: float = 100.0  # paper w_cm
    centre_3d: float = 100.0  # paper w_cm
    joints: float = 300.0  # paper w_mpj
    aligned: float = 260.0  # paper w_pmpj
    points: float = 300.0  # paper w_pj2d
    pose: float = 80.0  # paper
    shape: float = 60.0  # paper
    camera: float = 100.0  # release: Cam
    guess: float = 0.0  # ours: the same of the maps' own first guess
    motion: float = 300.0  # paper w_m
    world_turns: float = 100.0  # paper w_W, as the next two; release: world_grots
    world_root: float = 100.0  # release: wrotsL2
    world_path: float = 100.0  # release: world_trans
    world_points: float = 80.0  # release: world_pj2D; the paper has no such term of its own
    steady_shape: float = 5.0  # release: temp_shape_consist; as the last
    turn: float = 0.0  # ours, of a metric network: the camera's turn since the last frame
    way: float = 0.0  # ours: people's ways since the last frame, metres


#: The published program's own (trace.yml), which differ from the paper's.
RELEASED = TraceWeights(
    centre=200.0, centre_3d=300.0, points=600.0, world_turns=40.0, world_root=80.0, world_path=400.0,
)  # fmt: skip

#: Ours, of a metric network on scenes and sketches, whose terms are all known: what the world needs is learned as turns
#: and ways since the last frame, of which paths are made.
SMALL = TraceWeights(
    centre=60.0, centre_3d=400.0, joints=300.0, aligned=150.0, points=150.0, pose=60.0, shape=10.0, camera=100.0,
    guess=60.0, motion=150.0, world_turns=0.0, world_root=0.0, world_path=0.0,
    world_points=0.0, steady_shape=0.0, turn=2000.0, way=400.0,
)  # fmt: skip


@dataclass(frozen=True)
class TraceRecipe:
    """The small size's run; numbers of the optimiser are ours."""

    lone_steps: int = 400  # first, of people of keypoints alone
    steps: int = 1450  # in all
    seed: int = 1
    lr: float = 2e-3  # of lone people
    clips_lr: float = 1.5e-3
    warmup: int = 40
    weight_decay: float = 1e-4
    clips: tuple[int, int] = (1, 1)  # of a step: sketched, and of films and footage in turn
    frames: int = 3
    scenes: int = 44
    square_px: int = 512
    ema: float = 0.995
    clip_norm: float = 400.0
    checkpoint_every: int = 100
    held_out_every: int = 300
    weights: TraceWeights = SMALL
    kernels: CentreKernels = field(default_factory=CentreKernels)
    sketches: SketchRecipe = field(default_factory=SketchRecipe)
    films: FilmRecipe = field(default_factory=FilmRecipe)
    footage: FootageRecipe = field(default_factory=FootageRecipe)
    lone: LoneRecipe = field(default_factory=LoneRecipe)

    @property
    def loop(self) -> LoopConfig:
        """How the loop goes."""
        return LoopConfig(
            steps=self.steps,
            seed=self.seed,
            clip_norm=self.clip_norm,
            ema=self.ema,
            log_every=20,
            checkpoint_every=self.checkpoint_every,
            sample_every=self.held_out_every,
        )
