"""Checkpoints: everything a run needs to go on exactly where it stopped, in one safetensors file.

It holds the weights of some modules by name, the optimiser's moments and the step; no code, as all our files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from choros import weights


def save_checkpoint(
    path: Path, system: str, modules: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer, step: int
) -> None:
    """Write the run of ``system`` as it stands after ``step`` steps."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in modules.items():
        tensors |= {f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": torch.as_tensor(value) for name, value in moments.items()}
    weights.save(path, tensors, {"system": f"{system}-checkpoint", "step": step})


def load_checkpoint(
    path: Path, system: str, modules: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer
) -> int:
    """Put modules and optimiser back to where ``save_checkpoint`` found them; returns the step.

    Raises ``ChorosError`` if the file is of another system.
    """
    tensors, metadata = weights.load(path, f"{system}-checkpoint")
    for prefix, module in modules.items():
        start = f"{prefix}."
        module.load_state_dict({k[len(start) :]: v for k, v in tensors.items() if k.startswith(start)})
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, index, moment = name.split(".")
            moments.setdefault(int(index), {})[moment] = tensor
    optimiser.load_state_dict(optimiser.state_dict() | {"state": moments})
    return int(metadata["step"])
