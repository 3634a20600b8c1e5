"""The learned half of the lift: COCO-17 keypoints of one person over time -> likely SMPL poses, shapes and places.

A recurrent residual network, causal, one hidden state a person; it looks at the keypoints from a camera
turned to face them, and answers with several likely bodies (`choros.body.hypotheses`). Of each it also says how far off
every rotation and joint probably is; ``lift.py`` fits them to the keypoints and chooses.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from choros.body.hypotheses import (
    N_INPUTS,
    N_OF_EACH,
    Hypotheses,
    PersonView,
    hypotheses_of,
    upright_columns,
)
from choros.layers.perceptron import ResidualBlock


@dataclass(frozen=True)
class LifterConfig:
    """Sizes of the network. ``min_std_rad`` and ``min_std_m`` are the least errors it may claim."""

    width: int = 384
    expansion: int = 2
    blocks: int = 2  # before the recurrence, and as many after it
    hypotheses: int = 6
    min_std_rad: float = 0.03
    min_std_m: float = 0.01


class Lifter(nn.Module):
    """Keypoints in a person's view and their hidden state -> ``Hypotheses`` and the next hidden state."""

    def __init__(self, config: LifterConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LifterConfig()
        width = config.width
        self.into = nn.Linear(N_INPUTS, width)
        self.before = nn.Sequential(*[ResidualBlock(width, config.expansion) for _ in range(config.blocks)])
        self.memory = nn.GRU(width, width, batch_first=True)
        self.after = nn.Sequential(*[ResidualBlock(width, config.expansion) for _ in range(config.blocks)])
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, config.hypotheses * N_OF_EACH + 10)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)
        self.rest: Tensor
        self.register_buffer("rest", upright_columns())

    def forward(self, view: PersonView, hidden: Tensor) -> tuple[Hypotheses, Tensor]:
        """``view`` (B, T, ...) frames of B people; ``hidden`` (B, width), zero for a new person."""
        x = self.before(self.into(view.inputs))
        recalled, last = self.memory(x, hidden[None].contiguous())
        y = self.out(self.norm(self.after(x + recalled)))
        betas, each = y[..., :10], y[..., 10:].unflatten(-1, (self.config.hypotheses, N_OF_EACH))
        config = self.config
        return hypotheses_of(betas, each, self.rest, view, config.min_std_rad, config.min_std_m), last[0]
