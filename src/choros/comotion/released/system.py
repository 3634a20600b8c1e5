"""The released CoMotion as a system: its files, the user's SMPL body, a stream for each video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.comotion.released.files import load_released
from choros.comotion.released.tracker import (
    ReleasedAffinity,
    ReleasedDetections,
    ReleasedRules,
    ReleasedTracker,
)
from choros.devices import CPU, Device
from choros.errors import ChorosError
from choros.run_identity import Identity, file_identity
from choros.tracking.online import OnlineStream

#: The word for the embedded body where a user's own file is expected.
OPEN = "open"


class ReleasedComotion:
    """CoMotion with the checkpoints that its authors gave out.

    They are in ``weights_path``: a folder or a file of it, or one file of `choros convert`. A ``device`` of lower
    precision holds for what is seen in pictures, never for the update. Its poses are SMPL's: ``body_path`` is the
    user's SMPL file, or "open" for the embedded body, whose joints and shapes are others, so that people come out a
    little wrong. Raises ``ChorosError`` without either, and as `load_released` does.
    """

    name = "comotion"

    def __init__(
        self,
        weights_path: str | Path,
        body_path: str | Path | None,
        *,
        device: Device = CPU,
        threads: int | None = 1,
        rules: ReleasedRules | None = None,
    ) -> None:
        if body_path is None:
            raise ChorosError(
                f"{weights_path} tells SMPL's poses and shapes; give your own SMPL file (.pkl or .npz) with it, or "
                '"open" for the embedded body, whose joints are a little elsewhere.'
            )
        self.threads, self.rules = threads, rules or ReleasedRules()
        place = device.torch_device()
        is_open = str(body_path) == OPEN
        self.body = (BodyModel.load() if is_open else BodyModel.load(body_path)).to(place)
        released = load_released(weights_path, device.torch_dtype())
        released.detector.to(place)
        released.updater.to(place)
        self._released = released._replace(mean_pose=released.mean_pose.to(place))
        self._body_identity = {"file": OPEN} if is_open else file_identity(body_path, Path(body_path))
        self._place = device.identity(str(place))

    def identity(self) -> Identity:
        """By what its results are decided; see `stream.IdentifiedSystem`."""
        return {"released": dict(self._released.identity), "body": self._body_identity, **self._place}

    def stream(
        self, K: NDArray[np.float64] | None = None
    ) -> OnlineStream[ReleasedDetections, ReleasedAffinity]:
        """A new video. Streams of one system share its networks and nothing else."""
        rules = self.rules
        tracker = ReleasedTracker(self._released, self.body, rules, K)
        return OnlineStream(
            tracker, K, self.threads, life=rules.life, cuts=rules.cuts, background=rules.background
        )
