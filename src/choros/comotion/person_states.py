"""The people of a frame as the network carries them, and the geometry that ties them to the picture.

Poses are rotation matrices and places are those of the pelvis: both are smooth where axis-angle and SMPL's
translation (pelvis of the shape at rest to pelvis in the room) are not. `PersonStates.params` says them in SMPL's
own way.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from choros.body import BodyModel, BodyParams
from choros.body.kinematics import forward_kinematics
from choros.body.standing import standing_rotations
from choros.camera import project, unproject
from choros.rotation import rotmat_to_columns, rotmat_to_rotvec

#: Nearer than this, or behind the camera, a point is seen as if it were this far, metres.
NEAR_M = 0.1


class PersonStates(NamedTuple):
    """N people in each of B frames; slots that are not ``present`` are padding, whatever they hold."""

    rotations: Tensor  # (B, N, 24, 3, 3) global_orient, then body_pose, each relative to its parent
    betas: Tensor  # (B, N, 10)
    pelvis_cam: Tensor  # (B, N, 3) metres
    hidden: Tensor  # (B, N, hidden_width), no numbers where the network has no hidden state
    present: Tensor  # (B, N) bool

    def cleaned(self) -> PersonStates:
        """The same with harmless numbers in the padding, so that nothing in it can reach anybody."""
        absent = ~self.present
        unturned = torch.eye(3, dtype=self.rotations.dtype, device=self.rotations.device)
        return PersonStates(
            torch.where(absent[..., None, None, None], unturned, self.rotations),
            self.betas.masked_fill(absent[..., None], 0),
            self.pelvis_cam.masked_fill(absent[..., None], 1),
            self.hidden.masked_fill(absent[..., None], 0),
            self.present,
        )

    def chosen(self, slots: Tensor) -> PersonStates:
        """Those in ``slots`` (M,), indices or a mask over N, in every frame: (B, M, ...)."""
        return PersonStates(*(part[:, slots] for part in self))

    def joined(self, others: PersonStates) -> PersonStates:
        """These, then ``others`` of the same frames."""
        return PersonStates(*(torch.cat(parts, 1) for parts in zip(self, others, strict=True)))

    def detached(self) -> PersonStates:
        """Cut off from the past but for the hidden state (paper 3, for training stability)."""
        return self._replace(
            rotations=self.rotations.detach(),
            betas=self.betas.detach(),
            pelvis_cam=self.pelvis_cam.detach(),
        )

    def params(self, body: BodyModel) -> BodyParams:
        """SMPL's parameters in the camera's axes, leading dimensions (B, N)."""
        axis_angle = rotmat_to_rotvec(self.rotations)
        pelvis_at_rest = body.rest_joints(self.betas)[..., 0, :]
        return BodyParams(
            axis_angle[..., 0, :], axis_angle[..., 1:, :].flatten(-2), self.betas,
            self.pelvis_cam - pelvis_at_rest,
        )  # fmt: skip

    def joints_cam(self, body: BodyModel) -> Tensor:
        """The 24 joints (B, N, 24, 3), metres, camera axes."""
        with torch.autocast(self.betas.device.type, enabled=False):  # millimetres need more than 8 bits
            rest = body.rest_joints(self.betas)
            _, shifts = forward_kinematics(self.rotations, rest)
            return rest - rest[..., :1, :] + shifts + self.pelvis_cam[..., None, :]


def standing_columns() -> Tensor:
    """`standing_rotations` as the numbers that networks add to, (24, 6)."""
    return rotmat_to_columns(standing_rotations())


def standing_joints(body: BodyModel) -> Tensor:
    """Where the joints of someone of mean shape are who stands so, (24, 3) metres about the pelvis."""
    rest = body.rest_joints(body.template.new_zeros(10))
    _, shifts = forward_kinematics(standing_rotations().to(rest), rest)
    return rest - rest[:1] + shifts


def standing_in_boxes(boxes_px: Tensor, height_m: float) -> tuple[Tensor, Tensor]:
    """Where people of ``height_m`` stand who fill their boxes (..., 4) xyxy px.

    Gives the pelvis in the image (..., 2) px, the middle of the box, and rho (...,) of `place_pelvis`.
    """
    low, high = boxes_px[..., :2], boxes_px[..., 2:]
    side_px = (high - low).amax(-1).clamp_min(1.0)
    return (low + high) / 2, (side_px / height_m).log()


def place_pelvis(pelvis_px: Tensor, rho: Tensor, K: Tensor) -> Tensor:
    """Equations 1 and 2: image point (..., 2) px and rho (...,) to camera axes (..., 3), metres.

    ``exp(rho)`` is proportional to inverse depth; being the focal length over the depth, it is how many pixels
    a metre takes there, and so is independent of K, (3, 3) or (..., 3, 3).
    """
    depth_m = K[..., 0, 0] / rho.exp()
    return unproject(pelvis_px, depth_m, K)


def pixels_per_metre(depth_m: Tensor, K: Tensor) -> Tensor:
    """rho of `place_pelvis` at depths (...,) metres."""
    return (K[..., 0, 0] / depth_m.clamp_min(NEAR_M)).log()


def project_safely(points_cam: Tensor, K: Tensor) -> Tensor:
    """Points (..., 3) to (..., 2) px, finite even at or behind the camera."""
    in_front = torch.cat([points_cam[..., :2], points_cam[..., 2:].clamp_min(NEAR_M)], -1)
    with torch.autocast(points_cam.device.type, enabled=False):
        return project(in_front, K)
