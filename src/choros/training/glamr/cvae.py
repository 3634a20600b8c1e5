"""The loop that trains GLAMR's networks on captured motion, and those they are compared with: one thread, resumable.

Everything a step needs follows from the seed, the step and the last checkpoint, so a run that was stopped and
resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from choros import weights
from choros.training.checkpoint import load_checkpoint, save_checkpoint
from choros.training.schedule import follow, risen_and_fallen, set_rate


@dataclass(frozen=True)
class Pace:
    """How a run goes on, whatever it learns."""

    steps: int
    seed: int = 1
    lr: float = 1e-3
    warmup: int = 100
    clip_norm: float = 5.0  # appendices C and D
    ema: float = 0.995
    checkpoint_every: int = 250


def train(
    network: nn.Module,
    loss_of: Callable[[np.random.Generator, float], Tensor],
    output: Path,
    pace: Pace,
    metadata: dict[str, Any],
    report: Callable[[dict[str, Any]], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> nn.Module:
    """Train and write ``output`` (safetensors, half precision) with the average of the weights; returns that.

    ``loss_of`` gives the loss of a batch that it draws at a share of the run, 0 to 1; what else is random in it,
    noise and dropout, comes from torch's generator. ``metadata`` names the "system". A checkpoint stands beside
    the output as ``output.checkpoint``; if there is one, training goes on from it. ``report`` is told of every step and
    its loss; ``stop`` is asked after each, and once it says so the run is kept in the checkpoint and ends without
    ``output``.
    """
    average = copy.deepcopy(network)
    optimiser = torch.optim.Adam(network.parameters(), lr=pace.lr)
    modules = {"model": network, "average": average}
    checkpoint = output.with_name(output.name + ".checkpoint")
    system = metadata["system"]
    step = load_checkpoint(checkpoint, system, modules, optimiser) if checkpoint.is_file() else 0
    network.train()
    while step < pace.steps:
        set_rate(optimiser, risen_and_fallen(pace.lr, step, pace.steps, pace.warmup))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(pace.seed * 1_000_003 + step)
            loss = loss_of(np.random.default_rng([pace.seed, step]), step / pace.steps)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), pace.clip_norm)
        optimiser.step()
        step += 1
        follow(average, network, pace.ema, step)
        report({"step": step, "steps": pace.steps, "loss": loss.item()})
        stopped = stop()
        if step % pace.checkpoint_every == 0 or step == pace.steps or stopped:
            save_checkpoint(checkpoint, system, modules, optimiser, step)
        if stopped and step < pace.steps:
            return average.eval()
    about = metadata | {"steps": pace.steps, "seed": pace.seed}
    weights.save(output, {name: tensor.half() for name, tensor in average.state_dict().items()}, about)
    return average.eval()
