"""Checkpoints: everything a run needs to go on exactly where it stopped, in one safetensors file.

It holds the weights of the network and of its slow average, the optimiser's moments, and as JSON in the metadata what
it is and the step; no code, as all our files. There is no state of random generators: what a step draws follows from
the run's seed and the step (`choros.seeding`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from choros import weights
from choros.errors import ChorosError


@dataclass
class TrainingState:
    """What a run has come to: all that changes from step to step."""

    network: nn.Module
    average: nn.Module  # the slow average of the network's weights, which ships
    optimiser: torch.optim.Optimizer
    step: int = 0  # steps taken
    seed: int | None = None  # of the run; None where a checkpoint of an older choros does not tell

    @classmethod
    def begin(cls, network: nn.Module, optimiser: torch.optim.Optimizer, step: int = 0) -> TrainingState:
        """A run that begins, or goes on from weights that know nothing of the optimiser, after ``step`` steps."""
        return cls(network, copy.deepcopy(network).requires_grad_(False).eval(), optimiser, step)


def save_checkpoint(path: Path, system: str, state: TrainingState, without: Sequence[str] = ()) -> None:
    """Write the run of ``system`` as it stands; the file appears whole or not at all.

    Weights whose names begin as ``without`` says are left out: they are still as the network was made.
    """
    tensors: dict[str, Tensor] = {}
    for prefix, module in (("model", state.network), ("average", state.average)):
        tensors |= {
            f"{prefix}.{name}": tensor
            for name, tensor in module.state_dict().items()
            if not name.startswith(tuple(without))
        }
    for index, moments in state.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": torch.as_tensor(value) for name, value in moments.items()}
    about = {"system": f"{system}-checkpoint", "step": state.step} | (
        {"without": list(without)} if without else {}
    )
    weights.save(path, tensors, about if state.seed is None else about | {"seed": state.seed})


def load_checkpoint(path: Path, system: str, state: TrainingState) -> None:
    """Put ``state`` to where ``save_checkpoint`` found it.

    Raises ``ChorosError`` if the file is no checkpoint of ``system``, or of another network or seed than the run's.
    """
    tensors, metadata = weights.load(path, f"{system}-checkpoint")
    seed = metadata.get("seed")
    if None not in (seed, state.seed) and seed != state.seed:
        raise ChorosError(
            f"{path} is of a run with --seed {seed}, not {state.seed}; give that seed to go on, or another output."
        )
    try:
        for prefix, module in (("model", state.network), ("average", state.average)):
            missing, unknown = module.load_state_dict(_below(prefix, tensors), strict=False)
            left_out = tuple(metadata.get("without", ()))
            if unknown or any(not name.startswith(left_out) for name in missing):
                raise KeyError(f"{prefix}: {len(missing)} tensors missing, {len(unknown)} unknown")
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _below("optimiser", tensors).items():
            index, moment = name.split(".")
            moments.setdefault(int(index), {})[moment] = tensor
        state.step = int(metadata["step"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise ChorosError(
            f"{path} is of a run of another network or another version of choros; give the options that it was begun "
            "with, or another output."
        ) from error
    state.optimiser.load_state_dict(state.optimiser.state_dict() | {"state": moments})


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix`` and a dot, without it."""
    start = f"{prefix}."
    return {name[len(start) :]: tensor for name, tensor in tensors.items() if name.startswith(start)}
