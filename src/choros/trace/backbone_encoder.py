"""Frames to features and flow at paper scale: HRNet-W32 and RAFT, with the pictures made as the release makes them.

A frame is padded to a square with white and resized to 512 px by cubic interpolation, without an area filter: that is
what the released networks learned from. RAFT goes from the last square to this one, 20 times, and its full-size flow is
brought to the maps' size in eighths of a pixel (release).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from choros.backbones.hrnet import HrNet
from choros.backbones.raft import Raft
from choros.crops import Letterbox
from choros.devices import autocast
from choros.trace.config import TraceConfig
from choros.trace.encoders import EncodedFrame

#: Release: corrections of the flow, and what it is divided by.
FLOW_ITERATIONS, FLOW_UNIT_PX = 20, 8
WHITE = 255


@dataclass(frozen=True)
class PaddedSquare(Letterbox):
    """A `Letterbox` whose image is padded by whole pixels first and resized then, as the release does."""

    @property
    def left_px(self) -> float:
        """Where the image's left edge lies in the square."""
        return max(self.height - self.width, 0) // 2 * self.scale

    @property
    def top_px(self) -> float:
        """Where the image's upper edge lies in the square."""
        return max(self.width - self.height, 0) // 2 * self.scale

    def cut(self, image: NDArray[np.uint8], border: int = WHITE) -> NDArray[np.uint8]:
        """Image (height, width, 3) to the square, (size, size, 3), ``border`` around it."""
        long_side = max(self.width, self.height)
        square = np.full((long_side, long_side, 3), border, np.uint8)
        top, left = max(self.width - self.height, 0) // 2, max(self.height - self.width, 0) // 2
        square[top : top + self.height, left : left + self.width] = image
        return np.asarray(cv2.resize(square, (self.size, self.size), interpolation=cv2.INTER_CUBIC), np.uint8)


class BackboneEncoder:
    """A `choros.trace.encoders.FrameEncoder`: HRNet-W32 for features, RAFT for flow, on the device that they are on.

    With ``lower`` both are computed in that precision where it is safe, and told in single precision.
    """

    def __init__(
        self,
        config: TraceConfig,
        image_backbone: HrNet,
        motion_backbone: Raft,
        lower: torch.dtype | None = None,
    ) -> None:
        self.config, self.lower = config, lower
        self.image_backbone, self.motion_backbone = image_backbone.eval(), motion_backbone.eval()
        self.device: torch.device = next(image_backbone.parameters()).device

    def place(self, width: int, height: int) -> PaddedSquare:
        """The frame padded to a square and scaled to the network's."""
        return PaddedSquare(width, height, self.config.image_size_px)

    @torch.no_grad()
    def encode(self, image: NDArray[np.uint8]) -> EncodedFrame:
        """An image (height, width, 3) RGB."""
        square = self.place(image.shape[1], image.shape[0]).cut(image)
        with autocast(self.device.type, self.lower):
            (features,) = self.image_backbone(self._pictures(square) / 255)
        return EncodedFrame(features.float(), square)

    @torch.no_grad()
    def flow(self, before: EncodedFrame, now: EncodedFrame) -> Tensor:
        """From one frame to the next, (1, 2, map_size, map_size)."""
        with autocast(self.device.type, self.lower):
            moved = self.motion_backbone(
                self._pictures(before.picture), self._pictures(now.picture), FLOW_ITERATIONS
            )
        side = self.config.map_size
        full = interpolate(moved.full.float(), (side, side), mode="bilinear", align_corners=True)
        return full / FLOW_UNIT_PX

    def _pictures(self, square: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(square).to(self.device).permute(2, 0, 1)[None].float()
