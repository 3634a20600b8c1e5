"""Several likely bodies of a person, as networks tell them that look at keypoints with the true K.

Keypoints tell nearer from farther badly, so a network answers with several likely bodies and the chance of each (a
mixture, as in mixture density networks: Bishop 1994; for poses Li and Lee, CVPR 2019) instead of their mean, which is
nobody's pose. `person_view` turns the camera to face a person, so that one network serves any K and any place in the
image; `hypotheses_of` reads the bodies from a network's numbers, back in the camera's axes. ``likely.py`` fits them to
the keypoints and chooses.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from choros.rotation import columns_to_rotmat, rotmat_to_columns

#: Below this, a keypoint's place says nothing.
MIN_CONFIDENCE = 0.05
#: Numbers of a view that a network is given.
N_INPUTS = 17 * 3 + 5
#: Numbers that a network gives for each hypothesis, of which the first are the two columns of 24 rotations.
_EACH = (24 * 6, 3, 24, 24, 1, 1)
N_OF_EACH = sum(_EACH)


class PersonView(NamedTuple):
    """Keypoints as a network sees them, and the way back to the camera."""

    inputs: Tensor  # (..., 56)
    R_camera_view: Tensor  # (..., 3, 3) turns the view's axes (z through the person) into the camera's
    centre: Tensor  # (..., 2) in the view's image plane at z = 1
    spread: Tensor  # (...,) rms distance of the keypoints from the centre, at z = 1


class Hypotheses(NamedTuple):
    """Likely bodies of a person, H of them, in the camera's axes."""

    rotations: Tensor  # (..., H, 24, 3, 3) global_orient, then body_pose
    betas: Tensor  # (..., 10) of all alike
    pelvis_cam: Tensor  # (..., H, 3) metres
    std_rad: Tensor  # (..., H, 24) expected error of each rotation, if it is this one
    std_m: Tensor  # (..., H, 24) expected error of each joint about the pelvis, if it is this one
    std_log_depth: Tensor  # (..., H) expected error of the logarithm of the depth
    log_chance: Tensor  # (..., H) that it is this one


def person_view(keypoints: Tensor, K: Tensor, dt_s: Tensor) -> PersonView:
    """Turn the camera towards each person and measure their keypoints there.

    ``keypoints`` (..., 17, 3) x_px, y_px, confidence; ``K`` (..., 3, 3) px; ``dt_s`` (...,) seconds since the
    person's previous frame, 0 on their first.
    """
    confidence = keypoints[..., 2].clamp(0, 1)
    shown = (confidence > MIN_CONFIDENCE).to(keypoints.dtype)
    weight = confidence**2 * shown + 1e-9
    weight = weight / weight.sum(-1, keepdim=True)
    focal = torch.stack([K[..., 0, 0], K[..., 1, 1]], -1)
    plane = (keypoints[..., :2] - K[..., None, :2, 2]) / focal[..., None, :]  # (..., 17, 2) at z = 1
    middle = (weight[..., None] * plane).sum(-2)

    rays = torch.cat([plane, torch.ones_like(plane[..., :1])], -1)
    axis = torch.cat([middle, torch.ones_like(middle[..., :1])], -1)
    R_camera_view = _turn_z_to(axis / axis.norm(dim=-1, keepdim=True))
    turned = rays @ R_camera_view  # rows times R is R^T times columns: camera axes to the view's
    turned = turned[..., :2] / turned[..., 2:].clamp_min(0.05)
    centre = (weight[..., None] * turned).sum(-2)
    offset = turned - centre[..., None, :]
    spread = (weight * offset.square().sum(-1)).sum(-1).sqrt().clamp_min(1e-4)

    relative = (offset / spread[..., None, None]).clamp(-6, 6) * shown[..., None]
    step = torch.stack([spread.log(), (dt_s > 0).to(dt_s.dtype), dt_s.clamp(0, 1) * 5], -1)
    inputs = torch.cat([relative.flatten(-2), confidence * shown, middle, step], -1)
    return PersonView(inputs, R_camera_view, centre, spread)


def upright_columns() -> Tensor:
    """What the first numbers of a hypothesis are added to, (144,): upright, facing the camera, at rest."""
    rest = torch.eye(3).repeat(24, 1, 1)
    rest[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # SMPL's y up, z forward in OpenCV's y down, z away
    return rotmat_to_columns(rest).flatten()


def hypotheses_of(
    betas: Tensor, each: Tensor, rest: Tensor, view: PersonView, min_std_rad: float, min_std_m: float
) -> Hypotheses:
    """The bodies that a network tells by ``betas`` (..., 10) and ``each`` (..., H, ``N_OF_EACH``), H hypotheses.

    ``rest`` (144,) is `upright_columns`; ``min_std_rad`` and ``min_std_m`` are the least errors that may be claimed.
    """
    pose6, place, std_rad, std_m, std_depth, chance = each.split(_EACH, -1)
    rotations = columns_to_rotmat((pose6 + rest).unflatten(-1, (24, 6)))
    R_camera_view = view.R_camera_view[..., None, :, :]  # the same for all hypotheses
    root = R_camera_view @ rotations[..., 0, :, :]
    rotations = torch.cat([root[..., None, :, :], rotations[..., 1:, :, :]], -3)

    # The spread of the keypoints in metres tells the depth; half a metre is where it starts.
    spread = view.spread[..., None, None]
    depth = 0.5 * place[..., 2:].exp() / spread
    across = view.centre[..., None, :] + place[..., :2] * spread
    pelvis = torch.cat([across, torch.ones_like(depth)], -1) * depth
    return Hypotheses(
        rotations,
        betas,
        (R_camera_view @ pelvis[..., None])[..., 0],
        softplus(std_rad - 1) + min_std_rad,
        softplus(std_m - 3) + min_std_m,
        softplus(std_depth[..., 0] - 2) + 0.01,
        chance[..., 0].log_softmax(-1),
    )


def _turn_z_to(axis: Tensor) -> Tensor:
    """The least rotation that carries the z axis to the unit vector ``axis`` (..., 3), axis z > -1."""
    x, y, z = axis.unbind(-1)
    k = 1 / (1 + z)
    rows = [1 - k * x * x, -k * x * y, x, -k * x * y, 1 - k * y * y, y, -x, -y, z]
    return torch.stack(rows, -1).reshape(*axis.shape[:-1], 3, 3)
