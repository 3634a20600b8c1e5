"""The lifter's losses: a mixture's likelihood of the errors of its hypotheses, and of what it says about them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from choros.body.hypotheses import Hypotheses
from choros.body.kinematics import forward_kinematics
from choros.training.lifter.recipe import LifterRecipe


class LifterTargets(NamedTuple):
    """What is true of B clips of T frames."""

    rotations: Tensor  # (B, T, 24, 3, 3) local; the root's in camera axes
    joints_cam: Tensor  # (B, T, 24, 3) metres
    betas: Tensor  # (B, 10)
    spread: Tensor  # (B, T) of the keypoints on the plane z = 1, as the network is told it


def losses(
    found: Hypotheses, truth: LifterTargets, rest: Tensor, recipe: LifterRecipe, sharpness: float
) -> Tensor:
    """The weighted sum; ``rest`` (B, T, 24, 3) are the rest joints of the estimated shape.

    Every hypothesis has an error e in each frame. The mixture's likelihood, -log sum_h p_h exp(-e_h / s), lets the
    nearest learn and its chance grow: a median of each mode, not the mean of all.
    """
    difference = (
        (found.rotations - truth.rotations[..., None, :, :, :]).square().sum((-1, -2))
    )  # 8 sin^2(angle / 2)
    angle = 2 * torch.asin((difference.detach() / 8).clamp(0, 1).sqrt())
    per_joint = torch.ones(24)
    per_joint[0], per_joint[22:] = recipe.root_rotation, 0.1
    error = recipe.rotation * ((difference + 1e-4).sqrt() * per_joint).mean(-1)  # (B, T, H)

    joints = place_joints(found.rotations, rest[..., None, :, :])
    true_joints = (truth.joints_cam - truth.joints_cam[..., :1, :])[..., None, :, :]
    miss = (joints - true_joints).norm(dim=-1)
    error = error + recipe.joints * miss.mean(-1)
    moved = (joints[:, 1:] - joints[:, :-1]) - (true_joints[:, 1:] - true_joints[:, :-1])
    jerk = recipe.velocity * moved.norm(dim=-1).mean(-1)  # (B, T - 1, H)
    error = torch.cat([error[:, :1], error[:, 1:] + jerk], 1)

    pelvis, true_pelvis = found.pelvis_cam, truth.joints_cam[..., None, 0, :]
    log_depth = pelvis[..., 2].clamp_min(0.1).log() - true_pelvis[..., 2].log()
    spread = truth.spread[..., None, None]
    across = (
        pelvis[..., :2] / pelvis[..., 2:].clamp_min(0.1) - true_pelvis[..., :2] / true_pelvis[..., 2:]
    ) / spread
    error = error + recipe.place * (log_depth.abs() + across.abs().mean(-1))
    at, true_at = joints + pelvis[..., None, :], truth.joints_cam[..., None, :, :]
    flat, true_flat = (p[..., :2] / p[..., 2:].clamp_min(0.2) for p in (at, true_at))
    error = error + recipe.reprojection * ((flat - true_flat) / spread[..., None]).clamp(-3, 3).abs().mean(
        (-1, -2)
    )

    evidence = found.log_chance - error / sharpness
    likelihood = -sharpness * torch.logsumexp(evidence, -1)
    total = ((1 - recipe.shared) * likelihood + recipe.shared * error.mean(-1)).mean()
    total = total + recipe.betas * (found.betas - truth.betas[:, None]).square().mean()

    # How wrong each is if it is the one, learned from how wrong it was: likelihoods of the errors as they are.
    blame = evidence.detach().softmax(-1)
    nll = (0.5 * (angle / found.std_rad).square() / 3 + found.std_rad.log()).clamp_max(20).mean(-1)
    nll = nll + (miss.detach() / found.std_m + found.std_m.log()).clamp_max(20).mean(-1)
    nll = nll + (log_depth.detach().abs() / found.std_log_depth + found.std_log_depth.log()).clamp_max(20)
    return total + recipe.spread * (blame * nll).sum(-1).mean()


def place_joints(rotations: Tensor, rest: Tensor) -> Tensor:
    """Joints (..., 24, 3) about the pelvis, from local rotations (..., 24, 3, 3) and rest joints."""
    _, shifts = forward_kinematics(rotations, rest)
    return rest - rest[..., :1, :] + shifts
