"""Many videos: what a second worker brings, what a worker needs, and whether kills change a byte.

    python benchmarks/batch.py VIDEO [--pieces 12] [--seconds 4] [--workers 1 2] [--kills 5] [--seed 0]

A manifest of pieces of one video is done by `choros batch` with each number of workers, then once more with the whole
group of processes killed (`kill -9`) at random moments and run again until all is done. Exits with 1 if any motion
differs. Wall times mean something on an idle machine alone.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from choros.batch.outcome import read_outcome


def started(manifest: Path, output: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "choros", "batch", str(manifest), "-o", str(output), *more]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def motions(output: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in sorted(output.glob("*/motion.npz"))}


def children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def one_run(manifest: Path, output: Path, workers: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), children_s()
    code = started(manifest, output, "--workers", str(workers)).wait()
    if code:
        raise SystemExit(f"choros batch ended with {code}")
    return time.perf_counter() - wall, children_s() - cpu


def killed(manifest: Path, output: Path, kills: int, usual_s: float, seed: int) -> Iterator[dict[str, bytes]]:
    """Run and kill until all is done, and that again until it was killed so often; the motions of each time."""
    chance, left = random.Random(seed), kills
    while left:
        process = started(manifest, output, "--workers", "2")
        try:
            code = process.wait(usual_s * chance.uniform(0.2, 0.5))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            left -= 1
            if left:
                continue
            code = started(manifest, output, "--workers", "2").wait()
        if code:
            raise SystemExit("choros batch failed after the kills")
        yield motions(output)
        shutil.rmtree(output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--pieces", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    console = Console()
    console.print(f"load of the machine before: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = folder / "pieces.csv"
        lines = [
            f"{args.video.resolve()},piece{k},{k * args.seconds:g},{(k + 1) * args.seconds:g}"
            for k in range(args.pieces)
        ]
        manifest.write_text("\n".join(["path,name,start,end", *lines]))
        table = Table(
            "workers", "wall s", "CPU s", "frames", "frames/s", "CPU ms a frame", "largest worker MB"
        )
        first: dict[str, bytes] = {}
        same, usual_s = True, 0.0
        for workers in args.workers:
            output = folder / f"by{workers}"
            wall, cpu = one_run(manifest, output, workers)
            told = [read_outcome(path) for path in output.iterdir() if path.is_dir()]
            frames = sum(one.frames for one in told if one is not None)
            most = max(one.memory_mb for one in told if one is not None)
            row = (wall, cpu, frames, frames / wall, 1e3 * cpu / frames, most)
            table.add_row(str(workers), *(f"{n:.1f}" if n < 100 else f"{n:.0f}" for n in row))
            first, usual_s = first or motions(output), wall
            same &= motions(output) == first
        console.print(table)
        console.print(f"same bytes: {same}")
        if args.kills:
            ended = [
                found == first
                for found in killed(manifest, folder / "killed", args.kills, usual_s, args.seed)
            ]
            console.print(f"killed {args.kills} times, {sum(ended)} of {len(ended)} ends with the same bytes")
            same &= all(ended)
    sys.exit(not same)


if __name__ == "__main__":
    main()
