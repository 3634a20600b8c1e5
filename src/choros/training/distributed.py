"""Several processes that train one network: all take the same steps, the first alone writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
import torch.distributed as dist
from torch import nn


def rank() -> int:
    """The number of this process in the group of torch.distributed; 0 where there is none."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def average_losses(losses: Mapping[str, float], device: torch.device) -> dict[str, float]:
    """Their means over all processes, which have the same losses by name."""
    if not dist.is_initialized():
        return dict(losses)
    flat = torch.tensor([losses[name] for name in sorted(losses)], dtype=torch.float64, device=device)
    dist.all_reduce(flat)
    return dict(zip(sorted(losses), (flat / world()).tolist(), strict=True))


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """The mean over all processes; a parameter that this one did not use counts with zero."""
    if not dist.is_initialized():
        return
    parameters = list(parameters)
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = nn.utils.parameters_to_vector(gradients)
    dist.all_reduce(flat)
    flat /= world()
    for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
        parameter.grad = part.view_as(parameter)


def anyone(wish: bool) -> bool:
    """Whether any process wishes so: all of them stop after the same step."""
    if not dist.is_initialized():
        return wish
    wishes = [False] * dist.get_world_size()
    dist.all_gather_object(wishes, wish)
    return any(wishes)


def wait_for_all() -> None:
    """Go on when all processes have come here."""
    if dist.is_initialized():
        dist.barrier()
