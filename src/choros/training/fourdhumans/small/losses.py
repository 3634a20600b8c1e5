"""The small HMR 2.0's loss: a mixture's likelihood of the errors of its hypotheses, and of what it says about them.

As the lifter's, for single pictures, and for people of whom only the picture is known: what is not posed counts less.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from choros.body import BodyModel, SkinnedPoints
from choros.body.hypotheses import Hypotheses
from choros.training.fourdhumans.small.recipe import SmallRecipe

#: Hands and toes, which nothing of the input shows, weigh so much of other joints.
_UNSEEN = 0.1


class SmallTargets(NamedTuple):
    """What is true of B people; K = 1."""

    rotations: Tensor  # (B, 24, 3, 3) local; the root's in camera axes
    betas: Tensor  # (B, 10)
    joints_cam: Tensor  # (B, 24, 3) metres
    keypoints: Tensor  # (B, 17, 3) on the plane z = 1, and how much each counts
    posed: Tensor  # (B,) how much all but the keypoints counts
    spread: Tensor  # (B,) of the reported keypoints on that plane


class Misses(NamedTuple):
    """By how much hypotheses are wrong."""

    error: Tensor  # (B, H) what is to be small, of all kinds together
    angle: Tensor  # (B, H, 24) rad
    joint: Tensor  # (B, H, 24) metres, about the pelvis
    log_depth: Tensor  # (B, H)


def misses(
    found: Hypotheses, truth: SmallTargets, body: BodyModel, coco: SkinnedPoints, recipe: SmallRecipe
) -> Misses:
    """Errors of all hypotheses of B people; ``coco`` are the ``body``'s keypoints."""
    apart = (found.rotations - truth.rotations[:, None]).square().sum((-1, -2))  # 8 sin^2(angle / 2)
    weight = torch.ones(24, device=apart.device)
    weight[0], weight[22:] = recipe.root_rotation, _UNSEEN
    turned = recipe.rotation * ((apart + 1e-4).sqrt() * weight).mean(-1)

    betas = found.betas[:, None].expand(-1, found.rotations.shape[1], -1)
    joints, keypoints = body.about_pelvis(found.rotations, betas, coco)
    joint = (joints - (truth.joints_cam - truth.joints_cam[:, :1])[:, None]).norm(dim=-1)

    spread, pelvis, true_pelvis = truth.spread[:, None], found.pelvis_cam, truth.joints_cam[:, None, 0]
    log_depth = pelvis[..., 2].clamp_min(0.1).log() - true_pelvis[..., 2].clamp_min(0.1).log()
    across = (_plane(pelvis) - _plane(true_pelvis)).abs().mean(-1) / spread
    known = truth.keypoints[:, None, :, 2]
    off = (_plane(keypoints + pelvis[..., None, :]) - truth.keypoints[:, None, :, :2]) / spread[
        ..., None, None
    ]
    shown = (known * off.clamp(-3, 3).abs().mean(-1)).sum(-1) / known.sum(-1).clamp_min(1)

    place = recipe.place * (log_depth.abs() + across)
    error = truth.posed[:, None] * (turned + recipe.joints * joint.mean(-1) + place)
    angle = 2 * torch.asin((apart.detach() / 8).clamp(0, 1).sqrt())
    return Misses(error + recipe.reprojection * shown, angle, joint, log_depth)


def mixture(log_chance: Tensor, error: Tensor, sharpness: float, shared: float) -> tuple[Tensor, Tensor]:
    """The likelihood -s log sum_h p_h exp(-e_h / s) of errors (B, H), mean over people, and who is to blame (B, H).

    The nearest learns, and its chance grows: a median of each mode, not the mean of all. A ``shared`` part of the
    errors is everybody's alike.
    """
    evidence = log_chance - error / sharpness
    likelihood = -sharpness * torch.logsumexp(evidence, -1)
    return ((1 - shared) * likelihood + shared * error.mean(-1)).mean(), evidence.detach().softmax(-1)


def losses(
    found: Hypotheses, truth: SmallTargets, body: BodyModel, coco: SkinnedPoints, recipe: SmallRecipe
) -> dict[str, Tensor]:
    """The terms that are summed: of the bodies, of their shape, and of how wrong they are said to be."""
    missed = misses(found, truth, body, coco, recipe)
    bodies, blame = mixture(found.log_chance, missed.error, recipe.sharpness, recipe.shared)
    shape = (truth.posed * (found.betas - truth.betas).square().mean(-1)).mean()
    # How wrong each is if it is the one, learned from how wrong it was: likelihoods of the errors as they are.
    nll = (0.5 * (missed.angle / found.std_rad).square() / 3 + found.std_rad.log()).clamp_max(20).mean(-1)
    nll = nll + (missed.joint.detach() / found.std_m + found.std_m.log()).clamp_max(20).mean(-1)
    depth = missed.log_depth.detach().abs() / found.std_log_depth + found.std_log_depth.log()
    said = (truth.posed * (blame * (nll + depth.clamp_max(20))).sum(-1)).mean()
    return {"bodies": bodies, "shape": recipe.betas * shape, "doubt": recipe.spread * said}


def _plane(points: Tensor) -> Tensor:
    """Points (..., 3) on the plane z = 1, (..., 2)."""
    return points[..., :2] / points[..., 2:].clamp_min(0.2)
