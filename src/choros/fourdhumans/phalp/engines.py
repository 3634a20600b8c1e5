"""HMR 2.0 as PHALP's pose engine: the small one that ships, or that of a user's file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.checkpoints import fingerprint, what_is
from choros.detection import Detections
from choros.devices import CPU, Device
from choros.errors import ChorosError
from choros.fourdhumans.hmr2.engine import Hmr2Engine, PosedPeople
from choros.fourdhumans.hmr2.small.engine import SmallEngine
from choros.run_identity import Identity, file_identity

Floats = NDArray[np.float64]


class Hmr2FromFiles:
    """`Hmr2Engine` that tells of which files it is."""

    def __init__(self, engine: Hmr2Engine, files: Identity) -> None:
        self._engine, self._files = engine, files

    @property
    def body(self) -> BodyModel:
        """Whose pose and shape it tells."""
        return self._engine.body

    def identity(self) -> Identity:
        """By what its bodies are decided."""
        return self._files

    def pose(self, image: NDArray[np.uint8], people: Detections, K: Floats) -> PosedPeople:
        """As `choros.tracking.pose_engine.PoseEngine`."""
        return self._engine.pose(image, people, K)


def make_hmr2(
    body_path: str | Path | None, weights_path: str | Path | None, device: Device = CPU
) -> Hmr2FromFiles | SmallEngine:
    """The small network, of a file or the one that ships; or the authors' checkpoint with a user's SMPL file.

    For `choros.systems`. Raises ``ChorosError`` for the latter without a body, and as `SmallEngine.load` and
    `Hmr2Engine.released`.
    """
    if weights_path is None or _is_ours(Path(weights_path)):
        return SmallEngine.load(weights_path, body_path)
    if body_path is None:
        raise ChorosError(
            f"{weights_path} tells SMPL's pose and shape; give your own SMPL file (--body FILE) with it."
        )
    identity = {
        "weights": {"file": str(weights_path), **fingerprint(weights_path)},
        "body": file_identity(body_path, Path(body_path)),
    }
    return Hmr2FromFiles(Hmr2Engine.released(weights_path, body_path, device), identity)


def _is_ours(path: Path) -> bool:
    """Whether `choros train` wrote it; what `choros convert` wrote is the authors'."""
    if path.suffix != ".safetensors":
        return False
    found = what_is(path)
    return found.loads or found.system != "hmr2"
