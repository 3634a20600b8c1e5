"""The keypoint network's training in numbers: how long, how fast, from whom, and how crops vary."""

from __future__ import annotations

from dataclasses import dataclass, field

from choros.training.loop import LoopConfig


@dataclass(frozen=True)
class CropVariety:
    """Ranges of what becomes of a person's crop; rates are shares of the crops."""

    scale: float = 0.22  # spread of the logarithm of the crop's size: boxes may be loose
    shift: float = 0.07  # spread, as a share of the box's longer side
    turn_rate: float = 0.6
    turn_deg: float = 25.0  # spread; 45 at most
    any_turn_rate: float = 0.3  # turned by any angle
    half_rate: float = 0.12  # shown the upper or the lower half alone
    coarse_rate: float = 0.25  # seen from far away
    coarse: tuple[float, float] = (1.3, 4.0)  # how many times fewer pixels
    jpeg_rate: float = 0.15
    jpeg: tuple[int, int] = (25, 80)
    cover_rate: float = 0.3  # partly behind a rectangle
    cover: tuple[float, float] = (0.12, 0.4)  # its sides over the crop's
    beside_rate: float = 0.3  # with somebody else pasted beside them
    beside: tuple[float, float] = (0.3, 0.85)  # how far, as a share of the crop's width
    beside_scale: tuple[float, float] = (0.75, 1.3)


@dataclass(frozen=True)
class KeypointRecipe(LoopConfig):
    """A run. What is learned from whom: shares of the crops, those of who is not given going to the others."""

    steps: int = 6000
    ema: float = 0.997
    bf16: bool = True
    log_every: int = 25
    checkpoint_every: int = 250
    sample_every: int = 250
    lr: float = 2e-3  # a step, as a share of the weights' size
    warmup: int = 100
    batch: int = 16
    frozen: int = 2  # stages of MobileNetV2, after the stem
    sigma: float = 2.0  # cells, of the Gaussians that are taught
    absent: float = 0.3  # weight of joints that are known not to be seen
    truth_share: float = 0.6
    taught_share: float = 0.25
    scenes_share: float = 0.15
    held_out: int = 10  # every so manieth picture with true joints is held back
    variety: CropVariety = field(default_factory=CropVariety)
