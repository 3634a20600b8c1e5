"""What a step of the fit costs: milliseconds per person, of random people seen by random keypoints.

    python benchmarks/fit.py

Run it on an idle machine. The first call compiles, which takes seconds once; later processes read it from disk.
"""

import itertools
import time

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

from choros import weights
from choros.body import BodyModel
from choros.body import gauss_newton as gn

REPEATS = 200


def crowd(points: gn.Points, n: int, rng: np.random.Generator) -> tuple:
    """Betas, rotations and places to start from, and a target, of n people."""

    def turned(like: np.ndarray, by_rad: float) -> np.ndarray:
        return like @ Rotation.from_rotvec(rng.normal(0, by_rad, (n * 24, 3))).as_matrix().reshape(
            n, 24, 3, 3
        )

    rotations = turned(np.eye(3), 0.3)
    rotations[:, 0] = np.diag([1.0, -1, -1]) @ rotations[:, 0]
    transl, betas = rng.normal([0, 0, 4], 0.5, (n, 3)), rng.normal(0, 1, (n, 10))
    seen = points.keypoints(betas, rotations, transl)
    plane = seen[..., :2] / seen[..., 2:] + rng.normal(0, 0.005, (n, 17, 2))
    start = turned(rotations, 0.2)
    target = gn.Target(
        plane,
        rng.uniform(0.003, 0.02, (n, 17)),
        start,
        rng.uniform(0.1, 0.4, (n, 24)),
        turned(rotations, 0.1),
        np.full(n, 0.1),
        transl,
        gn.place_information(transl, np.full(n, 0.2), np.full(n, 1.0)),
        np.array([0.0, -1.0, 0.0]),
        0.1,
    )
    return betas, start, transl + 0.05, target


def main() -> None:
    points = gn.Points.of(BodyModel.load(detail="light"))
    tensors, _ = weights.load(weights.shipped("lifter"), "lifter")
    prior = gn.PosePrior(*(gn.float64(tensors[f"prior.{name}"]) for name in ("mean", "precision_root")))
    rng = np.random.default_rng(0)
    began = time.perf_counter(), time.process_time()
    gn.fit(points, prior, *crowd(points, 1, rng), gn.FitConfig())
    first = f"{time.perf_counter() - began[0]:.2f} s, {time.process_time() - began[1]:.2f} s of the processor"
    table = Table(title=f"fit: first call {first}", title_justify="left")
    for column in ("people", "steps", "median ms a call", "least ms a call", "least ms a person and step"):
        table.add_column(column, justify="right")
    for n, steps in itertools.product((1, 6, 18), (1, 2, 4)):
        betas, rotations, transl, target = crowd(points, n, rng)
        took_ms = []
        for _ in range(REPEATS):
            began_call = time.perf_counter()
            gn.fit(points, prior, betas, rotations, transl, target, gn.FitConfig(steps=steps))
            took_ms.append(1e3 * (time.perf_counter() - began_call))
        middle, least = np.median(took_ms), min(took_ms)
        table.add_row(f"{n}", f"{steps}", f"{middle:.3f}", f"{least:.3f}", f"{least / n / steps:.4f}")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
