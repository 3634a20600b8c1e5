"""A user's ONNX file, opened: where its picture goes in, of which sizes, and what came out of a first run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.devices import CPU, Device
from choros.errors import ChorosError
from choros.onnx_session import Network, Port, Tensors
from choros.run_identity import Identity, sha256_of

Size = tuple[int, int]  # height, width
Outputs = Mapping[str, NDArray[Any]]

#: Inputs beside the picture that are known, and what they are given: PaddleDetection's detectors divide their boxes
#: by ``scale_factor``, and cut them off at ``im_shape``.
SCALE, SHAPE = "scale_factor", "im_shape"
_KINDS = {"float": np.float32, "float16": np.float16}


class OnnxGraph:
    """A network in ``path`` that takes pictures (n, 3, H, W); may be run from several threads.

    ``free_size`` is what height and width become where the graph leaves them free; ``weights`` are those that the file
    only names. Raises ``ChorosError`` where the file is missing or no network, takes anything else, or does not run.
    """

    def __init__(
        self,
        path: str | Path,
        free_size: Size,
        threads: int,
        device: Device = CPU,
        weights: Tensors | None = None,
    ) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise ChorosError(f"{path}: no such file; check the path.")
        self.network = Network(self.path, threads, weights, device)
        pictures = [port for port in self.network.inputs if port.name not in (SCALE, SHAPE)]
        if len(pictures) != 1 or not _takes_pictures(pictures[0]):
            raise self.unlike("one input (n, 3, height, width) of floats is needed")
        (self.picture,) = pictures
        batch, _, height, width = self.picture.shape
        self.batch = batch
        self.fixed = bool(height and width)  # the size of its pictures
        self.size = height or free_size[0], width or free_size[1]
        self.sha256 = sha256_of(self.path)

    def run(self, blob: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """What comes out by name, numbers with a point as float32, for n >= 1 pictures (n, 3, H, W).

        All pictures in one run where the graph takes as many as there are, else as many as it takes at a time.
        """
        step = self.batch or len(blob)
        runs = [self._run(blob[i : i + step], step) for i in range(0, len(blob), step)]
        if len(blob) == step:
            return runs[0]
        return {name: np.concatenate([found[name] for found in runs])[: len(blob)] for name in runs[0]}

    def first_run(self) -> dict[str, NDArray[Any]]:
        """What comes out for a grey picture, one of a batch: by its shapes a family is told."""
        try:
            return self.run(np.zeros((1, 3, *self.size), np.float32))
        except Exception as error:
            raise self.unlike(f"it does not run ({type(error).__name__})") from error

    def identity(self) -> Identity:
        """The file, for a header."""
        return {"file": str(self.path), "sha256": self.sha256}

    def unlike(self, why: str) -> ChorosError:
        """What is said of a graph that is of no family: why, and what it takes and gives."""
        takes, gives = ("; ".join(map(str, ports)) for ports in (self.network.inputs, self.network.outputs))
        return ChorosError(f"{self.path}: {why}; it takes {takes} and gives {gives}.")

    def _run(self, blob: NDArray[np.float32], step: int) -> dict[str, NDArray[Any]]:
        if len(blob) < step:  # a graph of a fixed batch wants all of it
            blob = np.concatenate([blob, np.zeros((step - len(blob), *blob.shape[1:]), blob.dtype)])
        inputs: dict[str, NDArray[Any]] = {
            self.picture.name: blob.astype(_KINDS[self.picture.kind], copy=False)
        }
        for port in self.network.inputs:
            if port.name == SCALE:
                inputs[SCALE] = np.ones((len(blob), 2), np.float32)
            elif port.name == SHAPE:
                inputs[SHAPE] = np.tile(np.array(blob.shape[2:], np.float32), (len(blob), 1))
        found = self.network.run(None, inputs)
        return {
            port.name: array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array
            for port, array in zip(self.network.outputs, found, strict=True)
        }


def _takes_pictures(port: Port) -> bool:
    return len(port.shape) == 4 and port.shape[1] in (3, None) and port.kind in _KINDS
