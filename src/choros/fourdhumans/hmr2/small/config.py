"""Every number of the small HMR 2.0's network. None is of the paper, whose network is fifty times as large."""

from __future__ import annotations

from dataclasses import dataclass, field

from choros.backbones.movenet import HEADS, PYRAMID, WIDTHS
from choros.crops import CropSpec
from choros.fourdhumans.hmr2.config import DecoderConfig
from choros.skeleton import COCO17

#: Of a person: MoveNet's own, which its trunk was taught with; blurred before it shrinks much, as HMR 2.0's.
CROP = CropSpec((192, 192), 1.25, antialias="gaussian")

#: Limbs whose middles are looked at too: how near a limb is shows along it.
_LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
LIMBS = tuple(
    (COCO17.index(f"{side}_{upper}"), COCO17.index(f"{side}_{lower}"))
    for upper, lower in _LIMBS
    for side in ("left", "right")
)
N_POINTS = len(COCO17) + len(LIMBS)

#: Of the trunk's answers those that are heatmaps, and all features of its other maps.
N_HEATMAPS = HEADS["heatmap"]
N_FEATURES = N_HEATMAPS + PYRAMID[3] + WIDTHS["multipose"][3] + WIDTHS["multipose"][5] + PYRAMID[0]


def _decoder() -> DecoderConfig:
    return DecoderConfig(context_width=128, width=256, layers=3, heads=8, head_width=32, mlp_width=512)


@dataclass(frozen=True)
class SmallConfig:
    """Sizes of the network; the first six are the lifter's, with whose weights it begins."""

    width: int = 384
    expansion: int = 2
    blocks: int = 2  # before and after the gate
    hypotheses: int = 6
    min_std_rad: float = 0.03
    min_std_m: float = 0.01
    bottleneck: int = 48  # numbers that are left of the features at a point
    noise: float = 0.3  # on each of them while it learns, of their spread
    unseen: float = 0.15  # share of the points whose features are left out while it learns
    blind: float = 0.1  # share of the people of whom all are
    decoder: DecoderConfig = field(default_factory=_decoder)

    @classmethod
    def of(cls, sizes: dict[str, object]) -> SmallConfig:
        """From what a file's metadata say. Raises ``TypeError`` for other names."""
        numbers = dict(sizes)
        decoder = numbers.pop("decoder")
        if not isinstance(decoder, dict):
            raise TypeError("the sizes of the decoder are no names and numbers")
        return cls(decoder=DecoderConfig(**decoder), **numbers)  # type: ignore[arg-type]
