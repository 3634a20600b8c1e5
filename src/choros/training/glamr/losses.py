"""The losses of GLAMR's two CVAEs: reconstruction errors, and the KL divergence of posterior and prior."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from choros.glamr.egocentric import ego_to_global
from choros.glamr.network_inputs import joints_about_pelvis
from choros.rotation import columns_to_rotmat
from choros.training.glamr.mocap_windows import GappedPoses, WalkBatch, rest_joints
from choros.training.glamr.recipe import InfillerRecipe, TrajectoryRecipe


class Reconstruction(NamedTuple):
    """Output of a conditional variational autoencoder in training."""

    motion: Tensor  # (B, T, ...)
    divergence: Tensor  # () KL divergence of the posterior of the latent code from its prior, nats


def infiller_loss(
    found: Reconstruction, batch: GappedPoses, recipe: InfillerRecipe, context: int, share: float
) -> Tensor:
    """Equation 2, and the joints' error, over all frames after the ``context``.

    The divergence counts in full from half of the run on (``share``) and rises linearly before, so that the latent
    code is not ignored.
    """
    after = slice(context, None)
    error = pose_error(found.motion, batch.truth[:, after], batch.exists[:, after], recipe.joints)
    return error + min(1.0, 2 * share) * recipe.divergence * found.divergence


def pose_error(said: Tensor, truth: Tensor, exists: Tensor, joints: float) -> Tensor:
    """Squared error of columns (B, T, POSE) and, times ``joints``, of joints' places, over frames that ``exists``."""
    turned = (said - truth).square().sum(-1)
    at, true_at = joints_of(said), joints_of(truth)
    error = turned + joints * (at - true_at).square().sum((-1, -2))
    return (error * exists).sum() / exists.sum()


def joints_of(columns: Tensor) -> Tensor:
    """Joints (..., 24, 3) about the pelvis in its own axes, metres, of poses (..., POSE)."""
    return joints_about_pelvis(columns_to_rotmat(columns.unflatten(-1, (23, 6))), rest_joints())


def trajectory_loss(
    found: Reconstruction, batch: WalkBatch, recipe: TrajectoryRecipe, spread: Tensor
) -> Tensor:
    """Equation 8, both paths from the origin; rotations by their chord, which is their angle where they agree.

    Changes from frame to frame count by the ``spread`` (11,) of the egocentric trajectory's numbers.
    """
    origin = torch.zeros_like(batch.ego[:, 0, :3])
    (places, turned), (true_places, true_turned) = (
        ego_to_global(ego, origin) for ego in (found.motion, batch.ego)
    )
    error = (places - true_places).square().sum(-1) + 0.5 * (turned - true_turned).square().sum((-1, -2))
    change = ((found.motion - batch.ego)[:, 1:] / spread).square().sum(-1)
    return error.mean() + recipe.per_frame * change.mean() + recipe.divergence * found.divergence
