"""Training of the motion model for scenes: windows of real motion, their principal components, flow matching.

Only motion of people on their feet who do not travel far is learned from; every window also mirrored, slower
and faster. As everywhere, a run that was stopped and resumed ends with the weights of one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from choros import weights
from choros.body.skeleton import PARENTS
from choros.datasets.mocap import MocapClip, resample
from choros.datasets.mocap.clip import activity
from choros.datasets.mocap.folder import open_body_rest
from choros.scenes.figure import Figure, Floats
from choros.scenes.motion_features import (
    FPS,
    MOVED,
    N_FEATURES,
    encode,
    mirrored,
    orthonormal,
    path,
)
from choros.scenes.motion_model import SYSTEM, Components, MotionModel, MotionModelConfig, model_metadata
from choros.training.checkpoint import load_checkpoint, save_checkpoint
from choros.training.schedule import follow, risen_and_fallen, set_rate


@dataclass(frozen=True)
class MotionTraining:
    """A run."""

    steps: int = 6000
    seed: int = 1
    batch: int = 384
    lr: float = 1e-3
    warmup: int = 200
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema: float = 0.998
    checkpoint_every: int = 500
    begin_rate: float = 0.12  # windows learned without their past, for how motions begin
    past_noise: float = 0.35  # at most, of the past's codes: what was generated is never quite real
    component_windows: int = 16384  # drawn for the principal components
    tempos: tuple[float, ...] = (0.85, 1.0, 1.18)
    lowest_pelvis: float = 0.55  # leg lengths: nobody lies or crawls
    largest_tilt_rad: float = 1.2
    travel: float = 1.4  # leg lengths at most within a window
    grounded: float = 0.5  # share of a window's rows in which a foot stands, at least


class Windows(NamedTuple):
    """All windows to learn from."""

    rows: Tensor  # (N, window, N_FEATURES) float32
    chance: Floats  # (N,) of each to be drawn


def open_figure() -> Figure:
    """The body that captured motion was retargeted to."""
    rest, sole_m = open_body_rest()
    return Figure(np.asarray(rest, np.float64), float(sole_m))


def windows_of(clips: Sequence[MocapClip], config: MotionModelConfig, run: MotionTraining) -> Windows:
    """Every window of the clips on which somebody is on their feet, at each tempo, and mirrored.

    Long activities are drawn less often than their length says: by its square root.
    """
    figure = open_figure()
    found: dict[str, list[Floats]] = {}
    for clip in clips:
        for tempo in run.tempos:
            rows = rows_of(clip, figure, tempo)
            for version in (rows, mirrored(rows)):
                for start in range(len(version) - config.window + 1):
                    window = version[start : start + config.window]
                    if usable(window, run):
                        found.setdefault(activity(clip.name), []).append(window.astype(np.float32))
    chance = np.concatenate([np.full(len(group), len(group) ** -0.5) for group in found.values()])
    rows = np.concatenate([np.stack(group) for group in found.values()])
    return Windows(torch.from_numpy(rows), chance / chance.sum())


def rows_of(clip: MocapClip, figure: Figure, tempo: float = 1.0) -> Floats:
    """A clip as rows (T, N_FEATURES), as if it had been performed ``tempo`` times as fast."""
    slow = resample(clip, FPS / tempo)
    rotvec = np.concatenate([slow.global_orient, slow.body_pose], axis=1).astype(np.float64)
    if len(rotvec) < 2:
        return np.zeros((0, N_FEATURES))
    R_local = Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    return encode(R_local, slow.transl + figure.joints_rest[0], figure)


def usable(window: Floats, run: MotionTraining) -> bool:
    """Whether in a window (n, N_FEATURES) somebody is on their feet and does not travel far."""
    up = window[:, 8]  # of the pelvis' own up axis
    travelled = np.linalg.norm(path(window)[1], axis=1).max()
    return bool(
        window[:, 3].min() > run.lowest_pelvis
        and up.min() > np.cos(run.largest_tilt_rad)
        and travelled < run.travel
        and window[:, -2:].max(axis=1).mean() >= run.grounded
    )


def feature_scale(figure: Figure) -> Floats:  # (N_FEATURES,)
    """How far each feature moves the body, in leg lengths: a joint counts by what hangs on it."""
    rest = figure.joints_rest
    hanging = np.zeros(24)
    for joint in range(1, 24):
        ancestor = PARENTS[joint]
        while ancestor >= 0:
            hanging[ancestor] = max(hanging[ancestor], float(np.linalg.norm(rest[joint] - rest[ancestor])))
            ancestor = PARENTS[ancestor]
    per_joint = np.repeat(hanging[list(MOVED)] + 0.1, 6)
    return np.concatenate([[1.2, 1.2, 0.4, 2.0], per_joint, [0.2, 0.2]])


@torch.no_grad()
def fit_components(components: Components, rows: Tensor, scale: Floats) -> None:
    """Set mean, basis and deviations of ``components`` to those of rows (N, n, N_FEATURES)."""
    components.scale.copy_(torch.as_tensor(scale))
    components.mean.copy_(rows.mean(0).flatten())
    centred = ((rows - rows.mean(0)) * components.scale).flatten(1).double()
    # NumPy's: torch's gives up on covariances of low rank on some processors.
    values, vectors = map(torch.from_numpy, np.linalg.eigh((centred.T @ centred / len(rows)).numpy()))
    n = len(components.std)
    components.basis.copy_(vectors[:, -n:].T.flip(0))
    components.std.copy_(values[-n:].flip(0).clamp_min(1e-8).sqrt())


def flow_loss(flow: nn.Module, codes: Tensor, noise: Tensor, time: Tensor, past: Tensor, known: Tensor,
              importance: Tensor) -> Tensor:  # fmt: skip
    """Flow matching with straight paths: the velocity from noise to codes (B, C) is their difference."""
    between = (1 - time) * noise + time * codes
    miss = flow(between, time, past, known) - (codes - noise)
    return (miss.square() * importance).mean()


def train(
    clips: Sequence[MocapClip],
    output: Path,
    run: MotionTraining,
    config: MotionModelConfig,
    metadata: dict[str, Any],
    report: Callable[[dict[str, Any]], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train and write ``output`` (safetensors, half precision).

    A checkpoint stands beside it as ``output.checkpoint``; if there is one, training goes on from it.
    ``report`` is told of every step and its loss; ``stop`` is asked after each, and once
    it says so the run is kept in the checkpoint and ends without ``output``.
    """
    torch.manual_seed(run.seed)
    windows = windows_of(clips, config, run)
    model, average = MotionModel(config), MotionModel(config)
    _prepare(model, windows, run)
    average.load_state_dict(model.state_dict())
    with torch.no_grad():
        codes = torch.cat([model.windows.encode(part) for part in windows.rows.split(4096)])
        pasts = torch.cat([model.pasts.encode(part[:, : config.past]) for part in windows.rows.split(4096)])
    importance = model.windows.std / model.windows.std.mean() + 0.1

    optimiser = torch.optim.AdamW(model.flow.parameters(), lr=run.lr, weight_decay=run.weight_decay)
    checkpoint = output.with_name(output.name + ".checkpoint")
    modules = {"model": model, "average": average}
    step = load_checkpoint(checkpoint, SYSTEM, modules, optimiser) if checkpoint.is_file() else 0
    while step < run.steps:
        set_rate(optimiser, risen_and_fallen(run.lr, step, run.steps, run.warmup))
        rng = np.random.default_rng([run.seed, step])
        drawn = torch.from_numpy(rng.choice(len(codes), run.batch, p=windows.chance))
        chance = torch.from_numpy(rng.random((run.batch, 3))).float()
        noise = torch.from_numpy(rng.normal(size=(run.batch, config.codes))).float()
        blur = torch.from_numpy(rng.normal(size=(run.batch, config.past_codes))).float()
        past = pasts[drawn] + run.past_noise * chance[:, :1] * blur
        known = (chance[:, 1:2] > run.begin_rate).float()
        loss = flow_loss(model.flow, codes[drawn], noise, chance[:, 2:], past, known, importance)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.flow.parameters(), run.clip_norm)
        optimiser.step()
        step += 1
        follow(average.flow, model.flow, run.ema, step)
        report({"step": step, "steps": run.steps, "loss": loss.item()})
        stopped = stop()
        if step % run.checkpoint_every == 0 or step == run.steps or stopped:
            save_checkpoint(checkpoint, SYSTEM, modules, optimiser, step)
        if stopped and step < run.steps:
            return
    tensors = {name: tensor.half() for name, tensor in average.state_dict().items()}
    about = {"steps": run.steps, "seed": run.seed, "windows": len(codes)}
    weights.save(output, tensors, model_metadata(config) | metadata | about)


@torch.no_grad()
def _prepare(model: MotionModel, windows: Windows, run: MotionTraining) -> None:
    """Principal components of a fair sample of the windows, and how far joints turn in all of them."""
    rng = np.random.default_rng([run.seed, 1 << 32])
    drawn = rng.choice(len(windows.rows), run.component_windows, p=windows.chance)
    sample = windows.rows[torch.from_numpy(drawn)]
    scale = feature_scale(open_figure())
    fit_components(model.windows, sample, scale)
    fit_components(model.pasts, sample[:, : model.config.past], scale)
    columns = windows.rows[:, 0, 4:-2].double().numpy().reshape(-1, len(MOVED), 2, 3)[:, 1:]
    rotvec = (
        Rotation.from_matrix(orthonormal(columns).reshape(-1, 3, 3)).as_rotvec().reshape(len(columns), -1, 3)
    )
    model.lowest.copy_(torch.as_tensor(rotvec.min(axis=0)))
    model.highest.copy_(torch.as_tensor(rotvec.max(axis=0)))
