"""Results of one row of the bench for one system: metrics, their parts, and pictures to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ResultPicture:
    """One picture with the people that a system saw in it, drawn when a sheet is asked for."""

    source: Path  # a picture, or a video
    pts: Fraction | None  # of the frame, if it is a video
    rows: NDArray[np.void]  # (n,) motion.ROW, camera space
    K: NDArray[np.float64]  # (3, 3) px
    caption: str
    around_px: NDArray[np.float64] | None = None  # (4,) xyxy: the part worth seeing; None for all of it
    score: float = math.nan  # lower is worse; NaN where the row has none for one picture


@dataclass(frozen=True, eq=False)
class Result:
    """One row of one system. ``needs`` says what is missing, where the row could not be measured."""

    row: str
    label: str
    system: str
    metrics: dict[str, float] = field(default_factory=dict)  # NaN where one does not apply
    parts: list[dict[str, Any]] = field(default_factory=list)  # a view, a picture, a set
    shots: list[ResultPicture] = field(default_factory=list)
    scores: Any = None  # what the metrics were made of, for rows made of several and for plots
    needs: str | None = None

    def record(self) -> dict[str, Any]:
        """One object of the JSON file; what is not a number becomes null."""
        return {
            "row": self.row,
            "label": self.label,
            "system": self.system,
            "needs": self.needs,
            "metrics": {key: plain(value) for key, value in self.metrics.items()},
            "parts": [{key: plain(value) for key, value in part.items()} for part in self.parts],
        }


def plain(value: Any) -> Any:
    """A value as JSON takes it: NumPy's numbers as Python's, NaN and infinity as None, what is inside alike."""
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value


def mean_of(parts: Sequence[dict[str, Any]], keys: Sequence[str]) -> dict[str, float]:
    """The mean of each key over the parts that have a number for it; NaN where none has."""
    means = {}
    for key in keys:
        values = np.array([part[key] for part in parts], np.float64)
        known = values[np.isfinite(values)]
        means[key] = float(known.mean()) if len(known) else math.nan
    return means
