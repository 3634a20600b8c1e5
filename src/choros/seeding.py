"""Random numbers of networks: torch's generators begin at a seed inside a block, and nobody else notices.

Layers draw their first weights and their dropout from torch's own generators and take no other; this is the one place
where those are set. Whatever else is drawn, in training or by systems, has a generator of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Inside, torch's generators of the CPU and a CUDA ``device`` begin at ``seed``; afterwards they go on as ever."""
    gpus = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield
