"""People read from the maps: features where they are, and what regressors make of these (TRACE; numbers as released).

Rotations are six numbers, the first two columns interleaved row by row (`choros.rotation.interleaved_to_rotmat`), as
in the release and unlike elsewhere in choros.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from choros.trace.blocks import Regressor
from choros.trace.config import N_BODY_JOINTS, N_CAMERA, N_ROTATION, TraceConfig
from choros.trace.maps import TraceMaps

#: No rotation, interleaved.
STRAIGHT = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class PersonSamples(NamedTuple):
    """What the maps hold where N people are. A memory unit keeps ``feature`` of who is hidden later."""

    feature: Tensor  # (N, C) of which pose, shape and, with ``camera``, the camera are regressed
    camera: Tensor  # (N, 3) a first guess: scale, y, x
    score: Tensor  # (N,) height of the centre in depth
    motion: Tensor  # (N, 3) change of the camera's numbers since the last frame
    camera_motion: Tensor  # (N, 3) way in the world since the last frame, in the camera's numbers
    rotation: Tensor  # (N, 6) what turns the person into the world, added to the rotation before the camera


class PeopleAnswers(NamedTuple):
    """What the network says of N people; rotations interleaved, not yet made orthogonal."""

    pose6d: (
        Tensor  # (N, 24, 6) SMPL's joints; the first is the pelvis before the camera, the hands are straight
    )
    betas: Tensor  # (N, 10)
    camera: Tensor  # (N, 3) scale, y, x (`choros.trace.cameras`)
    motion: Tensor  # (N, 3) change of the camera's numbers since the last frame
    world_rotation6d: Tensor  # (N, 6) of the pelvis in the world, the first frame's camera axes
    world_motion: Tensor  # (N, 3) way in the world since the last frame, in the camera's numbers


def sample(maps: TraceMaps, places: Tensor, frames: Tensor | None = None) -> PersonSamples:
    """Maps read where people are.

    ``places`` (N, 3) are whole numbers, depth, y and x of their cells in the volume; ``frames`` (N,) says in which of
    the B maps, the first for all without it.
    """
    z, y, x = places.unbind(-1)
    b = torch.zeros_like(z) if frames is None else frames
    return PersonSamples(
        feature=maps.person[b, :, y, x],
        camera=maps.camera_3d[b, :, z, y, x],
        score=maps.centre_3d[b, z, y, x],
        motion=maps.motion_3d[b, :, z, y, x],
        camera_motion=maps.camera_motion[b, :, y, x],
        rotation=maps.rotation[b, :, y, x],
    )


class Regressors(nn.Module):
    """Features of people to SMPL's numbers and places."""

    def __init__(self, config: TraceConfig) -> None:
        super().__init__()
        n_in, width = config.person_features, config.regressor_width
        self.betas = config.betas
        self.pose = Regressor(n_in, width, N_BODY_JOINTS * N_ROTATION)
        # Release: the first of the two is asked of nobody, the second is the pelvis before the camera.
        self.rotations = Regressor(n_in, width, N_ROTATION, N_ROTATION)
        self.shape = Regressor(n_in, width, config.shape_numbers)
        self.translation = Regressor(n_in + N_CAMERA, width, N_CAMERA)

    def body(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, C) to pose (N, 24, 6) and betas (N, 10)."""
        root, pose = self.rotations(feature)[1], self.pose(feature)[0]
        straight = pose.new_tensor(STRAIGHT).repeat(len(pose), 2)
        pose6d = torch.cat([root, pose, straight], -1).unflatten(-1, (-1, N_ROTATION))
        return pose6d, self.shape(feature)[0][:, : self.betas]

    def camera(self, feature: Tensor, guess: Tensor) -> Tensor:
        """Features (N, C) and the maps' first guess (N, 3) to scale, y, x (N, 3)."""
        return self.translation(torch.cat([guess, feature], -1))[0]

    def forward(self, samples: PersonSamples) -> PeopleAnswers:
        """All that is known of people from one frame."""
        pose6d, betas = self.body(samples.feature)
        # Released: what the world adds teaches the rotation before the camera nothing.
        world = samples.rotation + pose6d[:, 0].detach()
        camera = self.camera(samples.feature, samples.camera)
        return PeopleAnswers(pose6d, betas, camera, samples.motion, world, samples.camera_motion)
