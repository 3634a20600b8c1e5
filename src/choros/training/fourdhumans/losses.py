"""The losses of HMR 2.0 (3.3), for the bodies of B crops at once.

As released: L1 in the picture, in shares of the crop, and about the pelvis in space, squared differences of rotation
matrices and betas, each a sum over a person's numbers; and the least-squares adversary. Here all are means over the
people of a batch, and weigh as the release's sums do with its batch. What a set does not tell has no loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import NamedTuple

import torch
from torch import Tensor

from choros.body import BodyModel, SkinnedPoints
from choros.fourdhumans.hmr2.config import CROP
from choros.fourdhumans.hmr2.decoder import CropBodies
from choros.fourdhumans.hmr2.placing import crop_pixels
from choros.training.fourdhumans.discriminator import PoseDiscriminator
from choros.training.fourdhumans.keypoints44 import PELVIS
from choros.training.fourdhumans.recipe import BATCH, LossWeights


class Targets(NamedTuple):
    """What is true of the people in B crops, as far as a set tells."""

    keypoints: Tensor  # (B, 44, 3) x, y in shares of the crop, -.5 to .5 inside; confidence
    joints: Tensor  # (B, 44, 4) metres, axes of the crop's camera, about anywhere; confidence
    rotations: Tensor  # (B, 24, 3, 3)
    betas: Tensor  # (B, 10) zeros where a set tells none, as release: the mean shape
    posed: Tensor  # (B,) 1 where the rotations are known, else 0


def body_losses(
    bodies: CropBodies, truth: Targets, body: BodyModel, points: SkinnedPoints
) -> dict[str, Tensor]:
    """Means over people, by the names of `LossWeights`; ``points`` are the 44 on the ``body``."""
    _, about = body.about_pelvis(bodies.rotations, bodies.betas, points)
    from_origin = about + body.rest_joints(bodies.betas)[:, :1]
    shares = crop_pixels(from_origin, bodies.camera) / CROP.size_px[0] - 0.5
    miss_2d = truth.keypoints[..., 2] * (shares - truth.keypoints[..., :2]).abs().sum(-1)
    joints = truth.joints[..., :3]
    apart = (about - about[:, PELVIS, None]) - (joints - joints[:, PELVIS, None])
    miss_3d = truth.joints[..., 3] * apart.abs().sum(-1)
    turned = (bodies.rotations - truth.rotations).square().sum((-1, -2))  # (B, 24)
    shape = (bodies.betas - truth.betas).square().sum(-1)
    return {
        "keypoints_2d": miss_2d.sum(-1).mean(),
        "keypoints_3d": miss_3d.sum(-1).mean(),
        "global_orient": (truth.posed * turned[:, 0]).mean(),
        "body_pose": (truth.posed * turned[:, 1:].sum(-1)).mean(),
        "betas": shape.mean(),
    }


def adversarial_losses(
    bodies: CropBodies, real_pose: Tensor, real_betas: Tensor, discriminator: PoseDiscriminator
) -> dict[str, Tensor]:
    """What is made up is to look real, and the discriminator is to tell; means over people of sums over 25 answers.

    The two are minimised in one step: from ``adversary`` the discriminator learns nothing, and from ``discriminator``
    alone it does. ``real_pose`` (R, 23, 3, 3) and ``real_betas`` (R, 10) are of people who were captured. The release
    divides by the batch where it draws twice as many real ones, which then count twice; here they count once.
    """
    made = bodies.rotations[:, 1:], bodies.betas
    fooled = discriminator.judged(*made)
    told = discriminator(*(part.detach() for part in made))
    told_real = discriminator(real_pose, real_betas)
    return {
        "adversary": (fooled - 1).square().sum(-1).mean(),
        "discriminator": told.square().sum(-1).mean() + (told_real - 1).square().sum(-1).mean(),
    }


def weighted(terms: Mapping[str, Tensor], weights: LossWeights) -> Tensor:
    """The sum that is minimised: as the release's with a batch of `BATCH`, whatever the batch is."""
    of_sums = {name: weight * BATCH for name, weight in asdict(weights).items()}
    of_sums |= {name: getattr(weights, name) for name in ("adversary", "discriminator")}
    return torch.stack([of_sums[name] * term for name, term in terms.items()]).sum()
