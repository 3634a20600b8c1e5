"""Where a run puts its files: into a folder, or beside a file of weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

WEIGHTS = ".safetensors"


@dataclass(frozen=True)
class RunFiles:
    """The files of one run."""

    weights: Path  # as they would ship
    checkpoint: Path  # from which it goes on
    log: Path  # one JSON object a line
    samples: Path  # folder of pictures
    begun: Path  # what it was begun with, where a run keeps that

    @classmethod
    def of(cls, output: Path) -> RunFiles:
        """A name that ends in .safetensors, or a file, is that of the weights, the others beside it; else a folder."""
        if output.suffix == WEIGHTS or output.is_file():
            beside = ("checkpoint", "jsonl", "samples", "json")
            return cls(output, *(output.with_name(f"{output.name}.{what}") for what in beside))
        inside = (f"weights{WEIGHTS}", f"checkpoint{WEIGHTS}", "log.jsonl", "samples", "run.json")
        return cls(*(output / name for name in inside))

    def sheet(self, step: int) -> Path:
        """The picture of a step."""
        return self.samples / f"{step:07d}.png"
