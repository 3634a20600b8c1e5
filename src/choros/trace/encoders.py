"""Frames to what TRACE's network looks at: image features, and how the picture moved since the frame before.

Each encoder puts a frame into the padded square in its own way (`Placement`), looks at it once, whoever is in it, and
keeps what the next frame's flow needs. Flow is x, y of each point's way from the last frame, in 1/64 of the square
(release: RAFT's cells); there is none in a first frame.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.backbones.movenet import MoveNetTrunk
from choros.backbones.trunk import COARSEST_PX, ImageTrunk, frozen
from choros.crops import Letterbox, Placement
from choros.errors import ChorosError
from choros.trace.config import TraceConfig
from choros.trace.flow import flow_picture, light_flow
from choros.trace.keypoints import blank_answers


class EncodedFrame(NamedTuple):
    """A frame that was looked at."""

    features: Tensor  # (1, input_channels, h, w)
    picture: NDArray[np.uint8]  # the square, or less of it, that flow is read from


class FrameEncoder(Protocol):
    """Pictures to features and flow, on the device that it was made for."""

    def place(self, width: int, height: int) -> Placement:
        """Where an image of this size, px, lies in the square."""
        ...

    def encode(self, image: NDArray[np.uint8]) -> EncodedFrame:
        """An image (height, width, 3) RGB."""
        ...

    def flow(self, before: EncodedFrame, now: EncodedFrame) -> Tensor:
        """From one frame to the next, (1, 2, map_size, map_size)."""
        ...


class AnswersEncoder:
    """A `FrameEncoder`: what MoveNet's frozen trunk answers, and OpenCV's dense inverse search for flow.

    ``rounded`` as of `choros.backbones.trunk.frozen`, whose first map the ``trunk`` has. Rows and columns of nothing
    but padding are not looked at: there, the answer is that nobody is.
    """

    def __init__(self, config: TraceConfig, trunk: ImageTrunk | None = None, rounded: bool = False) -> None:
        self.config = config
        self.trunk = frozen(MoveNetTrunk.pretrained(), rounded) if trunk is None else trunk

    def place(self, width: int, height: int) -> Letterbox:
        """The frame scaled to fit the square and centred in it."""
        return Letterbox(width, height, self.config.image_size_px)

    @torch.no_grad()
    def encode(self, image: NDArray[np.uint8]) -> EncodedFrame:
        """An image (height, width, 3) RGB."""
        box = self.place(image.shape[1], image.shape[0])
        square = box.cut(image)
        x0, y0, x1, y1 = box.content_px(COARSEST_PX)
        content = torch.from_numpy(square[y0:y1, x0:x1]).permute(2, 0, 1)[None].float() / 255
        answers = self.trunk(content)[0].float()
        stride = self.config.input_stride
        features = blank_answers(1, box.size // stride)
        features[..., y0 // stride : y1 // stride, x0 // stride : x1 // stride] = answers
        return EncodedFrame(features, flow_picture(square))

    def flow(self, before: EncodedFrame, now: EncodedFrame) -> Tensor:
        """From one frame to the next, (1, 2, map_size, map_size)."""
        config = self.config
        flow = light_flow(before.picture, now.picture, config.image_size_px, config.map_size)
        return torch.from_numpy(flow)[None]


def make_encoder(config: TraceConfig, rounded: bool = False) -> FrameEncoder:
    """The encoder that ``config`` names, with the weights that ship.

    Raises `ChorosError` for one that ships none; `choros.trace.released` reads those of the release.
    """
    if config.encoder != "movenet-answers":
        raise ChorosError(
            f'no weights of the image backbone "{config.encoder}" ship with choros; give the released files.'
        )
    return AnswersEncoder(config, rounded=rounded)
