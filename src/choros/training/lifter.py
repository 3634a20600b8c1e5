"""Training of the lifter: one readable loop on the CPU, resumable at any step.

Everything a step needs follows from the seed, the step and the last checkpoint, so a run that was stopped and
resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

import json
import time
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
from choros.lifter.network import Lift, Lifter, LifterConfig, look
from choros.training.checkpoint import load_checkpoint, save_checkpoint
from choros.training.lifter_data import Batch, Clip, ClipConfig, sample
from choros.training.pace import follow, risen_and_fallen, set_rate


@dataclass(frozen=True)
class LifterTraining:
    """A run. Weights of the losses are for metres, radians and shares of the keypoints' spread."""

    steps: int = 6500
    seed: int = 1
    lr: float = 1e-3
    warmup: int = 200
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    ema: float = 0.998
    checkpoint_every: int = 250
    rotation: float = 1.0
    root_rotation: float = 3.0
    joints: float = 6.0
    velocity: float = 2.0
    reprojection: float = 1.0
    place: float = 1.0
    betas: float = 0.03
    spread: float = 0.05  # of the three heads that say how large the errors are


def losses(lift: Lift, batch: dict[str, Tensor], rest: Tensor, run: LifterTraining) -> Tensor:
    """The weighted sum; ``rest`` (B, T, 24, 3) are the rest joints of the estimated shape."""
    difference = (lift.rotations - batch["rotations"]).square().sum((-1, -2))  # 8 sin^2(angle / 2)
    angle = 2 * torch.asin((difference.detach() / 8).clamp(0, 1).sqrt())
    per_joint = torch.ones(24)
    per_joint[0], per_joint[22:] = run.root_rotation, 0.1
    total = run.rotation * (difference * per_joint).mean()

    joints, true_joints = place_joints(lift.rotations, rest), batch["joints"] - batch["joints"][..., :1, :]
    miss = (joints - true_joints).norm(dim=-1)
    total = total + run.joints * miss.mean()
    moved = (joints[:, 1:] - joints[:, :-1]) - (true_joints[:, 1:] - true_joints[:, :-1])
    total = total + run.velocity * moved.norm(dim=-1).mean()

    pelvis, true_pelvis = lift.pelvis_cam, batch["joints"][..., 0, :]
    log_depth = pelvis[..., 2].clamp_min(0.1).log() - true_pelvis[..., 2].log()
    spread = batch["spread"][..., None]
    across = (
        pelvis[..., :2] / pelvis[..., 2:].clamp_min(0.1) - true_pelvis[..., :2] / true_pelvis[..., 2:]
    ) / spread
    total = total + run.place * (log_depth.abs().mean() + across.abs().mean())
    at = joints + pelvis[..., None, :]
    true_at = batch["joints"]
    flat, true_flat = (p[..., :2] / p[..., 2:].clamp_min(0.2) for p in (at, true_at))
    total = total + run.reprojection * ((flat - true_flat) / spread[..., None]).clamp(-3, 3).abs().mean()
    total = total + run.betas * (lift.betas - batch["betas"][:, None]).square().mean()

    # How wrong it is, learned from how wrong it was: likelihoods of the errors as they are.
    nll = (0.5 * (angle / lift.std_rad).square() / 3 + lift.std_rad.log()).clamp_max(20).mean()
    nll = nll + (miss.detach() / lift.std_m + lift.std_m.log()).clamp_max(20).mean()
    nll = (
        nll + (log_depth.detach().abs() / lift.std_log_depth + lift.std_log_depth.log()).clamp_max(20).mean()
    )
    return total + run.spread * nll


def place_joints(rotations: Tensor, rest: Tensor) -> Tensor:
    """Joints (..., 24, 3) about the pelvis, from local rotations (..., 24, 3, 3) and rest joints."""
    turned, places = [rotations[..., 0, :, :]], [torch.zeros_like(rest[..., 0, :])]
    for joint in range(1, 24):
        parent = PARENTS[joint]
        bone = rest[..., joint, :] - rest[..., parent, :]
        turned.append(turned[parent] @ rotations[..., joint, :, :])
        places.append(places[parent] + (turned[parent] @ bone[..., None])[..., 0])
    return torch.stack(places, -2)


def train(
    clips: Sequence[Clip],
    output: Path,
    run: LifterTraining,
    network: LifterConfig,
    data: ClipConfig,
    metadata: dict[str, Any],
    report: Callable[[dict[str, float]], None] = lambda _: None,
) -> None:
    """Train and write ``output`` (safetensors with the averaged weights and the pose prior).

    A checkpoint stands beside it as ``output.checkpoint``; if there is one, training goes on from it.
    ``report`` is told of the loss every 50 steps.
    """
    torch.manual_seed(run.seed)
    points = Points.of(BodyModel.load())
    model, average = Lifter(network), Lifter(network)
    average.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW(model.parameters(), lr=run.lr, weight_decay=run.weight_decay)
    checkpoint = output.with_name(output.name + ".checkpoint")
    modules = {"model": model, "average": average}
    step = load_checkpoint(checkpoint, "lifter", modules, optimiser) if checkpoint.is_file() else 0
    recent, began = [], time.monotonic()
    while step < run.steps:
        loss = _step(model, optimiser, sample(clips, points, data, run.seed, step), points, run, step)
        step += 1
        follow(average, model, run.ema, step)
        recent.append(loss)
        if step % 50 == 0:
            report({"step": step, "loss": float(np.mean(recent)), "seconds": time.monotonic() - began})
            recent = []
        if step % run.checkpoint_every == 0 or step == run.steps:
            save_checkpoint(checkpoint, "lifter", modules, optimiser, step)
    prior = pose_prior(clips)
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
    lift, _ = model(view, torch.zeros(B, model.config.width))
    template, dirs = _tensor(points.joint_template), _tensor(points.joint_dirs[..., :10])
    rest = template + torch.einsum("jcb,ntb->ntjc", dirs, lift.betas)
    loss = losses(lift, tensors, rest, run)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), run.clip_norm)
    optimiser.step()
    return loss.item()


def pose_prior(clips: Sequence[Clip]) -> dict[str, np.ndarray]:
    """Mean and precision root of the body poses of 21 joints, both sides alike; see ``PosePrior``."""
    from scipy.spatial.transform import Rotation

    from choros.body.skeleton import MIRROR_JOINTS

    poses = np.concatenate([clip.rotations[::10, 1:22] for clip in clips])
    rotvec = Rotation.from_matrix(poses.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 21, 3)
    mirrored = rotvec[:, np.array(MIRROR_JOINTS)[1:22] - 1] * [1, -1, -1]
    both = np.concatenate([rotvec, mirrored]).reshape(-1, 63)
    # Shrunk towards independent joints of a tenth of a radian: half an hour of motion is not all there is.
    covariance = np.cov(both.T) + 0.1**2 * np.eye(63)
    return {"mean": both.mean(0), "precision_root": np.linalg.cholesky(np.linalg.inv(covariance)).T}


def _tensor(array: Any) -> Tensor:
    return torch.as_tensor(np.asarray(array), dtype=torch.float32)


def write_log(path: Path) -> Callable[[dict[str, float]], None]:
    """A ``report`` that appends JSON lines to ``path``."""

    def report(record: dict[str, float]) -> None:
        with open(path, "a") as file:
            file.write(json.dumps(record) + "\n")

    return report
