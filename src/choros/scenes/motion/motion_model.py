"""A small learned model of how people move, for those who act on the spot: gesture, bend, step, turn, wander.

It continues a motion by a window of 1.6 s that overlaps the last half second: the window, as principal
components, is drawn by flow matching (Lipman et al. 2023, "Flow Matching for Generative Modeling", with straight
paths) given that half second. Trained by ``training/motion_model``; feet are planted by
``foot_planting``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from choros import weights
from choros.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from choros.scenes.motion.foot_planting import plant
from choros.scenes.motion.motion_features import FPS, MOVED, N_FEATURES, decode, path
from choros.scenes.motion.rest_skeleton import Floats, Poses, RestSkeleton

SYSTEM = "motion-model"
ROOM = 1.3  # leg lengths from where they began: further than that people do not choose to go
CANDIDATES = 6  # continuations among which one that stays in the room is chosen
FLOW_STEPS = 5
LONGEST_JUMP = 8  # rows, half a second


@dataclass(frozen=True)
class MotionModelConfig:
    """Sizes of the model; windows in rows of ``motion_features.FPS`` a second."""

    window: int = 24
    past: int = 8  # the rows of a window that are known already
    codes: int = 256  # principal components of a window
    past_codes: int = 48  # and of its past
    width: int = 320
    blocks: int = 4


class Flow(nn.Module):
    """Velocity of a window's codes on their way from noise (time 0) to motion (time 1)."""

    def __init__(self, config: MotionModelConfig) -> None:
        super().__init__()
        self.into = nn.Linear(config.codes + config.past_codes + 1 + 8, config.width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(config.width),
                nn.Linear(config.width, config.width),
                nn.SiLU(),
                nn.Linear(config.width, config.width),
            )
            for _ in range(config.blocks)
        )
        self.out = nn.Linear(config.width, config.codes)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, codes: Tensor, time: Tensor, past: Tensor, known: Tensor) -> Tensor:
        """Velocity (B, codes) at ``codes`` and ``time`` (B, 1); ``known`` (B, 1) is 0 where there is no past."""
        angle = time * torch.pi * torch.tensor([0.5, 1, 2, 4], dtype=time.dtype)
        x = self.into(torch.cat([codes, past * known, known, angle.sin(), angle.cos()], -1))
        for block in self.blocks:
            x = x + block(x)
        return self.out(x)


class Components(nn.Module):
    """Rows (..., n, N_FEATURES) as ``codes`` principal components of unit variance."""

    def __init__(self, rows: int, codes: int) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(rows * N_FEATURES))
        self.scale = nn.Buffer(torch.ones(N_FEATURES))  # how much a feature matters
        self.basis = nn.Buffer(torch.zeros(codes, rows * N_FEATURES))  # orthonormal lines
        self.std = nn.Buffer(torch.ones(codes))

    def encode(self, rows: Tensor) -> Tensor:
        """Codes (..., codes) of rows (..., n, N_FEATURES)."""
        scaled = ((rows.flatten(-2) - self.mean).unflatten(-1, (-1, N_FEATURES)) * self.scale).flatten(-2)
        return scaled @ self.basis.T / self.std

    def decode(self, codes: Tensor) -> Tensor:
        """Rows (..., n, N_FEATURES) of codes (..., codes)."""
        rows = ((codes * self.std) @ self.basis).unflatten(-1, (-1, N_FEATURES)) / self.scale
        return rows + self.mean.unflatten(-1, (-1, N_FEATURES))


class MotionModel(nn.Module):
    """The whole model; draws windows of motion."""

    def __init__(self, config: MotionModelConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MotionModelConfig()
        self.windows = Components(config.window, config.codes)
        self.pasts = Components(config.past, config.past_codes)
        self.flow = Flow(config)
        n_joints = len(MOVED) - 1
        self.lowest = nn.Buffer(torch.full((n_joints, 3), -torch.pi))  # axis-angle of the joints, rad
        self.highest = nn.Buffer(torch.full((n_joints, 3), torch.pi))

    @torch.no_grad()
    def draw(self, rng: np.random.Generator, n: int, past: Floats | None) -> Floats:
        """``n`` windows (n, window, N_FEATURES) that go on from ``past`` (past, N_FEATURES), or begin anew."""
        dtype = self.windows.mean.dtype
        codes = torch.from_numpy(rng.normal(size=(n, self.config.codes))).to(dtype)
        known = torch.full((n, 1), float(past is not None), dtype=dtype)
        given = torch.zeros(n, self.config.past_codes, dtype=dtype)
        if past is not None:
            given = given + self.pasts.encode(torch.from_numpy(past).to(dtype))
        codes = flow_along(lambda z, t: self.flow(z, t, given, known), codes, FLOW_STEPS)
        return self.windows.decode(codes).double().numpy()


def flow_along(velocity: Any, codes: Tensor, steps: int) -> Tensor:
    """Carry codes (B, C) from time 0 to 1 along ``velocity(codes, time)``, by the midpoint rule."""
    for k in range(steps):
        time = torch.full((len(codes), 1), k / steps, dtype=codes.dtype)
        halfway = codes + velocity(codes, time) / (2 * steps)
        codes = codes + velocity(halfway, time + 1 / (2 * steps)) / steps
    return codes


def roll_out(model: MotionModel, rng: np.random.Generator, n_rows: int) -> Floats:
    """At least ``n_rows`` rows (N, N_FEATURES) of somebody who stays about where they began."""
    past = model.config.past
    fade = ((np.arange(past) + 0.5) / past)[:, None]
    rows = _one_that_stays(rng, model.draw(rng, CANDIDATES, None))
    while len(rows) < n_rows:
        windows = model.draw(rng, CANDIDATES, rows[-past:])
        windows[:, :past] = (1 - fade) * rows[-past:] + fade * windows[:, :past]
        before = np.broadcast_to(rows[:-past], (CANDIDATES, *rows[:-past].shape))
        rows = _one_that_stays(rng, np.concatenate([before, windows], axis=1))
    return rows


def _one_that_stays(rng: np.random.Generator, candidates: Floats) -> Floats:
    """One of the candidates (n, N, N_FEATURES) that stay in the room and on the floor; if none does, the nearest to it.

    Some of those whom the model learned from hung on bars: nobody here may be off the floor for longer than a jump.
    """
    far = np.linalg.norm(path(candidates)[1], axis=-1).max(axis=-1)
    lifted = candidates[..., -2:].max(axis=-1) < 0.5
    hangs = np.lib.stride_tricks.sliding_window_view(lifted, LONGEST_JUMP, axis=1).all(axis=-1).any(axis=-1)
    good = np.flatnonzero((far < ROOM) & ~hangs)
    return candidates[rng.choice(good) if len(good) else np.argmin(far + 10 * hangs)]


def improvise(rng: np.random.Generator, skeleton: RestSkeleton, times_s: Floats) -> Poses:
    """Somebody acts about the origin for a while, facing +y at first; feet stand on the floor and do not slide.

    ``times_s`` (T,) evenly spaced. The same state of ``rng`` gives the same motion.
    """
    model = shipped_model()
    since_s = times_s - times_s[0]
    rows = roll_out(model, rng, int(np.ceil(since_s[-1] * FPS)) + 2)
    acting = decode(rows, since_s, skeleton)
    R_local = acting.R_local.copy()
    R_local[:, MOVED[1:]] = _within(R_local[:, MOVED[1:]], model.lowest.numpy(), model.highest.numpy())
    R_local, pelvis = plant(R_local, acting.pelvis, acting.stands > 0.5, skeleton, times_s)
    pelvis[:, :2] -= (pelvis[:, :2].min(axis=0) + pelvis[:, :2].max(axis=0)) / 2
    rotvec = rotmat_to_rotvec(R_local).reshape(-1, 72)
    return Poses(rotvec[:, :3], rotvec[:, 3:], pelvis - skeleton.joints_rest[0])


def _within(turns: Floats, lowest: Floats, highest: Floats) -> Floats:
    """Rotations (T, J, 3, 3) whose axis-angle is held between two bounds (J, 3), rad."""
    return rotvec_to_rotmat(np.clip(rotmat_to_rotvec(turns), lowest, highest))


@lru_cache(maxsize=1)
def shipped_model() -> MotionModel:
    """The model in the package, in double precision: the same motion wherever it is made."""
    return load_model(weights.shipped(SYSTEM))


def load_model(path: Path) -> MotionModel:
    """A model that ``training`` wrote. Raises ``ChorosError`` if the file is none."""
    tensors, metadata = weights.load(path, SYSTEM)
    model = MotionModel(MotionModelConfig(**metadata["config"]))
    model.load_state_dict(tensors)
    return model.double().eval()


def model_metadata(config: MotionModelConfig) -> dict[str, Any]:
    """What the file of a model must say."""
    return {"system": SYSTEM, "config": asdict(config)}
