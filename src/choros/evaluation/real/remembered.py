"""Answers of the detector and the keypoint network kept in a file, so that other lifting weights can reuse them.

Detection takes most of the time of a bench, and does not depend on the weights that lift. A `Memory` wraps detector
and keypoint network of a `PersonFinder`; answers are kept by the pixels (and boxes) that were asked about, by the
network's name and settings, and by the code and networks of `choros.detection`: when any of these changes, the
answers are computed anew.
"""

from __future__ import annotations

import hashlib
import io
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros import detection
from choros.detection import Detector, KeypointEstimator, PersonFinder
from choros.errors import ChorosError
from choros.run_identity import part_identity

Arrays = tuple[NDArray[Any], ...]


class Memory:
    """Answers by key, in a file of SQLite. May be asked from several threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._file = sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)
            self._file.execute("PRAGMA journal_mode = WAL")  # another run may use the file at the same time
            self._file.execute("CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, answer BLOB)")
        except sqlite3.Error as error:
            raise ChorosError(
                f"{path}: {error}; name a file that this command wrote, or a new one."
            ) from error
        self._code = _digest_of_code()

    def finder(self, finder: PersonFinder) -> PersonFinder:
        """The same finder, which asks its networks only what they were not asked before."""
        return replace(
            finder,
            detector=_Detector(finder.detector, self),
            keypoints=_Keypoints(finder.keypoints, self),
        )

    def recall(self, network: Any, question: Arrays, ask: Callable[[], Arrays]) -> Arrays:
        """The answer to the question that a network was asked, from the file or else from ``ask``."""
        key = self._key(network, question)
        with self._lock:
            known = self._file.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        if known:
            with np.load(io.BytesIO(known[0])) as arrays:
                return tuple(arrays[name] for name in arrays.files)
        answer, packed = ask(), io.BytesIO()
        np.savez(packed, *answer)
        with self._lock:
            self._file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, packed.getvalue()))
        return answer

    def _key(self, network: Any, question: Arrays) -> bytes:
        plain = {name: value for name, value in vars(network).items() if not name.startswith("_")}
        key = hashlib.sha256(self._code)
        key.update(f"{part_identity(network)} {plain}".encode())
        for array in question:
            key.update(f"{array.dtype} {array.shape}".encode())
            key.update(np.ascontiguousarray(array).data)
        return key.digest()


class _Detector:
    def __init__(self, network: Detector, memory: Memory) -> None:
        self._network, self._memory = network, memory

    def detect(self, image: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any]]:
        boxes, scores = self._memory.recall(self._network, (image,), lambda: self._network.detect(image))
        return boxes, scores


class _Keypoints:
    def __init__(self, network: KeypointEstimator, memory: Memory) -> None:
        self._network, self._memory = network, memory
        self.tells_people_apart = getattr(network, "tells_people_apart", False)

    def estimate(self, image: NDArray[np.uint8], boxes_px: NDArray[Any]) -> NDArray[Any]:
        if not len(boxes_px):
            return self._network.estimate(image, boxes_px)
        (keypoints,) = self._memory.recall(
            self._network, (image, boxes_px), lambda: (self._network.estimate(image, boxes_px),)
        )
        return keypoints


def _digest_of_code() -> bytes:
    """Of every file of `choros.detection`, its networks among them."""
    digest = hashlib.sha256()
    for path in sorted(Path(detection.__file__).parent.rglob("*")):
        if path.is_file() and path.suffix in (".py", ".onnx"):
            digest.update(path.read_bytes())
    return digest.digest()
