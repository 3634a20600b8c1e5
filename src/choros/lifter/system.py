"""The lifter as a system: its networks loaded once, a stream for each video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros import weights
from choros.body import BodyModel
from choros.detection import PersonFinder
from choros.detection.silhouette import Segmenter
from choros.lifter.config import LifterSystemConfig
from choros.lifter.lift import Lifting
from choros.lifter.tracker import LifterStream
from choros.run_identity import Identity, changed, file_identity, part_identity


class LifterSystem:
    """Detect, lift, associate; see ``LifterSystemConfig``.

    ``body_path`` is a user's SMPL file; None takes the open body. ``threads`` as of `systems.load`.
    """

    name = "lifter"

    def __init__(
        self,
        config: LifterSystemConfig | None = None,
        *,
        finder: PersonFinder | None = None,
        body_path: str | Path | None = None,
        weights_path: str | Path | None = None,
        threads: int | None = 1,
    ) -> None:
        self.config, self.threads = config or LifterSystemConfig(), threads
        self.body = BodyModel.load(body_path)
        self.finder = finder or PersonFinder.default(fast=not self.config.accurate)
        self._lifting = Lifting(self.body, weights_path, self.config.lift)
        self._segmenter = Segmenter()
        self._files = {
            "weights": file_identity(weights_path, weights.shipped("lifter")),
            "body": file_identity(body_path, weights.shipped("body")),
        }

    def identity(self) -> Identity:
        """By what its results are decided; see `stream.IdentifiedSystem`."""
        return {
            "options": changed(self.config, LifterSystemConfig()),
            **self._files,
            "finder": part_identity(self.finder),
            "segmenter": part_identity(self._segmenter),
        }

    def stream(self, K: NDArray[np.float64] | None = None) -> LifterStream:
        """A new video. Streams of one system share its networks and nothing else."""
        return LifterStream(self.finder, self._lifting, self.config, K, self._segmenter, self.threads)
