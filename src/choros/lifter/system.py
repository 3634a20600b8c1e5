"""The lifter as a system: its networks loaded once, a stream for each video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros import weights
from choros.body import BodyModel
from choros.detection import Detector, KeypointEstimator, PersonFinder
from choros.detection.silhouette import Segmenter
from choros.devices import CPU, Device
from choros.lifter.affinity import FrameDetections, LifterAffinity
from choros.lifter.config import LifterSystemConfig
from choros.lifter.lift import Lifting
from choros.lifter.options import LifterOptions
from choros.lifter.tracker import LifterTracker
from choros.run_identity import Identity, changed, file_identity, part_identity
from choros.tracking.online import OnlineStream


class LifterSystem:
    """Detect, lift, associate; see ``LifterSystemConfig``.

    A ``finder`` is one made already; else it is the embedded one, on ``device``, with a user's ``detector`` or
    ``keypoints`` in place of its own. The lift itself is small and stays on the CPU. ``body_path`` is a user's SMPL
    file; None takes the open body. ``threads`` as of `systems.load`.
    """

    name = "lifter"

    def __init__(
        self,
        config: LifterSystemConfig | None = None,
        *,
        finder: PersonFinder | None = None,
        detector: Detector | None = None,
        keypoints: KeypointEstimator | None = None,
        device: Device = CPU,
        body_path: str | Path | None = None,
        weights_path: str | Path | None = None,
        threads: int | None = 1,
    ) -> None:
        self.config, self.threads = config or LifterSystemConfig(), threads
        self.body = BodyModel.load(body_path)
        self.finder = finder or PersonFinder.default(
            not self.config.accurate, detector=detector, keypoints=keypoints, device=device
        )
        self._lifting = Lifting(self.body, weights_path, self.config.lift)
        self._segmenter = Segmenter(device=device)
        self._place = device.identity(self._segmenter.place)
        self._files = {
            "weights": file_identity(weights_path, weights.shipped("lifter")),
            "body": file_identity(body_path, weights.shipped("body")),
        }

    def identity(self) -> Identity:
        """By what its results are decided; see `stream.IdentifiedSystem`."""
        return {
            "options": changed(self.config, LifterSystemConfig()),
            **self._files,
            **self._place,
            "finder": part_identity(self.finder),
            "segmenter": part_identity(self._segmenter),
        }

    def stream(self, K: NDArray[np.float64] | None = None) -> OnlineStream[FrameDetections, LifterAffinity]:
        """A new video. Streams of one system share its networks and nothing else."""
        config = self.config
        tracker = LifterTracker(self.finder, self._lifting, config, self._segmenter)
        return OnlineStream(
            tracker, K, self.threads, life=config.life, cuts=config.cuts, background=config.background,
            search_s=config.search_s,
        )  # fmt: skip


def make(options: LifterOptions, *, device: Device, threads: int | None, **parts: Any) -> LifterSystem:
    """The system with what a user chose; for the registry."""
    config = LifterSystemConfig(
        accurate=options.accurate, heights_m=dict(options.heights_m), same_people=options.same_people,
        search_s=options.search_s or 0.0,
    )  # fmt: skip
    return LifterSystem(
        config,
        body_path=options.body_path,
        weights_path=options.weights_path,
        device=device,
        threads=threads,
        **parts,
    )
