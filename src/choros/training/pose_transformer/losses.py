"""The pose transformer's losses: what is measured, distances of joints and places, of masked tokens alone (S.4)."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from choros.body.kinematics import forward_kinematics
from choros.datasets.mocap.folder import open_body_rest
from choros.fourdhumans.pose_tracks import JOINTS, MOVING, POSE
from choros.rotation import columns_to_rotmat
from choros.training.pose_transformer.recipe import PoseTransformerRecipe


@cache
def rest_joints() -> Tensor:
    """The open body's joints (24, 3), metres: those clips were retargeted to."""
    return torch.from_numpy(open_body_rest()[0]).float()


def joints_of(columns: Tensor) -> tuple[Tensor, Tensor]:
    """Joints (..., 24, 3) about the pelvis of (..., POSE) columns, metres: in its own axes, and turned as it is."""
    rotations = columns_to_rotmat(columns.unflatten(-1, (JOINTS, 6)))
    root = rotations[..., :1, :, :]
    rest = rest_joints().to(columns)
    unturned = torch.cat([torch.eye(3).to(root).expand_as(root), rotations[..., 1:, :, :]], -3)
    own = forward_kinematics(unturned, rest)[1] + rest - rest[:1]
    return own, own @ root[..., 0, :, :].mT


def completion_loss(
    said: Tensor, truth: Tensor, near_s: Tensor, recipe: PoseTransformerRecipe
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum, and its terms as they are, of tokens (M, TOKEN) that are ``near_s`` (M,) to what was seen."""
    (own, turned), (true_own, true_turned) = (joints_of(tokens[:, :POSE]) for tokens in (said, truth))
    terms = {
        "joints": (recipe.joints, _distance(own, true_own).mean(-1)),
        "oriented": (recipe.oriented, _distance(turned, true_turned).mean(-1)),
        "place": (recipe.place, _distance(said[:, POSE:MOVING], truth[:, POSE:MOVING])),
        "columns": (recipe.columns, (said - truth)[:, :POSE].square().sum(-1)),
        "shape": (recipe.shape, (said - truth)[:, MOVING:].square().mean(-1)),
    }
    counts = 1 / (1 + near_s / recipe.halved_s)
    counts = counts / counts.mean()
    total = sum(((weight * error * counts).mean() for weight, error in terms.values()), said.new_zeros(()))
    return total, {name: error.mean() for name, (_, error) in terms.items()}


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Lengths of (..., 3), metres, whose gradient is finite at zero: a millimetre is rounded."""
    return ((a - b).square().sum(-1) + 1e-6).sqrt() - 1e-3
