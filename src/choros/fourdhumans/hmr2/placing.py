"""From the weak camera of a crop to the camera of the picture, whatever its K.

The network answers as if each crop had a camera of its own that looks at its middle from so far away that depth hardly
matters: ``scale`` and shift are half a crop per metre, and metres. So it says where in the picture the body's points
are seen, and the body is put there: it is turned to the ray on which the crop lies, and moved to where its joints
come nearest to those pixels. With the release's own focal length, some twenty times the picture's longer side, that is
the release's formula; with the true K the body stands at its true distance, on the same pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from choros.body import BodyModel
from choros.body.kinematics import forward_kinematics
from choros.camera import intrinsics
from choros.crops import Crop, Floats
from choros.fourdhumans.hmr2.config import CROP, CROP_FOCAL_PX
from choros.fourdhumans.hmr2.decoder import CropBodies
from choros.rotation import rotmat_between

#: So that a scale of 0 divides nothing (release).
LEAST = 1e-9


class PlacedBodies(NamedTuple):
    """B people in the axes of the picture's camera, OpenCV's."""

    rotations: Tensor  # (B, 24, 3, 3) global_orient, then body_pose
    betas: Tensor  # (B, 10)
    transl: Tensor  # (B, 3) metres; the pelvis is at its rest place + transl
    joints_cam: Tensor  # (B, 24, 3) metres


def crop_translation(camera: Tensor) -> Tensor:
    """Weak cameras (..., 3) scale, x, y to where the body's origin is before the crop's camera, (..., 3) metres."""
    depth = 2 * CROP_FOCAL_PX / (CROP.size_px[0] * camera[..., :1] + LEAST)
    return torch.cat([camera[..., 1:], depth], -1)


def crop_pixels(points: Tensor, camera: Tensor) -> Tensor:
    """Points (B, P, 3), metres about the body's origin, where the crop shows them, (B, P, 2) px of the crop."""
    seen = points + crop_translation(camera)[:, None]
    middle = points.new_tensor(CROP.size_px) / 2
    return middle + CROP_FOCAL_PX * seen[..., :2] / seen[..., 2:]


def released_K(width: int, height: int) -> Floats:
    """K (3, 3) that the release assumes of every picture: 5000 / 256 of its longer side."""
    return intrinsics(width, height, focal_px=CROP_FOCAL_PX / CROP.size_px[0] * max(width, height))


def placed(bodies: CropBodies, crops: Crop, K: Floats, body: BodyModel) -> PlacedBodies:
    """The bodies that the network saw in B ``crops`` of a picture whose intrinsics are ``K`` (3, 3), px; on the CPU."""
    rest = body.rest_joints(bodies.betas)
    _, shifts = forward_kinematics(bodies.rotations, rest)
    joints_px = crops.from_crop(crop_pixels(rest + shifts, bodies.camera).double())
    rays = rays_of(crops, K).to(rest)
    about_pelvis = (rest - rest[:, :1] + shifts) @ rays.mT
    pelvis = places_on_pixels(about_pelvis.double(), joints_px, torch.from_numpy(K)).to(rest)
    rotations = torch.cat([rays[:, None] @ bodies.rotations[:, :1], bodies.rotations[:, 1:]], 1)
    return PlacedBodies(rotations, bodies.betas, pelvis - rest[:, 0], about_pelvis + pelvis[:, None])


def rays_of(crops: Crop, K: Floats) -> Tensor:
    """The turns (B, 3, 3) from looking ahead to looking at the middle of each crop of a picture."""
    middles = crops.from_shares(np.full((len(crops.corner_px), 2), 0.5)[:, None])[:, 0]
    rays = np.linalg.inv(K) @ np.concatenate([middles, np.ones_like(middles[:, :1])], -1)[..., None]
    ahead = np.array([0.0, 0.0, 1.0])
    return torch.from_numpy(np.stack([rotmat_between(ahead, ray) for ray in rays[..., 0]]))


def places_on_pixels(points: Tensor, points_px: Tensor, K: Tensor) -> Tensor:
    """What to move points (B, P, 3) metres by, (B, 3), to see them as near as can be to (B, P, 2) px by a K (3, 3).

    Each point says of its place X + t that f (X + t)_xy = (px - c) (X + t)_z, linear in t: least squares, float64.
    """
    at = (torch.linalg.inv(K) @ torch.cat([points_px, torch.ones_like(points_px[..., :1])], -1)[..., None])[
        ..., 0
    ]
    # In units of the focal length: t_xy - at_xy t_z = at_xy X_z - X_xy.
    ahead = torch.eye(2, dtype=points.dtype, device=points.device).expand(*points.shape[:-1], 2, 2)
    sides = torch.cat([ahead, -at[..., :2, None]], -1).flatten(1, 2)  # (B, 2 P, 3)
    wanted = (at[..., :2] * points[..., 2:] - points[..., :2]).flatten(1, 2)
    return torch.linalg.lstsq(sides, wanted[..., None]).solution[..., 0]
