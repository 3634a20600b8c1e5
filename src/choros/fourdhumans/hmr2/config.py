"""Every number of HMR 2.0's network, with its source.

"Paper" is 4DHumans' text and supplement (S), "release" the code and files that its authors published. Where they
differ, the release's sizes are taken, since people own those files; what the paper says stands beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from choros.backbones.vit import SIZES, VitConfig
from choros.crops import CropSpec

#: Of a person: a square of their box, widened first to the shape that the encoder sees (release).
CROP = CropSpec((256, 256), 1.0, widened_to=(192, 256), antialias="gaussian")

#: Focal length of the crop's camera in px of the crop (release): 3 degrees wide, almost without perspective.
CROP_FOCAL_PX = 5000.0


@dataclass(frozen=True)
class DecoderConfig:
    """A transformer that looks at image tokens with one token for the person (paper 3.2)."""

    context_width: int = 1280  # S.1: of an image token
    width: int = 1024  # release; S.1 says 2048
    layers: int = 6  # S.1: of self-attention, cross-attention and perceptron
    heads: int = 8  # S.1
    head_width: int = 64  # S.1
    mlp_width: int = 1024  # S.1
    # Times that an answer is added to the last one. The release's default is one pass, and so is the paper's.
    ief_iters: int = 1
    # What the query is made from: "zero", hence from what was learned alone (paper 3.2), or the estimate so far, as in
    # HMR's iterative feedback (release's option "mean_shape"). Only the latter can answer otherwise the second time.
    query: Literal["zero", "estimate"] = "zero"

    def __post_init__(self) -> None:
        if self.ief_iters > 1 and self.query == "zero":
            raise ValueError("a query of zeros answers every time alike; iterate with the estimate as query")


@dataclass(frozen=True)
class Hmr2Config:
    """HMR 2.0 as released."""

    encoder: VitConfig = field(default_factory=lambda: SIZES["huge"])  # S.1: ViT-H/16
    decoder: DecoderConfig = DecoderConfig()
