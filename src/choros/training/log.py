"""The log of a training run: one JSON object a line, and for TensorBoard if that is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from choros.errors import ChorosError
from choros.outputs import atomic_write


class Log:
    """Numbers of a run, appended to ``path``.

    Lines past ``step``, which a run that was killed has left behind its last checkpoint, are cut off; a run that
    begins anew begins its log anew. TensorBoard's curves go beside it: into ``tensorboard`` where the log has a folder
    to itself (``log.jsonl``), else into ``NAME.tensorboard``.
    """

    def __init__(self, path: Path, step: int, tensorboard: bool = False) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines(keepends=True) if path.exists() and step else []
        with atomic_write(path) as file:
            file.write("".join(line for line in lines if _step_of(line) <= step).encode())
        self._parts: list[Mapping[str, float]] = []
        board = path.parent / "tensorboard" if path.name == "log.jsonl" else path.with_suffix(".tensorboard")
        self._board: Any = check_tensorboard()(str(board), purge_step=step) if tensorboard else None

    def count(self, parts: Mapping[str, float]) -> None:
        """Numbers of one step, whose means the next line tells."""
        self._parts.append(parts)

    def write(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Add a line with a ``record`` and the means since the last one; returns all of it."""
        names = dict.fromkeys(name for parts in self._parts for name in parts)
        means = {n: float(np.mean([parts[n] for parts in self._parts if n in parts])) for n in names}
        self._parts.clear()
        return self.add({**record, **means})

    def add(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Add a line with a ``record`` alone; the means are left to the next one."""
        whole = dict(record)
        with open(self.path, "a") as file:
            file.write(json.dumps(whole) + "\n")
        if self._board is not None:
            for name, value in whole.items():
                if isinstance(value, float):
                    self._board.add_scalar(name, value, whole["step"])
            self._board.flush()
        return whole


def _step_of(line: str) -> int:
    """The step of a line of the log; one that a kill has cut short is of none."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return 1 << 62


def check_tensorboard() -> Any:
    """What writes for TensorBoard. Raises ``ChorosError`` where that is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ChorosError(
            "TensorBoard is not installed; pip install choros[train], or do without."
        ) from error
    return SummaryWriter
