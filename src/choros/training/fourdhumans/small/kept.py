"""What was seen of people in crops, and what is true of them: kept on disk, so that it is looked at once.

All is as a camera sees it that has K = 1: keypoints are on the plane z = 1.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.fourdhumans.hmr2.small.config import N_FEATURES, N_POINTS
from choros.npz import open_npz
from choros.outputs import atomic_write

Singles = NDArray[np.float32]


class Seen(NamedTuple):
    """N crops."""

    keypoints: Singles  # (N, 17, 3) as a network reports them: x, y at z = 1, confidence
    features: NDArray[np.float16]  # (N, N_POINTS, N_FEATURES)
    shown: NDArray[np.bool_]  # (N, N_POINTS) which of the features are of the crop
    rotations: Singles  # (N, 24, 3, 3) local; the root's in the camera's axes
    betas: Singles  # (N, 10)
    joints_cam: Singles  # (N, 24, 3) metres
    true_keypoints: Singles  # (N, 17, 3) x, y at z = 1, 1 where known
    posed: Singles  # (N,) how far rotations, betas and joints are to be believed, 0..1

    def some(self, which: NDArray[np.integer[Any]]) -> Seen:
        """Those at these indices."""
        return Seen(*(part[which] for part in self))

    @property
    def people(self) -> int:
        """How many crops."""
        return len(self.keypoints)


def nobody() -> Seen:
    """No crops."""
    return Seen(
        np.zeros((0, 17, 3), np.float32),
        np.zeros((0, N_POINTS, N_FEATURES), np.float16),
        np.zeros((0, N_POINTS), bool),
        np.zeros((0, 24, 3, 3), np.float32),
        np.zeros((0, 10), np.float32),
        np.zeros((0, 24, 3), np.float32),
        np.zeros((0, 17, 3), np.float32),
        np.zeros(0, np.float32),
    )


def together(parts: Sequence[Seen]) -> Seen:
    """Several as one."""
    return Seen(*(np.concatenate(arrays) for arrays in zip(*(parts or [nobody()]), strict=True)))


def gather(
    folder: Path,
    name: str,
    count: int,
    make: Callable[[int], Seen],
    tell: Callable[[str, int], None] = lambda name, done: None,
    stop: Callable[[], bool] = lambda: False,
) -> Seen:
    """The ``count`` parts of one name in a folder; those that are not there yet are made, by their number, and kept.

    Ends early once ``stop`` says so. Raises ``ChorosError`` where a file is something else.
    """
    parts = []
    for number in range(count):
        if stop():
            break
        tell(name, number)
        parts.append(_kept(folder / f"{name}-{number:05d}.npz", lambda number=number: make(number)))  # type: ignore[misc]
    return together(parts)


def _kept(path: Path, make: Callable[[], Seen]) -> Seen:
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            np.savez(file, **made._asdict())
        return made
    try:
        with open_npz(path) as npz:
            found = Seen(*(npz[name] for name in Seen._fields))
        if found.features.shape[1:] != (N_POINTS, N_FEATURES):
            raise ValueError(f"features {found.features.shape}")
        return found
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ChorosError(f"{path} holds no crops of this version ({error}); remove it.") from error
