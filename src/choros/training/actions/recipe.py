"""The training of the network that tells actions in numbers: those of LART's authors (lart.yaml, launch scripts)."""

from __future__ import annotations

from dataclasses import dataclass

from choros.training.loop import LoopConfig


@dataclass(frozen=True)
class ActionRecipe(LoopConfig):
    """A run on tracklets. Losses are means over tokens that somebody labelled."""

    steps: int = 690_000  # 30 epochs of 1.5 million tracklets by 64
    batch: int = 64  # 8 on each of 8 GPUs
    lr: float = 2e-4  # 1e-4 for 256 windows, and 64 x 8
    warmup: float = 5 / 30  # share of the steps
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.95)
    clip_norm: float = 2.0
    ema: float = 0.9999
    masked: float = 0.4  # share of the tokens with a detection that are hidden
    #: Learning rate of each layer, as a share of that of the layer after it; 1: all alike.
    layer_decay: float = 1.0
    people_only: bool = False  # learn from labels that people gave, without the backbone's
    actions: float = 10.0
    pose: float = 0.0  # of sums of squares over rotations and betas; the released run has neither
    place: float = 0.0


ACTION_RECIPES = {
    "train": ActionRecipe(),
    #: On AVA alone: 10 epochs are ours, for its authors do not say.
    "fine-tune": ActionRecipe(steps=33_000, lr=7e-4, masked=0.0, layer_decay=0.95, people_only=True),
}
