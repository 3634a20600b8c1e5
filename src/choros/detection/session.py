"""Opening ONNX networks that ship with choros, on the CPU, ready to be run from several threads."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from choros.errors import ChorosError

DATA = Path(__file__).parent / "data"


def open_network(
    path: Path, threads: int, weights: Mapping[str, NDArray[np.generic]] | None = None
) -> onnxruntime.InferenceSession:
    """An onnxruntime session on ``path`` that computes with ``threads`` threads.

    ``weights`` are those that the file only names; the session has copies of them. Threads that spin while they
    wait would take the cores away from the other networks of the process (half the frames per second, measured),
    so they sleep. Raises `ChorosError` when the file cannot be loaded.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if weights:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(tensor) for tensor in weights.values()]
        options.add_external_initializers(list(weights), values)
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ChorosError(
            f"The network {path} cannot be loaded ({type(error).__name__}); reinstall choros or name another."
        ) from error
