"""Batches for HMR 2.0: people of public sets, each set as often as the recipe says, and bodies that were captured.

What a batch holds follows from the run's seed, its number and the process's. Pictures are read when they are needed, on
as many threads as are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.datasets.sample import Samples
from choros.errors import ChorosError
from choros.fourdhumans.hmr2.network import normalised
from choros.rotation import rotvec_to_rotmat
from choros.training.fourdhumans.augmentation import Example, augmented
from choros.training.fourdhumans.labels import label_of
from choros.training.fourdhumans.losses import Targets
from choros.training.fourdhumans.plausibility import PosePlausibility
from choros.training.fourdhumans.recipe import Recipe
from choros.training.pictures import read_picture

#: Draws of a person of a set before it is said that hardly any of them may teach.
TRIES = 1000


class Batch(NamedTuple):
    """B crops with what is true of the people in them, and R bodies that were captured."""

    crops: Tensor  # (B, 3, 256, width) normalised
    truth: Targets
    real_pose: Tensor  # (R, 23, 3, 3)
    real_betas: Tensor  # (R, 10)

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        truth = Targets(*(part.to(device) for part in self.truth))
        return Batch(self.crops.to(device), truth, self.real_pose.to(device), self.real_betas.to(device))


class Feed:
    """Draws people from ``sets``, each the samples of some files, by the names of the recipe's shares.

    Captured bodies have the poses ``body_pose`` (N, 69), axis-angle, rad, by which is also told what is ``plausible``.
    Their shapes nobody measured: betas are drawn as SMPL's are spread, of standard deviation 1. ``smpl_shapes`` as of
    `label_of`. Raises ``ChorosError`` for a set that is not given or empty.
    """

    def __init__(
        self,
        recipe: Recipe,
        sets: Mapping[str, Sequence[Samples]],
        body_pose: NDArray[np.floating],
        plausible: PosePlausibility,
        *,
        width_px: int,
        smpl_shapes: bool,
        threads: int = 1,
    ) -> None:
        lacking = [name for name in recipe.shares if not sum(map(len, sets.get(name, ())))]
        if lacking:
            raise ChorosError(
                f"this recipe learns from {', '.join(lacking)}; say where each is, or take another recipe."
            )
        self.recipe, self.sets, self.plausible = recipe, sets, plausible
        self._body_pose = np.asarray(body_pose, np.float64)
        self._width_px, self._smpl_shapes = width_px, smpl_shapes
        self._threads = ThreadPoolExecutor(threads)

    def draw(self, seed: Sequence[int]) -> Batch:
        """The batch that follows from a seed."""
        n = self.recipe.batch
        examples = list(self._threads.map(lambda number: self.example([*seed, number]), range(n)))
        labels = [example.label for example in examples]
        rng = np.random.default_rng([*seed, n])
        pose = self._body_pose[rng.integers(len(self._body_pose), size=n)]
        return Batch(
            normalised(np.stack([example.crop for example in examples]), self._width_px),
            Targets(*(_tensor(np.stack(part)) for part in zip(*labels, strict=True))),
            _tensor(rotvec_to_rotmat(pose.reshape(-1, 23, 3))),
            _tensor(rng.normal(size=(n, 10)).clip(-self.recipe.filters.betas, self.recipe.filters.betas)),
        )

    def example(self, seed: Sequence[int]) -> Example:
        """A crop that follows from a seed. Raises ``ChorosError`` if hardly anybody of a set may teach."""
        rng = np.random.default_rng(seed)
        shares = self.recipe.shares
        name = str(rng.choice(list(shares), p=list(shares.values())))
        parts = self.sets[name]
        lengths = np.array([len(part) for part in parts], np.float64)
        for _ in range(TRIES):
            part = parts[rng.choice(len(parts), p=lengths / lengths.sum())]
            sample = part[int(rng.integers(len(part)))]
            if not sample.people:
                continue
            person = sample.people[rng.integers(len(sample.people))]
            label = label_of(sample, person, self.recipe.filters, self.plausible, self._smpl_shapes)
            if label is not None:
                return augmented(read_picture(sample), label, rng, self.recipe.augmentation)
        raise ChorosError(f"hardly anybody in {name} has five keypoints; look whether the set is complete.")

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()


def _tensor(numbers: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(numbers.astype(np.float32))
