"""The documented loop, ``load().stream().update``, on a quiet machine and with two busy loops beside it.

Rounds of the two take turns, so that whatever else the machine does falls on both. ``threads`` 1 is what a stream
takes unless it is told otherwise; None leaves PyTorch and NumPy as they are, as all streams once did. "counting" is a
loop in one thread that is no system: what the scheduler alone makes of as many busy loops as cores.

    python benchmarks/library_threads.py [--systems lifter comotion] [--rounds 4] [--busy 2]
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import choros
from choros.scenes import SceneConfig, make_scene
from choros.systems import names
from choros.tracking.stream import System

FRAMES_A_ROUND = 20


def seen(system: System, clip: Path) -> Callable[[], None]:
    """One stream that sees the clip again and again, a frame a call."""
    with choros.open_video(clip) as video:
        images = [frame.image for frame in video]
    images += images[-2:0:-1]  # there and back
    stream, number = system.stream(), itertools.count()

    def step() -> None:
        k = next(number)
        stream.update(images[k % len(images)], k / 10)

    return step


def counted() -> None:
    for _ in range(2_000_000):
        pass


def times_s(step: Callable[[], None], rounds: int, busy: int) -> tuple[list[float], list[float]]:
    """Seconds a step, quiet and busy."""

    def played(n: int) -> list[float]:
        found = []
        for _ in range(n):
            began = time.perf_counter()
            step()
            found.append(time.perf_counter() - began)
        return found

    played(FRAMES_A_ROUND)  # what is compiled and planned at first is not counted
    quiet: list[float] = []
    beside: list[float] = []
    for _ in range(rounds):
        quiet += played(FRAMES_A_ROUND)
        loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
        try:
            time.sleep(1.0)
            beside += played(FRAMES_A_ROUND)
        finally:
            for loop in loops:
                loop.kill()
                loop.wait()
    return quiet, beside


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--systems", nargs="+", default=list(names()))
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--busy", type=int, default=2)
    args = parser.parse_args()
    console, table = Console(), Table("system", "threads", "quiet ms", "busy ms", "worst ms", "busy / quiet")
    with tempfile.TemporaryDirectory() as folder:
        make_scene("easy", 1, SceneConfig(640, 360, Fraction(10), 1.0, people=2)).write(Path(folder))
        clip = Path(folder) / "video.mp4"
        for name, threads in [("counting", 1), *itertools.product(args.systems, (1, None))]:
            step = counted if name == "counting" else seen(choros.load(name, threads=threads), clip)
            quiet, busy = times_s(step, args.rounds, args.busy)
            middle = float(np.median(quiet)), float(np.median(busy))
            figures = [*middle, max(busy)]
            table.add_row(
                name, str(threads), *(f"{1000 * s:.0f}" for s in figures), f"{middle[1] / middle[0]:.2f}"
            )
    console.print(table)


if __name__ == "__main__":
    main()
