"""Training of the lifter: one readable loop on the CPU, resumable at any step.

Everything a step needs follows from the seed, the step and the last checkpoint, so a run that was stopped and
resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from choros import weights
from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.body.skeleton import PARENTS
from choros.lifter.lift import network_metadata
from choros.lifter.network import Hypotheses, Lifter, LifterConfig, look
from choros.training.checkpoint import load_checkpoint, save_checkpoint
from choros.training.lifter.batch import Batch, ClipConfig, sample
from choros.training.lifter.poses import Clip, poses
from choros.training.schedule import follow, risen_and_fallen, set_rate


@dataclass(frozen=True)
class LifterTraining:
    """A run. Weights of the errors are for metres, radians and shares of the keypoints' spread."""

    steps: int = 12000
    seed: int = 1
    lr: float = 1e-3
    warmup: int = 200
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    ema: float = 0.998
    checkpoint_every: int = 250
    rotation: float = 0.5
    root_rotation: float = 3.0
    joints: float = 6.0
    velocity: float = 2.0
    reprojection: float = 1.0
    place: float = 1.0
    betas: float = 0.03
    spread: float = 0.05  # of the three heads that say how large the errors are
    sharpness: tuple[float, float] = (
        1.0,
        0.08,
    )  # error by which one hypothesis beats another, at first and later
    sharpened_by: float = 0.25  # of the steps
    shared: float = 0.03  # of the blame that all hypotheses share alike, so that none dies


def losses(
    found: Hypotheses, batch: dict[str, Tensor], rest: Tensor, run: LifterTraining, sharpness: float
) -> Tensor:
    """The weighted sum; ``rest`` (B, T, 24, 3) are the rest joints of the estimated shape.

    Every hypothesis has an error e in each frame. The mixture's likelihood, -log sum_h p_h exp(-e_h / s), lets the
    nearest learn and its chance grow: a median of each mode, not the mean of all.
    """
    truth = batch["rotations"][..., None, :, :, :]
    difference = (found.rotations - truth).square().sum((-1, -2))  # 8 sin^2(angle / 2)
    angle = 2 * torch.asin((difference.detach() / 8).clamp(0, 1).sqrt())
    per_joint = torch.ones(24)
    per_joint[0], per_joint[22:] = run.root_rotation, 0.1
    error = run.rotation * ((difference + 1e-4).sqrt() * per_joint).mean(-1)  # (B, T, H)

    hypotheses = found.rotations.shape[-4]
    joints = place_joints(found.rotations, rest[..., None, :, :].expand(*rest.shape[:2], hypotheses, 24, 3))
    true_joints = (batch["joints"] - batch["joints"][..., :1, :])[..., None, :, :]
    miss = (joints - true_joints).norm(dim=-1)
    error = error + run.joints * miss.mean(-1)
    moved = (joints[:, 1:] - joints[:, :-1]) - (true_joints[:, 1:] - true_joints[:, :-1])
    jerk = run.velocity * moved.norm(dim=-1).mean(-1)  # (B, T - 1, H)
    error = torch.cat([error[:, :1], error[:, 1:] + jerk], 1)

    pelvis, true_pelvis = found.pelvis_cam, batch["joints"][..., None, 0, :]
    log_depth = pelvis[..., 2].clamp_min(0.1).log() - true_pelvis[..., 2].log()
    spread = batch["spread"][..., None, None]
    across = (
        pelvis[..., :2] / pelvis[..., 2:].clamp_min(0.1) - true_pelvis[..., :2] / true_pelvis[..., 2:]
    ) / spread
    error = error + run.place * (log_depth.abs() + across.abs().mean(-1))
    at, true_at = joints + pelvis[..., None, :], batch["joints"][..., None, :, :]
    flat, true_flat = (p[..., :2] / p[..., 2:].clamp_min(0.2) for p in (at, true_at))
    error = error + run.reprojection * ((flat - true_flat) / spread[..., None]).clamp(-3, 3).abs().mean(
        (-1, -2)
    )

    evidence = found.log_chance - error / sharpness
    likelihood = -sharpness * torch.logsumexp(evidence, -1)
    total = ((1 - run.shared) * likelihood + run.shared * error.mean(-1)).mean()
    total = total + run.betas * (found.betas - batch["betas"][:, None]).square().mean()

    # How wrong each is if it is the one, learned from how wrong it was: likelihoods of the errors as they are.
    blame = evidence.detach().softmax(-1)
    nll = (0.5 * (angle / found.std_rad).square() / 3 + found.std_rad.log()).clamp_max(20).mean(-1)
    nll = nll + (miss.detach() / found.std_m + found.std_m.log()).clamp_max(20).mean(-1)
    nll = nll + (log_depth.detach().abs() / found.std_log_depth + found.std_log_depth.log()).clamp_max(20)
    return total + run.spread * (blame * nll).sum(-1).mean()


#: The tree of joints by distance from the pelvis, parents of each: so that a tree takes nine products, not 23.
_LEVELS: list[tuple[list[int], list[int]]] = []
_depths = [0] * 24
for _joint in range(1, 24):
    _depths[_joint] = _depths[PARENTS[_joint]] + 1
for _depth in range(1, max(_depths) + 1):
    _level = [joint for joint in range(24) if _depths[joint] == _depth]
    _LEVELS.append((_level, [PARENTS[joint] for joint in _level]))


def place_joints(rotations: Tensor, rest: Tensor) -> Tensor:
    """Joints (..., 24, 3) about the pelvis, from local rotations (..., 24, 3, 3) and rest joints."""
    turned: list[Tensor] = [rotations[..., 0, :, :]] + [torch.empty(0)] * 23
    places: list[Tensor] = [torch.zeros_like(rest[..., 0, :])] + [torch.empty(0)] * 23
    for level, parents in _LEVELS:
        above = torch.stack([turned[parent] for parent in parents], -3)
        bone = rest[..., level, :] - rest[..., parents, :]
        local = above @ rotations[..., level, :, :]
        at = torch.stack([places[parent] for parent in parents], -2) + (above @ bone[..., None])[..., 0]
        for k, joint in enumerate(level):
            turned[joint], places[joint] = local[..., k, :, :], at[..., k, :]
    return torch.stack(places, -2)


def sharpness(run: LifterTraining, step: int) -> float:
    """How far errors must differ for one hypothesis to be blamed alone: from all alike to the nearest."""
    share = min(1.0, step / max(1.0, run.sharpened_by * run.steps))
    first, later = run.sharpness
    return float(first * (later / first) ** share)


def train(
    clips: Sequence[Clip],
    output: Path,
    run: LifterTraining,
    network: LifterConfig,
    data: ClipConfig,
    metadata: dict[str, Any],
    report: Callable[[dict[str, Any]], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train and write ``output`` (safetensors with the averaged weights and the pose prior).

    A checkpoint stands beside it as ``output.checkpoint``; if there is one, training goes on from it.
    ``report`` is told of every step and its loss; ``stop`` is asked after each, and once
    it says so the run is kept in the checkpoint and ends without ``output``.
    """
    torch.manual_seed(run.seed)
    points = Points.of(BodyModel.load())
    model, average = Lifter(network), Lifter(network)
    average.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW(model.parameters(), lr=run.lr, weight_decay=run.weight_decay)
    checkpoint = output.with_name(output.name + ".checkpoint")
    modules = {"model": model, "average": average}
    step = load_checkpoint(checkpoint, "lifter", modules, optimiser) if checkpoint.is_file() else 0
    while step < run.steps:
        loss = _step(model, optimiser, sample(clips, points, data, run.seed, step), points, run, step)
        step += 1
        follow(average, model, run.ema, step)
        report({"step": step, "steps": run.steps, "loss": loss})
        stopped = stop()
        if step % run.checkpoint_every == 0 or step == run.steps or stopped:
            save_checkpoint(checkpoint, "lifter", modules, optimiser, step)
        if stopped and step < run.steps:
            return
    prior = pose_prior(clips, data, run.seed)
    tensors = {name: tensor.half() for name, tensor in average.state_dict().items()}
    tensors |= {f"prior.{name}": torch.as_tensor(value) for name, value in prior.items()}
    about = network_metadata(network) | metadata | {"steps": run.steps, "seed": run.seed}
    weights.save(output, tensors, about)


def _step(
    model: Lifter,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    points: Points,
    run: LifterTraining,
    step: int,
) -> float:
    set_rate(optimiser, risen_and_fallen(run.lr, step, run.steps, run.warmup))
    B, T = batch.dt_s.shape
    tensors = {
        "rotations": _tensor(batch.rotations),
        "joints": _tensor(batch.joints_cam),
        "betas": _tensor(batch.betas),
    }
    view = look(_tensor(batch.keypoints), torch.eye(3).expand(B, T, 3, 3), _tensor(batch.dt_s))
    tensors["spread"] = view.spread
    found, _ = model(view, torch.zeros(B, model.config.width))
    template, dirs = _tensor(points.joint_template), _tensor(points.joint_dirs[..., :10])
    rest = template + torch.einsum("jcb,ntb->ntjc", dirs, found.betas)
    loss = losses(found, tensors, rest, run, sharpness(run, step))
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), run.clip_norm)
    optimiser.step()
    return loss.item()


def pose_prior(clips: Sequence[Clip], data: ClipConfig, seed: int) -> dict[str, np.ndarray]:
    """Mean and precision root of the body poses of 21 joints that training sees; see ``PosePrior``."""
    from scipy.spatial.transform import Rotation

    n = 4000
    seen, _ = poses(np.random.default_rng([seed, 2**32]), clips, n, 1, np.ones(n, int), data.variety)
    rotvec = Rotation.from_matrix(seen[:, 0, 1:22].reshape(-1, 3, 3)).as_rotvec().reshape(-1, 63)
    covariance = np.cov(rotvec.T) + 0.1**2 * np.eye(63)
    return {"mean": rotvec.mean(0), "precision_root": np.linalg.cholesky(np.linalg.inv(covariance)).T}


def _tensor(array: Any) -> Tensor:
    return torch.as_tensor(np.asarray(array), dtype=torch.float32)
