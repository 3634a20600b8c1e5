"""One person of a motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.motion.columns import Columns


@dataclass(frozen=True)
class Person(Columns):
    """One identity over time: its rows, in order. Arrays as in ``motion.tables``, n frames long."""

    id: int
    rows: NDArray[np.void]  # (n,) ROW
    pts_s: NDArray[np.float64]  # (n,) seconds
    body: str = "open"  # whose shape it is: ``Header.body``

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def frame(self) -> NDArray[np.int32]:
        """Which of the motion's frames, (n,), from 0."""
        return self.rows["frame"]

    @property
    def person(self) -> NDArray[np.int32]:
        """The identity, ``id``, in every frame, (n,)."""
        return self.rows["person"]
