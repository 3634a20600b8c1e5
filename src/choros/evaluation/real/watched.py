"""The quick part of the bench of real footage, for weights that are being trained: a few figures every few minutes.

LSP extended and the share-alike part of COCO with boxes given, as in their rows, and the first second of two of
Pose2Sim's cameras. Nothing of it is ever trained on; what is not there is left out.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from choros.detection import PersonFinder
from choros.errors import ChorosError
from choros.evaluation.real import footage, pictures, pose2sim
from choros.evaluation.real.footage import FootageFiles
from choros.evaluation.real.remembered import Memory
from choros.evaluation.sources import ProgressCall
from choros.tracking.stream import System

#: Of Pose2Sim's four cameras and of its seconds, 60 frames each.
CAMERAS, SECONDS = 2, 1.0

#: What is told of each part, by the names of its figures here and in its row.
PARTS: dict[str, tuple[FootageFiles, dict[str, str]]] = {
    "lsp": (footage.LSP_EXTENDED, {"pck_05": "pck_05", "pck_10": "pck_10"}),
    "coco": (footage.COCO_BYSA, {"pck_05": "pck_05", "pck_10": "pck_10", "oks": "oks"}),
    "pose2sim": (
        footage.POSE2SIM,
        {"pa_mpjpe_mm": "pa_mpjpe_mm", "mpjpe_mm": "mpjpe_mm", "missed": "missed"},
    ),
}


class WatchedFootage:
    """Figures of weights, by names such as ``real/lsp_pck_10``.

    ``root`` is the folder of the footage, ``load`` makes the system of a file of weights. What its finder of people
    says of a picture is remembered, since weights do not change it. Raises ``ChorosError`` if none of the footage is
    there; ``lacks`` says what of it is not.
    """

    def __init__(self, root: Path, load: Callable[[Path], System], progress: ProgressCall) -> None:
        self._root, self._load, self._progress = root, load, progress
        gone = {name: needs for name, (part, _) in PARTS.items() if (needs := part.missing(root))}
        self.lacks: Sequence[str] = list(gone.values())
        self._there = [name for name in PARTS if name not in gone]
        if not self._there:
            raise ChorosError(
                f"{root} holds none of the real footage ({self.lacks[0]}); see docs/benchmarks.md."
            )
        self._folder = tempfile.TemporaryDirectory(prefix="choros-")
        self._memory = Memory(Path(self._folder.name) / "seen.sqlite")

    def measure(self, weights: Path) -> dict[str, float]:
        """The figures; one that is not a number is left out."""
        system = self._load(weights)
        if isinstance(finder := getattr(system, "finder", None), PersonFinder):
            system.finder = self._memory.finder(finder)  # type: ignore[attr-defined]
        figures = {}
        for name in self._there:
            told = self._metrics(name, system)
            for mine, key in PARTS[name][1].items():
                if math.isfinite(told[key]):
                    figures[f"real/{name}_{mine}"] = float(told[key])
        return figures

    def _metrics(self, name: str, system: System) -> dict[str, float]:
        if name == "pose2sim":
            *videos, truth = (self._root / file for file in footage.POSE2SIM.files)
            return pose2sim.measure(
                "real", system, videos[:CAMERAS], truth, self._progress, end_s=SECONDS
            ).metrics
        row = {"lsp": "lsp_extended", "coco": "coco_bysa"}[name]
        labelled = pictures.labelled_pictures(row, self._root)
        return pictures.measure_given(row, row, "real", system, labelled, self._progress).metrics
