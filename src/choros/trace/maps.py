"""The maps of a frame (TRACE): where people are in the picture and in depth, how they and the camera moved.

What a column of the picture holds is seen from above by convolutions along the columns, which tell what is at which
depth; the view from the front and the one from above make volumes, refined by one block each. A cell's x and y are
those of its corner, -1 to 1 over the square, and depths are those of `choros.trace.config.depth_scales`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from choros.trace.blocks import ColumnBlock, VolumeBlock, head, plane_blocks
from choros.trace.config import N_CAMERA, N_ROTATION, TraceConfig


class TraceMaps(NamedTuple):
    """What a frame says, B of them; heights of centres are 1 where a person is and about 0 elsewhere, unbounded."""

    centre: Tensor  # (B, H, W) people's centres in the picture
    centre_3d: Tensor  # (B, D, H, W) and in depth
    camera_3d: Tensor  # (B, 3, D, H, W) scale, y, x of who is there (`choros.trace.cameras`)
    motion: Tensor  # (B, 3, H, W) how camera's numbers changed since the last frame, seen from the front
    motion_3d: Tensor  # (B, 3, D, H, W) the same of who is there
    person: Tensor  # (B, C, H, W) what a person's pose and shape are regressed from
    camera_motion: Tensor  # (B, 3, H, W) how a person moved in the world, in camera's numbers
    rotation: Tensor  # (B, 6, H, W) what turns a person's rotation before the camera into that in the world
    inputs: Tensor  # (B, input_channels, h, w) the image features as they were given

    def frames(self, which: slice) -> TraceMaps:
        """Some of the B frames."""
        return TraceMaps(*(part[which] for part in self))


class BirdView(nn.Module):
    """Maps of a picture, seen from above: each column's cells together, then along the columns."""

    def __init__(self, config: TraceConfig, n_in: int, n_with: int, n_out: int) -> None:
        super().__init__()
        few, width = config.bird_features, config.bird_width
        self.squeeze = nn.Sequential(
            nn.Conv2d(n_in, few, 1), nn.BatchNorm2d(few), nn.ReLU(),
            nn.Conv2d(few, few, 3, padding=1), nn.BatchNorm2d(few), nn.ReLU(),
            nn.Conv2d(few, few, 1), nn.BatchNorm2d(few), nn.ReLU(),
        )  # fmt: skip
        self.columns = nn.Sequential(
            ColumnBlock((few + n_with) * config.map_size, width),
            ColumnBlock(width, width),
            ColumnBlock(width, n_out),
        )

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        """Features (B, n_in, H, W) and maps (B, n_with, H, W) to (B, n_out, W)."""
        return self.columns(torch.cat([maps, self.squeeze(features)], 1).flatten(1, 2))


class Detection(nn.Module):
    """Features to where people are."""

    def __init__(self, config: TraceConfig) -> None:
        super().__init__()
        self.depth = config.depth
        n_maps = 1 + 2 * N_CAMERA  # the centre, the camera's offsets, and as many that help from above
        self.front = head(config.features, config.width, config.detection_blocks, n_maps)
        # Release: a third part of what is seen from above is asked of nobody.
        self.above = BirdView(config, config.features, n_maps, 3 * config.depth)
        self.refine_centre = VolumeBlock(1)
        self.refine_camera = VolumeBlock(N_CAMERA)
        corner = torch.arange(config.map_size) / config.map_size * 2 - 1
        y, x = torch.meshgrid(corner, corner, indexing="ij")
        place = torch.stack([torch.zeros_like(y), y, x])[None, :, None]  # (1, 3, 1, H, W), scale, y, x
        self.register_buffer("place", place, persistent=False)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, C, H, W) to centres (B, H, W), centres in depth (B, D, H, W), cameras (B, 3, D, H, W)."""
        maps = self.front(features)
        centre, offset = maps[:, :1], maps[:, 1 : 1 + N_CAMERA]
        # What is seen from above teaches the centres nothing (release).
        above = self.above(features, torch.cat([centre.detach(), maps[:, 1:]], 1))
        depths, scales = above[:, : self.depth], above[:, self.depth : 2 * self.depth]
        volume = centre.detach() * depths[:, :, None]  # (B, D, H, W)
        centre_3d = self.refine_centre(volume[:, None])[:, 0]
        camera = (self.get_buffer("place") + offset[:, :, None]).repeat(1, 1, self.depth, 1, 1)
        camera[:, 0] = camera[:, 0] + scales[:, :, None]
        return centre[:, 0], centre_3d, self.refine_camera(camera)


class PersonMotion(nn.Module):
    """Features and flow to how people moved before the camera."""

    def __init__(self, config: TraceConfig) -> None:
        super().__init__()
        n_in = config.features + config.flow_channels
        self.front = head(n_in, config.width, config.motion_blocks, N_CAMERA)
        self.above = BirdView(config, n_in, N_CAMERA, config.depth)
        self.refine = VolumeBlock(N_CAMERA)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, C, H, W) to motion (B, 3, H, W) and that in depth (B, 3, D, H, W)."""
        motion = self.front(features)
        above = self.above(features, motion)
        return motion, self.refine(motion[:, :, None] + above[:, None, :, None])


class WorldMotion(nn.Module):
    """Features and flow to how people moved and are turned in the world."""

    def __init__(self, config: TraceConfig) -> None:
        super().__init__()
        n_in, width = config.features + config.flow_channels, config.width
        # Release: the blocks' last is the camera motion's own, and the rotation's begin where the others end.
        self.shared = plane_blocks(n_in, width, config.world_blocks - 1)
        self.motion = head(width, width, 1, N_CAMERA)
        self.rotation = head(width, width, config.rotation_blocks, N_ROTATION)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, C, H, W) to motion in the world (B, 3, H, W) and rotation (B, 6, H, W)."""
        shared = self.shared(features)
        return self.motion(shared), self.rotation(shared)


class MapHeads(nn.Module):
    """Temporal features, and flow beside them, to all maps."""

    def __init__(self, config: TraceConfig) -> None:
        super().__init__()
        n_in = config.features + config.flow_channels
        self.detection = Detection(config)
        self.motion = PersonMotion(config)
        self.person = plane_blocks(n_in, config.width, config.person_blocks)
        self.world = WorldMotion(config)

    def forward(self, features: Tensor, flow: Tensor | None, inputs: Tensor) -> TraceMaps:
        """Temporal features (B, C, H, W), flow (B, 2, H, W) for heads that take it, and ``inputs`` to be passed on.

        Flow is x, y of each point's way from the last frame, in 1/64 of the square (release: RAFT's cells).
        """
        centre, centre_3d, camera_3d = self.detection(features)
        moved = features if flow is None else torch.cat([flow, features], 1)
        motion, motion_3d = self.motion(moved)
        camera_motion, rotation = self.world(moved)
        person = self.person(moved)
        return TraceMaps(
            centre, centre_3d, camera_3d, motion, motion_3d, person, camera_motion, rotation, inputs
        )
