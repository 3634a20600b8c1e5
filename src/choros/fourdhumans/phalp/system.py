"""4DHumans as a system: a finder of people, a pose engine and PHALP', loaded once, a stream for each video."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros import weights
from choros.detection import Detector, KeypointEstimator, PersonFinder
from choros.devices import CPU, Device
from choros.fourdhumans.phalp.affinity import FrameDetections, PhalpAffinity
from choros.fourdhumans.phalp.config import PhalpConfig
from choros.fourdhumans.phalp.options import PhalpOptions
from choros.fourdhumans.phalp.texture import Skin
from choros.fourdhumans.phalp.tracker import PhalpTracker
from choros.fourdhumans.pose_transformer import SYSTEM, PoseTransformer
from choros.run_identity import Identity, changed, file_identity, part_identity
from choros.tracking.online import OnlineStream
from choros.tracking.pose_engine import PoseEngine


class FourDHumans:
    """PHALP' around any pose engine; see `PhalpConfig`.

    ``engine`` poses who is found in a picture (`choros.tracking.pose_engine`). A ``finder`` is one made already; else
    it is the embedded one, on ``device``, with a user's ``detector`` or ``keypoints`` in place of its own. ``threads``
    as of `systems.load`.
    """

    name = "4dhumans"

    def __init__(
        self,
        engine: PoseEngine,
        config: PhalpConfig | None = None,
        *,
        finder: PersonFinder | None = None,
        detector: Detector | None = None,
        keypoints: KeypointEstimator | None = None,
        accurate: bool = False,
        device: Device = CPU,
        threads: int | None = 1,
    ) -> None:
        self.engine, self.config, self.threads = engine, config or PhalpConfig(), threads
        self.body = engine.body
        self.finder = finder or PersonFinder.default(
            not accurate, detector=detector, keypoints=keypoints, device=device
        )
        self._skin = Skin(engine.body, self.config.texture) if self.config.use_appearance else None
        self._network = None if self.config.constant_velocity else PoseTransformer.load()

    def identity(self) -> Identity:
        """By what its results are decided; see `stream.IdentifiedSystem`."""
        return {
            "options": changed(self.config, PhalpConfig()),
            "engine": part_identity(self.engine),
            "pose_transformer": file_identity(None, weights.shipped(SYSTEM)),
            "finder": part_identity(self.finder),
        }

    def stream(self, K: NDArray[np.float64] | None = None) -> OnlineStream[FrameDetections, PhalpAffinity]:
        """A new video. Streams of one system share its networks and nothing else."""
        config = self.config
        tracker = PhalpTracker(self.finder, self.engine, self._skin, self._network, config)
        return OnlineStream(
            tracker, K, self.threads, life=config.life, cuts=config.cuts, background=config.background
        )


def make(
    options: PhalpOptions, *, device: Device, threads: int | None, engine: PoseEngine, **parts: Any
) -> FourDHumans:
    """The system with what a user chose, around an ``engine``; for the registry."""
    config = PhalpConfig(
        use_pose=options.pose,
        use_place=options.place,
        use_appearance=options.appearance,
        constant_velocity=not options.pose_transformer,
    )
    return FourDHumans(engine, config, accurate=options.accurate, device=device, threads=threads, **parts)
