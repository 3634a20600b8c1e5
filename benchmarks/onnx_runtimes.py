"""The networks of a frame by onnxruntime, which choros takes, and by OpenVINO: the same answers, and which is faster.

    pip install openvino
    python benchmarks/onnx_runtimes.py [--threads 1 2]

Least of some rounds, by the clock and of all cores, in one process, in turns. "Apart" is the greatest difference of an
answer, in its standard deviations. A processor may also let OpenVINO compute in bfloat16, which is another answer.
"""

import choros  # before onnxruntime, which is to send nothing

# isort: split
import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from choros.onnx_session import Network
from choros.weights import shipped

#: Networks as they ship, and the shape of what they see: of a video of 16 to 9, and of one person.
SEEN: dict[str, tuple[int, ...]] = {
    "nanodet": (1, 3, 320, 576),
    "nanodet-int8": (1, 3, 320, 576),
    "movenet-lightning": (1, 192, 192, 3),
    "movenet-thunder": (1, 256, 256, 3),
}
PRECISIONS = ("f32", "bf16")


def openvino_of(name: str, threads: int, precision: str) -> Callable[[NDArray[Any]], list[NDArray[Any]]]:
    """The network, run with so many threads and in that precision, as what it answers."""
    core = openvino.Core()
    model = core.read_model(shipped(name))
    model.reshape({model.inputs[0].any_name: list(SEEN[name])})
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = core.compile_model(model, "CPU", options)
    request = compiled.create_infer_request()

    def run(x: NDArray[Any]) -> list[NDArray[Any]]:
        request.infer({0: x})
        return [np.array(request.get_tensor(output).data) for output in compiled.outputs]

    return run


def seconds(runs: list[Callable[[], Any]], rounds: int) -> list[tuple[float, float]]:
    """Least wall and CPU time of each, in turns."""
    least = [(np.inf, np.inf)] * len(runs)
    for _ in range(rounds + 2):
        for i, run in enumerate(runs):
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            took = time.perf_counter() - wall, time.process_time() - cpu
            least[i] = min(least[i][0], took[0]), min(least[i][1], took[1])
    return least


def apart(exact: list[NDArray[Any]], other: list[NDArray[Any]]) -> float:
    """The greatest difference of any answer, in its standard deviations; answers in the order of their shapes."""
    pairs = zip(sorted(exact, key=np.shape), sorted(other, key=np.shape), strict=True)
    return max(float(np.abs(a - b).max() / max(float(a.std()), 1e-9)) for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    table = Table(
        "network", "threads", "onnxruntime ms / CPU", *(f"OpenVINO {p}" for p in PRECISIONS), "apart"
    )
    table.title = f"choros {choros.__version__}, OpenVINO {openvino.__version__.split('-')[0]}"
    random = np.random.default_rng(0)
    for name, shape in SEEN.items():
        for threads in given.threads:
            network = Network(shipped(name), threads)
            whole = network.inputs[0].kind == "int32"
            x = (
                random.integers(0, 255, shape).astype(np.int32)
                if whole
                else random.normal(size=shape).astype(np.float32)
            )
            theirs = [openvino_of(name, threads, precision) for precision in PRECISIONS]
            exact = network.run(None, {network.input: x})
            runs: list[Callable[[], Any]] = [lambda n=network, x=x: n.run(None, {n.input: x})]
            runs += [lambda run=run, x=x: run(x) for run in theirs]
            times = [f"{1e3 * wall:.1f} / {1e3 * cpu:.1f}" for wall, cpu in seconds(runs, given.rounds)]
            differences = "  ".join(f"{apart(exact, run(x)):.0e}" for run in theirs)
            table.add_row(name, str(threads), *times, differences)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
