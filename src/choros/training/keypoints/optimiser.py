"""Adam whose steps are shares of what they change, for networks with normalisation folded into their convolutions.

The weights of such networks differ by orders of magnitude from channel to channel, which normalisation had evened out:
a step that suits one channel spoils another. Here a step is as large as the channel's own weights allow. (The idea of
Adafactor's relative steps, Shazeer and Stern 2018, section 8, channel by channel; the rest is Kingma and Ba 2015.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

#: Of a tensor's usual size: channels smaller than this learn as if they were as large.
LEAST = 0.1


class RelativeAdam(torch.optim.Optimizer):
    """``lr`` is a share of the root mean square of a channel's weights, of a bias's vector."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float] = (0.9, 0.99)
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step; ``closure`` is not asked."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)

    def _move(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        first, second = group["betas"]
        state["mean"].lerp_(gradient, 1 - first)
        state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        n = float(state["step"])
        spread = (state["square"] / (1 - second**n)).sqrt_().add_(1e-12)
        parameter.addcmul_(state["mean"] / spread, size_of(parameter), value=-group["lr"] / (1 - first**n))


def size_of(parameter: Tensor) -> Tensor:
    """Root mean square of the weights of each channel that comes out, or of all of a vector; never nearly 0."""
    usual = parameter.square().mean().sqrt().clamp_min(1e-6)
    if parameter.dim() < 2:
        return usual
    within = tuple(range(1, parameter.dim()))
    return parameter.square().mean(within, keepdim=True).sqrt().clamp_min(LEAST * usual)
